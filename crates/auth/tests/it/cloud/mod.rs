//! Tokens of clouds, asked for in every way that their own clients know, from fakes on loopback that fail in every way
//! that the clouds document.

mod aws;
mod aws_chain;
mod azure;
mod google;
mod secrets;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use landfall_auth::{AuthError, Cloud, CloudOptions, Credential, Environment, Found, Keyring};
use landfall_net::client::{RetryOptions, TransportOptions};

/// A transport with which failing takes milliseconds, and which trusts nobody but `ca`.
fn transport(ca: Option<&Path>, proxy: Option<String>) -> TransportOptions {
    let mut options = TransportOptions {
        retry: RetryOptions {
            attempts: 2,
            base: Duration::from_millis(1),
            ..RetryOptions::default()
        },
        ..TransportOptions::default()
    };
    options.tls.system_roots = false;
    options.tls.ca_files = ca.map(Path::to_owned).into_iter().collect();
    options.proxies.https = proxy;
    options
}

/// A machine: what its environment and its home hold.
struct Machine {
    home: tempfile::TempDir,
    variables: HashMap<String, OsString>,
    transport: TransportOptions,
    options: CloudOptions,
}

impl Machine {
    /// One that knows nothing, and has no metadata service.
    fn new() -> Self {
        let machine = Self {
            home: tempfile::tempdir().unwrap(),
            variables: HashMap::new(),
            transport: transport(None, None),
            options: CloudOptions::default(),
        };
        machine
            .set("AWS_EC2_METADATA_DISABLED", "true")
            .set("NO_GCE_CHECK", "true")
            .set("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")
    }

    fn set(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    fn unset(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// Writes a file below the home, and returns its path.
    fn write(&self, name: &str, text: &str) -> OsString {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.into()
    }

    fn environment(&self) -> Environment {
        let home = self.home.path().as_os_str().to_owned();
        Environment::from_lookup(|name| match name {
            "HOME" => Some(home.clone()),
            name => self.variables.get(name).cloned(),
        })
    }

    fn keyring(&self) -> Keyring {
        let environment = self.environment();
        let cloud = Cloud::new(self.transport.clone(), &environment, self.options.clone());
        Keyring::load(&environment, []).unwrap().with_cloud(cloud)
    }

    async fn login(&self, registry: &str) -> Result<Found, AuthError> {
        self.keyring().lookup(&registry.parse().unwrap(), None).await
    }

    async fn refused(&self, registry: &str) -> String {
        let error = self.login(registry).await.unwrap_err();
        error.to_string()
    }
}

/// The user and the password of a credential.
#[track_caller]
fn pair(found: &Found) -> (&str, &str) {
    match &found.credential {
        Credential::Basic { username, password } => (username, password.expose()),
        other => panic!("{other:?}: {}", found.provenance),
    }
}

#[track_caller]
fn is_anonymous(found: &Found, because: &str) {
    assert_eq!(found.credential, Credential::Anonymous);
    assert!(found.provenance.contains(because), "{}", found.provenance);
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

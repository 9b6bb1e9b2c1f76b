//! Where credentials are found, in which order, and what is said when they are not.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use landfall_auth::{AuthError, Credential, Environment, Found, Keyring, Secret};
use landfall_oci::{Reference, Registry};

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in [".docker", "other", "run/containers", "bin"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn environment(&self) -> Environment {
        let path = std::env::join_paths([
            self.path("bin"),
            Path::new("/bin").into(),
            Path::new("/usr/bin").into(),
        ]);
        Environment {
            home: Some(self.folder.path().to_owned()),
            xdg_runtime_dir: Some(self.path("run")),
            path: Some(path.unwrap()),
            ..Environment::default()
        }
    }
}

fn user(name: &str) -> String {
    format!(r#"{{"auths":{{"reg:5000":{{"username":"{name}","password":"p"}}}}}}"#)
}

async fn lookup(keyring: &Keyring, image: &str) -> Result<Found, AuthError> {
    let reference = Reference::parse(image).unwrap();
    keyring
        .lookup(reference.registry(), Some(reference.repository()))
        .await
}

fn name(found: &Found) -> &str {
    match &found.credential {
        Credential::Basic { username, .. } => username,
        Credential::Anonymous => "(anonymous)",
        Credential::IdentityToken { .. } => "(identity)",
        Credential::RegistryToken { .. } => "(registry)",
    }
}

#[tokio::test]
async fn the_order_of_sources() {
    let home = Home::new();
    let mut environment = home.environment();
    let none: [(Registry, Credential, String); 0] = [];
    let found = async |environment: &Environment| {
        let keyring = Keyring::load(environment, none.clone()).unwrap();
        lookup(&keyring, "reg:5000/a").await.unwrap()
    };
    assert_eq!(name(&found(&environment).await), "(anonymous)");
    home.write("run/containers/auth.json", &user("podman"));
    assert_eq!(name(&found(&environment).await), "podman");
    home.write(".docker/config.json", &user("docker"));
    let docker = found(&environment).await;
    assert_eq!(name(&docker), "docker");
    assert_eq!(&*docker.provenance, r#"~/.docker/config.json, auths["reg:5000"]"#);
    home.write("other/config.json", &user("elsewhere"));
    environment.docker_config = Some(home.path("other"));
    assert_eq!(name(&found(&environment).await), "elsewhere");
    environment.registry_auth_file = Some(home.write("file.json", &user("file")));
    assert_eq!(name(&found(&environment).await), "file");
    let flag = Credential::Basic {
        username: "flag".into(),
        password: Secret::new("p"),
    };
    let given = [("reg:5000".parse().unwrap(), flag, "--username".to_owned())];
    let keyring = Keyring::load(&environment, given).unwrap();
    let found = lookup(&keyring, "reg:5000/a").await.unwrap();
    assert_eq!((name(&found), &*found.provenance), ("flag", "--username"));
    assert_eq!(
        name(&lookup(&keyring, "reg:5001/a").await.unwrap()),
        "(anonymous)"
    );
}

#[test]
fn a_file_that_is_broken_or_missing_is_named_and_not_shown() {
    let home = Home::new();
    home.write(
        ".docker/config.json",
        r#"{"auths":{"reg":{"auth":"hunter2hunter2"}}}"#,
    );
    let none: [(Registry, Credential, String); 0] = [];
    let error = Keyring::load(&home.environment(), none.clone())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("~/.docker/config.json") && error.contains("reg"),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
    let mut environment = Home::new().environment();
    environment.registry_auth_file = Some("/nonexistent/auth.json".into());
    let error = Keyring::load(&environment, none).unwrap_err();
    assert!(matches!(&error, AuthError::ConfigUnreadable { file, .. } if file == "/nonexistent/auth.json"));
}

#[tokio::test]
async fn helpers() {
    let home = Home::new();
    home.write(
        ".docker/config.json",
        r#"{"auths":{"fallback.test":{"username":"inline","password":"p"}, "reg.test":{}},
            "credsStore":"store",
            "credHelpers":{"gone.example":"gone","bad.example":"bad","noise.example":"noise","up/../x":"../x"}}"#,
    );
    home.program(
        "docker-credential-store",
        r#"echo x >> "$0.calls"
read server
case "$1 $server" in
"get reg.test") echo '{"ServerURL":"reg.test","Username":"u","Secret":"s3cret"}';;
"get https://index.docker.io/v1/") echo '{"Username":"<token>","Secret":"refresh"}';;
*) echo "credentials not found in native keychain"; exit 1;;
esac"#,
    );
    home.program(
        "docker-credential-bad",
        "echo 'the vault is locked'; echo more; exit 3",
    );
    home.program(
        "docker-credential-noise",
        "echo '{\"Username\":7,\"Secret\":\"hunter2\"}'",
    );
    let none: [(Registry, Credential, String); 0] = [];
    let keyring = Keyring::load(&home.environment(), none).unwrap();
    for _ in 0..3 {
        let found = lookup(&keyring, "reg.test/a").await.unwrap();
        assert_eq!(name(&found), "u");
        assert!(
            found.provenance.contains("docker-credential-store"),
            "{}",
            found.provenance
        );
        assert!(!format!("{found:?}").contains("s3cret"));
    }
    let calls = std::fs::read_to_string(home.path("bin/docker-credential-store.calls")).unwrap();
    assert_eq!(calls.lines().count(), 1, "asked once");
    assert_eq!(name(&lookup(&keyring, "nginx").await.unwrap()), "(identity)");
    assert_eq!(
        name(&lookup(&keyring, "fallback.test/a").await.unwrap()),
        "inline"
    );
    assert_eq!(
        name(&lookup(&keyring, "public.example/a").await.unwrap()),
        "(anonymous)"
    );

    let error = lookup(&keyring, "gone.example/a").await.unwrap_err();
    assert!(matches!(error, AuthError::HelperMissing { .. }));
    let text = error.to_string();
    assert!(
        text.contains("docker-credential-gone") && text.contains("~/.docker/config.json"),
        "{text}"
    );
    let text = lookup(&keyring, "bad.example/a").await.unwrap_err().to_string();
    assert!(
        text.contains("the vault is locked") && !text.contains("more"),
        "{text}"
    );
    let text = lookup(&keyring, "noise.example/a").await.unwrap_err().to_string();
    assert!(!text.contains("hunter2"), "{text}");
}

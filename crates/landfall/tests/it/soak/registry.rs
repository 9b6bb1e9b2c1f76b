//! The server under load, as a site would run it: TLS, users, rules, tokens, retention, an access log; and a client
//! that knows its way.

use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use base64::Engine as _;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use http::{Method, header};
use landfall_auth::{Credential, Environment, Keyring, Secret};
use landfall_client::{Ask, BlobSource, Client, ClientError, ClientOptions, Kind};
use landfall_net::client::{Request, RetryOptions, TlsOptions, Transport, TransportOptions};
use landfall_oci::{Digest, Registry, Repository, Tag, Target};
use landfall_testkit::digest::sha256;
use landfall_testkit::{Authority, free_port, htpasswd};

use super::images::Image;
use super::ledger::Held;
use crate::place::Place;

/// The user of all hands.
const USER: (&str, &str) = ("hand", "s3cret-of-the-soak");

/// What the hands may do, and what becomes of tags that are only passing through.
const RULES: &str =
    "[[rule]]\nrepository = \"soak\"\npull = [\"hand\"]\npush = [\"hand\"]\ndelete = [\"hand\"]\n";
const SETTINGS: &str = r#"
root = "store"
tls-cert = "server.crt"
tls-key = "server.key"
htpasswd = "users"
rules = "rules.toml"
tokens = true
access-log = "access.log"
gc-every = "3s"
gc-grace = "1s"

[[retention]]
repositories = "soak/*"
tags = "passing-*"
keep_last = 2
"#;

/// A server, its folder, and a client of it.
pub(crate) struct Site {
    place: Place,
    authority: Authority,
    pub(crate) registry: Registry,
    client: Client,
    transport: Transport,
    child: Mutex<Option<Child>>,
    /// Counts restarts, so that an error can be told from an outage.
    epoch: AtomicU64,
    /// Held while it is being restarted, and while it is sent a signal.
    steady: tokio::sync::Mutex<()>,
}

/// Why an image is not whole.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) outage: bool,
    pub(crate) text: String,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<ClientError> for Broken {
    fn from(error: ClientError) -> Self {
        Self {
            outage: !matches!(error.kind(), Kind::NotFound | Kind::Corrupt),
            text: error.to_string(),
        }
    }
}

struct Memory(Bytes);

#[async_trait]
impl BlobSource for Memory {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    async fn open(&self, offset: u64) -> std::io::Result<BoxStream<'static, std::io::Result<Bytes>>> {
        let rest = self.0.slice(usize::try_from(offset).unwrap()..);
        Ok(async move { Ok(rest) }.into_stream().boxed())
    }
}

impl Site {
    pub(crate) async fn new() -> Self {
        let place = Place::new();
        let authority = Authority::new();
        let ca = place.scratch.write("ca.crt", authority.certificate());
        let registry: Registry = format!("127.0.0.1:{}", free_port()).parse().unwrap();
        let credential = Credential::Basic {
            username: USER.0.to_owned(),
            password: Secret::new(USER.1.to_owned()),
        };
        let given = Some((registry.clone(), credential, "the test".to_owned()));
        let transport = TransportOptions {
            tls: TlsOptions {
                ca_files: vec![ca],
                ..TlsOptions::default()
            },
            retry: RetryOptions {
                attempts: 4,
                ..RetryOptions::default()
            },
            ..TransportOptions::default()
        };
        let options = ClientOptions {
            transport: transport.clone(),
            keyring: Keyring::load(&Environment::from_lookup(|_| None), given).unwrap(),
            ..ClientOptions::default()
        };
        let site = Self {
            authority,
            client: Client::new(options).unwrap(),
            transport: Transport::new(transport).unwrap(),
            registry,
            place,
            child: Mutex::new(None),
            epoch: AtomicU64::new(0),
            steady: tokio::sync::Mutex::default(),
        };
        site.renew_files(0);
        site.start().await;
        site
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    fn renew_certificate(&self) {
        let identity = self.authority.issue(&["127.0.0.1"]);
        // As an administrator's tool does it: both files anew, each in one step.
        for (name, text) in [("server.key", identity.key), ("server.crt", identity.certificate)] {
            self.replace(name, &text);
        }
    }

    /// All anew: the same user with the same password and another hash, between others; the same rules between
    /// others; the same settings, one that does not matter apart.
    fn renew_files(&self, round: u64) {
        self.renew_certificate();
        let guest = format!("guest-{round}");
        let users = [htpasswd::line(USER.0, USER.1), htpasswd::line(&guest, "guest")];
        self.replace("users", &users.concat());
        let theirs = format!("[[rule]]\nrepository = \"soak/theirs\"\npull = [\"{guest}\"]\n");
        self.replace("rules.toml", &format!("{theirs}{RULES}"));
        let keep = format!("gc-keep-trash = \"{}s\"\n", 5 + round % 3);
        self.replace("serve.toml", &format!("{keep}{SETTINGS}"));
    }

    fn replace(&self, name: &str, text: &str) {
        let staged = self.place.scratch.write(format!("{name}.new"), text);
        std::fs::rename(staged, self.place.path(name)).unwrap();
    }

    /// New files, the log moved away, and SIGHUP.
    pub(crate) async fn renew(&self, round: u64) {
        let _steady = self.steady.lock().await;
        self.renew_files(round);
        let moved = self.place.path(&format!("access.log.{round}"));
        std::fs::rename(self.place.path("access.log"), moved).unwrap();
        let pid = self.child.lock().unwrap().as_ref().unwrap().id().to_string();
        assert!(
            Command::new("kill")
                .args(["-HUP", &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    fn spawn(&self) -> Child {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.place.path("serve.log"))
            .unwrap();
        let args = ["serve", "--config", "serve.toml", "--listen"];
        let mut command = self.place.command(&args);
        command.arg(self.registry.as_str());
        command.stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    async fn start(&self) {
        *self.child.lock().unwrap() = Some(self.spawn());
        let patience = Instant::now() + Duration::from_secs(30);
        while self.client.ping(&self.registry).await.is_err() {
            assert!(Instant::now() < patience, "it does not start: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
            // A command that found no server may have the directory for a moment; systemd would start it again too.
            let mut child = self.child.lock().unwrap();
            if child.as_mut().unwrap().try_wait().unwrap().is_some() {
                *child = Some(self.spawn());
            }
        }
    }

    pub(crate) async fn kill_and_restart(&self) {
        let _steady = self.steady.lock().await;
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.stop();
        self.start().await;
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// kill -9.
    pub(crate) fn stop(&self) {
        let child = self.child.lock().unwrap().take();
        let mut child = child.unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.place.read("serve.log")).into_owned()
    }

    /// The program in the site's folder; what it printed when it succeeded.
    pub(crate) async fn landfall(&self, args: &[&str]) -> Result<String, String> {
        let output = tokio::process::Command::from(self.place.command(args))
            .output()
            .await
            .unwrap();
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    pub(crate) async fn push(
        &self,
        repository: &Repository,
        tag: &Tag,
        image: &Image,
        mount_from: &[Repository],
    ) -> Result<(), ClientError> {
        for (descriptor, bytes) in &image.blobs {
            let source = Memory(bytes.clone());
            self.client
                .push_blob(
                    &self.registry,
                    repository,
                    descriptor,
                    &source,
                    mount_from,
                    Ask::First,
                )
                .await?;
        }
        let target = Target::Tag(tag.clone());
        self.client
            .push_manifest(&self.registry, repository, &target, &image.manifest)
            .await
    }

    /// Pulls an image and compares every byte with its digest.
    pub(crate) async fn check(&self, held: &Held) -> Result<(), Broken> {
        let target = Target::Digest(held.digest);
        // Its digest is computed by the client, and compared.
        self.client
            .manifest(&self.registry, &held.repository, &target)
            .await?;
        for blob in &held.blobs {
            let mut stream = self
                .client
                .blob(&self.registry, &held.repository, blob, 0)
                .await?;
            let mut bytes = Vec::new();
            while let Some(chunk) = stream.next().await? {
                bytes.extend_from_slice(&chunk);
            }
            if sha256(&bytes) != blob.digest {
                let text = format!("{} has wrong bytes", blob.digest);
                return Err(Broken { outage: false, text });
            }
        }
        Ok(())
    }

    /// Gives an image that is there another tag, which nobody is owed.
    pub(crate) async fn pass_through(
        &self,
        repository: &Repository,
        image: &Image,
    ) -> Result<(), ClientError> {
        let tag = format!("passing-{}", image.manifest.digest.hex());
        let target = Target::Tag(tag.parse().unwrap());
        self.client
            .push_manifest(&self.registry, repository, &target, &image.manifest)
            .await
    }

    pub(crate) async fn head(&self, repository: &Repository, tag: &Tag) -> Option<Digest> {
        let target = Target::Tag(tag.clone());
        let found = self
            .client
            .head_manifest(&self.registry, repository, &target)
            .await;
        found.unwrap().map(|descriptor| descriptor.digest)
    }

    /// Whether the registry acknowledged it.
    pub(crate) async fn delete(&self, held: &Held) -> bool {
        let url = format!(
            "https://{}/v2/{}/manifests/{}",
            self.registry, held.repository, held.digest
        );
        let plain = format!("{}:{}", USER.0, USER.1);
        let credential = format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(plain)
        );
        let request = Request::new(Method::DELETE, url.parse().unwrap())
            .header(header::AUTHORIZATION, credential.parse().unwrap());
        let answer = self.transport.send(&request).await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Every request of every hour is a line of JSON, but for those that a kill cut off; and no line holds a secret.
    pub(crate) fn assert_log_is_whole(&self, kills: u64) {
        let (mut lines, mut broken) = (0_u64, 0_u64);
        for entry in std::fs::read_dir(self.place.scratch.path()).unwrap() {
            let path = entry.unwrap().path();
            if !path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("access.log")
            {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(
                !text.contains(USER.1) && !text.contains("Bearer"),
                "{}",
                path.display()
            );
            for line in text.lines() {
                lines += 1;
                broken += u64::from(serde_json::from_str::<serde_json::Value>(line).is_err());
            }
        }
        assert!(lines > 100 && broken <= kills, "{broken} of {lines}");
    }

    pub(crate) fn assert_scrub_is_clean(&self) {
        self.place.landfall(&["scrub", "--root", "store"]).ok();
    }
}

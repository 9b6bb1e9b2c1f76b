//! The client against Debian's `docker-registry`, with a password, and with TLS as `openssl req -x509` makes it.
//!
//! Run with `cargo test -p landfall-client -- --ignored`; it needs the packages docker-registry, apache2-utils and
//! openssl.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use landfall_auth::{Credential, Keyring, Secret};
use landfall_client::{Ask, Client, ClientError, ClientOptions, Kind, Missing, Pushed};
use landfall_oci::{Descriptor, MediaType, RawManifest, Registry, Repository, Target};

use crate::{Memory, PASSWORD, client, collect, descriptor, noise, sha256};

struct Peer {
    folder: tempfile::TempDir,
    registry: Registry,
    child: Child,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> Vec<u8> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stderr(Stdio::null())
        .output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}");
    output.stdout
}

impl Peer {
    fn start(tls: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let users = run("htpasswd", &["-Bbn", "user", PASSWORD], folder.path());
        std::fs::write(folder.path().join("users"), users).unwrap();
        let mut http = format!("http:\n  addr: 127.0.0.1:{port}\n");
        if tls {
            let arguments = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 \
                             -subj /CN=x -addext subjectAltName=DNS:localhost";
            run(
                "openssl",
                &arguments.split_whitespace().collect::<Vec<_>>(),
                folder.path(),
            );
            http += "  tls:\n    certificate: cert.pem\n    key: key.pem\n";
        }
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: data\n  delete:\n    \
             enabled: true\n{http}auth:\n  htpasswd:\n    realm: test\n    path: users\n"
        );
        std::fs::write(folder.path().join("config.yml"), config).unwrap();
        let child = Command::new("docker-registry")
            .args(["serve", "config.yml"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let registry = format!("localhost:{port}").parse().unwrap();
        Self {
            folder,
            registry,
            child,
        }
    }

    async fn client(&self, password: &str, change: impl FnOnce(&mut ClientOptions)) -> Client {
        let client = client(|options| {
            let credential = Credential::Basic {
                username: "user".into(),
                password: Secret::new(password),
            };
            options.keyring = Keyring::of([(self.registry.clone(), credential, "--username".to_owned())]);
            let certificate = self.folder.path().join("cert.pem");
            if certificate.exists() {
                options.transport.tls.ca_files = vec![certificate];
            }
            change(options);
        });
        for _ in 0..100 {
            match client.ping(&self.registry).await {
                Err(error) if error.kind() == Kind::Net => {
                    tokio::time::sleep(Duration::from_millis(50)).await
                }
                _ => break,
            }
        }
        client
    }
}

fn image(blob: &Descriptor) -> RawManifest {
    let entry = format!(
        r#"{{"mediaType":"{}","digest":"{}","size":{}}}"#,
        blob.media_type, blob.digest, blob.size
    );
    let media_type = MediaType::OCI_MANIFEST;
    let json =
        format!(r#"{{"schemaVersion":2, "mediaType":"{media_type}","config":{entry},"layers":[{entry}]}}"#);
    let digest = sha256(json.as_bytes());
    RawManifest::new(Some(&media_type), digest, Bytes::from(json)).unwrap()
}

async fn journey(peer: &Peer, client: &Client, blob: &Bytes) {
    let registry = &peer.registry;
    let [team, other]: [Repository; 2] = ["team/app", "other"].map(|name| name.parse().unwrap());
    let wanted = descriptor(blob);
    let source = Memory(blob.clone());
    let push = async |to: &Repository, from: &[Repository]| {
        client
            .push_blob(registry, to, &wanted, &source, from, Ask::First)
            .await
            .unwrap()
    };
    assert_eq!(push(&team, &[]).await, Pushed::Uploaded);
    assert_eq!(push(&team, &[]).await, Pushed::AlreadyThere);
    assert_eq!(
        push(&other, std::slice::from_ref(&team)).await,
        Pushed::Mounted(team.clone())
    );

    let manifest = image(&wanted);
    let tag: Target = "v1".parse().unwrap();
    client
        .push_manifest(registry, &team, &tag, &manifest)
        .await
        .unwrap();
    assert_eq!(client.manifest(registry, &team, &tag).await.unwrap(), manifest);
    let head = client
        .head_manifest(registry, &team, &tag)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(head, manifest.descriptor());
    assert_eq!(client.tags(registry, &team).await.unwrap().len(), 1);
    assert!(
        client
            .referrers(registry, &team, &manifest.digest, None)
            .await
            .unwrap()
            .is_empty()
    );
    for offset in [0, 1_000_000] {
        let mut stream = client.blob(registry, &team, &wanted, offset).await.unwrap();
        assert!(collect(&mut stream).await.unwrap() == blob[usize::try_from(offset).unwrap()..]);
    }
}

#[tokio::test]
#[ignore = "needs the program docker-registry"]
async fn a_whole_journey_with_a_password_over_plain_http() {
    let peer = Peer::start(false);
    let client = peer.client(PASSWORD, |_| ()).await;
    let blob = noise(40 << 20);
    journey(&peer, &client, &blob).await;

    let (empty, source) = (descriptor(b""), Memory(Bytes::new()));
    let pushed = client
        .push_blob(
            &peer.registry,
            &"e".parse().unwrap(),
            &empty,
            &source,
            &[],
            Ask::First,
        )
        .await;
    assert_eq!(pushed.unwrap(), Pushed::Uploaded);

    let nowhere: Repository = "nowhere".parse().unwrap();
    let tag: Target = "x".parse().unwrap();
    let error = client.manifest(&peer.registry, &nowhere, &tag).await.unwrap_err();
    assert!(
        matches!(
            error,
            ClientError::NotFound {
                missing: Missing::Manifest,
                ..
            }
        ),
        "{error}"
    );
    assert!(
        client
            .head_manifest(&peer.registry, &nowhere, &tag)
            .await
            .unwrap()
            .is_none()
    );
    let error = client.tags(&peer.registry, &nowhere).await.unwrap_err();
    assert!(
        matches!(
            error,
            ClientError::NotFound {
                missing: Missing::Repository,
                ..
            }
        ),
        "{error}"
    );
    let error = client
        .push_manifest(&peer.registry, &nowhere, &tag, &image(&descriptor(b"absent")))
        .await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("MANIFEST_BLOB_UNKNOWN") && error.contains("sha256:"),
        "{error}"
    );

    let wrong = peer.client("wrong", |_| ()).await;
    let error = wrong.ping(&peer.registry).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthorized, "{error}");
}

#[tokio::test]
#[ignore = "needs the program docker-registry"]
async fn a_whole_journey_in_chunks_over_tls() {
    let peer = Peer::start(true);
    let client = peer
        .client(PASSWORD, |options| {
            options.always_chunked = true;
            options.chunk_bytes = 3 << 20;
        })
        .await;
    journey(&peer, &client, &noise(10 << 20)).await;

    let stranger = peer
        .client(PASSWORD, |options| options.transport.tls.ca_files.clear())
        .await;
    let error = stranger.ping(&peer.registry).await.unwrap_err();
    assert!(error.to_string().contains("--tls-ca"), "{error}");
}

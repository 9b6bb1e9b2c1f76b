//! The project's own client against a registry with tokens and rules, over real sockets.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use landfall_auth::{Credential, Keyring, Secret};
use landfall_client::{Ask, BlobSource, Client, ClientOptions, Kind};
use landfall_net::client::RetryOptions;
use landfall_net::server::{Limits, Security, Server};
use landfall_oci::{Descriptor, MediaType, Registry, Target};
use landfall_server::serve;
use landfall_store::suite;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::sites::Site;

const RULES: &str = r#"
    [[rule]]
    repository = "*"
    pull = ["anonymous"]
    push = ["ann"]
    [[rule]]
    repository = "team"
    pull = ["authenticated"]
    push = ["ann"]
    [[rule]]
    repository = "team/closed"
    [[rule]]
    repository = "quay.io"
    pull = ["authenticated"]
"#;

struct Source(Bytes);

#[async_trait]
impl BlobSource for Source {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    async fn open(&self, offset: u64) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        let rest = self.0.slice(usize::try_from(offset).unwrap()..);
        Ok(stream::iter([Ok(rest)]).boxed())
    }
}

pub(crate) struct Running {
    pub(crate) site: Site,
    pub(crate) registry: Registry,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(tokens: bool) -> Self {
        let site = Site::with(&["ann", "bob"], RULES, |options| {
            options.tokens = options.tokens.take().filter(|_| tokens);
        })
        .await;
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let server = Server::bind(any, Security::Plain, Limits::default())
            .await
            .unwrap();
        let registry = server.local_addr().to_string().parse().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&site.scene.registry);
        let ended = tokio::spawn(async move {
            let shutdown = async move { drop(stopped.await) };
            serve(server, served, shutdown).await.unwrap();
        });
        Self {
            site,
            registry,
            stop,
            ended,
        }
    }

    /// A client that knows this password, or none.
    fn client(&self, user: Option<(&str, &str)>) -> Client {
        let mut options = ClientOptions::default();
        options.transport.tls.system_roots = false;
        options.transport.retry = RetryOptions {
            attempts: 2,
            base: Duration::from_millis(2),
            ..RetryOptions::default()
        };
        if let Some((username, password)) = user {
            let credential = Credential::Basic {
                username: username.to_owned(),
                password: Secret::new(password),
            };
            options.keyring = Keyring::of([(self.registry.clone(), credential, "test".to_owned())]);
        }
        Client::new(options).unwrap()
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(10), self.ended)
            .await
            .unwrap()
            .unwrap();
    }
}

/// Pushes an image and gives the kind of the first error.
async fn push(running: &Running, client: &Client, name: &str, mount_from: &[&str]) -> Result<(), Kind> {
    let name = suite::repository(name);
    let blobs = [suite::blob("{}"), suite::blob(crate::client::bytes(1, 300_000))];
    let mount_from: Vec<_> = mount_from.iter().map(|name| suite::repository(name)).collect();
    for (digest, content) in &blobs {
        let descriptor = Descriptor::new(MediaType::OCI_LAYER_GZIP, *digest, content.len() as u64);
        let source = Source(content.clone());
        client
            .push_blob(
                &running.registry,
                &name,
                &descriptor,
                &source,
                &mount_from,
                Ask::First,
            )
            .await
            .map_err(|error| error.kind())?;
    }
    let image = suite::image(&blobs, None, None);
    let target = Target::Tag(suite::tag("v1"));
    let pushed = client
        .push_manifest(&running.registry, &name, &target, &image)
        .await;
    pushed.map_err(|error| error.kind())
}

async fn pull(running: &Running, client: &Client, name: &str) -> Result<(), Kind> {
    let name = suite::repository(name);
    let target = Target::Tag(suite::tag("v1"));
    let manifest = client.manifest(&running.registry, &name, &target).await;
    let manifest = manifest.map_err(|error| error.kind())?;
    let view = manifest.view().unwrap();
    for descriptor in view.blobs() {
        let mut stream = client
            .blob(&running.registry, &name, descriptor, 0)
            .await
            .map_err(|error| error.kind())?;
        let mut read = 0;
        while let Some(chunk) = stream.next().await.map_err(|error| error.kind())? {
            read += chunk.len() as u64;
        }
        assert_eq!(read, descriptor.size);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn push_mount_and_pull_with_tokens_and_with_passwords() {
    for tokens in [true, false] {
        let running = Running::start(tokens).await;
        let ann = running.client(Some(("ann", "ann-secret")));
        let bob = running.client(Some(("bob", "bob-secret")));
        let nobody = running.client(None);
        push(&running, &ann, "team/app", &[]).await.unwrap();
        push(&running, &ann, "public/app", &["team/app"]).await.unwrap();
        for (client, name, good) in [
            (&ann, "team/app", true),
            (&bob, "team/app", true),
            (&bob, "public/app", true),
            (&nobody, "public/app", true),
            (&nobody, "team/app", false),
        ] {
            assert_eq!(
                pull(&running, client, name).await.is_ok(),
                good,
                "{tokens} {name}"
            );
        }
        for (client, name) in [(&bob, "team/app"), (&ann, "team/closed"), (&nobody, "public/app")] {
            let refused = push(&running, client, name, &[]).await.unwrap_err();
            assert!(
                matches!(refused, Kind::Denied | Kind::Unauthorized),
                "{tokens} {name}: {refused:?}"
            );
        }
        let wrong = running.client(Some(("ann", "wrong")));
        pull(&running, &wrong, "team/app").await.unwrap_err();
        // One hash for each password that is right, however many requests came with it.
        assert!(running.site.control.password_hashes() < 12);
        running.stop().await;
    }
}

/// Tokens that end while a run goes on are replaced by the client without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_no_longer_good_is_replaced() {
    let running = Running::start(true).await;
    let ann = running.client(Some(("ann", "ann-secret")));
    push(&running, &ann, "team/app", &[]).await.unwrap();
    let other = Site::new(&["ann"], RULES).await;
    std::fs::copy(other.path("token.key"), running.site.path("token.key")).unwrap();
    running.site.control.reload().await.unwrap();
    pull(&running, &ann, "team/app").await.unwrap();
    push(&running, &ann, "team/app2", &["team/app"]).await.unwrap();
    running.stop().await;
}

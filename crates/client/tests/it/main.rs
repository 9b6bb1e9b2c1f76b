//! The client against registries with every fault that we know, on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

mod clouds;
#[path = "../../../net/tests/it/client/fake.rs"]
mod fake;
mod listing;
mod manifests;
mod peer;
mod pull;
mod push;
mod sites;
mod tokens;

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use landfall_auth::{Credential, Keyring, Secret};
use landfall_client::{BlobSource, BlobStream, Client, ClientError, ClientOptions};
use landfall_net::client::RetryOptions;
use landfall_oci::{Algorithm, Descriptor, Digest, MediaType, Registry, Repository};

use fake::{Reply, Seen, Server};

/// A registry on loopback and a client for it.
struct Case {
    server: Server,
    client: Client,
    registry: Registry,
    repository: Repository,
}

impl Case {
    async fn new(answer: impl Fn(Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(|_, _| (), answer).await
    }

    async fn with(
        change: impl FnOnce(&mut ClientOptions, &Registry),
        answer: impl Fn(Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let server = Server::plain(answer).await;
        let registry: Registry = server.host().parse().unwrap();
        Self {
            client: client(|options| change(options, &registry)),
            server,
            registry,
            repository: "team/app".parse().unwrap(),
        }
    }

    async fn blob(&self, descriptor: &Descriptor, offset: u64) -> Result<BlobStream, ClientError> {
        self.client
            .blob(&self.registry, &self.repository, descriptor, offset)
            .await
    }
}

/// A client with which failing takes milliseconds.
fn client(change: impl FnOnce(&mut ClientOptions)) -> Client {
    let mut options = ClientOptions::default();
    options.transport.tls.system_roots = false;
    options.transport.timeouts.stall = Duration::from_millis(80);
    options.transport.retry = RetryOptions {
        attempts: 3,
        base: Duration::from_millis(2),
        ..RetryOptions::default()
    };
    change(&mut options);
    Client::new(options).unwrap()
}

/// The password of every test; it must never show up in an error.
const PASSWORD: &str = "hunter2";

fn log_in(options: &mut ClientOptions, registry: &Registry) {
    let credential = Credential::Basic {
        username: "user".into(),
        password: Secret::new(PASSWORD),
    };
    options.keyring = Keyring::of([(registry.clone(), credential, "--username".to_owned())]);
}

fn noise(len: usize) -> Bytes {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

fn sha256(bytes: &[u8]) -> Digest {
    landfall_hash::digest(Algorithm::Sha256, bytes)
}

fn descriptor(bytes: &[u8]) -> Descriptor {
    Descriptor::new(MediaType::OCI_LAYER_GZIP, sha256(bytes), bytes.len() as u64)
}

async fn collect(stream: &mut BlobStream) -> Result<Vec<u8>, ClientError> {
    let mut all = Vec::new();
    while let Some(chunk) = stream.next().await? {
        all.extend_from_slice(&chunk);
        assert!(!chunk.is_empty());
    }
    Ok(all)
}

/// A blob in memory, given out in small pieces.
struct Memory(Bytes);

#[async_trait]
impl BlobSource for Memory {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    async fn open(&self, offset: u64) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        let rest = self.0.slice(usize::try_from(offset).unwrap()..);
        let pieces: Vec<_> = rest
            .chunks(10_000)
            .map(|piece| Ok(rest.slice_ref(piece)))
            .collect();
        Ok(stream::iter(pieces).boxed())
    }
}

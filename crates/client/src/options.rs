//! What a run may choose about its client.

use landfall_auth::{Keyring, Realms, TokenOptions};
use landfall_net::client::{HostOptions, TransportOptions};
use landfall_oci::{DOCKER_HUB, Registry};

use crate::request::HUB_HOST;

/// Requests at once to Docker Hub, which counts and limits them.
const HUB_CONCURRENCY: usize = 3;

/// All options of a [`crate::Client`].
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Connections, TLS, proxies, timeouts, retries.
    pub transport: TransportOptions,
    /// Credentials.
    pub keyring: Keyring,
    /// Life of tokens.
    pub tokens: TokenOptions,
    /// Where token servers may be.
    pub realms: Realms,
    /// Size of a chunk, where a registry wants uploads in chunks and names no minimum above it.
    pub chunk_bytes: u64,
    /// Upload in chunks also where no registry asks for it: for front ends that cut long requests.
    pub always_chunked: bool,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            transport: TransportOptions::default(),
            keyring: Keyring::default(),
            tokens: TokenOptions::default(),
            realms: Realms::default(),
            chunk_bytes: 16 * 1024 * 1024,
            always_chunked: false,
        }
    }
}

impl ClientOptions {
    /// What holds for one registry alone (`--insecure`, `--plain-http`), to be changed.
    pub fn host_mut(&mut self, registry: &Registry) -> &mut HostOptions {
        let usual = self.transport.default_host;
        let (host, most) = match registry.is_docker_hub() {
            true => (HUB_HOST, HUB_CONCURRENCY),
            false => (registry.as_str(), usize::MAX),
        };
        self.transport
            .hosts
            .entry(host.to_owned())
            .or_insert(HostOptions {
                concurrency: usual.concurrency.min(most),
                ..usual
            })
    }

    /// Adds what is known of certain hosts, where the user said nothing of them.
    pub(crate) fn with_hints(mut self) -> Self {
        if let Ok(hub) = DOCKER_HUB.parse() {
            self.host_mut(&hub);
        }
        self
    }
}

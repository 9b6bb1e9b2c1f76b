//! What a run may choose about its client.

use landfall_auth::{Keyring, TokenOptions};
use landfall_net::client::{HostOptions, TransportOptions};

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
    /// Size of a chunk, where a registry wants uploads in chunks and names no minimum above it.
    pub chunk_bytes: u64,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            transport: TransportOptions::default(),
            keyring: Keyring::default(),
            tokens: TokenOptions::default(),
            chunk_bytes: 16 * 1024 * 1024,
        }
    }
}

impl ClientOptions {
    /// Adds what is known of certain hosts, where the user said nothing of them.
    pub(crate) fn with_hints(mut self) -> Self {
        let usual = self.transport.default_host;
        self.transport
            .hosts
            .entry(HUB_HOST.to_owned())
            .or_insert(HostOptions {
                concurrency: usual.concurrency.min(HUB_CONCURRENCY),
                ..usual
            });
        self
    }
}

//! How long a client may take, and how many there may be.

use std::time::Duration;

/// Bounds on what clients can take of a server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time. More wait in the kernel's queue. Each has a file descriptor, and one more while it
    /// is sent a file.
    pub max_connections: usize,
    /// Of these, how many one client may have: an IPv4 address, or a /64 of IPv6. More are closed at once. 0 for any
    /// number, where all clients come through one address.
    pub max_connections_per_client: usize,
    /// For the TLS handshake.
    pub handshake_timeout: Duration,
    /// For the whole head of a request, from its first byte; the first request's from when the connection was
    /// accepted.
    pub header_timeout: Duration,
    /// How long a connection may rest between two requests.
    pub idle_timeout: Duration,
    /// How long a client may take no byte of a response.
    pub stall_timeout: Duration,
    /// How long requests may still run after the server was told to stop.
    pub drain_timeout: Duration,
    /// Bytes of a request's head.
    pub max_header_bytes: usize,
    /// Bytes read ahead for each connection: what an upload arrives in.
    pub read_buffer_bytes: usize,
    /// How often the certificate files are looked at.
    pub reload_interval: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            max_connections_per_client: 1024,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(90),
            stall_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
            max_header_bytes: 32 << 10,
            read_buffer_bytes: 256 << 10,
            reload_interval: Duration::from_secs(5),
        }
    }
}

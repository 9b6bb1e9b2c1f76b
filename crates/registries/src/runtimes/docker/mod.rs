//! Docker: daemon.json, certs.d and the client's config.json.

mod read;
mod write;

pub use read::read;
pub use write::write;

/// The daemon's settings.
pub const DAEMON: &str = "/etc/docker/daemon.json";
/// Where the daemon looks for certificates.
pub const CERTS: &str = "/etc/docker/certs.d";
/// Where root's client, and with it the kubelet, looks for credentials.
pub const CONFIG: &str = "/root/.docker/config.json";

//! Sockets: the client transport and the server accept loop, TLS, proxies, pacing, sendfile.

pub mod client;
mod network;
pub mod server;

pub use network::Network;

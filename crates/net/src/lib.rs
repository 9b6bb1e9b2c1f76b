//! Sockets: the client transport and the server accept loop, TLS, proxies, pacing, sendfile.

pub mod client;
pub mod server;

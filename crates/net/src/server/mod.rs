//! The loop that a registry server runs on: sockets, TLS, HTTP/1.1, and blobs sent without copying them.
//!
//! [`Server::bind`] takes an address, [`Server::run`] answers every request with a function until it is told to stop,
//! and [`ResponseBody::file`] is how a blob leaves: over plain TCP by `sendfile(2)`, over TLS in pieces. Memory is
//! bounded by connections, never by what they ask for.

mod accept;
mod activity;
mod body;
mod certificate;
mod connection;
mod error;
mod limits;
mod peer;
mod pieces;
mod region;
mod send;
mod socket;
mod stats;
mod tls;

pub use accept::Server;
pub use body::ResponseBody;
pub use error::ServeError;
pub use limits::Limits;
pub use peer::Peer;
pub use stats::Stats;
pub use tls::{ClientAuthority, Security, TlsFiles};

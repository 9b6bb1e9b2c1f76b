//! The loop that a registry server runs on: sockets, TLS, HTTP/1.1, and blobs sent without copying them.
//!
//! [`Server::bind`] takes an address, [`Server::run`] answers every request with a function until it is told to stop,
//! and [`ResponseBody::file`] is how a blob leaves: over plain TCP by `sendfile(2)`, over TLS in pieces. Memory is
//! bounded by connections, never by what they ask for.

mod accept;
mod activation;
mod activity;
mod body;
mod certificate;
mod clients;
mod connection;
mod descriptors;
mod ended;
mod error;
mod growing;
mod limits;
mod listen;
mod peer;
mod pieces;
mod plain;
mod region;
mod send;
mod socket;
mod stats;
mod tls;

pub use accept::Server;
pub use activation::{Manager, inherited_listeners};
pub use body::ResponseBody;
pub use clients::client_of;
pub use descriptors::raise_descriptor_limit;
pub use ended::Sent;
pub use error::ServeError;
pub use growing::Grown;
pub use limits::Limits;
pub use peer::Peer;
pub use stats::Stats;
pub use tls::{ClientAuthority, Security, TlsFiles};

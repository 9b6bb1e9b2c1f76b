//! The distribution API over a store.
//!
//! [`Registry::handle`] is the whole server as a function from request to answer: it knows no sockets, and each
//! endpoint is a file of its own. [`serve`] puts it behind `landfall_net`'s accept loop.

mod access;
mod blobs;
mod body;
mod error;
mod failure;
mod gate;
mod listing;
mod log;
mod manifests;
mod ns;
mod path;
mod query;
mod range;
mod referrers;
mod registry;
mod reply;
mod serve;
mod tls;
mod uploads;

pub use access::{Access, AccessControl, AccessOptions, Htpasswd, Identity, Network, Rules, TokenOptions};
pub use body::RequestBody;
pub use error::ServerError;
pub use path::{PathError, Route};
pub use range::{ChunkRange, ChunkRangeError, Wanted, chunk as parse_chunk_range, wanted as parse_range};
pub use registry::{Peer, Registry, RegistryOptions};
pub use reply::{Body, Reply};
pub use serve::serve;
pub use tls::{SelfSigned, self_signed};

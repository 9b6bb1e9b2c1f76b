//! The distribution API over a store.
//!
//! [`Registry::handle`] is the whole server as a function from request to answer: it knows no sockets, and each
//! endpoint is a file of its own. [`serve`] puts it behind `landfall_net`'s accept loop.

mod access;
mod blobs;
mod body;
mod budget;
mod clock;
mod error;
mod failure;
mod fallback;
mod fetched;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
pub mod gateway;
mod health;
mod listing;
mod log;
mod manifests;
pub mod metrics;
mod missing;
mod ns;
mod path;
mod peek;
mod query;
mod range;
mod rate;
mod recent;
mod referrers;
mod registry;
mod reply;
mod serve;
mod status;
mod tls;
mod uploads;
pub mod wanted;

pub use access::{Access, AccessControl, AccessOptions, Htpasswd, Identity, Network, Rules, TokenOptions};
pub use body::RequestBody;
pub use clock::rfc3339;
pub use error::ServerError;
pub use log::Ending;
pub use metrics::Metrics;
pub use path::{PathError, Route};
pub use range::{
    ChunkRange, ChunkRangeError, WantedRange, chunk as parse_chunk_range, wanted_range as parse_range,
};
pub use registry::{Peer, Registry, RegistryOptions};
pub use reply::{Body, Growing, Reply};
pub use serve::{serve, serve_status};
pub use tls::{SelfSigned, self_signed};
pub use wanted::{Wanted, WantedImage};

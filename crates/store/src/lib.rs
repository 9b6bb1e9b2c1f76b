//! Where a registry's content rests.
//!
//! [`Store`] speaks of repositories, digests and descriptors and knows no HTTP. What it promises is written at
//! the trait; [`suite`] is that promise as tests, which every implementation passes. [`DirectoryStore`] keeps
//! content on a local disk, [`ForeignStore`] reads what other registries keep on theirs, [`Overlay`] lays several
//! stores over each other.

mod beneath;
mod blocking;
mod directory;
mod error;
mod extent;
mod foreign;
mod overlay;
mod stamp;
mod store;
#[cfg(feature = "suite")]
pub mod suite;
mod upload;

pub use beneath::Beneath;
pub use directory::{DirectoryOptions, DirectoryStore, Durability};
pub use error::{StoreError, What};
pub use extent::{Content, Extent};
pub use foreign::ForeignStore;
pub use overlay::Overlay;
pub use stamp::Stamp;
pub use store::{Allowed, Expected, HistoryEntry, Listing, Page, PutManifest, Store, Unchecked};
pub use upload::{ByteStream, Chunk, UploadId, UploadState};

//! Where a registry's content rests.
//!
//! [`Store`] speaks of repositories, digests and descriptors and knows no HTTP. What it promises is written at
//! the trait; [`suite`] is that promise as tests, which every implementation passes. [`DirectoryStore`] keeps
//! content on a local disk, [`Overlay`] lays several stores over each other.

mod directory;
mod epoch;
mod error;
mod extent;
mod overlay;
mod store;
#[cfg(feature = "suite")]
pub mod suite;
mod upload;

pub use directory::{Change, DirectoryOptions, DirectoryStore, Durability, Recorder};
pub use epoch::epoch;
pub use error::{StoreError, What};
pub use extent::{Content, Extent};
pub use overlay::Overlay;
pub use store::{Allowed, Expected, HistoryEntry, Listing, Page, PutManifest, Store, Unchecked};
pub use upload::{ByteStream, Chunk, UploadId, UploadState};

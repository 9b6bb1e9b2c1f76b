//! Where a registry's content rests.
//!
//! [`Store`] speaks of repositories, digests and descriptors and knows no HTTP. What it promises is written at
//! the trait; [`suite`] is that promise as tests, which every implementation passes. [`DirectoryStore`] keeps
//! content on a local disk, [`ForeignStore`] reads what other registries keep on theirs, [`Overlay`] lays several
//! stores over each other.

mod age;
mod beneath;
mod blocking;
mod collection;
mod directory;
mod epoch;
mod error;
mod extent;
mod foreign;
mod history;
mod immutable;
mod nested;
mod observer;
mod overlay;
mod pattern;
mod retention;
mod scrubbing;
mod smallest;
mod stamp;
mod store;
#[cfg(feature = "suite")]
pub mod suite;
mod text;
mod upload;

pub use age::Age;
pub use beneath::Beneath;
pub use collection::{
    CollectOptions, Collected, Evicted, Item, Kept, Link, Removal, Retained, RunId, TagRemoval, TrashKind,
    Trashed, Undone,
};
#[cfg(feature = "suite")]
pub use directory::Guard;
pub use directory::{Change, DirectoryOptions, DirectoryStore, Durability, Growing, Recorder};
pub use epoch::epoch;
pub use error::{StoreError, What};
pub use extent::{Content, Extent};
pub use foreign::ForeignStore;
pub use history::{Moment, tag_at};
pub use immutable::TagPattern;
pub use observer::Observer;
pub use overlay::Overlay;
pub use pattern::{Pattern, RuleError};
pub use retention::{Expired, ExpiredReason, RetentionRule, TagChange, expired};
pub use scrubbing::{Damage, Finding, Outcome, ScrubOptions, Scrubbed};
pub use stamp::Stamp;
pub use store::{Allowed, Expected, HistoryEntry, Listing, Page, PutManifest, Store, Unchecked};
pub use upload::{ByteStream, Chunk, UploadId, UploadState};

//! The trait that the server serves, `load` fills and collection will walk.
//!
//! It is shaped for what it must become: a directory today, a read-only bundle, object storage with several
//! replicas later (conditional writes, no locks, no database). Hence: no paths, no renames, no "lock the
//! repository"; listings by start-after; one compare-and-set per mutable name; everything else write-once.

use std::collections::BTreeSet;

use async_trait::async_trait;
use landfall_oci::{Algorithm, Descriptor, Digest, RawManifest, Repository, Tag, Target};

use crate::{Chunk, Content, StoreError, UploadId, UploadState};

/// Which part of a listing is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// Only what sorts after this text (it need not exist itself).
    pub after: Option<&'a str>,
    /// At most so many.
    pub limit: usize,
}

impl Page<'_> {
    /// The beginning.
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }
}

/// Which repositories the caller may read.
pub type Allowed<'a> = dyn Fn(&Repository) -> bool + Send + Sync + 'a;

/// A part of a listing, in byte order.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Whether there are more behind them.
    pub more: bool,
}

/// A manifest to be stored.
#[derive(Clone, Copy)]
pub struct PutManifest<'a> {
    /// The bytes, whose digest the caller has computed.
    pub manifest: &'a RawManifest,
    /// Tags that shall point at it afterwards.
    pub tags: &'a [Tag],
    /// Which of its blobs the repository need not hold.
    pub unchecked: Unchecked<'a>,
}

/// Which blobs of a manifest need not be in the repository. Foreign layers and the members of an index never do.
#[derive(Clone, Copy, Debug)]
pub enum Unchecked<'a> {
    /// None: all config and layer blobs must be there.
    None,
    /// These, which the caller knows to be served from elsewhere (a layer of an overlay below).
    These(&'a BTreeSet<Digest>),
    /// All: a sparse image is what the caller wants.
    All,
}

/// What a tag must point at for [`Store::set_tag`] to change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Anything, or nothing.
    Any,
    /// Nothing: the tag is new.
    Absent,
    /// Exactly this.
    Digest(Digest),
}

/// One line of a tag's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Counts up by one with every change of the tag.
    pub generation: u64,
    /// When, in milliseconds since 1970.
    pub unix_ms: u64,
    /// What it pointed at from then on; `None` when it was deleted.
    pub digest: Option<Digest>,
}

/// Where a registry's content rests.
///
/// - Blob bytes are immutable and shared; that a repository *holds* a blob is a record of its own, and every
///   question about a blob is asked of a repository. A blob held only elsewhere is not found.
/// - A method returns when what it did will survive a power cut (unless the store was told otherwise).
/// - Publication order is bytes, membership, manifest, referrer, tag history, tag; deletion is the reverse. A
///   crash in between leaves garbage, never a name that points at nothing.
/// - A store that cannot be written answers [`StoreError::ReadOnly`]: the default of each writing method.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Whether the writing methods can succeed.
    fn writable(&self) -> bool {
        false
    }

    // === reading ===

    /// The length in bytes of a blob that the repository holds.
    async fn stat_blob(&self, repository: &Repository, digest: &Digest) -> Result<u64, StoreError>;

    /// Whether the store is where it was: a disk that is no longer mounted looks like a store that holds nothing.
    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// A blob that the repository holds.
    async fn open_blob(&self, repository: &Repository, digest: &Digest) -> Result<Content, StoreError>;

    /// Some repository that holds the blob and for which `allowed` says yes: for a mount without a source.
    async fn find_holder(
        &self,
        digest: &Digest,
        allowed: &Allowed<'_>,
    ) -> Result<Option<Repository>, StoreError>;

    /// Media type, digest and size of a manifest.
    async fn stat_manifest(&self, repository: &Repository, target: &Target)
    -> Result<Descriptor, StoreError>;

    /// A manifest, by tag or by digest, byte for byte as it was put.
    async fn manifest(&self, repository: &Repository, target: &Target) -> Result<RawManifest, StoreError>;

    /// Tags in byte order; [`What::Repository`](crate::What::Repository) when the repository is unknown.
    async fn tags(&self, repository: &Repository, page: Page<'_>) -> Result<Listing<Tag>, StoreError>;

    /// Repositories that hold at least one manifest, in byte order of their names.
    async fn repositories(&self, page: Page<'_>) -> Result<Listing<Repository>, StoreError>;

    /// Manifests of the repository whose subject is this digest (which need not exist), sorted by the text of
    /// their digests, only those of `artifact_type` when one is given; with artifact type and annotations.
    /// An unknown repository has none.
    async fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        artifact_type: Option<&str>,
        page: Page<'_>,
    ) -> Result<Listing<Descriptor>, StoreError>;

    /// The changes of a tag, newest first. Empty where no history is kept.
    async fn tag_history(&self, repository: &Repository, tag: &Tag) -> Result<Vec<HistoryEntry>, StoreError> {
        let _ = (repository, tag);
        Ok(Vec::new())
    }

    // === uploads ===

    /// Begins an upload. `hint` is the algorithm of the digest to come, where the sender said so: with the right
    /// one the bytes are hashed once, while they are written.
    async fn start_upload(
        &self,
        repository: &Repository,
        hint: Option<Algorithm>,
    ) -> Result<UploadState, StoreError> {
        let _ = hint;
        Err(StoreError::read_only(format!("the repository `{repository}`")))
    }

    /// Where an upload stands.
    async fn upload(&self, repository: &Repository, id: &UploadId) -> Result<UploadState, StoreError> {
        let _ = repository;
        Err(StoreError::UploadUnknown { id: *id })
    }

    /// Adds bytes. When the stream breaks off, what came is kept and the sender may go on from
    /// [`Self::upload`]'s offset.
    async fn append(
        &self,
        repository: &Repository,
        id: &UploadId,
        chunk: Chunk<'_>,
    ) -> Result<UploadState, StoreError> {
        let _ = (repository, chunk);
        Err(StoreError::UploadUnknown { id: *id })
    }

    /// Ends an upload: its bytes become a blob that the repository holds. Gives the blob's length. On
    /// [`StoreError::DigestMismatch`] the upload is gone and nothing was stored.
    async fn commit(
        &self,
        repository: &Repository,
        id: &UploadId,
        digest: &Digest,
    ) -> Result<u64, StoreError> {
        let _ = (repository, digest);
        Err(StoreError::UploadUnknown { id: *id })
    }

    /// Throws an upload away.
    async fn cancel(&self, repository: &Repository, id: &UploadId) -> Result<(), StoreError> {
        let _ = repository;
        Err(StoreError::UploadUnknown { id: *id })
    }

    // === other writing ===

    /// Makes `repository` hold a blob that `from` holds. Whether the caller may read `from` is the caller's affair.
    async fn mount(
        &self,
        from: &Repository,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        let _ = (from, digest);
        Err(StoreError::read_only(format!("the repository `{repository}`")))
    }

    /// Stores a manifest, then points the tags at it.
    async fn put_manifest(&self, repository: &Repository, put: PutManifest<'_>) -> Result<(), StoreError> {
        let _ = put;
        Err(StoreError::read_only(format!("the repository `{repository}`")))
    }

    /// Points a tag at a manifest of the repository, if it points at what is expected: one atomic step.
    async fn set_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        digest: &Digest,
        expected: Expected,
    ) -> Result<(), StoreError> {
        let _ = (repository, digest, expected);
        Err(StoreError::read_only(format!("the tag `{tag}`")))
    }

    /// Removes a tag; the manifest stays.
    async fn delete_tag(&self, repository: &Repository, tag: &Tag) -> Result<(), StoreError> {
        let _ = repository;
        Err(StoreError::read_only(format!("the tag `{tag}`")))
    }

    /// Removes a manifest from the repository, after every tag that points at it.
    async fn delete_manifest(&self, repository: &Repository, digest: &Digest) -> Result<(), StoreError> {
        let _ = repository;
        Err(StoreError::read_only(format!("the manifest {digest}")))
    }

    /// The repository no longer holds the blob. The bytes stay until a collection.
    async fn delete_blob(&self, repository: &Repository, digest: &Digest) -> Result<(), StoreError> {
        let _ = repository;
        Err(StoreError::read_only(format!("the blob {digest}")))
    }
}

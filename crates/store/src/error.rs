//! What can go wrong in a store, sorted by what the caller can do about it.

use std::io;
use std::path::{Path, PathBuf};

use landfall_oci::{Digest, Repository, Target};

use crate::UploadId;

/// The thing that was asked for and is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A repository of which the store has never heard.
    Repository(Repository),
    /// A blob that the repository does not hold (whether another one does is not said).
    Blob(Digest),
    /// A manifest, by tag or by digest.
    Manifest(Target),
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Repository(name) => write!(f, "the repository `{name}`"),
            Self::Blob(digest) => write!(f, "the blob {digest}"),
            Self::Manifest(Target::Tag(tag)) => write!(f, "the tag `{tag}`"),
            Self::Manifest(Target::Digest(digest)) => write!(f, "the manifest {digest}"),
        }
    }
}

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Not there, or not in this repository.
    #[error("{0} is not here")]
    NotFound(What),
    /// The store, or the layer that holds the thing, cannot be written.
    #[error("{what} cannot be changed: it is served read-only")]
    ReadOnly {
        /// What was to be changed.
        what: String,
    },
    /// The bytes are not what their digest says.
    #[error("the content has the digest {actual}, not {expected}")]
    DigestMismatch {
        /// What the caller said.
        expected: Digest,
        /// What the bytes have (boxed: a digest is large, and every result carries room for an error).
        actual: Box<Digest>,
    },
    /// No such upload in this repository: finished, cancelled, or never begun.
    #[error("there is no upload {id} in this repository; begin again")]
    UploadUnknown {
        /// Its name.
        id: UploadId,
    },
    /// No more uploads can be begun before others end.
    #[error("{limit} uploads are open, and there may be no more; finish or cancel some, or try again later")]
    TooManyUploads {
        /// How many there may be.
        limit: usize,
    },
    /// A chunk does not begin where the upload ends.
    #[error("the upload has {have} bytes; the next chunk must begin there")]
    RangeMismatch {
        /// Bytes received so far.
        have: u64,
    },
    /// A manifest names blobs that the repository does not hold.
    #[error("the manifest names {} blobs that the repository does not hold", digests.len())]
    MissingBlobs {
        /// Which.
        digests: Vec<Digest>,
    },
    /// The disk is full, or would be.
    #[error(
        "not enough space: {needed} bytes are needed, {free} are free; delete images or enlarge the disk"
    )]
    NoSpace {
        /// Bytes wanted (0 when the writer did not know).
        needed: u64,
        /// Bytes free, less those promised to other uploads and the reserve.
        free: u64,
    },
    /// Another process has the store open.
    #[error("{} is in use by another landfall{}; stop it, or choose another directory", root.display(),
        process.as_ref().map(|process| format!(" (process {process})")).unwrap_or_default())]
    InUse {
        /// Where the store lies.
        root: PathBuf,
        /// The other process, where it has left its number.
        process: Option<String>,
    },
    /// Something else changed it first, or holds it.
    #[error("{reason}")]
    Conflict {
        /// Who holds what.
        reason: String,
    },
    /// The tag may be made, but not moved or deleted.
    #[error("the tag `{tag}` of `{repository}` is immutable: it keeps the manifest that it has")]
    Immutable {
        /// Where.
        repository: Repository,
        /// Which.
        tag: landfall_oci::Tag,
    },
    /// The bytes stopped coming before their end.
    #[error("the sender broke off: {source}")]
    Interrupted {
        /// What the stream said.
        source: io::Error,
    },
    /// The manifest cannot be read.
    #[error(transparent)]
    Manifest(#[from] landfall_oci::ManifestError),
    /// What lies on the disk is not what was put there.
    #[error("{} is damaged: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system said no.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The verb.
        action: &'static str,
        /// The object.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The program is shutting down.
    #[error("the store is shutting down")]
    Stopped,
}

impl StoreError {
    /// Gives an I/O error its verb and object; a full disk becomes [`Self::NoSpace`].
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { needed: 0, free: 0 },
            _ => Self::Io {
                action,
                path: path.to_owned(),
                source,
            },
        }
    }

    /// Whether the thing asked for is simply not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    pub(crate) fn blob(digest: &Digest) -> Self {
        Self::NotFound(What::Blob(*digest))
    }

    pub(crate) fn manifest(target: impl Into<TargetOf>) -> Self {
        Self::NotFound(What::Manifest(target.into().0))
    }

    pub(crate) fn read_only(what: impl Into<String>) -> Self {
        Self::ReadOnly { what: what.into() }
    }
}

/// Lets the constructors take a tag, a digest or either.
pub(crate) struct TargetOf(Target);

impl From<&Target> for TargetOf {
    fn from(target: &Target) -> Self {
        Self(target.clone())
    }
}

impl From<&Digest> for TargetOf {
    fn from(digest: &Digest) -> Self {
        Self(Target::Digest(*digest))
    }
}

impl From<&landfall_oci::Tag> for TargetOf {
    fn from(tag: &landfall_oci::Tag) -> Self {
        Self(Target::Tag(tag.clone()))
    }
}

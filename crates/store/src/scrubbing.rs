//! The words of a scrub: what is wrong, where, whom it touches, and what was done about it.

use std::fmt;
use std::sync::Arc;

use landfall_oci::{Digest, Repository, Tag};

use crate::Store;

/// How to scrub.
#[derive(Clone)]
pub struct ScrubOptions {
    /// Bytes read per second, at most.
    pub bytes_per_second: Option<u64>,
    /// Blobs read at the same time.
    pub parallel: usize,
    /// Where right bytes are taken from when ours are wrong or missing, the first that has them.
    pub heal_from: Vec<Arc<dyn Store>>,
    /// Whether wrong bytes that cannot be healed are moved aside, so that they are never served.
    pub quarantine: bool,
}

impl Default for ScrubOptions {
    fn default() -> Self {
        Self {
            bytes_per_second: None,
            parallel: 4,
            heal_from: Vec::new(),
            quarantine: false,
        }
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The bytes are not what their digest says.
    WrongBytes,
    /// Something holds the digest, and its bytes are gone.
    MissingBytes,
    /// The bytes or a record cannot be read.
    Unreadable(String),
    /// A record cannot be parsed, or contradicts its place.
    BadRecord(String),
    /// A tag points at a manifest that the repository has not.
    TagWithoutManifest,
    /// A manifest is listed as a referrer, and the repository has it not.
    ReferrerWithoutManifest,
    /// A manifest has a subject and is not listed among its referrers: the push was cut off.
    UnlistedReferrer,
    /// An index lists a manifest that the repository has not: it was pushed sparse.
    AbsentMember,
    /// A manifest names a blob that the repository does not hold: it was pushed sparse, or another layer of an
    /// overlay holds it.
    AbsentBlob,
    /// A file that the store never makes.
    StrangeFile,
}

impl Damage {
    /// Whether something that was acknowledged is hurt. What is not may be as somebody wanted it.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        !matches!(
            self,
            Self::UnlistedReferrer | Self::AbsentMember | Self::AbsentBlob | Self::StrangeFile
        )
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongBytes => f.write_str("the bytes are not what their digest says"),
            Self::MissingBytes => f.write_str("the bytes are missing"),
            Self::Unreadable(reason) => write!(f, "cannot be read: {reason}"),
            Self::BadRecord(reason) => write!(f, "the record is damaged: {reason}"),
            Self::TagWithoutManifest => f.write_str("the tag points at a manifest that is not here"),
            Self::ReferrerWithoutManifest => {
                f.write_str("listed as a referrer, but the manifest is not here")
            }
            Self::UnlistedReferrer => f.write_str("not listed among the referrers of its subject"),
            Self::AbsentMember => f.write_str("listed by an index and not here (sparse)"),
            Self::AbsentBlob => {
                f.write_str("named by a manifest and not held here (sparse, or in another layer)")
            }
            Self::StrangeFile => f.write_str("a file that the store does not make"),
        }
    }
}

/// What was done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: it is as it was found.
    Left,
    /// The right bytes are there again.
    Healed,
    /// The wrong bytes were moved aside: the blob is missing until somebody pushes it.
    Quarantined,
}

/// Something that a scrub found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub damage: Damage,
    /// With which digest.
    pub digest: Option<Digest>,
    /// In which repository; bytes belong to nobody.
    pub repository: Option<Repository>,
    /// Where it lies, in the words of the store.
    pub place: String,
    /// Tags that cannot be pulled whole because of it: the first hundred.
    pub tags: Vec<(Repository, Tag)>,
    /// How many there are.
    pub tags_touched: u64,
    /// What was done.
    pub outcome: Outcome,
}

/// What a scrub did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Blobs and manifests whose bytes were read.
    pub blobs: u64,
    /// How many bytes those were.
    pub bytes: u64,
    /// Repositories whose records were read.
    pub repositories: u64,
    /// Findings that hurt something, healed ones included.
    pub damaged: u64,
    /// Of these, how many are well again.
    pub healed: u64,
    /// Of these, how many were moved aside.
    pub quarantined: u64,
    /// Findings that may be as somebody wanted them.
    pub notes: u64,
}

impl Scrubbed {
    /// Whether everything that was acknowledged is whole (now).
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.damaged == self.healed
    }
}

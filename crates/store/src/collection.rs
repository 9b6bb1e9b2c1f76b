//! The words of collection: what goes, why, and how it comes back. No paths: any store could use them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use landfall_oci::{Digest, Repository, Tag};

use crate::Store;

/// How to collect.
#[derive(Clone)]
pub struct CollectOptions {
    /// What was pushed, mounted or asked for less than so long ago stays. `None`: what the store was opened with.
    pub grace: Option<Duration>,
    /// Manifests that no tag, no index and no subject has kept for so long go. `None`: they all stay.
    pub untagged_after: Option<Duration>,
    /// How long removed things can be brought back; zero removes them at once, and all of the trash with them.
    pub keep_trash: Duration,
    /// Stores that this one is laid over: a signature of an image that lies there has a living subject. Asked only
    /// where manifests without a tag may go.
    pub below: Vec<Arc<dyn Store>>,
    /// Only say what would go.
    pub dry_run: bool,
    /// The time that ages are reckoned from; `None`: now.
    pub now: Option<SystemTime>,
}

impl Default for CollectOptions {
    fn default() -> Self {
        Self {
            grace: None,
            untagged_after: None,
            keep_trash: Duration::from_secs(7 * 24 * 3600),
            below: Vec::new(),
            dry_run: false,
            now: None,
        }
    }
}

/// The kind of thing that a collection removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// A manifest of a repository, with its entry among the referrers of its subject.
    Manifest,
    /// That a repository holds a blob.
    Membership,
    /// The bytes of a blob or manifest.
    Bytes,
}

/// A thing that goes, and why. Equal for two dry runs of the same store, whenever they are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// What kind of thing.
    pub item: Item,
    /// Its digest.
    pub digest: Digest,
    /// Whose; bytes belong to nobody.
    pub repository: Option<Repository>,
    /// Bytes of the disk that this frees: only [`Item::Bytes`] does.
    pub bytes: u64,
    /// When it was last pushed, mounted or asked for, in milliseconds since 1970; for a manifest that had a tag:
    /// when it lost the last one.
    pub since_unix_ms: u64,
}

impl Removal {
    /// Why it goes, in words.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.item {
            Item::Manifest => "no tag points at it, no index that is kept lists it, its subject is not kept",
            Item::Membership => "no manifest of the repository names it",
            Item::Bytes => "no repository holds it",
        }
    }
}

/// A collection, by the time at which it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub(crate) u64);

impl RunId {
    /// When it began, in milliseconds since 1970.
    #[must_use]
    pub fn unix_ms(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:013}", self.0)
    }
}

impl FromStr for RunId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What a collection did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Under which name it can be undone; `None` when nothing went into the trash.
    pub run: Option<RunId>,
    /// Manifests that went.
    pub manifests: u64,
    /// Memberships that went.
    pub memberships: u64,
    /// Blobs and manifests whose bytes went.
    pub blobs: u64,
    /// How many bytes those are. They are free when the trash is emptied.
    pub bytes: u64,
    /// Repositories in which nothing was touched, and why: a manifest that cannot be understood may name anything.
    pub untouched: Vec<(Repository, String)>,
    /// Things that were to go and were kept, because somebody used them meanwhile.
    pub spared: u64,
    /// Bytes of older runs that were really deleted.
    pub emptied: u64,
}

/// What was done to make room in a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evicted {
    /// Images, and manifests that belong to none, that went.
    pub manifests: u64,
    /// Bytes that went, with what was left over from before.
    pub freed: u64,
    /// Bytes that are left.
    pub left: u64,
}

/// What made a run in the trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrashKind {
    /// A collection: can be undone.
    Collection,
    /// A scrub that moved wrong bytes aside: they do not come back.
    Quarantine,
}

/// One run in the trash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trashed {
    /// Its name, which says when it was.
    pub run: RunId,
    /// What made it.
    pub kind: TrashKind,
    /// Manifests in it.
    pub manifests: u64,
    /// Memberships in it.
    pub memberships: u64,
    /// Blobs whose bytes are in it.
    pub blobs: u64,
    /// How many bytes those are.
    pub bytes: u64,
}

/// What an undo brought back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// Manifests, memberships and blobs that are back.
    pub restored: u64,
    /// Things that somebody had put there again meanwhile; theirs stay.
    pub already_there: u64,
    /// Blobs that are nowhere any more, and manifests that were therefore not brought back.
    pub lost: Vec<Digest>,
}

/// A step on the way from a root to a thing that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// The tag, which is a root.
    Tag(Tag),
    /// A manifest without a tag, which is a root because nothing says that it may go.
    Untagged(Digest),
    /// A manifest that the one before lists or that a tag points at.
    Manifest(Digest),
    /// A manifest whose subject is the one before.
    Referrer(Digest),
    /// A config or layer of the manifest before.
    Blob(Digest),
    /// That the repository holds it, though no manifest of it names it: younger than the grace period, or not
    /// collected yet.
    Held(Digest),
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, "tag {tag}"),
            Self::Untagged(digest) => write!(f, "manifest {digest} (without a tag)"),
            Self::Manifest(digest) => write!(f, "manifest {digest}"),
            Self::Referrer(digest) => write!(f, "referrer {digest}"),
            Self::Blob(digest) => write!(f, "blob {digest}"),
            Self::Held(digest) => write!(f, "blob {digest} (named by no manifest)"),
        }
    }
}

/// Why a digest is kept in one repository: the shortest way from a root to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where.
    pub repository: Repository,
    /// The steps, the root first.
    pub path: Vec<Link>,
}

/// A tag that retention removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRemoval {
    /// Where.
    pub repository: Repository,
    /// Which tag, and why.
    pub expired: crate::Expired,
}

/// What retention did, or would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Tags that went.
    pub removed: u64,
    /// Tags that were to go and stay: immutable, or changed meanwhile.
    pub spared: u64,
    /// Tags that were looked at.
    pub seen: u64,
}

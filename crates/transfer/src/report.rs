//! What a run ended with, image by image.

use landfall_oci::{Digest, Reference};
use serde::Serialize;

use crate::Plan;

/// What a failure means for the caller: the class decides advice and exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// It does not exist (tag, repository, platform).
    NotFound,
    /// Credentials are missing, wrong, or not enough.
    Credentials,
    /// Nobody answers, or not in a way that can be trusted (DNS, TLS).
    Unreachable,
    /// The registry answers but cannot serve now.
    Unavailable,
    /// The registry will not take it, or what it gives cannot be used.
    Unusable,
    /// Bytes are not what their digest says.
    Corrupt,
    /// This machine: disk full, no permission.
    Local,
    /// The request itself is impossible.
    Invalid,
}

/// An image that could not be had or placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Its name; what was asked for may be no name at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The name as it was asked for: what a list of failures repeats.
    pub asked: String,
    /// Why, in words.
    pub reason: String,
    /// Why, in kind.
    pub class: Class,
}

/// The remark on an image for which nothing had to be done.
pub const THERE: &str = "already there";

/// An image that is where it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Success {
    /// Its name.
    pub reference: Reference,
    /// Where it is now.
    pub target: String,
    /// What the name points at there.
    pub digest: Digest,
    /// Remarks: already there, pushed as a pruned index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// The end of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// What was to be done.
    pub plan: Plan,
    /// Images that are there.
    pub done: Vec<Success>,
    /// Images that are not.
    pub failed: Vec<Failure>,
    /// Images that could be had but are nowhere yet, because the bundle is not finished without the failed ones: what
    /// was fetched of them is kept for the next run.
    pub partial: usize,
    /// Blobs whose bytes were moved.
    pub blobs_moved: usize,
    /// Bytes that were moved.
    pub bytes_moved: u64,
    /// Blobs that the registry took over from another repository.
    pub blobs_mounted: usize,
    /// Only the plan was asked for.
    pub dry_run: bool,
}

impl Report {
    /// Everything that was asked for is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty()
    }
}

//! What happens during a run, told to whoever listens. The engines never print: a terminal, plain lines and JSON
//! are three listeners.

use landfall_oci::{Digest, Reference};

use crate::{Failure, Plan};

/// How a blob came to be where it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// It was there before.
    AlreadyThere,
    /// Its bytes were moved.
    Moved,
    /// The registry took it from another of its repositories.
    Mounted,
}

/// One step of a run.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// Names are about to be resolved.
    Resolving {
        /// How many.
        images: usize,
    },
    /// One name was resolved, or could not be.
    Resolved {
        /// The name.
        reference: &'a Reference,
    },
    /// It is known what has to be moved.
    Planned {
        /// The plan.
        plan: &'a Plan,
    },
    /// A blob's bytes begin to move.
    BlobStarted {
        /// Which.
        digest: Digest,
        /// Its size.
        size: u64,
        /// Bytes that an earlier run left.
        already: u64,
    },
    /// Some of its bytes have moved.
    BlobMoved {
        /// Which.
        digest: Digest,
        /// How many more.
        bytes: u64,
    },
    /// The bytes have to move again: what came was wrong or was lost.
    BlobRestarted {
        /// Which.
        digest: Digest,
        /// Bytes that do not count any more.
        bytes: u64,
    },
    /// A blob is where it should be.
    BlobFinished {
        /// Which.
        digest: Digest,
        /// Its size.
        size: u64,
        /// How it came there.
        how: How,
    },
    /// An image is complete.
    ImageFinished {
        /// Its name.
        reference: &'a Reference,
        /// Where it is now, when that is another name.
        target: Option<&'a Reference>,
    },
    /// An image will not be complete.
    ImageFailed {
        /// Which, and why.
        failure: &'a Failure,
    },
    /// Something worth knowing.
    Note {
        /// For people.
        message: &'a str,
    },
}

/// A listener. Called from many tasks at once; must return quickly.
pub trait Reporter: Send + Sync {
    /// Takes notice.
    fn event(&self, event: &Event<'_>);
}

/// Nobody listens.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Reporter for Silent {
    fn event(&self, _: &Event<'_>) {}
}

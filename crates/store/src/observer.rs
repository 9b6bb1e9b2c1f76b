//! What a long piece of upkeep says while it works.

use crate::{Finding, Removal, TagRemoval};

/// Hears of each step of a collection, a scrub or a retention run. Called from the thread that does the work: it
/// should not block for long.
pub trait Observer: Send + Sync + 'static {
    /// A collection removes this (or would, in a dry run).
    fn removal(&self, removal: &Removal) {
        let _ = removal;
    }

    /// A scrub found something.
    fn finding(&self, finding: &Finding) {
        let _ = finding;
    }

    /// Retention removes this tag (or would, in a dry run).
    fn tag_removal(&self, removal: &TagRemoval) {
        let _ = removal;
    }

    /// A scrub has read so many bytes so far.
    fn scrubbed(&self, bytes: u64) {
        let _ = bytes;
    }

    /// Asked between two steps; `true` ends the work with [`StoreError::Stopped`](crate::StoreError::Stopped).
    /// What was done up to then is whole.
    fn stop(&self) -> bool {
        false
    }
}

/// Listens to nothing.
impl Observer for () {}

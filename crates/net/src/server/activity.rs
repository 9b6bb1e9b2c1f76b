//! Whether a connection is between requests: what its socket must know to tell a slow head from a slow handler.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ended::Endings;

/// Shared by the socket of a connection and what answers its requests.
#[derive(Clone, Default)]
pub(super) struct Activity(Arc<Requests>);

#[derive(Default)]
struct Requests {
    begun: AtomicU64,
    ended: AtomicU64,
    endings: Endings,
}

/// A request being answered; it ends when this is dropped.
pub(super) struct Answering(Activity);

impl Activity {
    pub(super) fn begin(&self) -> Answering {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        Answering(self.clone())
    }

    /// How many requests have begun: another number means that the head before was complete.
    pub(super) fn begun(&self) -> u64 {
        self.0.begun.load(Ordering::Relaxed)
    }

    /// Responses whose last bytes are on their way.
    pub(super) fn endings(&self) -> &Endings {
        &self.0.endings
    }

    pub(super) fn is_answering(&self) -> bool {
        self.begun() != self.0.ended.load(Ordering::Relaxed)
    }
}

impl Answering {
    pub(super) fn activity(&self) -> &Activity {
        &self.0
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

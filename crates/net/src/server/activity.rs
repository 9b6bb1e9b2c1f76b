//! What a connection is doing: answering, moving bytes, or nothing. The socket and what answers requests write it
//! down, and both timeouts between requests are judged by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Shared by the parts of one connection.
#[derive(Clone)]
pub(super) struct Activity(Arc<Inner>);

struct Inner {
    start: Instant,
    begun: AtomicU64,
    ended: AtomicU64,
    /// Milliseconds after the start.
    moved: AtomicU64,
}

/// A request being answered; it ends when this is dropped.
pub(super) struct Answering(Activity);

impl Activity {
    /// A connection that begins now.
    pub(super) fn new() -> Self {
        Self(Arc::new(Inner {
            start: Instant::now(),
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            moved: AtomicU64::new(0),
        }))
    }

    pub(super) fn begin(&self) -> Answering {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        Answering(self.clone())
    }

    /// How many requests have begun: another number means that the head before was complete.
    pub(super) fn begun(&self) -> u64 {
        self.0.begun.load(Ordering::Relaxed)
    }

    pub(super) fn is_answering(&self) -> bool {
        self.begun() != self.0.ended.load(Ordering::Relaxed)
    }

    /// Bytes went one way or the other.
    pub(super) fn moved(&self) {
        self.0.moved.store(self.elapsed(), Ordering::Relaxed);
    }

    /// When the connection will have been idle for `time`, if nothing happens until then.
    pub(super) fn idle_at(&self, time: Duration) -> Instant {
        if self.is_answering() {
            return Instant::now() + time;
        }
        self.0.start + Duration::from_millis(self.0.moved.load(Ordering::Relaxed)) + time
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.0.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.moved();
        self.0.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

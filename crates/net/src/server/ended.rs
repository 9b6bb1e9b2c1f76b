//! How a response ended: known only when the last of its bytes has been given to the kernel, which is after the body
//! was dropped, or when the connection ends before that.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What became of a response's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Bytes of the body that the kernel has taken. Where the connection broke off, a head may be counted along.
    pub bytes: u64,
    /// Whether that is all of them.
    pub complete: bool,
}

/// Called once, when a response has ended.
pub(super) type OnEnd = Box<dyn FnOnce(Sent) + Send>;

/// Responses of a connection whose body was passed on and whose bytes are on their way.
#[derive(Default)]
pub(super) struct Endings {
    /// Bytes that the kernel has taken of this connection.
    written: AtomicU64,
    any: AtomicBool,
    pending: Mutex<VecDeque<Pending>>,
}

struct Pending {
    tell: OnEnd,
    sent: Sent,
    /// What had been written before this response.
    began_at: u64,
}

impl Endings {
    pub(super) fn wrote(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// A body is done with; `sent` is how much of it was passed on.
    pub(super) fn add(&self, tell: OnEnd, sent: Sent, began_at: u64) {
        let pending = Pending { tell, sent, began_at };
        let mut list = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        list.push_back(pending);
        self.any.store(true, Ordering::Release);
    }

    /// Everything that was passed on has been written.
    pub(super) fn flushed(&self) {
        while let Some(pending) = self.next() {
            (pending.tell)(pending.sent);
        }
    }

    /// The connection is over; what was not written never will be.
    pub(super) fn broken(&self) {
        let written = self.written();
        while let Some(pending) = self.next() {
            (pending.tell)(Sent {
                bytes: pending.sent.bytes.min(written.saturating_sub(pending.began_at)),
                complete: false,
            });
        }
    }

    /// One after the other, so that the list keeps its room for the next request's.
    fn next(&self) -> Option<Pending> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let first = pending.pop_front();
        // Under the lock, like the setting of it: what is added next is not overlooked.
        self.any.store(!pending.is_empty(), Ordering::Release);
        first
    }
}

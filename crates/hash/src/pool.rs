//! The queue between streams and worker threads: streams that have something to do, oldest first.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::cell::Cell;

/// Streams waiting for a worker. Each is in here at most once, so its length is bounded by the streams.
#[derive(Default)]
pub(crate) struct Pool {
    ready: Mutex<Ready>,
    arrived: Condvar,
}

#[derive(Default)]
struct Ready {
    queue: VecDeque<Arc<Cell>>,
    /// Workers without work.
    waiting: usize,
    closed: bool,
}

impl Pool {
    /// Adds a stream at the end.
    pub(crate) fn push(&self, cell: Arc<Cell>) {
        self.lock().queue.push_back(cell);
        self.arrived.notify_one();
    }

    /// Waits for streams and takes up to `lanes` of them, leaving a fair share to workers that wait too: what the
    /// sinks do is worth spreading. `None` when the pool is closed and empty.
    pub(crate) fn take(&self, lanes: usize) -> Option<Vec<Arc<Cell>>> {
        let mut ready = self.lock();
        loop {
            if !ready.queue.is_empty() {
                let share = ready.queue.len().div_ceil(ready.waiting + 1).min(lanes);
                let taken = ready.queue.drain(..share).collect();
                if ready.waiting > 0 && !ready.queue.is_empty() {
                    self.arrived.notify_one();
                }
                return Some(taken);
            }
            if ready.closed {
                return None;
            }
            ready.waiting += 1;
            ready = self.arrived.wait(ready).unwrap_or_else(PoisonError::into_inner);
            ready.waiting -= 1;
        }
    }

    /// Lets the workers end when nothing is left to do.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    // Nothing panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

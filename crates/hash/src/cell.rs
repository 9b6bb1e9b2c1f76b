//! One stream as the two sides share it: what is queued, whose turn it is, and how it ends.
//!
//! The state of the hash and the sink ([`Work`]) belong to whoever holds them: the cell while the stream rests, one
//! worker during its turn. That is what keeps a stream in order: there is nothing a second worker could run.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use landfall_oci::Digest;
use tokio::sync::{Semaphore, oneshot};

use crate::error::HashError;
use crate::sink::Sink;
use crate::state::HashState;

/// Bytes that may be queued for one stream. A single chunk beyond that is taken when nothing else is queued.
pub(crate) const ROOM_BYTES: u32 = 1 << 20;

/// The least that a chunk counts, so that crumbs cannot queue without end.
const LEAST_COST: u32 = 16 << 10;

/// What a chunk of `len` bytes takes of the room.
pub(crate) fn cost_of(len: usize) -> u32 {
    u32::try_from(len)
        .unwrap_or(ROOM_BYTES)
        .clamp(LEAST_COST, ROOM_BYTES)
}

/// One stream.
pub(crate) struct Cell {
    inner: Mutex<Inner>,
    /// Counts free room in bytes; closed when the stream has ended.
    pub(crate) room: Arc<Semaphore>,
}

struct Inner {
    queue: VecDeque<Queued>,
    /// Here while the stream rests; with a worker during its turn; gone when it has ended.
    work: Option<Box<Work>>,
    /// In the pool's queue or with a worker: somebody will look at the stream again.
    scheduled: bool,
    /// No more chunks will come, and the digest is wanted.
    finishing: bool,
    /// Nobody wants the digest any more.
    cancelled: bool,
}

struct Queued {
    bytes: Bytes,
    cost: u32,
}

/// What a worker needs for a turn.
pub(crate) struct Work {
    pub(crate) hash: HashState,
    pub(crate) sink: Option<Box<dyn Sink>>,
    outcome: Option<oneshot::Sender<Result<Digest, HashError>>>,
    room: Arc<Semaphore>,
}

/// A piece of a stream, taken by a worker.
pub(crate) struct Turn {
    pub(crate) cell: Arc<Cell>,
    pub(crate) work: Box<Work>,
    pub(crate) piece: Bytes,
    /// Room that is free again when the piece is done.
    freed: u32,
}

/// What [`Cell::end_turn`] leaves to do.
pub(crate) enum Next {
    /// Nothing is queued.
    Rest,
    /// There is more: the stream goes to the end of the pool's queue.
    Again(Arc<Cell>),
    /// All bytes are through and the digest is wanted.
    Complete(Box<Work>),
    /// The stream was dropped.
    Discard(Box<Work>),
}

// === impl Cell ===

impl Cell {
    /// A stream that goes on from a state, and where its outcome will arrive.
    pub(crate) fn new(
        hash: HashState,
        sink: Option<Box<dyn Sink>>,
    ) -> (Arc<Self>, oneshot::Receiver<Result<Digest, HashError>>) {
        let (sender, receiver) = oneshot::channel();
        let room = Arc::new(Semaphore::new(ROOM_BYTES as usize));
        let work = Work {
            hash,
            sink,
            outcome: Some(sender),
            room: Arc::clone(&room),
        };
        let inner = Inner {
            queue: VecDeque::new(),
            work: Some(Box::new(work)),
            scheduled: false,
            finishing: false,
            cancelled: false,
        };
        let cell = Self {
            inner: Mutex::new(inner),
            room,
        };
        (Arc::new(cell), receiver)
    }

    /// Queues a chunk whose cost was taken from the room. True when the stream must be handed to the pool.
    pub(crate) fn push(&self, bytes: Bytes, cost: u32) -> bool {
        self.change(|inner| inner.queue.push_back(Queued { bytes, cost }))
    }

    /// Asks for the digest after what is queued. True when the stream must be handed to the pool.
    pub(crate) fn finish(&self) -> bool {
        self.change(|inner| inner.finishing = true)
    }

    /// Forgets the stream: what is queued at once, the sink when a worker comes by. True when the stream must be
    /// handed to the pool.
    pub(crate) fn cancel(&self) -> bool {
        self.change(|inner| {
            inner.queue.clear();
            inner.cancelled = true;
        })
    }

    /// The state of the hash while the stream rests: nothing is queued, no worker has it. `None` when it has ended.
    pub(crate) fn state(&self) -> Option<HashState> {
        self.lock().work.as_ref().map(|work| work.hash.clone())
    }

    /// Takes the hash and sink away without a worker: for a pool that has none.
    pub(crate) fn abandon(&self) {
        self.lock().work = None;
    }

    /// Takes a piece of at most `most` bytes to work on. `None` when there is nothing to do any more.
    pub(crate) fn begin_turn(self: Arc<Self>, most: usize) -> Option<Turn> {
        let mut inner = self.lock();
        let work = inner.work.take()?;
        let (piece, freed) = inner.next_piece(most);
        drop(inner);
        Some(Turn {
            cell: self,
            work,
            piece,
            freed,
        })
    }

    fn give_back(self: Arc<Self>, work: Box<Work>) -> Next {
        let mut inner = self.lock();
        if inner.cancelled {
            inner.scheduled = false;
            return Next::Discard(work);
        }
        if !inner.queue.is_empty() {
            inner.work = Some(work);
            drop(inner);
            return Next::Again(self);
        }
        inner.scheduled = false;
        if inner.finishing {
            return Next::Complete(work);
        }
        inner.work = Some(work);
        Next::Rest
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) -> bool {
        let mut inner = self.lock();
        change(&mut inner);
        // With the work neither here nor with a worker the stream has ended; nobody would take the chunk.
        if !inner.scheduled && inner.work.is_none() {
            inner.queue.clear();
            return false;
        }
        !std::mem::replace(&mut inner.scheduled, true)
    }

    // No code panics while it holds the lock; were it otherwise, the state would still be whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Inner ===

impl Inner {
    /// The next bytes of the queue, a large chunk cut, and the room that they held.
    fn next_piece(&mut self, most: usize) -> (Bytes, u32) {
        let Some(front) = self.queue.front_mut() else {
            return (Bytes::new(), 0);
        };
        if front.bytes.len() <= most {
            return self
                .queue
                .pop_front()
                .map_or_else(|| (Bytes::new(), 0), |whole| (whole.bytes, whole.cost));
        }
        let piece = front.bytes.split_to(most);
        let kept = front.cost.min(cost_of(front.bytes.len()));
        let freed = front.cost - kept;
        front.cost = kept;
        (piece, freed)
    }
}

// === impl Turn ===

impl Turn {
    /// Gives the stream back after its piece went through. The room is free only then: who finds all of it free
    /// finds the stream at rest.
    pub(crate) fn end(self) -> Next {
        let Self {
            cell, work, freed, ..
        } = self;
        let room = Arc::clone(&cell.room);
        let next = cell.give_back(work);
        room.add_permits(freed as usize);
        next
    }

    /// Takes the stream out of service after its piece failed.
    pub(crate) fn fail(self) -> Box<Work> {
        let mut inner = self.cell.lock();
        inner.scheduled = false;
        inner.queue.clear();
        drop(inner);
        self.work
    }
}

// === impl Work ===

impl Work {
    /// The last step of a stream. The caller has dropped the sink.
    pub(crate) fn complete(mut self) {
        if let Some(outcome) = self.outcome.take() {
            // A receiver that is gone has no use for the digest.
            let _ = outcome.send(Ok(self.hash.clone().finish()));
        }
    }

    /// Reports why the stream ends early. The caller has dropped the sink.
    pub(crate) fn fail(mut self, error: HashError) {
        if let Some(outcome) = self.outcome.take() {
            let _ = outcome.send(Err(error));
        }
    }
}

/// Whoever waits for room must not wait for ever, however the stream ended; the outcome is sent before.
impl Drop for Work {
    fn drop(&mut self) {
        self.room.close();
    }
}

//! The async side of one stream.

use std::sync::Arc;

use bytes::Bytes;
use landfall_oci::Digest;
use tokio::sync::{SemaphorePermit, oneshot};

use crate::cell::{Cell, ROOM_BYTES, cost_of};
use crate::error::HashError;
use crate::service::Threads;
use crate::state::HashState;

/// Bytes on their way to a digest. Dropping it cancels the stream: what is queued is forgotten, and its sink is
/// dropped by a hash thread soon after.
pub struct HashStream {
    cell: Arc<Cell>,
    threads: Arc<Threads>,
    outcome: oneshot::Receiver<Result<Digest, HashError>>,
    len: u64,
    /// The outcome was received: nothing is left to cancel.
    ended: bool,
}

impl HashStream {
    pub(crate) fn new(
        cell: Arc<Cell>,
        threads: Arc<Threads>,
        outcome: oneshot::Receiver<Result<Digest, HashError>>,
        len: u64,
    ) -> Self {
        Self {
            cell,
            threads,
            outcome,
            len,
            ended: false,
        }
    }

    /// Queues the next bytes. Waits while about a megabyte of this stream is queued already, so the memory of all
    /// streams is bounded by their number. Dropping the future before it is ready leaves the chunk out.
    ///
    /// # Errors
    /// [`HashError`] when the stream has ended: the bytes of an earlier chunk could not be written, mostly.
    pub async fn update(&mut self, chunk: Bytes) -> Result<(), HashError> {
        if chunk.is_empty() {
            return Ok(());
        }
        let cost = cost_of(chunk.len());
        // The worker that is done with the bytes gives the room back.
        let room = self.cell.room.acquire_many(cost).await;
        if room.map(SemaphorePermit::forget).is_err() {
            return Err(self.failure().await);
        }
        self.len += chunk.len() as u64;
        if self.cell.push(chunk, cost) {
            self.threads.pool().push(Arc::clone(&self.cell));
        }
        Ok(())
    }

    /// The state after all bytes accepted so far, which [`HashService::resume_into`] goes on from. Waits for them
    /// to be hashed and written.
    ///
    /// [`HashService::resume_into`]: crate::HashService::resume_into
    ///
    /// # Errors
    /// [`HashError`] when the stream has ended.
    pub async fn state(&mut self) -> Result<HashState, HashError> {
        // All of the room is free when nothing is queued and no worker has anything.
        let cell = Arc::clone(&self.cell);
        match cell.room.acquire_many(ROOM_BYTES).await {
            Ok(_room) => cell.state().ok_or(HashError::Ended),
            Err(_closed) => Err(self.failure().await),
        }
    }

    /// Bytes accepted so far, those before a resumed state included.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether no byte was accepted yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The digest. When it returns every byte has been hashed and written, and the sink has been dropped.
    ///
    /// # Errors
    /// [`HashError`] when some byte could not be written.
    pub async fn finish(mut self) -> Result<Digest, HashError> {
        if self.ended {
            return Err(HashError::Ended);
        }
        if self.cell.finish() {
            self.threads.pool().push(Arc::clone(&self.cell));
        }
        let outcome = (&mut self.outcome).await;
        self.ended = true;
        outcome.unwrap_or(Err(HashError::NoThreads))
    }

    /// Why the room is closed.
    async fn failure(&mut self) -> HashError {
        if self.ended {
            return HashError::Ended;
        }
        let outcome = (&mut self.outcome).await;
        self.ended = true;
        match outcome {
            Ok(Err(error)) => error,
            Ok(Ok(_)) => HashError::Ended,
            Err(_gone) => HashError::NoThreads,
        }
    }
}

impl Drop for HashStream {
    fn drop(&mut self) {
        if !self.ended && self.cell.cancel() {
            self.threads.pool().push(Arc::clone(&self.cell));
        }
    }
}

impl std::fmt::Debug for HashStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HashStream")
            .field("len", &self.len)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

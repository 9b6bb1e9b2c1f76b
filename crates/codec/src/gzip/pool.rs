//! Threads that deflate blocks.

use std::io;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};

use super::{AHEAD, block::Block};

/// What comes of a block.
pub(super) type Outcome = Receiver<io::Result<Block>>;

struct Job {
    block: Block,
    outcome: SyncSender<io::Result<Block>>,
}

/// The threads end when this is dropped: nobody waits for a caller that failed.
pub(super) struct Pool {
    jobs: SyncSender<Job>,
    spare: Vec<Block>,
}

impl Pool {
    pub(super) fn start<'scope>(scope: &'scope Scope<'scope, '_>, threads: NonZeroUsize) -> io::Result<Self> {
        let (jobs, queue) = sync_channel::<Job>(threads.get() * AHEAD);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads.get() {
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name("deflate".into())
                .spawn_scoped(scope, move || work(&queue))?;
        }
        Ok(Self {
            jobs,
            spare: Vec::new(),
        })
    }

    /// A block to fill.
    pub(super) fn spare(&mut self) -> Block {
        self.spare.pop().unwrap_or_default()
    }

    /// Gives a block's buffers back.
    pub(super) fn recycle(&mut self, block: Block) {
        self.spare.push(block);
    }

    /// Has a block deflated. Never waits: the queue has room for all that may be under way.
    pub(super) fn deflate(&self, block: Block) -> io::Result<Outcome> {
        let (outcome, result) = sync_channel(1);
        self.jobs.send(Job { block, outcome }).map_err(|_| gone())?;
        Ok(result)
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { mut block, outcome }) = job else {
            return;
        };
        let result = block.deflate().map(|()| block);
        // Nobody waits for it where the caller has failed.
        let _ = outcome.send(result);
    }
}

pub(super) fn gone() -> io::Error {
    io::Error::other("a thread that compresses ended early")
}

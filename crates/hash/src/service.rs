//! The threads that hash, and the handle that keeps them.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use landfall_oci::Algorithm;

use crate::cell::Cell;
use crate::kernel::Engine;
use crate::pool::Pool;
use crate::select::Kernel;
use crate::sink::Sink;
use crate::state::HashState;
use crate::stream::HashStream;
use crate::worker;

/// Threads that hash any number of streams. Clones share them; they end when the last clone and the last stream are
/// gone and what was queued is done.
#[derive(Clone)]
pub struct HashService {
    threads: Arc<Threads>,
}

/// Keeps the threads running while it exists.
pub(crate) struct Threads {
    pool: Arc<Pool>,
    /// Threads that could be started.
    running: usize,
}

impl HashService {
    /// Starts the threads; as many as cores is right. When the system refuses some of them the others do their
    /// work, and when it refuses all, every stream ends with [`HashError::NoThreads`](crate::HashError::NoThreads).
    #[must_use]
    pub fn new(threads: NonZeroUsize) -> Self {
        Self::start(threads, Engine::best())
    }

    /// The same with a given kernel: for tests and measurements. `None` when this processor lacks it.
    #[must_use]
    pub fn with_kernel(threads: NonZeroUsize, kernel: Kernel) -> Option<Self> {
        Engine::new(kernel).map(|engine| Self::start(threads, engine))
    }

    /// A stream that is only hashed.
    #[must_use]
    pub fn stream(&self, algorithm: Algorithm) -> HashStream {
        self.open(HashState::new(algorithm), None)
    }

    /// A stream that is hashed and given to `sink`, in one hop.
    #[must_use]
    pub fn stream_into(&self, algorithm: Algorithm, sink: Box<dyn Sink>) -> HashStream {
        self.open(HashState::new(algorithm), Some(sink))
    }

    /// A stream that goes on where another one was, and gives what comes behind to `sink`.
    #[must_use]
    pub fn resume_into(&self, state: HashState, sink: Box<dyn Sink>) -> HashStream {
        self.open(state, Some(sink))
    }

    fn start(threads: NonZeroUsize, engine: Engine) -> Self {
        let pool = Arc::new(Pool::default());
        let running = (0..threads.get())
            .filter(|number| {
                let pool = Arc::clone(&pool);
                thread::Builder::new()
                    .name(format!("hash-{number}"))
                    .spawn(move || worker::run(&pool, engine))
                    .is_ok()
            })
            .count();
        Self {
            threads: Arc::new(Threads { pool, running }),
        }
    }

    fn open(&self, state: HashState, sink: Option<Box<dyn Sink>>) -> HashStream {
        let len = state.len();
        let (cell, outcome) = Cell::new(state, sink);
        if self.threads.running == 0 {
            cell.abandon();
        }
        HashStream::new(cell, Arc::clone(&self.threads), outcome, len)
    }
}

impl std::fmt::Debug for HashService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HashService")
            .field("threads", &self.threads.running)
            .finish_non_exhaustive()
    }
}

impl Threads {
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.pool.close();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::HashError;

    #[test]
    fn threads_end_with_the_last_clone() {
        let service = HashService::new(NonZeroUsize::MIN);
        let pool = Arc::downgrade(&service.threads.pool);
        let stream = service.clone().stream(Algorithm::Sha256);
        drop(service);
        std::thread::sleep(Duration::from_millis(20));
        assert!(pool.upgrade().is_some(), "a stream still needs them");
        drop(stream);
        let ended = (0..2000).any(|_| {
            std::thread::sleep(Duration::from_millis(2));
            pool.upgrade().is_none()
        });
        assert!(ended, "every thread holds the pool until it ends");
    }

    #[tokio::test]
    async fn without_threads_streams_say_so() {
        let threads = Arc::new(Threads {
            pool: Arc::new(Pool::default()),
            running: 0,
        });
        let service = HashService { threads };
        let mut stream = service.stream(Algorithm::Sha256);
        let error = stream.update("x".into()).await.unwrap_err();
        assert!(matches!(error, HashError::NoThreads), "{error}");
        let error = service.stream(Algorithm::Sha256).finish().await.unwrap_err();
        assert!(matches!(error, HashError::NoThreads), "{error}");
    }
}

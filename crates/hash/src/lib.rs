//! Hashing off the reactor threads (stand-in with the agreed names: one thread per stream, no lanes).

use std::num::NonZeroUsize;

use aws_lc_rs::digest::{Context, SHA256, SHA384, SHA512};
use bytes::Bytes;
use landfall_oci::{Algorithm, Digest};
use tokio::sync::{mpsc, oneshot};

/// Hashes small things at once.
#[must_use]
pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

/// One stream, synchronous.
pub struct Hasher {
    algorithm: Algorithm,
    context: Context,
}

impl Hasher {
    /// A hasher that has seen nothing.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        let context = Context::new(match algorithm {
            Algorithm::Sha256 => &SHA256,
            Algorithm::Sha384 => &SHA384,
            Algorithm::Sha512 => &SHA512,
        });
        Self { algorithm, context }
    }

    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    /// The digest of all of them.
    #[must_use]
    pub fn finish(self) -> Digest {
        let value = self.context.finish();
        match Digest::from_bytes(self.algorithm, value.as_ref()) {
            Some(digest) => digest,
            None => unreachable!("the algorithm and its length come from the same table"),
        }
    }
}

/// Where the bytes go beside the hash.
pub trait Sink: Send + 'static {
    /// Takes one chunk; runs on the hash threads.
    ///
    /// # Errors
    /// Whatever the write said; it ends the stream.
    fn write(&mut self, chunk: &[u8]) -> std::io::Result<()>;
}

/// Why a stream could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// The sink refused a chunk.
    #[error("the data could not be written: {0}")]
    Sink(#[source] std::io::Error),
    /// The hashing threads are gone.
    #[error("the hashing service has stopped")]
    Stopped,
}

/// Hands out streams.
#[derive(Clone)]
pub struct HashService(());

impl HashService {
    /// A service of so many threads.
    #[must_use]
    pub fn new(_threads: NonZeroUsize) -> Self {
        Self(())
    }

    /// Hashes only.
    #[must_use]
    pub fn stream(&self, algorithm: Algorithm) -> HashStream {
        self.start(algorithm, None)
    }

    /// Hashes and writes each chunk.
    #[must_use]
    pub fn stream_into(&self, algorithm: Algorithm, sink: Box<dyn Sink>) -> HashStream {
        self.start(algorithm, Some(sink))
    }

    fn start(&self, algorithm: Algorithm, mut sink: Option<Box<dyn Sink>>) -> HashStream {
        let (chunks, mut queue) = mpsc::channel::<Bytes>(4);
        let (done, result) = oneshot::channel();
        std::thread::spawn(move || {
            let mut hasher = Hasher::new(algorithm);
            while let Some(chunk) = queue.blocking_recv() {
                if let Some(sink) = &mut sink
                    && let Err(error) = sink.write(&chunk)
                {
                    let _ = done.send(Err(HashError::Sink(error)));
                    return;
                }
                hasher.update(&chunk);
            }
            let _ = done.send(Ok(hasher.finish()));
        });
        HashStream {
            chunks,
            result,
            len: 0,
        }
    }
}

/// One stream being hashed.
pub struct HashStream {
    chunks: mpsc::Sender<Bytes>,
    result: oneshot::Receiver<Result<Digest, HashError>>,
    len: u64,
}

impl HashStream {
    /// Hands over a chunk.
    ///
    /// # Errors
    /// What the sink said of an earlier chunk.
    pub async fn update(&mut self, chunk: Bytes) -> Result<(), HashError> {
        let len = chunk.len() as u64;
        if self.chunks.send(chunk).await.is_err() {
            return match (&mut self.result).await {
                Ok(Err(error)) => Err(error),
                _ => Err(HashError::Stopped),
            };
        }
        self.len += len;
        Ok(())
    }

    /// Bytes accepted so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was accepted yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The digest, once every byte is hashed and written.
    ///
    /// # Errors
    /// What the sink said.
    pub async fn finish(self) -> Result<Digest, HashError> {
        drop(self.chunks);
        self.result.await.unwrap_or(Err(HashError::Stopped))
    }
}

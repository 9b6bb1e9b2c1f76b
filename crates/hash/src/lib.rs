//! Hashing off the reactor threads, as fast as the machine can.
//!
//! STAND-IN: the names and shapes of the real service over plain SHA, on the caller's own thread. Replaced at merge.

use std::io;
use std::num::NonZeroUsize;

use aws_lc_rs::digest as sha;
use bytes::Bytes;
use landfall_oci::{Algorithm, Digest};

/// Digest of small things, at once.
#[must_use]
pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

/// One stream, synchronous.
#[derive(Clone)]
pub struct Hasher(Algorithm, sha::Context);

impl Hasher {
    /// An empty stream.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        let kind = match algorithm {
            Algorithm::Sha256 => &sha::SHA256,
            Algorithm::Sha384 => &sha::SHA384,
            Algorithm::Sha512 => &sha::SHA512,
        };
        Self(algorithm, sha::Context::new(kind))
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.1.update(bytes);
    }

    /// The digest of all that was added.
    #[must_use]
    pub fn finish(self) -> Digest {
        let value = self.1.finish();
        let zero = Digest::Sha256([0; 32]);
        Digest::from_bytes(self.0, value.as_ref()).unwrap_or(zero)
    }
}

/// Where hashed chunks go.
pub trait Sink: Send + 'static {
    /// Takes the next chunk.
    ///
    /// # Errors
    /// Whatever the target said.
    fn write(&mut self, chunk: &[u8]) -> io::Result<()>;
}

/// Why a stream failed.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// What the sink said.
    #[error(transparent)]
    Sink(#[from] io::Error),
}

/// The service.
#[derive(Clone)]
pub struct HashService;

impl HashService {
    /// A service of this many threads.
    #[must_use]
    pub fn new(_threads: NonZeroUsize) -> Self {
        Self
    }

    /// Hash only.
    #[must_use]
    pub fn stream(&self, algorithm: Algorithm) -> HashStream {
        HashStream(Hasher::new(algorithm), None, 0)
    }

    /// Hash and write.
    #[must_use]
    pub fn stream_into(&self, algorithm: Algorithm, sink: Box<dyn Sink>) -> HashStream {
        HashStream(Hasher::new(algorithm), Some(sink), 0)
    }
}

/// One stream of the service.
pub struct HashStream(Hasher, Option<Box<dyn Sink>>, u64);

impl HashStream {
    /// Adds a chunk.
    ///
    /// # Errors
    /// What the sink said.
    #[allow(clippy::unused_async)]
    pub async fn update(&mut self, chunk: Bytes) -> Result<(), HashError> {
        self.0.update(&chunk);
        if let Some(sink) = &mut self.1 {
            sink.write(&chunk)?;
        }
        self.2 += chunk.len() as u64;
        Ok(())
    }

    /// Bytes accepted so far.
    #[allow(clippy::len_without_is_empty)]
    #[must_use]
    pub fn len(&self) -> u64 {
        self.2
    }

    /// Every byte hashed and written when it returns.
    ///
    /// # Errors
    /// What the sink said.
    #[allow(clippy::unused_async)]
    pub async fn finish(self) -> Result<Digest, HashError> {
        Ok(self.0.finish())
    }
}

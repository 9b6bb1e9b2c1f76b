//! SHA-2 straight from aws-lc-rs: the oracle that the house's own hashing is compared with.

use std::io::{self, Read, Write};

use aws_lc_rs::digest::{Context, SHA256, SHA384, SHA512};
use landfall_oci::{Algorithm, Digest};

/// The SHA-256 digest of some bytes.
pub fn sha256(bytes: &[u8]) -> Digest {
    digest(Algorithm::Sha256, bytes)
}

/// The digest of some bytes by any algorithm.
pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut sum = context(algorithm);
    sum.update(bytes);
    finish(algorithm, sum)
}

/// The digest of a stream by any algorithm.
///
/// # Errors
/// What the reader said.
pub fn digest_of(algorithm: Algorithm, mut reader: impl Read) -> io::Result<Digest> {
    let mut sum = context(algorithm);
    let mut piece = vec![0; 256 * 1024];
    loop {
        match reader.read(&mut piece)? {
            0 => return Ok(finish(algorithm, sum)),
            read => sum.update(&piece[..read]),
        }
    }
}

/// The SHA-256 digest and length of a stream.
///
/// # Errors
/// What the reader said.
pub fn sha256_of(mut reader: impl Read) -> io::Result<(Digest, u64)> {
    let mut sink = Hashing::new(io::sink());
    io::copy(&mut reader, &mut sink)?;
    let (_, digest, len) = sink.finish();
    Ok((digest, len))
}

/// A writer that hashes and counts what passes through.
pub struct Hashing<W> {
    inner: W,
    sum: Context,
    len: u64,
}

impl<W: Write> Hashing<W> {
    /// Wraps a writer.
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            sum: Context::new(&SHA256),
            len: 0,
        }
    }

    /// Bytes written so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The writer below.
    pub fn get_ref(&self) -> &W {
        &self.inner
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The writer, the digest and the number of bytes.
    pub fn finish(self) -> (W, Digest, u64) {
        (self.inner, finish(Algorithm::Sha256, self.sum), self.len)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(chunk)?;
        self.sum.update(&chunk[..taken]);
        self.len += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn context(algorithm: Algorithm) -> Context {
    Context::new(match algorithm {
        Algorithm::Sha256 => &SHA256,
        Algorithm::Sha384 => &SHA384,
        Algorithm::Sha512 => &SHA512,
    })
}

fn finish(algorithm: Algorithm, sum: Context) -> Digest {
    Digest::from_bytes(algorithm, sum.finish().as_ref()).expect("the algorithm's own length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_empty_digest() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b"").to_string(), empty);
        assert_eq!(sha256_of(&b""[..]).unwrap().0.to_string(), empty);
    }
}

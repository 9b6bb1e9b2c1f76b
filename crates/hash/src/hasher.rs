//! One stream on the thread of the caller: for small things, and for threads that may block.

use aws_lc_rs::digest as lc;
use landfall_oci::{Algorithm, Digest};

/// Hashes bytes that are in memory, at once.
#[must_use]
pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    from_library(algorithm, &lc::digest(library_name(algorithm), bytes))
}

/// One stream, hashed where it stands. On async threads use [`HashService`](crate::HashService).
#[derive(Clone)]
pub struct Hasher {
    algorithm: Algorithm,
    context: lc::Context,
}

impl Hasher {
    /// A stream without bytes.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            context: lc::Context::new(library_name(algorithm)),
        }
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    /// The digest of all bytes.
    #[must_use]
    pub fn finish(self) -> Digest {
        from_library(self.algorithm, &self.context.finish())
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hasher")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

fn library_name(algorithm: Algorithm) -> &'static lc::Algorithm {
    match algorithm {
        Algorithm::Sha256 => &lc::SHA256,
        Algorithm::Sha384 => &lc::SHA384,
        Algorithm::Sha512 => &lc::SHA512,
    }
}

fn from_library(algorithm: Algorithm, value: &lc::Digest) -> Digest {
    match algorithm {
        Algorithm::Sha256 => Digest::Sha256(exactly(value.as_ref())),
        Algorithm::Sha384 => Digest::Sha384(exactly(value.as_ref())),
        Algorithm::Sha512 => Digest::Sha512(exactly(value.as_ref())),
    }
}

fn exactly<const N: usize>(value: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(value);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    // FIPS 180-4 examples ("abc" and the empty message).
    const KNOWN: [(Algorithm, &str, &str); 6] = [
        (
            Algorithm::Sha256,
            "",
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            Algorithm::Sha256,
            "abc",
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            Algorithm::Sha384,
            "",
            "sha384:38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
        ),
        (
            Algorithm::Sha384,
            "abc",
            "sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            Algorithm::Sha512,
            "",
            "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        ),
        (
            Algorithm::Sha512,
            "abc",
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ];

    #[test]
    fn known_answers() {
        for (algorithm, message, expected) in KNOWN {
            assert_eq!(digest(algorithm, message.as_bytes()).to_string(), expected);
            let mut hasher = Hasher::new(algorithm);
            for byte in message.bytes() {
                hasher.update(&[byte]);
            }
            assert_eq!(hasher.finish().to_string(), expected);
        }
    }
}

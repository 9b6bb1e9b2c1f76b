//! The running hash of a stream, which can be written down and taken up again by another process.

use std::fmt;
use std::str::FromStr;

use landfall_oci::{Algorithm, Digest};

use crate::sha256::Sha256;
use crate::sha512::Sha512;

/// A hash in the middle of its stream. Its text is `<algorithm>-<bytes so far>-<words>-<unfinished block>`, in hex
/// but for the first two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashState(pub(crate) Running);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Running {
    /// Can share lanes with others.
    Sha256(Sha256),
    /// SHA-384 and SHA-512: always alone.
    Sha512(Sha512),
}

/// The text is not that of a hash state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the state of a hash; hash from the beginning")]
pub struct HashStateError;

impl HashState {
    /// Before the first byte.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => Running::Sha256(Sha256::new()),
            wide => Running::Sha512(Sha512::new(wide)),
        })
    }

    /// By which algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match &self.0 {
            Running::Sha256(_) => Algorithm::Sha256,
            Running::Sha512(hash) => hash.algorithm(),
        }
    }

    /// Bytes hashed so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.0 {
            Running::Sha256(hash) => hash.len(),
            Running::Sha512(hash) => hash.len(),
        }
    }

    /// Whether no byte was hashed yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn finish(self) -> Digest {
        match self.0 {
            Running::Sha256(hash) => hash.finish(),
            Running::Sha512(hash) => hash.finish(),
        }
    }
}

impl fmt::Display for HashState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-", self.algorithm(), self.len())?;
        let tail = match &self.0 {
            Running::Sha256(hash) => {
                hash.words().iter().try_for_each(|word| write!(f, "{word:08x}"))?;
                hash.tail()
            }
            Running::Sha512(hash) => {
                hash.words()
                    .iter()
                    .try_for_each(|word| write!(f, "{word:016x}"))?;
                hash.tail()
            }
        };
        f.write_str("-")?;
        tail.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for HashState {
    type Err = HashStateError;

    fn from_str(text: &str) -> Result<Self, HashStateError> {
        parse(text).ok_or(HashStateError)
    }
}

fn parse(text: &str) -> Option<HashState> {
    let mut parts = text.split('-');
    let algorithm: Algorithm = parts.next()?.parse().ok()?;
    let len: u64 = parts.next()?.parse().ok()?;
    let (words, tail) = (hex(parts.next()?)?, hex(parts.next()?)?);
    if parts.next().is_some() {
        return None;
    }
    let running = match algorithm {
        Algorithm::Sha256 => Running::Sha256(Sha256::resume(len, &words, &tail)?),
        wide => Running::Sha512(Sha512::resume(wide, len, &words, &tail)?),
    };
    Some(HashState(running))
}

fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let digits = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    digits.map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

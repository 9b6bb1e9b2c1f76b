//! Content digests: `algorithm:hex`, parsed once, so that a path or URL made from one can hold nothing else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The digest algorithms that OCI registers and Kubernetes accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256: what practically every image uses.
    Sha256,
    /// SHA-384: recognised by Kubernetes and Go's digest library, optional in OCI.
    Sha384,
    /// SHA-512: registered by OCI.
    Sha512,
}

impl Algorithm {
    /// Every algorithm, in the order of their names.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// The name before the colon.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of the digest in bytes (half the number of hex digits).
    #[must_use]
    pub const fn len_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or_else(|| DigestError::Unsupported {
                algorithm: text.to_owned(),
            })
    }
}

/// A digest that is known to be well formed: a registered algorithm and exactly its number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// A SHA-256 value.
    Sha256([u8; 32]),
    /// A SHA-384 value.
    Sha384([u8; 48]),
    /// A SHA-512 value.
    Sha512([u8; 64]),
}

/// Why a text is not a digest. The classes are those of Go's digest library, which Kubernetes uses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Not `algorithm:hex` at all, or upper-case hex digits.
    #[error("not a digest: `{text}` (expected `sha256:` and 64 lower-case hex digits)")]
    Format {
        /// The text as given.
        text: String,
    },
    /// Well formed, but of an algorithm that nobody registered.
    #[error("unsupported digest algorithm `{algorithm}` (sha256, sha384 and sha512 are known)")]
    Unsupported {
        /// The part before the colon.
        algorithm: String,
    },
    /// The number of hex digits is not that of the algorithm.
    #[error("a {algorithm} digest has {expected} hex digits, this one has {found}")]
    Length {
        /// The algorithm named.
        algorithm: Algorithm,
        /// Hex digits that it needs.
        expected: usize,
        /// Hex digits that were there.
        found: usize,
    },
}

impl Digest {
    /// Makes a digest from the raw value; `None` when the length is not the algorithm's.
    #[must_use]
    pub fn from_bytes(algorithm: Algorithm, value: &[u8]) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Sha256 => Self::Sha256(value.try_into().ok()?),
            Algorithm::Sha384 => Self::Sha384(value.try_into().ok()?),
            Algorithm::Sha512 => Self::Sha512(value.try_into().ok()?),
        })
    }

    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha384(_) => Algorithm::Sha384,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The raw value.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(value) => value,
            Self::Sha384(value) => value,
            Self::Sha512(value) => value,
        }
    }

    /// The part after the colon: lower-case hex digits.
    #[must_use]
    pub fn hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut out = String::with_capacity(self.as_bytes().len() * 2);
        for byte in self.as_bytes() {
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        out
    }

    /// The first twelve hex digits: enough for a person, never for a decision.
    #[must_use]
    pub fn short(&self) -> String {
        let mut hex = self.hex();
        hex.truncate(12);
        hex
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let malformed = || DigestError::Format {
            text: text.to_owned(),
        };
        let (name, hex) = text.split_once(':').ok_or_else(malformed)?;
        if name.is_empty()
            || !name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+._-".contains(&b))
        {
            return Err(malformed());
        }
        let algorithm: Algorithm = name.parse()?;
        let expected = algorithm.len_bytes() * 2;
        if hex.len() != expected {
            return Err(DigestError::Length {
                algorithm,
                expected,
                found: hex.len(),
            });
        }
        let mut value = [0_u8; 64];
        for (slot, pair) in value.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let (high, low) = nibble(pair[0]).zip(nibble(pair[1])).ok_or_else(malformed)?;
            *slot = high << 4 | low;
        }
        Self::from_bytes(algorithm, &value[..algorithm.len_bytes()]).ok_or_else(malformed)
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_every_algorithm() {
        for algorithm in Algorithm::ALL {
            let digest = Digest::from_bytes(algorithm, &vec![0xa5; algorithm.len_bytes()]).unwrap();
            assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
            assert_eq!(digest.algorithm(), algorithm);
        }
    }

    #[test]
    fn cve_2024_3727_refuses_what_could_become_a_path() {
        for text in [
            "",
            "sha256",
            "sha256:",
            "sha256:../../etc/passwd",
            "../x:00",
            "sha256:\u{e9}",
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
        let upper = format!("sha256:{}", "A".repeat(64));
        assert!(matches!(upper.parse::<Digest>(), Err(DigestError::Format { .. })));
        let md5 = format!("md5:{}", "0".repeat(32));
        assert!(matches!(
            md5.parse::<Digest>(),
            Err(DigestError::Unsupported { .. })
        ));
        assert!(matches!(
            "sha256:00".parse::<Digest>(),
            Err(DigestError::Length { found: 2, .. })
        ));
    }
}

//! The words of an upload session.

use std::fmt;
use std::io;
use std::str::FromStr;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use landfall_oci::{Algorithm, Digest, Repository};

/// Bytes on their way in or out.
pub type ByteStream<'a> = BoxStream<'a, io::Result<Bytes>>;

/// The name of an upload session: 122 random bits in the form of a UUID, so that it cannot be guessed and can
/// stand in a path.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UploadId([u8; 16]);

impl UploadId {
    /// A new name.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn random() -> io::Result<Self> {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self::marked(bits, 0x40))
    }

    /// The one name of the upload that is to bring this blob into this repository.
    pub(crate) fn of(repository: &Repository, digest: &Digest) -> Self {
        let text = format!("{repository} {digest}");
        let name = landfall_hash::digest(Algorithm::Sha256, text.as_bytes());
        let mut bits = [0; 16];
        bits.copy_from_slice(&name.as_bytes()[..16]);
        Self::marked(bits, 0x80)
    }

    /// With a UUID's version and variant.
    fn marked(mut bits: [u8; 16], version: u8) -> Self {
        bits[6] = bits[6] & 0x0f | version;
        bits[8] = bits[8] & 0x3f | 0x80;
        Self(bits)
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not the name of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of an upload")]
pub struct UploadIdError;

impl FromStr for UploadId {
    type Err = UploadIdError;

    /// Exactly what [`fmt::Display`] writes, nothing looser.
    fn from_str(text: &str) -> Result<Self, UploadIdError> {
        let digits: Vec<u8> = text.bytes().filter(|b| *b != b'-').collect();
        let mut bits = [0; 16];
        if digits.len() != 32 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(UploadIdError);
        }
        for (bit, pair) in bits.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| UploadIdError)?;
            *bit = u8::from_str_radix(pair, 16).map_err(|_| UploadIdError)?;
        }
        let id = Self(bits);
        match id.to_string() == text {
            true => Ok(id),
            false => Err(UploadIdError),
        }
    }
}

/// Where an upload stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadState {
    /// Its name.
    pub id: UploadId,
    /// Bytes received so far: where the next chunk must begin.
    pub offset: u64,
}

/// Bytes to add to an upload.
pub struct Chunk<'a> {
    /// Where the sender believes that they belong; `None` when it just goes on.
    pub at: Option<u64>,
    /// How many they will be, where the sender has said so: asked of the disk before the first byte.
    pub len: Option<u64>,
    /// Whether the upload ends with it. Then it is not written down how far the upload has come: a crash before the
    /// end makes the store hash the bytes again, and costs nothing else.
    pub is_last: bool,
    /// The bytes.
    pub body: ByteStream<'a>,
}

impl Chunk<'static> {
    /// These bytes, wherever the upload stands.
    #[must_use]
    pub fn of(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            at: None,
            len: Some(bytes.len() as u64),
            is_last: false,
            body: Box::pin(futures_util::stream::iter([Ok(bytes)])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_it_prints_and_nothing_else() {
        let id = UploadId::random().unwrap();
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        assert_ne!(id, UploadId::random().unwrap());
        for wrong in [
            "",
            "..",
            "../../etc/passwd",
            &text[1..],
            &text.replace('-', ""),
            &text.to_uppercase(),
        ] {
            assert_eq!(wrong.parse::<UploadId>(), Err(UploadIdError), "{wrong}");
        }
    }
}

//! What a blob consists of: bytes in memory, a file, or a seed from which they are made as they are read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use landfall_oci::Digest;

use super::seeded::SeededReader;
use crate::digest::{sha256, sha256_of};

/// The bytes of a blob, wherever they are. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Content {
    /// In memory.
    Memory(Bytes),
    /// The whole of a file.
    File {
        /// Where it is.
        path: Arc<Path>,
        /// Its length in bytes.
        len: u64,
    },
    /// Made from a seed: gigabytes that take no room.
    Seeded {
        /// What they are made from.
        seed: u64,
        /// How many they are.
        len: u64,
    },
}

impl Content {
    /// A file as it stands now.
    ///
    /// # Errors
    /// The file's metadata cannot be read.
    pub fn file(path: &Path) -> io::Result<Self> {
        Ok(Self::File {
            path: path.into(),
            len: path.metadata()?.len(),
        })
    }

    /// Number of bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { len, .. } | Self::Seeded { len, .. } => *len,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes from `offset` on.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn reader(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                Box::new(io::Cursor::new(bytes.slice(start..)))
            }
            Self::File { path, .. } => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(offset))?;
                Box::new(file)
            }
            Self::Seeded { seed, len } => Box::new(SeededReader::new(*seed, *len, offset)),
        })
    }

    /// All bytes, for small blobs.
    pub fn bytes(&self) -> Bytes {
        if let Self::Memory(bytes) = self {
            return bytes.clone();
        }
        let mut all = Vec::new();
        let read = self.reader(0).and_then(|mut reader| reader.read_to_end(&mut all));
        read.unwrap_or_else(|error| panic!("{self:?}: {error}"));
        all.into()
    }

    /// The SHA-256 digest, read anew.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Memory(bytes) => sha256(bytes),
            other => {
                let reader = other
                    .reader(0)
                    .unwrap_or_else(|error| panic!("{self:?}: {error}"));
                sha256_of(reader)
                    .unwrap_or_else(|error| panic!("{self:?}: {error}"))
                    .0
            }
        }
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self::Memory(bytes)
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Memory(bytes.into())
    }
}

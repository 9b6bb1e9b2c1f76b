//! The bytes of an archive in their order: decompressed by what they are (names lie), counted, and within reason.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use landfall_codec::{Compression, decoder};

use super::{Progress, Workshop};
use crate::BundleError;

const BUFFER: usize = 256 << 10;
/// How often it is said how far we are, in bytes read.
const TELL_EVERY: u64 = 4 << 20;
/// More than any real archive grows by (sparse layers included), once there is enough of it to tell.
const MAX_GROWTH: u64 = 2000;
const GROWTH_FROM: u64 = 4 << 30;

/// What an archive that is cut is told by.
pub(super) fn ends() -> io::Error {
    let text = "the archive ends here; it is incomplete: copy or save it again";
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}

/// One archive, in one file or in several that follow each other.
#[derive(Debug)]
pub(super) struct Input {
    parts: Vec<File>,
    pub(super) len: u64,
    pub(super) compression: Compression,
}

impl Input {
    /// Looks at the first bytes.
    pub(super) fn new(parts: Vec<File>, path: &Path) -> Result<Self, BundleError> {
        let mut len = 0;
        for part in &parts {
            len += part.metadata().map_err(BundleError::io("examine", path))?.len();
        }
        let mut head = [0; 16];
        let read = match parts.first() {
            Some(first) => first
                .read_at(&mut head, 0)
                .map_err(BundleError::io("read", path))?,
            None => 0,
        };
        Ok(Self {
            parts,
            len,
            compression: Compression::sniff(&head[..read]),
        })
    }

    /// The same once more, to be read from the beginning.
    pub(super) fn again(&self, path: &Path) -> Result<Self, BundleError> {
        let parts: io::Result<Vec<File>> = self.parts.iter().map(File::try_clone).collect();
        Ok(Self {
            parts: parts.map_err(BundleError::io("open", path))?,
            ..*self
        })
    }

    /// All of it, decompressed.
    pub(super) fn read(self, workshop: &Workshop) -> Plain {
        let read = Arc::new(AtomicU64::new(0));
        let raw = Raw {
            parts: self.parts,
            at: (0, 0),
            read: Arc::clone(&read),
            told: 0,
            len: self.len,
            workshop: workshop.clone(),
        };
        let bytes = match self.compression {
            Compression::None => Bytes::AsTheyAre(raw),
            compression => Bytes::Decoded(decoder(compression, BufReader::with_capacity(BUFFER, raw))),
        };
        Plain {
            bytes,
            given: 0,
            read,
        }
    }
}

/// The files one after the other.
struct Raw {
    parts: Vec<File>,
    /// Which part, and where in it.
    at: (usize, u64),
    read: Arc<AtomicU64>,
    told: u64,
    len: u64,
    workshop: Workshop,
}

impl Read for Raw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(part) = self.parts.get(self.at.0) {
            let len = part.read_at(buffer, self.at.1)?;
            if len == 0 && !buffer.is_empty() {
                self.at = (self.at.0 + 1, 0);
                continue;
            }
            self.at.1 += len as u64;
            let read = self.read.fetch_add(len as u64, Ordering::Relaxed) + len as u64;
            if read - self.told >= TELL_EVERY || read == self.len {
                self.told = read;
                self.workshop.tell(Progress { read, of: self.len });
            }
            return Ok(len);
        }
        Ok(0)
    }
}

impl Raw {
    /// Passes over bytes without reading them. Beyond the end there is nothing, which the next read tells.
    fn pass(&mut self, mut len: u64) -> io::Result<()> {
        self.read.fetch_add(len, Ordering::Relaxed);
        while let Some(part) = self.parts.get(self.at.0) {
            let left = part.metadata()?.len().saturating_sub(self.at.1);
            if len < left {
                self.at.1 += len;
                return Ok(());
            }
            self.at = (self.at.0 + 1, 0);
            len -= left;
        }
        match len {
            0 => Ok(()),
            _ => Err(ends()),
        }
    }
}

/// The decompressed bytes.
pub(super) struct Plain {
    bytes: Bytes,
    given: u64,
    read: Arc<AtomicU64>,
}

enum Bytes {
    AsTheyAre(Raw),
    Decoded(Box<dyn Read + Send>),
}

impl Plain {
    /// Passes over bytes.
    pub(super) fn pass(&mut self, len: u64) -> io::Result<()> {
        if let Bytes::AsTheyAre(raw) = &mut self.bytes {
            return raw.pass(len);
        }
        let passed = io::copy(&mut self.take(len), &mut io::sink())?;
        match passed == len {
            true => Ok(()),
            false => Err(ends()),
        }
    }
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = match &mut self.bytes {
            Bytes::AsTheyAre(raw) => return raw.read(buffer),
            Bytes::Decoded(decoded) => decoded.read(buffer)?,
        };
        self.given += len as u64;
        let read = self.read.load(Ordering::Relaxed).max(1);
        if self.given > GROWTH_FROM && self.given / read > MAX_GROWTH {
            return Err(io::Error::other(format!(
                "{read} bytes have become {} already: no archive of images, but made to fill a disk",
                self.given
            )));
        }
        Ok(len)
    }
}

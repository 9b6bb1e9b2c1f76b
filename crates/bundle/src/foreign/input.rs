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
        Plain {
            inner: decoder(self.compression, BufReader::with_capacity(BUFFER, raw)),
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

/// The decompressed bytes.
pub(super) struct Plain {
    inner: Box<dyn Read + Send>,
    given: u64,
    read: Arc<AtomicU64>,
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
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

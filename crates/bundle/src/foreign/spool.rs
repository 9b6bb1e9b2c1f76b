//! Where what has to be unpacked is put: one file without a name, behind which the disk's space is free again as soon
//! as nobody has it open, however the program ends.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use landfall_hash::Hasher;
use landfall_oci::{Algorithm, Digest};
use landfall_store::Extent;

use super::Workshop;
use crate::{BundleError, Span, disk};

/// What is left of the disk for others.
const RESERVE: u64 = 64 << 20;
/// How often the disk is asked, in bytes written.
const ASK_EVERY: u64 = 64 << 20;

/// A file that grows at its end, one blob after the other.
#[derive(Debug)]
pub(super) struct Spool {
    file: Arc<File>,
    /// For messages: the folder that the file is in.
    folder: Arc<Path>,
    end: u64,
    /// Where the disk is asked next; `None` for a file in memory.
    ask_at: Option<u64>,
}

/// Bytes that were put down, and what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) digest: Digest,
    pub(super) span: Span,
}

/// A blob on its way into the spool. Dropped before [`NewPiece::finish`], its place is used again.
pub(super) struct NewPiece<'a> {
    spool: &'a mut Spool,
    hasher: Hasher,
    len: u64,
    /// What went wrong on the disk, beside all that can go wrong with the input.
    failed: Option<BundleError>,
}

impl Spool {
    /// A file on the disk for about `needed` bytes.
    pub(super) fn on_disk(workshop: &Workshop, needed: u64) -> Result<Self, BundleError> {
        let folder = &workshop.folder;
        let file =
            tempfile::tempfile_in(folder).map_err(BundleError::io("write a temporary file in", folder))?;
        let spool = Self {
            file: Arc::new(file),
            folder: Arc::from(folder.as_path()),
            end: 0,
            ask_at: Some(ASK_EVERY),
        };
        spool.check(needed)?;
        Ok(spool)
    }

    /// A file in memory, for documents.
    pub(super) fn in_memory() -> Result<Self, BundleError> {
        let name = Path::new("memory");
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let made = rustix::fs::memfd_create("landfall", flags);
        let file = made.map_err(|error| BundleError::io("make a file in", name)(error.into()))?;
        Ok(Self {
            file: Arc::new(file.into()),
            folder: Arc::from(name),
            end: 0,
            ask_at: None,
        })
    }

    /// Refuses what the disk has certainly no room for.
    pub(super) fn check(&self, needed: u64) -> Result<(), BundleError> {
        if self.ask_at.is_none() {
            return Ok(());
        }
        let free = disk::free(&self.file).map_err(BundleError::io("examine", &self.folder))?;
        match needed.saturating_add(RESERVE) > free {
            true => Err(self.full(needed, free)),
            false => Ok(()),
        }
    }

    fn full(&self, needed: u64, free: u64) -> BundleError {
        BundleError::SpoolFull {
            folder: self.folder.to_path_buf(),
            needed,
            free,
        }
    }

    /// Bytes that were put down so far.
    pub(super) fn len(&self) -> u64 {
        self.end
    }

    /// Begins a blob.
    pub(super) fn piece(&mut self, algorithm: Algorithm) -> NewPiece<'_> {
        NewPiece {
            spool: self,
            hasher: Hasher::new(algorithm),
            len: 0,
            failed: None,
        }
    }

    /// Puts down a blob that is in memory.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<Stored, BundleError> {
        let mut piece = self.piece(Algorithm::Sha256);
        let written = piece.write_all(bytes);
        match piece.failed.take() {
            Some(failed) => Err(failed),
            None => {
                written.map_err(BundleError::io("write", &piece.spool.folder))?;
                Ok(piece.finish())
            }
        }
    }

    /// What was put down.
    pub(super) fn extent(&self, span: Span) -> Extent {
        span.of(&self.file, &self.folder)
    }

    /// The file, for a bundle that consists of its pieces.
    pub(super) fn into_file(self) -> (Arc<File>, Arc<Path>) {
        (self.file, self.folder)
    }
}

impl NewPiece<'_> {
    /// What went wrong on the disk, if that is why writing failed.
    pub(super) fn take_failure(&mut self) -> Option<BundleError> {
        self.failed.take()
    }

    /// Keeps what was written, unless the same bytes are there already.
    pub(super) fn keep_once(self, known: &mut HashMap<Digest, Span>) -> Stored {
        let Self {
            spool, hasher, len, ..
        } = self;
        let digest = hasher.finish();
        let span = *known.entry(digest).or_insert(Span {
            offset: spool.end,
            len,
        });
        if span.offset == spool.end {
            spool.end += len;
        }
        Stored { digest, span }
    }

    /// Keeps what was written.
    pub(super) fn finish(self) -> Stored {
        let span = Span {
            offset: self.spool.end,
            len: self.len,
        };
        self.spool.end += self.len;
        Stored {
            digest: self.hasher.finish(),
            span,
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), BundleError> {
        let spool = &mut *self.spool;
        let at = spool.end + self.len;
        if spool.ask_at.is_some_and(|ask_at| at >= ask_at) {
            spool.check(bytes.len() as u64)?;
            spool.ask_at = Some(at + ASK_EVERY);
        }
        match spool.file.write_all_at(bytes, at) {
            Ok(()) => Ok(()),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                Err(spool.full(bytes.len() as u64, disk::free(&spool.file).unwrap_or(0)))
            }
            Err(error) => Err(BundleError::io("write a temporary file in", &spool.folder)(error)),
        }
    }
}

impl Write for NewPiece<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.put(bytes) {
            let text = error.to_string();
            self.failed = Some(error);
            return Err(io::Error::other(text));
        }
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! Where a blob's bytes go while they are hashed: positional writes into the partial file.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use landfall_hash::Sink;
use landfall_oci::Digest;

use crate::Span;
use crate::writer::{Shared, lock};

/// Writes one blob from some byte on. Its errors carry a [`crate::BundleError`] where the disk is at fault.
pub struct BlobSink {
    shared: Arc<Shared>,
    digest: Digest,
    span: Span,
    at: u64,
    reported: u64,
    generation: u64,
}

impl BlobSink {
    pub(crate) fn new(shared: Arc<Shared>, digest: Digest, span: Span, from: u64, generation: u64) -> Self {
        Self {
            shared,
            digest,
            span,
            at: from,
            reported: from,
            generation,
        }
    }

    /// Tells the journal how far this blob is, in steps; `least` is the smallest step worth a record.
    fn report(&mut self, least: u64) -> io::Result<()> {
        if self.at - self.reported < least {
            return Ok(());
        }
        let (digest, span, at) = (self.digest, self.span, self.at);
        let recorded = self.shared.record(|journal| journal.progress(&digest, span, at));
        recorded.map_err(io::Error::other)?;
        self.reported = at;
        Ok(())
    }
}

impl Sink for BlobSink {
    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let Some((_, slot)) = shared.slots.get(&self.digest) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let mut slot = lock(slot);
        if slot.generation != self.generation {
            return Err(io::Error::other(format!(
                "{}: superseded by a later download",
                self.digest
            )));
        }
        let len = chunk.len() as u64;
        if len > self.span.len - self.at {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "{}: more than the {} bytes that its descriptor says",
                    self.digest, self.span.len
                ),
            ));
        }
        let written = shared.file.write_all_at(chunk, self.span.offset + self.at);
        written.map_err(|error| io::Error::new(error.kind(), shared.write_error(error)))?;
        self.at += len;
        slot.written = self.at;
        shared.unsynced.fetch_add(len, Ordering::Relaxed);
        self.report(shared.options.progress_step)
    }
}

impl Drop for BlobSink {
    /// An interrupted download keeps what it has, when that is worth a line.
    fn drop(&mut self) {
        let shared = Arc::clone(&self.shared);
        let Some((_, slot)) = shared.slots.get(&self.digest) else {
            return;
        };
        let slot = lock(slot);
        if slot.generation == self.generation && !slot.is_done {
            let _ = self.report((shared.options.progress_step / 4).max(1));
        }
    }
}

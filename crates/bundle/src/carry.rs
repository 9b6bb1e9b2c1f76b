//! A changed plan: what the partial file of the earlier plan holds is copied into the new one.
//!
//! Tags move between two runs; that must not cost the gigabytes that did not change. A crash in the middle leaves
//! both pairs of files, and the next run goes on.

use std::fs::File;

use landfall_oci::Digest;

use crate::journal::{self, Known, Replay};
use crate::names::Names;
use crate::writer::{Writer, lock};
use crate::{BundleError, disk};

/// The partial file of an earlier plan, with its journal.
pub(crate) struct Old {
    file: File,
    replay: Replay,
}

impl Old {
    /// Opens the pair, if there is one that can be believed.
    pub(crate) fn open(names: &Names, epoch: Option<&str>) -> Result<Option<Self>, BundleError> {
        let path = &names.old_partial;
        let file = match File::options().read(true).write(true).open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(BundleError::io("open", path))?,
        };
        let epoch = epoch.map(str::to_owned).or_else(|| disk::epoch(&file));
        let old = journal::replay(&names.old_journal, epoch.as_deref())?.map(|replay| Self { file, replay });
        if let Some(old) = &old {
            old.release_holes();
        }
        Ok(old)
    }

    /// Bytes worth copying.
    pub(crate) fn bytes(&self) -> u64 {
        self.replay.bytes()
    }

    /// Gives back the blocks that were reserved for blobs that never came, because now both files need room.
    fn release_holes(&self) {
        let mut kept: Vec<_> = self
            .replay
            .blobs
            .values()
            .map(|known| (known.span.offset, known.span.offset + known.written))
            .collect();
        kept.sort_unstable();
        let end = self.file.metadata().map_or(0, |stat| stat.len());
        kept.push((end, end));
        let mut position = 0;
        for (start, stop) in kept {
            disk::punch(&self.file, position, start.saturating_sub(position));
            position = position.max(stop);
        }
    }

    /// Copies every blob, or beginning of one, of which the new file has less; removes the old pair when all of it is
    /// safe. Returns how many blobs are complete by it.
    pub(crate) fn carry_into(self, writer: &Writer) -> Result<usize, BundleError> {
        let mut complete = 0;
        for (digest, known) in &self.replay.blobs {
            if self.carry(writer, digest, known)? {
                complete += 1;
            }
        }
        writer.sync()?;
        writer.shared.names.remove_old()?;
        Ok(complete)
    }

    fn carry(&self, writer: &Writer, digest: &Digest, known: &Known) -> Result<bool, BundleError> {
        let shared = &writer.shared;
        let Some((span, slot)) = shared.slots.get(digest) else {
            return Ok(false);
        };
        let mut slot = lock(slot);
        let has_enough = slot.is_done || slot.written >= known.written && !known.is_done;
        if has_enough || span.len != known.span.len {
            return Ok(false);
        }
        let copied = disk::copy_range(
            (&self.file, known.span.offset),
            (&shared.file, span.offset),
            known.written,
        );
        match copied {
            Ok(()) => {}
            // The old file is shorter than its journal says: nothing to take.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(shared.write_error(error)),
        }
        if known.is_done {
            shared.record(|journal| journal.done(digest, *span))?;
        } else {
            shared.record(|journal| journal.progress(digest, *span, known.written))?;
        }
        slot.written = known.written;
        slot.is_done = known.is_done;
        Ok(known.is_done)
    }
}

//! Writes a bundle: blobs in any order, from many tasks, each byte once and at its final place; and can be killed at
//! any moment.
//!
//! Everything here blocks: call it from `spawn_blocking` or a thread of your own; the sinks run on the hash threads.
//!
//! The caller's part, for each of [`Writer::pending`]: hash [`Writer::prefix`] when `written` is not zero, fetch the
//! rest from byte `written` into [`Writer::sink`], compare the digest, then [`Writer::complete`] or
//! [`Writer::reset`]. Call [`Writer::sync`] now and then, [`Writer::finish`] at the end. Dropping the writer keeps
//! what is there for the next [`Writer::open`].

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use landfall_oci::{Digest, tar};
use landfall_store::Extent;

use crate::journal::Journal;
use crate::names::Names;
use crate::sink::BlobSink;
use crate::{BundleError, Layout, Span, disk};

/// What stands in the first block of an unfinished bundle, so that nobody takes one for a whole bundle whose blobs
/// happen to be zeros. The real header is written at the very end.
pub(crate) const UNFINISHED: &[u8] = b"LANDFALL UNFINISHED BUNDLE\n\
    Run the same `landfall save` again: it continues where it stopped.\n";

/// How a bundle is written.
#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// Replace a target that exists.
    pub overwrite: bool,
    /// Reserve all blocks before the first byte, so that a full disk is noticed then and not after hours.
    pub reserve: bool,
    /// Bytes of one blob between two progress records.
    pub progress_step: u64,
    /// For tests: the epoch (boot, mount, inode) to act in, instead of the real one.
    pub epoch: Option<String>,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            overwrite: false,
            reserve: true,
            progress_step: 256 << 10,
            epoch: None,
        }
    }
}

/// What [`Writer::open`] found from an earlier run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resume {
    /// Blobs that an earlier run of this plan finished: nothing to do.
    pub done_blobs: usize,
    /// Their bytes, and those of `carried_blobs`.
    pub done_bytes: u64,
    /// Bytes at the beginning of unfinished blobs that need hashing, not fetching (those of `recheck` included).
    pub prefix_bytes: u64,
    /// Blobs that were finished but not yet synced when the machine went down: pending with `written` equal to
    /// `size`, to be hashed in place.
    pub recheck: Vec<Digest>,
    /// Finished blobs taken over from a partial file of an earlier plan.
    pub carried_blobs: usize,
}

/// A blob that is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Which.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Bytes from its beginning that are there, unchecked: hash them ([`Writer::prefix`]) and fetch only the rest.
    pub written: u64,
}

/// A bundle that is being written. Clones share it.
#[derive(Clone)]
pub struct Writer {
    pub(crate) shared: Arc<Shared>,
}

/// One blob's state. Its lock is held while bytes are written, so that a sink that has been superseded cannot write
/// over what a later one wrote and hashed.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) generation: u64,
    pub(crate) written: u64,
    pub(crate) is_done: bool,
}

pub(crate) struct Shared {
    pub(crate) names: Names,
    pub(crate) options: WriterOptions,
    pub(crate) layout: Layout,
    pub(crate) file: Arc<File>,
    pub(crate) path: Arc<Path>,
    pub(crate) journal: Mutex<Journal>,
    pub(crate) slots: HashMap<Digest, (Span, Mutex<Slot>)>,
    /// Bytes written since the last sync.
    pub(crate) unsynced: AtomicU64,
    pub(crate) syncing: Mutex<()>,
    /// A sync failed: what it should have made safe may be lost.
    pub(crate) is_doubted: AtomicBool,
}

/// A lock whose holder panicked guards nothing that a panic could have left half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    /// Opens `NAME.partial` and `NAME.journal` beside `path`, new or from an earlier run, with the default options.
    ///
    /// # Errors
    /// [`BundleError::Exists`], [`BundleError::Locked`], [`BundleError::NoSpace`], [`BundleError::FileTooLarge`],
    /// [`BundleError::JournalDamaged`], [`BundleError::Io`].
    pub fn open(path: &Path, layout: Layout) -> Result<(Self, Resume), BundleError> {
        Self::open_with(path, layout, WriterOptions::default())
    }

    /// As [`Self::open`].
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(
        path: &Path,
        layout: Layout,
        options: WriterOptions,
    ) -> Result<(Self, Resume), BundleError> {
        crate::resume::open(path, layout, options)
    }

    /// Blobs that are not complete, in the order of the file.
    #[must_use]
    pub fn pending(&self) -> Vec<Pending> {
        let pending = self.shared.layout.to_fetch().filter_map(|(digest, span)| {
            let slot = lock(&self.shared.slots.get(&digest)?.1);
            (!slot.is_done).then_some(Pending {
                digest,
                size: span.len,
                written: slot.written,
            })
        });
        pending.collect()
    }

    /// The plan.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.shared.layout
    }

    /// The partial file's path.
    #[must_use]
    pub fn partial_path(&self) -> &Path {
        &self.shared.names.partial
    }

    /// Where a blob's bytes go, beginning at byte `from`. An earlier sink of the same blob can write no more.
    ///
    /// # Errors
    /// [`BundleError::NotInBundle`]; [`BundleError::Incomplete`] when `from` is beyond what is there, or the blob is
    /// complete.
    pub fn sink(&self, digest: &Digest, from: u64) -> Result<BlobSink, BundleError> {
        let (span, slot) = self.slot(digest)?;
        let mut slot = lock(slot);
        if slot.is_done {
            return Err(self.incomplete(format!("{digest} is complete and cannot be written again")));
        }
        if from > slot.written {
            return Err(self.incomplete(format!(
                "{digest} has {} bytes and cannot be continued at {from}",
                slot.written
            )));
        }
        slot.generation += 1;
        slot.written = from;
        Ok(BlobSink::new(
            Arc::clone(&self.shared),
            *digest,
            span,
            from,
            slot.generation,
        ))
    }

    /// The bytes of a blob that are there, to be hashed before it is continued.
    ///
    /// # Errors
    /// [`BundleError::NotInBundle`].
    pub fn prefix(&self, digest: &Digest) -> Result<Extent, BundleError> {
        let (span, slot) = self.slot(digest)?;
        let len = lock(slot).written;
        Ok(Extent {
            file: Arc::clone(&self.shared.file),
            path: Arc::clone(&self.shared.path),
            offset: span.offset,
            len,
        })
    }

    /// Records that a blob is there and its digest has been compared: it will not be fetched again, even after a
    /// kill at the next instant.
    ///
    /// # Errors
    /// [`BundleError::NotInBundle`]; [`BundleError::Incomplete`] when bytes are missing; [`BundleError::NoSpace`] or
    /// [`BundleError::Io`] when the journal cannot be written.
    pub fn complete(&self, digest: &Digest) -> Result<(), BundleError> {
        let (span, slot) = self.slot(digest)?;
        let mut slot = lock(slot);
        if slot.is_done {
            return Ok(());
        }
        if slot.written != span.len {
            return Err(self.incomplete(format!("{digest} has {} of {} bytes", slot.written, span.len)));
        }
        slot.generation += 1;
        self.shared.record(|journal| journal.done(digest, span))?;
        slot.is_done = true;
        Ok(())
    }

    /// Forgets a blob's bytes, which were wrong; it is fetched again from its beginning.
    ///
    /// # Errors
    /// [`BundleError::NotInBundle`], [`BundleError::NoSpace`], [`BundleError::Io`].
    pub fn reset(&self, digest: &Digest) -> Result<(), BundleError> {
        let (_, slot) = self.slot(digest)?;
        let mut slot = lock(slot);
        slot.generation += 1;
        slot.written = 0;
        slot.is_done = false;
        self.shared.record(|journal| journal.reset(digest))
    }

    /// Bytes written since the last [`Self::sync`] began: a caller syncs every so many bytes or seconds.
    #[must_use]
    pub fn unsynced_bytes(&self) -> u64 {
        self.shared.unsynced.load(Ordering::Relaxed)
    }

    /// Makes what is recorded so far survive a power loss. Others go on writing meanwhile.
    ///
    /// # Errors
    /// [`BundleError::NoSpace`], [`BundleError::Io`]. After that this writer never finishes: drop it and open again;
    /// what was not safe is then hashed in place.
    pub fn sync(&self) -> Result<(), BundleError> {
        let shared = &self.shared;
        let _one_at_a_time = lock(&shared.syncing);
        if shared.is_doubted.load(Ordering::Relaxed) {
            return Err(self.incomplete("an earlier sync failed; run again".to_owned()));
        }
        shared.unsynced.store(0, Ordering::Relaxed);
        // Only what was recorded before the sync began is covered by it.
        let covered = lock(&shared.journal).len();
        if let Err(error) = shared.file.sync_data() {
            // The system reports lost writes once and then forgets them; we must not.
            shared.is_doubted.store(true, Ordering::Relaxed);
            let _ = lock(&shared.journal).doubt();
            return Err(shared.write_error(error));
        }
        let handle = {
            let mut journal = lock(&shared.journal);
            let result = journal.synced(covered).and_then(|()| journal.handle());
            result.map_err(|error| shared.journal_error(error))?
        };
        handle.sync_data().map_err(|error| shared.journal_error(error))
    }

    /// Turns the partial file into the bundle: last sync, rename, sync of the folder, journal removed. Returns the
    /// target's path.
    ///
    /// # Errors
    /// [`BundleError::Incomplete`] while a blob is pending; [`BundleError::Exists`] when the target has appeared and
    /// may not be replaced; [`BundleError::NoSpace`], [`BundleError::Io`]. The partial file is kept then.
    pub fn finish(&self) -> Result<PathBuf, BundleError> {
        let shared = &self.shared;
        let pending = self.pending();
        if let Some(first) = pending.first() {
            return Err(self.incomplete(format!("{} blobs, {} first", pending.len(), first.digest)));
        }
        self.sync()?;
        let names = &shared.names;
        if !shared.options.overwrite && names.target.symlink_metadata().is_ok() {
            return Err(BundleError::Exists {
                path: names.target.clone(),
            });
        }
        if let Some((offset, first)) = shared.layout.pieces().next() {
            let head = &first[..first.len().min(tar::BLOCK as usize)];
            let written = shared
                .file
                .write_all_at(head, offset)
                .and_then(|()| shared.file.sync_all());
            written.map_err(|error| shared.write_error(error))?;
        }
        if shared.options.overwrite {
            disk::rename(&names.partial, &names.target)?;
        } else {
            disk::rename_new(&names.partial, &names.target)?;
        }
        disk::sync_folder(&names.target)?;
        disk::remove(&names.journal)?;
        names.remove_old()?;
        disk::sync_folder(&names.target)?;
        Ok(names.target.clone())
    }

    /// Removes the partial file and its journal.
    ///
    /// # Errors
    /// [`BundleError::Io`].
    pub fn discard(self) -> Result<(), BundleError> {
        self.shared.names.remove_all()
    }

    fn slot(&self, digest: &Digest) -> Result<(Span, &Mutex<Slot>), BundleError> {
        match self.shared.slots.get(digest) {
            Some((span, slot)) => Ok((*span, slot)),
            None => Err(BundleError::NotInBundle {
                path: self.shared.names.target.clone(),
                digest: Box::new(*digest),
            }),
        }
    }

    fn incomplete(&self, what: String) -> BundleError {
        BundleError::Incomplete {
            path: self.shared.names.partial.clone(),
            what,
        }
    }
}

impl Shared {
    /// Appends to the journal.
    pub(crate) fn record(
        &self,
        append: impl FnOnce(&mut Journal) -> io::Result<()>,
    ) -> Result<(), BundleError> {
        append(&mut lock(&self.journal)).map_err(|error| self.journal_error(error))
    }

    /// What the system said about the partial file, with figures.
    pub(crate) fn write_error(&self, error: io::Error) -> BundleError {
        let needed = self
            .layout
            .total()
            .saturating_sub(disk::allocated(&self.file).unwrap_or(0));
        disk::write_error(error, &self.file, &self.path, needed, self.layout.total())
    }

    fn journal_error(&self, error: io::Error) -> BundleError {
        disk::write_error(error, &self.file, &self.names.journal, tar::BLOCK, tar::BLOCK)
    }
}

//! The files of one unfinished bundle: `NAME.partial`, `NAME.journal`, and the pair of an earlier plan.

use std::path::{Path, PathBuf};

use crate::{BundleError, disk};

/// Where everything lies. Invariant: `journal` describes `partial`, `old_journal` describes `old_partial`; what lacks
/// its journal is never believed.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) target: PathBuf,
    pub(crate) partial: PathBuf,
    pub(crate) journal: PathBuf,
    pub(crate) old_partial: PathBuf,
    pub(crate) old_journal: PathBuf,
}

impl Names {
    pub(crate) fn of(target: &Path) -> Self {
        Self {
            target: target.to_owned(),
            partial: disk::beside(target, ".partial"),
            journal: disk::beside(target, ".journal"),
            old_partial: disk::beside(target, ".partial.old"),
            old_journal: disk::beside(target, ".journal.old"),
        }
    }

    /// Sets the current pair aside. The journal goes first: a crash between the two leaves a partial file without a
    /// journal beside an old journal without its file, which [`Self::repair`] recognises.
    pub(crate) fn set_aside(&self) -> Result<(), BundleError> {
        self.remove_old()?;
        disk::rename(&self.journal, &self.old_journal)?;
        disk::sync_folder(&self.target)?;
        disk::rename(&self.partial, &self.old_partial)?;
        disk::sync_folder(&self.target)
    }

    /// Ends what a crash interrupted. `true` when the partial file was renamed away.
    pub(crate) fn repair(&self) -> Result<bool, BundleError> {
        let is_there = |path: &Path| path.symlink_metadata().is_ok();
        match (is_there(&self.old_partial), is_there(&self.old_journal)) {
            (true, false) => disk::remove(&self.old_partial)?,
            (false, true) if is_there(&self.partial) && !is_there(&self.journal) => {
                disk::rename(&self.partial, &self.old_partial)?;
                disk::sync_folder(&self.target)?;
                return Ok(true);
            }
            (false, true) => disk::remove(&self.old_journal)?,
            _ => {}
        }
        Ok(false)
    }

    /// Removes the old pair, journal first: a file without its journal is never believed.
    pub(crate) fn remove_old(&self) -> Result<(), BundleError> {
        disk::remove(&self.old_journal)?;
        disk::sync_folder(&self.target)?;
        disk::remove(&self.old_partial)
    }

    /// Removes everything but the target.
    pub(crate) fn remove_all(&self) -> Result<(), BundleError> {
        disk::remove(&self.journal)?;
        disk::sync_folder(&self.target)?;
        disk::remove(&self.partial)?;
        self.remove_old()?;
        disk::sync_folder(&self.target)
    }
}

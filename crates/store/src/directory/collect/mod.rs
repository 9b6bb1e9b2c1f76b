//! Collection: finding what nothing needs any more, and removing it while the store is in use.
//!
//! First everything is read ([`graph`], [`plan`]): any error here ends the collection before anything was
//! removed. Then it is removed ([`sweep`]) into the [`trash`], from which [`undo`] brings it back. [`leases`] keep
//! the collector and the writers out of each other's way.

#[cfg(feature = "suite")]
pub(super) mod chaos;
pub(super) mod graph;
pub(super) mod leases;
mod plan;
pub(super) mod strict;
mod sweep;
pub(super) mod trash;
mod undo;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, MutexGuard, TryLockError};
use std::time::{Duration, SystemTime};

use landfall_oci::{Algorithm, Digest, Repository};

#[cfg(feature = "suite")]
pub use self::leases::Guard;
use self::plan::{Plan, Times};
use self::sweep::{Orphan, Sweep};
use super::listing::walk;
use super::{DirectoryStore, Inner};
use crate::{CollectOptions, Collected, Kept, Link, Observer, RunId, StoreError, Trashed, Undone};

impl DirectoryStore {
    /// Removes what nothing needs any more; the store goes on serving meanwhile. What goes lies in the trash for
    /// [`CollectOptions::keep_trash`]; runs older than that are really deleted first.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] while another collection or undo is under way. [`StoreError::Corrupt`] or
    /// [`StoreError::Io`] when something cannot be read: then nothing was removed. [`StoreError::Stopped`] when
    /// the observer asked for it.
    pub async fn collect(
        &self,
        options: CollectOptions,
        observer: Arc<dyn Observer>,
    ) -> Result<Collected, StoreError> {
        self.with(move |inner| inner.collect(&options, observer)).await
    }

    /// The runs in the trash, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub async fn trash(&self) -> Result<Vec<Trashed>, StoreError> {
        self.with(Inner::list_trash).await
    }

    /// Brings back what a collection removed. What somebody has put there again meanwhile stays as it is. A
    /// manifest comes back only when all of its blobs do; the run stays in the trash when something is lost.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is no such run, when it is a scrub's, or when a collection is under way.
    pub async fn undo(&self, run: RunId) -> Result<Undone, StoreError> {
        self.with(move |inner| inner.undo(run)).await
    }

    /// Why a digest is not collected: for each repository (or the one given) that needs it, the way from a root.
    /// Empty when nothing needs it.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupt`].
    pub async fn why_kept(
        &self,
        digest: &Digest,
        repository: Option<&Repository>,
    ) -> Result<Vec<Kept>, StoreError> {
        let (digest, repository) = (*digest, repository.cloned());
        self.with(move |inner| inner.why_kept(&digest, repository)).await
    }

    /// For tests: pauses, as `seed` says, wherever a writer and the collector could pass each other. One of the
    /// guards between them can be taken away, which must be found out.
    #[cfg(feature = "suite")]
    pub fn shake(&self, seed: u64, off: Option<Guard>) {
        self.inner.leases.chaos.start(seed, off);
    }

    /// For tests: how often a collection has seen all that it will decide by, and not acted yet.
    #[cfg(feature = "suite")]
    pub fn looks(&self) -> u64 {
        self.inner.leases.chaos.looks()
    }
}

impl Inner {
    /// Upkeep that moves or deletes things is done by one at a time.
    pub(super) fn upkeep(&self) -> Result<MutexGuard<'_, ()>, StoreError> {
        match self.upkeep.try_lock() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(StoreError::Conflict {
                reason: "a collection, an undo or a repair is under way; try again when it is done"
                    .to_owned(),
            }),
        }
    }

    fn collect(
        &self,
        options: &CollectOptions,
        observer: Arc<dyn Observer>,
    ) -> Result<Collected, StoreError> {
        let _upkeep = self.upkeep()?;
        self.check_in_place()?;
        let times = Times::new(self, options)?;
        let emptied = match options.dry_run {
            true => 0,
            false => self.empty_trash(options.keep_trash, times.now())?,
        };
        let _collecting = (!options.dry_run).then(|| self.leases.begin());
        let mut sweep = Sweep::new(self, options, times, observer);
        sweep.collected.emptied = emptied;
        let mut plans: Vec<Plan> = Vec::new();
        let _ = walk(&self.layout.repositories(), None, &mut |repository| {
            let plan = sweep.plan(&repository)?;
            plans.extend(Some(plan).filter(|plan| !plan.is_empty()));
            Ok(ControlFlow::Continue(()))
        })?;
        let orphans = self.orphans(&sweep)?;
        self.leases.look_away();
        for plan in plans {
            sweep.repository(plan)?;
        }
        self.leases.look_away();
        sweep.bytes(&orphans)?;
        Ok(sweep.collected)
    }

    /// An unmounted disk looks like a store in which nothing is needed.
    pub(super) fn check_in_place(&self) -> Result<(), StoreError> {
        for path in [self.layout.marker(), self.layout.repositories()] {
            fs::metadata(&path).map_err(StoreError::io("find", &path))?;
        }
        Ok(())
    }

    /// Bytes that no repository holds and that have outlived the grace period.
    fn orphans(&self, sweep: &Sweep<'_>) -> Result<Vec<Orphan>, StoreError> {
        let mut orphans = Vec::new();
        let mut visit = |algorithm: Algorithm, folder: &Path| {
            for hex in strict::names(folder)? {
                let Ok(digest) = format!("{algorithm}:{hex}").parse::<Digest>() else {
                    continue;
                };
                if sweep.held.contains(&digest) {
                    continue;
                }
                if let Some((bytes, since)) = strict::stat(&folder.join(&hex))?
                    && sweep.is_ripe(since)
                {
                    orphans.push(Orphan { digest, bytes, since });
                }
            }
            Ok(())
        };
        // Strange things are the scrub's affair: nobody asked us to delete them.
        self.each_blob_folder(&mut visit, &mut |_| {})?;
        Ok(orphans)
    }

    /// The folders in which bytes lie, in the order of their digests. What is none is told to `strange`.
    pub(super) fn each_blob_folder(
        &self,
        visit: &mut dyn FnMut(Algorithm, &Path) -> Result<(), StoreError>,
        strange: &mut dyn FnMut(&Path),
    ) -> Result<(), StoreError> {
        let blobs = self.layout.blobs();
        for name in strict::names(&blobs)? {
            let below = blobs.join(&name);
            let Ok(algorithm) = name.parse::<Algorithm>() else {
                strange(&below);
                continue;
            };
            for prefix in strict::names(&below)? {
                let folder = below.join(prefix);
                let kind = fs::symlink_metadata(&folder).map_err(StoreError::io("look at", &folder))?;
                match kind.is_dir() {
                    true => visit(algorithm, &folder)?,
                    false => strange(&folder),
                }
            }
        }
        Ok(())
    }

    fn why_kept(&self, digest: &Digest, only: Option<Repository>) -> Result<Vec<Kept>, StoreError> {
        let mut kept = Vec::new();
        let mut visit = |repository: Repository| {
            let path = graph::Graph::read(self, &repository)?.path_to(digest);
            let path = match path {
                Some(path) => Some(path),
                None if self.is_member(&repository, digest)? => Some(vec![Link::Held(*digest)]),
                None => None,
            };
            kept.extend(path.map(|path| Kept { repository, path }));
            Ok(ControlFlow::Continue(()))
        };
        match only {
            Some(repository) => visit(repository).map(|_| ())?,
            None => {
                let _ = walk(&self.layout.repositories(), None, &mut visit)?;
            }
        }
        Ok(kept)
    }

    /// Makes what was just asked for young again, where it has used up half of the grace period: a client that was
    /// told that it is there will rely on it. Best effort: a record that is gone has nothing to renew.
    pub(super) fn renew(&self, path: &Path) {
        let modified = fs::metadata(path).and_then(|data| data.modified());
        if modified.is_ok_and(|modified| self.is_half_spent(modified, SystemTime::now())) {
            touch(path);
        }
    }

    /// Whether half of the grace period has passed since.
    pub(super) fn is_half_spent(&self, since: SystemTime, now: SystemTime) -> bool {
        now.duration_since(since).unwrap_or_default() >= self.grace / 2
    }
}

/// Sets the time of a file's last change to now. Needs no space on the disk.
pub(super) fn touch(path: &Path) {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since = since.unwrap_or(Duration::ZERO);
    let now = Timespec {
        tv_sec: since.as_secs().try_into().unwrap_or_default(),
        tv_nsec: since.subsec_nanos().into(),
    };
    let times = Timestamps {
        last_access: now,
        last_modification: now,
    };
    if let Err(error) = utimensat(CWD, path, &times, AtFlags::empty()) {
        tracing::debug!(path = %path.display(), %error, "a record was not renewed");
    }
}

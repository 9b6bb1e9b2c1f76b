//! Where removed things wait: each run is a folder in which they lie as they lay below the root.
//!
//! A move is one rename, so at each moment a thing is at one place or the other. A run exists as long as its
//! record does: it is written before the first move and removed before anything in the run is really deleted, so
//! that half a run is never brought back.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::super::Inner;
use super::strict;
use crate::{RunId, StoreError, TrashKind, Trashed};

#[derive(Serialize, Deserialize)]
struct Record {
    kind: TrashKind,
}

/// A run in the making.
pub(in crate::directory) struct Bin {
    pub(in crate::directory) run: RunId,
    folder: PathBuf,
    root: PathBuf,
    /// Folders whose changes are not durable yet.
    dirty: BTreeSet<PathBuf>,
}

impl Bin {
    /// Begins a run. Durable.
    pub(in crate::directory) fn create(
        inner: &Inner,
        kind: TrashKind,
        now: SystemTime,
    ) -> Result<Self, StoreError> {
        let mut run = RunId(strict::unix_ms(now));
        while inner.run_folder(run).exists() {
            run.0 += 1;
        }
        let folder = inner.run_folder(run);
        let record = serde_json::to_vec(&Record { kind }).unwrap_or_default();
        let staged = inner.publisher.stage(&record)?;
        inner.publisher.replace(&staged, &folder.join("run.json"))?;
        inner.publisher.sync_folder(&folder)?;
        Ok(Self {
            run,
            folder,
            root: inner.layout.root().to_owned(),
            dirty: BTreeSet::new(),
        })
    }

    /// Moves a file of the store into the run; says whether it was there. Durable after [`Self::sync`].
    pub(in crate::directory) fn take(&mut self, inner: &Inner, path: &Path) -> Result<bool, StoreError> {
        let target = self.folder.join(path.strip_prefix(&self.root).unwrap_or(path));
        if !inner.publisher.rename(path, &target)? {
            return Ok(false);
        }
        let folders = [path.parent(), target.parent()];
        self.dirty
            .extend(folders.into_iter().flatten().map(Path::to_owned));
        Ok(true)
    }

    /// The new places before the old ones: in between, a thing is at both or at its old one.
    pub(in crate::directory) fn sync(&mut self, inner: &Inner) -> Result<(), StoreError> {
        let folders = std::mem::take(&mut self.dirty).into_iter();
        let (new, old): (Vec<_>, Vec<_>) = folders.partition(|folder| folder.starts_with(&self.folder));
        let mut all = new.iter().chain(&old);
        all.try_for_each(|folder| inner.publisher.sync_folder(folder))
    }
}

/// What lies in a run, by kind; paths below the run's folder.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) bytes: Vec<PathBuf>,
    pub(super) members: Vec<PathBuf>,
    pub(super) revisions: Vec<PathBuf>,
    pub(super) referrers: Vec<PathBuf>,
}

impl Inner {
    pub(super) fn run_folder(&self, run: RunId) -> PathBuf {
        self.layout.trash().join(run.to_string())
    }

    /// The runs that can still be read, the oldest first.
    pub(super) fn runs(&self) -> Result<Vec<(RunId, TrashKind)>, StoreError> {
        let mut runs = Vec::new();
        for name in strict::names(&self.layout.trash())? {
            let Ok(run) = name.parse::<RunId>() else {
                continue;
            };
            if let Some(kind) = self.trash_kind(run)? {
                runs.push((run, kind));
            }
        }
        runs.sort_by_key(|(run, _)| *run);
        Ok(runs)
    }

    pub(super) fn trash_kind(&self, run: RunId) -> Result<Option<TrashKind>, StoreError> {
        let record: Option<Record> = strict::record(&self.run_folder(run).join("run.json"))?;
        Ok(record.map(|record| record.kind))
    }

    pub(super) fn list_trash(&self) -> Result<Vec<Trashed>, StoreError> {
        self.runs()?
            .into_iter()
            .map(|(run, kind)| self.weigh(run, kind))
            .collect()
    }

    fn weigh(&self, run: RunId, kind: TrashKind) -> Result<Trashed, StoreError> {
        let folder = self.run_folder(run);
        let contents = self.contents(run)?;
        let mut bytes = 0;
        for path in &contents.bytes {
            bytes += strict::stat(&folder.join(path))?.map_or(0, |(len, _)| len);
        }
        Ok(Trashed {
            run,
            kind,
            manifests: contents.revisions.len() as u64,
            memberships: contents.members.len() as u64,
            blobs: contents.bytes.len() as u64,
            bytes,
        })
    }

    pub(super) fn contents(&self, run: RunId) -> Result<Contents, StoreError> {
        let folder = self.run_folder(run);
        let mut contents = Contents::default();
        let mut left = vec![folder.clone()];
        while let Some(next) = left.pop() {
            for name in strict::names(&next)? {
                let path = next.join(name);
                let kind = fs::symlink_metadata(&path).map_err(StoreError::io("look at", &path))?;
                if kind.is_dir() {
                    left.push(path);
                } else if let Ok(below) = path.strip_prefix(&folder) {
                    contents.sort_in(below);
                }
            }
        }
        Ok(contents)
    }

    /// Really deletes runs that are that old, and what is left of earlier deletions. Gives the bytes freed.
    pub(in crate::directory) fn empty_trash(
        &self,
        older_than: Duration,
        now: SystemTime,
    ) -> Result<u64, StoreError> {
        let mut freed = 0;
        for name in strict::names(&self.layout.trash())? {
            let Ok(run) = name.parse::<RunId>() else {
                continue;
            };
            let began = SystemTime::UNIX_EPOCH + Duration::from_millis(run.unix_ms());
            let age = now.duration_since(began).unwrap_or_default();
            let kind = self.trash_kind(run)?;
            if kind.is_none() || age >= older_than {
                freed += self.weigh(run, kind.unwrap_or(TrashKind::Collection))?.bytes;
                self.forget_run(run)?;
            }
        }
        Ok(freed)
    }

    /// The record first: without it, what is left is rubbish, which the next collection takes away.
    pub(super) fn forget_run(&self, run: RunId) -> Result<(), StoreError> {
        let folder = self.run_folder(run);
        self.publisher.remove(&folder.join("run.json"))?;
        self.publisher.remove_tree(&folder)
    }
}

impl Contents {
    fn sort_in(&mut self, path: &Path) {
        let is = |wanted: &str| path.components().any(|part| part.as_os_str() == wanted);
        let list = if path.starts_with("blobs") {
            &mut self.bytes
        } else if is("_blobs") {
            &mut self.members
        } else if is("_manifests") {
            &mut self.revisions
        } else if is("_referrers") {
            &mut self.referrers
        } else {
            return;
        };
        list.push(path.to_owned());
    }
}

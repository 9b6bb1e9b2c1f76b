//! Making files appear whole or not at all, and stay after a power cut.
//!
//! The steps are always: write under a temporary name, fsync, link or rename into place, fsync the folder. A
//! folder that someone else has just made may not be durable yet, so each is synced once by us before it is
//! relied upon. All of this blocks: it runs on the blocking pool.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::disk::{Disk, DiskFile};
use crate::StoreError;

/// Folders remembered as durable; past this the memory is cleared, which costs fsyncs and nothing else.
const MAX_KNOWN_FOLDERS: usize = 65_536;

/// Whether writes are forced to the disk before they are acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Every acknowledged write survives a power cut.
    #[default]
    Full,
    /// Nothing is fsynced: for tests and benchmarks.
    None,
}

/// Publishes files below one root.
#[derive(Debug)]
pub(super) struct Publisher {
    disk: Disk,
    temporary: PathBuf,
    next: AtomicU64,
    /// Folders that are known to survive a power cut. Held while one is being made.
    durable: Mutex<HashSet<PathBuf>>,
}

/// A file under a temporary name; removed when dropped.
#[derive(Debug)]
pub(super) struct Staged {
    disk: Disk,
    path: PathBuf,
    /// A second name of a file, which a rename over its first one leaves.
    is_link: bool,
    is_gone: Cell<bool>,
}

impl Staged {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.is_gone.get() {
            // Perhaps never made; or left for the next start to remove.
            let _ = self.disk.remove(&self.path);
        }
    }
}

impl Publisher {
    pub(super) fn new(disk: Disk, temporary: PathBuf) -> Self {
        Self {
            disk,
            temporary,
            next: AtomicU64::new(0),
            durable: Mutex::default(),
        }
    }

    /// Where all changes go.
    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// A temporary name that nobody else uses: one process writes here, and the folder was emptied at start.
    pub(super) fn temporary_name(&self) -> Staged {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Staged {
            disk: self.disk.clone(),
            path: self.temporary.join(number.to_string()),
            is_link: false,
            is_gone: Cell::new(false),
        }
    }

    /// Writes bytes under a temporary name; on the disk when this returns.
    pub(super) fn stage(&self, bytes: &[u8]) -> Result<Staged, StoreError> {
        self.write(bytes, DiskFile::sync)
    }

    /// The same for what may get lost: not on the disk.
    pub(super) fn draft(&self, bytes: &[u8]) -> Result<Staged, StoreError> {
        self.write(bytes, |_| Ok(()))
    }

    fn write(&self, bytes: &[u8], end: impl Fn(&DiskFile) -> io::Result<()>) -> Result<Staged, StoreError> {
        let staged = self.temporary_name();
        let file = self.disk.create(staged.path());
        file.and_then(|file| file.write_at(bytes, 0).and_then(|()| end(&file)))
            .map_err(StoreError::io("write", staged.path()))?;
        Ok(staged)
    }

    /// A second name for a file, under which it can be put in the place of another.
    pub(super) fn stage_link(&self, source: &Path) -> Result<Staged, StoreError> {
        let mut staged = self.temporary_name();
        staged.is_link = true;
        self.disk
            .link(source, staged.path())
            .map_err(StoreError::io("publish", source))?;
        Ok(staged)
    }

    /// Makes what was linked, renamed or removed in a folder last.
    pub(super) fn sync_folder(&self, folder: &Path) -> Result<(), StoreError> {
        self.disk
            .sync_folder(folder)
            .map_err(StoreError::io("sync the folder", folder))
    }

    /// Makes a folder and those above it, durably.
    pub(super) fn folder(&self, folder: &Path) -> Result<(), StoreError> {
        let mut durable = self.durable_folders();
        if durable.contains(folder) && folder.is_dir() {
            return Ok(());
        }
        let mut missing = Vec::new();
        for ancestor in folder.ancestors() {
            if durable.contains(ancestor) && ancestor.is_dir() || self.temporary.parent() == Some(ancestor) {
                break;
            }
            missing.push(ancestor);
        }
        for next in missing.into_iter().rev() {
            match self.disk.make_folder(next) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(StoreError::io("make the folder", next)(error)),
            }
            if let Some(parent) = next.parent() {
                self.sync_folder(parent)?;
            }
            if durable.len() >= MAX_KNOWN_FOLDERS {
                durable.clear();
            }
            durable.insert(next.to_owned());
        }
        Ok(())
    }

    /// Puts something into a folder, which is made where it is not known or turns out to be gone.
    fn placed<T>(
        &self,
        target: &Path,
        work: impl Fn() -> io::Result<T>,
    ) -> Result<io::Result<T>, StoreError> {
        let Some(folder) = target.parent() else {
            return Ok(work());
        };
        if self.durable_folders().contains(folder) {
            match work() {
                Err(error) if is_absent(&error) => {}
                done => return Ok(done),
            }
        }
        self.folder(folder)?;
        Ok(work())
    }

    fn durable_folders(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a file a second name, unless that name is taken; says whether it was free. Not yet durable.
    pub(super) fn link_new(&self, source: &Path, target: &Path) -> Result<bool, StoreError> {
        match self.placed(target, || self.disk.link(source, target))? {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(StoreError::io("publish", target)(error)),
        }
    }

    /// Puts a staged file in the place of whatever has the name. Not yet durable.
    pub(super) fn replace(&self, staged: &Staged, target: &Path) -> Result<(), StoreError> {
        self.placed(target, || self.disk.rename(staged.path(), target))?
            .map_err(StoreError::io("publish", target))?;
        staged.is_gone.set(!staged.is_link);
        Ok(())
    }

    /// Moves a file to a place where nothing is; says whether it was there. Not yet durable.
    pub(super) fn rename(&self, source: &Path, target: &Path) -> Result<bool, StoreError> {
        let moved = self.placed(target, || self.disk.rename(source, target))?;
        let moved = if_present(moved, "move", source)?;
        Ok(moved.is_some())
    }

    /// Makes an empty file, if it is not there; says whether it was not. Not yet durable.
    pub(super) fn mark(&self, path: &Path) -> Result<bool, StoreError> {
        match self.placed(path, || self.disk.create(path))? {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(StoreError::io("create", path)(error)),
        }
    }

    /// Removes a file; says whether it was there. Durable.
    pub(super) fn remove(&self, path: &Path) -> Result<bool, StoreError> {
        match self.disk.remove(path) {
            Ok(()) => {}
            Err(error) if is_absent(&error) => return Ok(false),
            Err(error) => return Err(StoreError::io("remove", path)(error)),
        }
        if let Some(folder) = path.parent() {
            self.sync_folder(folder)?;
        }
        Ok(true)
    }

    /// Removes a folder and all that lies in it, if it is there. Not durable: what comes back after a power cut must
    /// be rubbish to everybody.
    pub(super) fn remove_tree(&self, folder: &Path) -> Result<(), StoreError> {
        let Some(entries) = if_present(fs::read_dir(folder), "list", folder)? else {
            return Ok(());
        };
        for entry in entries {
            let entry = entry.map_err(StoreError::io("list", folder))?;
            let path = entry.path();
            match entry
                .file_type()
                .map_err(StoreError::io("look at", &path))?
                .is_dir()
            {
                true => self.remove_tree(&path)?,
                false => drop(if_present(self.disk.remove(&path), "remove", &path)?),
            }
        }
        if_present(self.disk.remove_folder(folder), "remove", folder).map(|_| ())
    }
}

/// Not there: neither the file nor, perhaps, a folder on the way to it.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// `None` where there is no such thing.
pub(super) fn if_present<T>(
    result: io::Result<T>,
    action: &'static str,
    path: &Path,
) -> Result<Option<T>, StoreError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(StoreError::io(action, path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::index::Indexes;
    use super::*;

    #[test]
    fn what_is_staged_and_dropped_is_gone_and_links_never_replace() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("tmp")).unwrap();
        let indexes = Indexes::new(root.path().join("repos"), 0);
        let disk = Disk::new(root.path(), Durability::Full, indexes.into(), None);
        let publisher = Publisher::new(disk, root.path().join("tmp"));
        let target = root.path().join("a/b/c");
        let first = publisher.stage(b"first").unwrap();
        assert!(publisher.link_new(first.path(), &target).unwrap());
        let second = publisher.stage(b"second").unwrap();
        assert!(!publisher.link_new(second.path(), &target).unwrap());
        drop((first, second));
        assert_eq!(fs::read(&target).unwrap(), b"first");
        assert_eq!(fs::read_dir(root.path().join("tmp")).unwrap().count(), 0);
        assert!(publisher.remove(&target).unwrap());
        assert!(!publisher.remove(&target).unwrap());
        assert!(!publisher.remove(&root.path().join("no/such")).unwrap());
    }
}

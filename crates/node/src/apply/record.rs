//! What was there before: written down, outside the tree that containerd reads, before anything is changed.
//!
//! `certs.d/../.landfall-undo/certs.d/` (0700) holds a lock and one folder for each apply: `open` while it is under
//! way, a number once it is done. In each lie `record.json` and the previous bytes of every file that changes, named
//! by their checksum. An `open` one that is found later tells of an apply that was cut off; the next apply goes on in
//! it, so that undo leads back to what was before both.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};

use landfall_oci::Digest;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::folder::{Folder, Found, Rights};
use super::mark::checksum;
use super::plan::PlannedFile;
use crate::NodeError;

/// Beside certs.d.
pub(super) const UNDO: &str = ".landfall-undo";
pub(super) const OPEN: &str = "open";
const GONE: &str = "gone";
const RECORD: &str = "record.json";
/// Older ones are removed.
const KEPT: usize = 10;
const PRIVATE: Rights = Rights {
    mode: 0o600,
    owner: None,
};

/// What one apply changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The root itself was made.
    pub(super) made_root: bool,
    /// By the folder's name.
    pub(super) folders: BTreeMap<String, FolderRecord>,
}

/// What it changes in one folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FolderRecord {
    /// The folder's rights; `None`: it was not there.
    pub(super) before: Option<Rights>,
    /// By the file's name.
    pub(super) files: BTreeMap<String, FileRecord>,
}

/// What it changes about one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileRecord {
    /// What was there.
    pub(super) before: Option<(Digest, Rights)>,
    /// What we may have put there instead.
    pub(super) after: Vec<Option<Digest>>,
}

/// By folder and file: what an apply that was cut off was about to remove, and so is ours though nothing in the tree
/// may say so any more.
pub(super) type Leftovers = BTreeMap<String, BTreeMap<String, Digest>>;

impl Record {
    pub(super) fn leftovers(&self) -> Leftovers {
        let removed = |folder: &FolderRecord| {
            let files = folder.files.iter().filter(|(_, file)| file.after.contains(&None));
            files
                .filter_map(|(name, file)| Some((name.clone(), file.before?.0)))
                .collect()
        };
        let folders = self.folders.iter();
        folders
            .map(|(name, folder)| (name.clone(), removed(folder)))
            .collect()
    }
}

/// All records of one tree.
pub(super) struct Records {
    folder: Folder,
}

/// Held while a tree is changed; the system ends it with the process.
pub(super) struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a process that is being started at this moment still has the file, too.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

impl Records {
    /// The records of the tree called `name`; `None` when there are none and none shall be made.
    pub(super) fn open(parent: &Folder, name: &str, make: bool) -> Result<Option<Self>, NodeError> {
        if make {
            let folder = parent.folder_or_new(UNDO, 0o700)?.folder_or_new(name, 0o700)?;
            return Ok(Some(Self { folder }));
        }
        let all = parent.folder(UNDO)?;
        let folder = all.map_or(Ok(None), |all| all.folder(name))?;
        Ok(folder.map(|folder| Self { folder }))
    }

    /// Takes the lock, and clears away what a killed process left of a record that it was removing or beginning.
    pub(super) fn lock(&self, root: &std::path::Path) -> Result<Lock, NodeError> {
        let path = self.folder.join("lock");
        let failed = |error| NodeError::io("lock", &path, error);
        let mut options = File::options();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        if let Err(error) = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(failed(error.into()));
            }
            let mut process = String::new();
            // Only a hint.
            let _ = file.read_to_string(&mut process);
            let root = root.to_owned();
            let process = Some(process).filter(|text| !text.is_empty());
            return Err(NodeError::InUse { root, process });
        }
        let _ = file.set_len(0);
        let _ = file.rewind();
        let _ = write!(file, "{}", std::process::id());
        self.forget(GONE)?;
        self.give_up()?;
        Ok(Lock { file })
    }

    /// The record of an apply that was cut off.
    pub(super) fn unfinished(&self) -> Result<Option<Record>, NodeError> {
        self.read(OPEN)
    }

    /// The record that undo works with: the name and what it says.
    pub(super) fn last(&self) -> Result<Option<(String, Record)>, NodeError> {
        let number = self.numbers()?.pop().map(|number| number.to_string());
        for name in [Some(OPEN.to_owned()), number].into_iter().flatten() {
            if let Some(record) = self.read(&name)? {
                return Ok(Some((name, record)));
            }
        }
        Ok(None)
    }

    fn numbers(&self) -> Result<Vec<u64>, NodeError> {
        let mut numbers: Vec<u64> = self
            .folder
            .names()?
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn damaged(&self, name: &str, reason: impl ToString) -> NodeError {
        NodeError::Record {
            path: self.folder.join(name),
            reason: reason.to_string(),
        }
    }

    fn read(&self, name: &str) -> Result<Option<Record>, NodeError> {
        let Some(folder) = self.folder.folder(name)? else {
            return Ok(None);
        };
        let Some(found) = folder.read(RECORD)? else {
            return Ok(None);
        };
        let record = serde_json::from_slice(&found.bytes);
        record.map(Some).map_err(|error| self.damaged(name, error))
    }

    /// The bytes that a file had.
    pub(super) fn saved(&self, name: &str, digest: &Digest, rights: Rights) -> Result<Found, NodeError> {
        let folder = self.folder.folder(name)?;
        let found = folder.map_or(Ok(None), |folder| folder.read(&digest.hex()))?;
        match found.filter(|found| checksum(&found.bytes) == *digest) {
            Some(Found { bytes, .. }) => Ok(Found { bytes, rights }),
            None => Err(self.damaged(name, format!("{} is missing or is not what it was", digest.hex()))),
        }
    }

    /// Writes down what is about to change. When this has returned, undo can bring it back.
    pub(super) fn begin(
        &self,
        files: &[&PlannedFile],
        folders: &BTreeMap<String, Option<Rights>>,
        made_root: bool,
    ) -> Result<(), NodeError> {
        let mut record = self.read(OPEN)?.unwrap_or_default();
        let open = self.folder.folder_or_new(OPEN, 0o700)?;
        record.made_root |= made_root;
        for (name, before) in folders {
            record
                .folders
                .entry(name.clone())
                .or_insert_with(|| FolderRecord {
                    before: *before,
                    files: BTreeMap::new(),
                });
        }
        for file in files {
            if let Some(bytes) = &file.before {
                save(&open, bytes)?;
            }
            let before = file.before.as_deref().map(checksum).zip(file.rights.0);
            let folder = record.folders.entry(file.directory.clone()).or_default();
            let entry = folder
                .files
                .entry(file.name.clone())
                .or_insert_with(|| FileRecord {
                    before,
                    after: Vec::new(),
                });
            entry.after.push(file.after.as_deref().map(checksum));
        }
        let text = serde_json::to_vec_pretty(&record).map_err(|error| self.damaged(OPEN, error))?;
        let under_way = "record.new";
        open.remove_file(under_way)?;
        open.write_new(under_way, &text, PRIVATE)?;
        open.rename(under_way, RECORD)?;
        open.sync()
    }

    /// The change is done: its record is kept for undo, under a number.
    pub(super) fn finish(&self) -> Result<(), NodeError> {
        let numbers = self.numbers()?;
        let next = numbers.last().map_or(1, |last| last + 1);
        self.folder.rename(OPEN, &next.to_string())?;
        self.folder.sync()?;
        for old in numbers.iter().take((numbers.len() + 1).saturating_sub(KEPT)) {
            self.forget(&old.to_string())?;
        }
        Ok(())
    }

    /// Removes what there is of a record that could not be begun.
    pub(super) fn give_up(&self) -> Result<(), NodeError> {
        match self.read(OPEN)? {
            Some(_) => Ok(()),
            None => self.forget(OPEN),
        }
    }

    /// Removes a record; from the first moment it is no longer one.
    pub(super) fn forget(&self, name: &str) -> Result<(), NodeError> {
        if self.folder.kind(name)?.is_none() {
            return Ok(());
        }
        if name != GONE {
            self.folder.rename(name, GONE)?;
            self.folder.sync()?;
        }
        self.folder.remove_with_files(GONE)
    }
}

fn save(open: &Folder, bytes: &[u8]) -> Result<(), NodeError> {
    let digest = checksum(bytes);
    let name = digest.hex();
    // One of a killed process may be there in part.
    if open
        .read(&name)?
        .is_some_and(|found| checksum(&found.bytes) == digest)
    {
        return Ok(());
    }
    open.remove_file(&name)?;
    open.write_new(&name, bytes, PRIVATE)
}

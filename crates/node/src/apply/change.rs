//! Carrying a list of changes out: first everything is written under temporary names, then everything is renamed.
//!
//! A full disk is met in the first part, which takes itself back. In the second part each file is old or new, never
//! in between; a folder appears whole, because an empty one would already hide `_default` from containerd, and it
//! goes whole. Applying and undoing are both such a list.

use std::collections::{BTreeMap, BTreeSet};

use landfall_oci::Digest;

use super::folder::{Folder, Found, Rights};
use super::mark::checksum;
use super::wanted::{HOSTS_TOML, TEMPORARY};
use crate::NodeError;

/// What one folder shall become.
#[derive(Clone, Default)]
pub(super) struct FolderChange {
    /// By the file's name.
    pub(super) files: BTreeMap<String, FileChange>,
    /// The folder's own rights, if it has to be made.
    pub(super) rights: Option<Rights>,
    /// The folder goes, when it is empty at the end.
    pub(super) goes: bool,
}

/// What one file shall become.
#[derive(Clone)]
pub(super) struct FileChange {
    /// What is there now; the change is not made over anything else. `None`: nothing.
    pub(super) from: Option<Digest>,
    /// `None`: it goes.
    pub(super) to: Option<Found>,
}

/// By the folder's name.
pub(super) type Changes = BTreeMap<String, FolderChange>;

const FOLDER_RIGHTS: Rights = Rights {
    mode: 0o755,
    owner: None,
};

/// Makes the changes. A failure in the first part leaves everything as it was; `begun` is set before the second.
pub(super) fn carry_out(root: &Folder, changes: &Changes, begun: &mut bool) -> Result<(), NodeError> {
    let staged = changes
        .iter()
        .try_for_each(|(name, change)| stage(root, name, change));
    if let Err(error) = staged {
        // What stays behind for want of rights or room is cleared away the next time.
        let _ = clear(root);
        return Err(error);
    }
    *begun = true;
    for (name, change) in changes {
        match root.folder(name)? {
            None => appear(root, name, change)?,
            Some(folder) if is_all(&folder, change)? => vanish(root, &folder, name, change)?,
            Some(folder) => alter(root, &folder, name, change)?,
        }
    }
    Ok(())
}

/// Removes what an earlier run left under temporary names.
pub(super) fn clear(root: &Folder) -> Result<(), NodeError> {
    for name in root.names()? {
        if name.starts_with(TEMPORARY) {
            root.remove_with_files(&name)?;
            continue;
        }
        let Some(folder) = root.folder(&name)? else {
            continue;
        };
        for file in folder.names()?.iter().filter(|file| file.starts_with(TEMPORARY)) {
            folder.remove_file(file)?;
        }
    }
    Ok(())
}

fn temporary(name: &str) -> String {
    format!("{TEMPORARY}{name}")
}

fn stage(root: &Folder, name: &str, change: &FolderChange) -> Result<(), NodeError> {
    let new_files = || {
        change
            .files
            .iter()
            .filter_map(|(name, file)| Some((name, file.to.as_ref()?)))
    };
    if new_files().next().is_none() && change.rights.is_none() {
        return Ok(());
    }
    if let Some(folder) = root.folder(name)? {
        return new_files()
            .try_for_each(|(file, to)| folder.write_new(&temporary(file), &to.bytes, to.rights));
    }
    let hidden = temporary(name);
    root.make_folder(&hidden, change.rights.unwrap_or(FOLDER_RIGHTS))?;
    let Some(folder) = root.folder(&hidden)? else {
        return Err(changed(root, &hidden));
    };
    for (file, to) in new_files() {
        folder.write_new(file, &to.bytes, to.rights)?;
    }
    folder.sync()
}

/// A folder that was not there.
fn appear(root: &Folder, name: &str, change: &FolderChange) -> Result<(), NodeError> {
    let hidden = temporary(name);
    if root.kind(&hidden)?.is_none() {
        return Ok(()); // nothing is to be in it
    }
    if change.files.values().any(|file| file.from.is_some()) || root.kind(name)?.is_some() {
        return Err(changed(root, name));
    }
    root.rename(&hidden, name)?;
    root.sync()
}

/// Whether the change takes everything that is in a folder.
fn is_all(folder: &Folder, change: &FolderChange) -> Result<bool, NodeError> {
    let taken: BTreeSet<&str> = change
        .files
        .iter()
        .filter(|(_, file)| file.to.is_none())
        .map(|(name, _)| name.as_str())
        .collect();
    Ok(change.goes && folder.names()?.iter().all(|name| taken.contains(name.as_str())))
}

fn vanish(root: &Folder, folder: &Folder, name: &str, change: &FolderChange) -> Result<(), NodeError> {
    for (file, change) in &change.files {
        check(folder, file, change)?;
    }
    let hidden = temporary(name);
    root.rename(name, &hidden)?;
    root.sync()?;
    root.remove_with_files(&hidden)
}

/// Files beside `hosts.toml` come before it and go after it, so that it never names what is not there.
fn alter(root: &Folder, folder: &Folder, name: &str, change: &FolderChange) -> Result<(), NodeError> {
    let rank = |(name, file): &(&String, &FileChange)| match (name.as_str() == HOSTS_TOML, &file.to) {
        (true, _) => 1,
        (false, Some(_)) => 0,
        (false, None) => 2,
    };
    let mut ordered: Vec<_> = change.files.iter().collect();
    ordered.sort_by_key(rank);
    for (file, change) in ordered {
        check(folder, file, change)?;
        match &change.to {
            Some(_) => folder.rename(&temporary(file), file)?,
            None => folder.remove_file(file)?,
        }
        folder.sync()?;
    }
    if change.goes && root.remove_folder(name)? {
        root.sync()?;
    }
    Ok(())
}

/// Between the plan and now nobody else may have been there.
fn check(folder: &Folder, name: &str, change: &FileChange) -> Result<(), NodeError> {
    let now = folder.read(name)?.map(|found| checksum(&found.bytes));
    match now == change.from && (now.is_some() || folder.kind(name)?.is_none()) {
        true => Ok(()),
        false => Err(changed(folder, name)),
    }
}

fn changed(folder: &Folder, name: &str) -> NodeError {
    NodeError::Changed {
        path: folder.join(name),
    }
}

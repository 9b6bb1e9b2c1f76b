//! What an apply or undo would do, file by file, before anything is done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::change::{Changes, FileChange, FolderChange};
use super::folder::{Found, Rights};
use super::mark::checksum;
use super::owner::Owner;

/// What is done about files that are not ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// Nothing is done at all: [`crate::NodeError::Conflicts`].
    #[default]
    Refuse,
    /// They stay, and the rest is done.
    Keep,
    /// They are replaced; undo brings them back. Links and the like are never replaced.
    Replace,
}

/// Everything that would be done, and what else was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The folder, without links.
    pub root: PathBuf,
    /// Each file that is wanted or ours, in order.
    pub files: Vec<PlannedFile>,
    /// Folders of others, which stay.
    pub kept: Vec<Kept>,
    /// Folders that hide others from containerd.
    pub shadows: Vec<Shadow>,
    /// What will happen to these files later.
    pub warnings: Vec<Warning>,
    /// An earlier apply was cut off; undo will go back to what was before that one.
    pub was_interrupted: bool,
}

/// One file.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct PlannedFile {
    /// The folder below the root.
    pub directory: String,
    /// The file in it.
    pub name: String,
    /// What would be done.
    pub action: Action,
    /// Who wrote what is there now.
    pub owner: Option<Owner>,
    /// The bytes that are there now.
    #[serde(skip)]
    pub before: Option<Vec<u8>>,
    /// The bytes that will be there.
    #[serde(skip)]
    pub after: Option<Vec<u8>>,
    /// Permission bits before and after.
    pub modes: (Option<u32>, Option<u32>),
    #[serde(skip)]
    pub(super) rights: (Option<Rights>, Option<Rights>),
}

/// What is done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is new.
    Create,
    /// Its bytes or permissions change.
    Change,
    /// It goes.
    Remove,
    /// It is as it should be.
    Unchanged,
    /// It is not ours.
    Conflict,
    /// There is a link, a folder or a device in its place.
    Obstacle,
}

/// A folder of others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The folder or file below the root.
    pub name: String,
    /// Who wrote it.
    pub owner: Owner,
}

/// A folder that hides another one from containerd, which reads the first of `host_port_`, `host:port` and
/// `_default` that exists, whatever is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shadow {
    /// The folder that hides.
    pub directory: String,
    /// The folder that is hidden.
    pub hides: String,
    /// Folders with a `hosts.toml` further down, which containerd never reads.
    pub nested: Vec<String>,
}

/// What will happen later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Warning {
    /// K3s or RKE2 replaces these folders at its next start: registries.yaml has the same names.
    Rewritten {
        /// The folders.
        directories: Vec<String>,
    },
    /// K3s or RKE2 works in this folder.
    OtherGenerator {
        /// Which.
        owner: Owner,
    },
    /// Replaced files of a program that writes them again at its start.
    ComesBack {
        /// The folder.
        directory: String,
        /// Who writes it.
        owner: Owner,
    },
    /// Anybody on the machine may write into the folder.
    Writable {
        /// The folder below the root; empty for the root.
        directory: String,
    },
}

impl fmt::Display for Shadow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` hides `{}`: containerd takes the first folder that exists, even an empty one",
            self.directory, self.hides
        )?;
        if self.hides == "_default" {
            write!(
                f,
                ", and pulls from {} go straight to the internet",
                self.directory
            )?;
        }
        match self.nested.as_slice() {
            [] => Ok(()),
            nested => write!(
                f,
                "; it exists only for {}, which containerd never reads: remove it",
                nested.join(", ")
            ),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rewritten { directories } => write!(
                f,
                "registries.yaml has entries of the same names: at its next start K3s or RKE2 removes these folders \
                 and writes its own: {}; take the entries out of registries.yaml, or keep these pulls there",
                directories.join(", ")
            ),
            Self::OtherGenerator { owner: Owner::Spegel } => f.write_str(
                "Spegel works in this folder: at its start it moves everything into `_backup` and writes its own",
            ),
            Self::OtherGenerator { .. } => f.write_str(
                "K3s or RKE2 works in this folder: at each start it removes the folders that it generated and those \
                 named in registries.yaml, and writes them anew; other folders stay (before v1.29.6, v1.30.5 and \
                 v1.28.11 everything was removed)",
            ),
            Self::ComesBack { directory, owner } => write!(
                f,
                "what is replaced in `{directory}` was {owner}, which writes it again at its next start"
            ),
            Self::Writable { directory } if directory.is_empty() => {
                f.write_str("other users of this machine may write into certs.d, and so redirect every pull")
            }
            Self::Writable { directory } => write!(
                f,
                "other users of this machine may write into `{directory}`, and so redirect its pulls"
            ),
        }
    }
}

impl fmt::Debug for PlannedFile {
    // The bytes may be a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} {}/{} {:?}",
            self.action, self.directory, self.name, self.modes
        )
    }
}

impl PlannedFile {
    pub(super) fn new(directory: &str, name: &str, before: Option<Found>, after: Option<Found>) -> Self {
        let rights = |found: &Option<Found>| found.as_ref().map(|found| found.rights);
        let mode = |found: &Option<Found>| found.as_ref().map(|found| found.rights.mode);
        let action = match (&before, &after) {
            (None, None) => Action::Unchanged,
            (None, Some(_)) => Action::Create,
            (Some(_), None) => Action::Remove,
            (Some(before), Some(after)) => match before.is_as(after) {
                true => Action::Unchanged,
                false => Action::Change,
            },
        };
        Self {
            directory: directory.to_owned(),
            name: name.to_owned(),
            action,
            owner: None,
            modes: (mode(&before), mode(&after)),
            rights: (rights(&before), rights(&after)),
            before: before.map(|found| found.bytes),
            after: after.map(|found| found.bytes),
        }
    }

    pub(super) fn of(mut self, owner: Owner) -> Self {
        self.owner = Some(owner);
        self
    }

    pub(super) fn not(mut self, action: Action) -> Self {
        self.action = action;
        self
    }

    /// Whether only its owner may read it, before or after: such bytes are not shown.
    #[must_use]
    pub fn is_private(&self) -> bool {
        let private = |mode: Option<u32>| mode.is_some_and(|mode| mode & 0o077 == 0);
        private(self.modes.0) || private(self.modes.1)
    }

    /// Whether something is done.
    #[must_use]
    pub fn is_change(&self) -> bool {
        matches!(self.action, Action::Create | Action::Change | Action::Remove)
    }

    fn is_in_the_way(&self) -> bool {
        matches!(self.action, Action::Conflict | Action::Obstacle)
    }

    fn change(&self) -> FileChange {
        let to = self.after.as_ref().zip(self.rights.1);
        FileChange {
            from: self.before.as_deref().map(checksum),
            to: to.map(|(bytes, rights)| Found {
                bytes: bytes.clone(),
                rights,
            }),
        }
    }
}

impl Found {
    /// The same bytes and permissions; the owner only where one is wanted.
    pub(super) fn is_as(&self, wanted: &Self) -> bool {
        self.bytes == wanted.bytes
            && self.rights.mode == wanted.rights.mode
            && (wanted.rights.owner.is_none() || wanted.rights.owner == self.rights.owner)
    }
}

impl Plan {
    /// The files that are changed.
    pub fn changes(&self) -> impl Iterator<Item = &PlannedFile> {
        self.files.iter().filter(|file| file.is_change())
    }

    /// The files that are in the way.
    pub fn conflicts(&self) -> impl Iterator<Item = &PlannedFile> {
        self.files.iter().filter(|file| file.is_in_the_way())
    }

    /// Decides about the files of others.
    pub(super) fn settle(&mut self, on_conflict: OnConflict) {
        if on_conflict != OnConflict::Replace {
            // A hosts.toml and the files beside it belong together: a folder is changed whole or not at all.
            let blocked: BTreeSet<_> = self.conflicts().map(|file| file.directory.clone()).collect();
            self.files
                .retain(|file| file.is_in_the_way() || !blocked.contains(&file.directory));
            return;
        }
        for file in &mut self.files {
            if file.action == Action::Conflict {
                file.action = match (&file.before, &file.after) {
                    (None, _) => Action::Create,
                    (_, None) => Action::Remove,
                    _ => Action::Change,
                };
                if let Some(owner) = file.owner.filter(|owner| owner.comes_back()) {
                    let directory = file.directory.clone();
                    self.warnings.push(Warning::ComesBack { directory, owner });
                }
            }
        }
    }

    /// What is in the way, for [`crate::NodeError::Conflicts`].
    pub(super) fn in_the_way(&self, on_conflict: OnConflict) -> Vec<String> {
        let stops = |file: &&PlannedFile| match on_conflict {
            OnConflict::Keep => false,
            _ => file.is_in_the_way(),
        };
        let shown = self.files.iter().filter(stops).map(|file| {
            let why = match (file.action, file.owner) {
                (Action::Obstacle, _) => "not a regular file in a folder".to_owned(),
                (_, Some(owner)) => owner.to_string(),
                _ => "changed since".to_owned(),
            };
            format!("{}/{} ({why})", file.directory, file.name)
        });
        shown.collect()
    }

    /// The changes by folder. `made` are folders that go when they are empty at the end.
    pub(super) fn by_folder(&self, made: &BTreeSet<String>) -> Changes {
        let mut changes: BTreeMap<String, FolderChange> = BTreeMap::new();
        for file in self.changes() {
            let folder = changes.entry(file.directory.clone()).or_default();
            folder.files.insert(file.name.clone(), file.change());
            folder.goes = made.contains(&file.directory);
        }
        changes
    }
}

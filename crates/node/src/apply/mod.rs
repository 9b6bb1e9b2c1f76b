//! Writing certs.d on a node, so that every pull from now on sees it: containerd reads it anew each time.
//!
//! [`Applier::plan`] says what would be done, [`Applier::apply`] does it, [`Applier::undo`] brings back what was.
//! Several programs write into this folder; ours are known by the first line of each `hosts.toml`, and nothing of
//! others is touched unless the caller says so. Everything here blocks.

mod change;
mod folder;
mod mark;
mod owner;
mod plan;
mod record;
mod survey;
mod undo;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use owner::Owner;
pub use plan::{Action, Kept, OnConflict, Plan, PlannedFile, Shadow, Warning};
pub use wanted::{FileMode, Wanted, WantedDirectory, WantedFile};

use crate::NodeError;
use change::{carry_out, clear};
use folder::{Folder, Rights, Watch};
use record::{Record, Records};

/// How to apply.
#[derive(Clone, Debug, Default)]
pub struct ApplyOptions {
    /// What is done about files that are not ours.
    pub on_conflict: OnConflict,
    /// The folders that K3s or RKE2 will write at its next start (the names in the node's registries.yaml,
    /// `_default` for `*`), to warn of what it will remove.
    pub rewritten_by_k3s: BTreeSet<String>,
}

/// Changes one node's certs.d.
#[derive(Clone)]
pub struct Applier {
    root: PathBuf,
    records: Option<PathBuf>,
    watch: Option<Watch>,
}

impl fmt::Debug for Applier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applier")
            .field("root", &self.root)
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}

/// The folders that are worked with.
struct Place {
    /// Without links.
    path: PathBuf,
    /// `None`: not there yet.
    root: Option<Folder>,
    name: String,
    parent: Folder,
    records: Folder,
}

impl Applier {
    /// For this certs.d. It may be missing, but not the folder that it is in.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            records: None,
            watch: None,
        }
    }

    /// Keeps the records for undo in `.landfall-undo` of this folder instead of the one that certs.d is in: where
    /// that one is not the node's own, say because certs.d alone is mounted into a container.
    #[must_use]
    pub fn records_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.records = Some(folder.into());
        self
    }

    /// Calls a function before each change of the disk, with what and where. For tests that stop the process there.
    #[must_use]
    pub fn watched_by(mut self, watch: impl Fn(&'static str, &Path) + Send + Sync + 'static) -> Self {
        self.watch = Some(Arc::new(watch));
        self
    }

    /// What [`Self::apply`] would do now: the dry run. Changes nothing, and takes no lock.
    ///
    /// # Errors
    /// [`NodeError::Name`], [`NodeError::Root`], or what the system said.
    pub fn plan(&self, wanted: &Wanted, options: &ApplyOptions) -> Result<Plan, NodeError> {
        let place = self.place()?;
        let records = Records::open(&place.records, &place.name, false)?;
        let unfinished = records.map_or(Ok(None), |records| records.unfinished())?;
        self.plan_in(&place, wanted, options, unfinished.as_ref())
    }

    /// Makes certs.d hold what is wanted. When this has returned, it is on the disk; when it fails, nothing is
    /// changed, but for [`NodeError::Half`].
    ///
    /// # Errors
    /// [`NodeError::Conflicts`], [`NodeError::InUse`], [`NodeError::NoRoom`] and those of [`Self::plan`].
    pub fn apply(&self, wanted: &Wanted, options: &ApplyOptions) -> Result<Plan, NodeError> {
        wanted.check()?;
        let place = self.place()?;
        let records = open_records(&place)?;
        let _lock = records.lock(&place.path)?;
        if let Some(root) = &place.root {
            clear(root)?;
        }
        let unfinished = records.unfinished()?;
        let plan = self.plan_in(&place, wanted, options, unfinished.as_ref())?;
        let files = plan.in_the_way(options.on_conflict);
        if !files.is_empty() {
            return Err(NodeError::Conflicts { files });
        }
        if plan.changes().next().is_none() {
            // An apply that was cut off after its last change is done, too.
            if unfinished.is_some() {
                records.finish()?;
            }
            return Ok(plan);
        }
        self.make(&place, &records, &plan)?;
        Ok(plan)
    }

    fn make(&self, place: &Place, records: &Records, plan: &Plan) -> Result<(), NodeError> {
        let was_interrupted = plan.was_interrupted;
        let files: Vec<_> = plan.changes().collect();
        let folders = rights_of(place, &files)?;
        let gone = emptied(place, &files)?;
        let mut begun = false;
        let made = records
            .begin(&files, &folders, place.root.is_none())
            .and_then(|()| {
                let root = match &place.root {
                    Some(root) => root.clone(),
                    None => place.parent.folder_or_new(&place.name, 0o755)?,
                };
                carry_out(&root, &plan.by_folder(&gone), &mut begun)
            });
        match made {
            Ok(()) => records.finish(),
            // The disk is as it was found: half changed by the earlier one, whose record stays.
            Err(error) if !begun && was_interrupted => Err(error),
            Err(error) => match undo::take_back(place, records) {
                Ok(()) => Err(error),
                Err(_) => Err(NodeError::Half {
                    root: place.path.clone(),
                    source: Box::new(error),
                }),
            },
        }
    }

    fn plan_in(
        &self,
        place: &Place,
        wanted: &Wanted,
        options: &ApplyOptions,
        unfinished: Option<&Record>,
    ) -> Result<Plan, NodeError> {
        wanted.check()?;
        let mut plan = Plan {
            root: place.path.clone(),
            files: Vec::new(),
            kept: Vec::new(),
            shadows: Vec::new(),
            warnings: Vec::new(),
            was_interrupted: unfinished.is_some(),
        };
        let leftovers = unfinished.map(Record::leftovers).unwrap_or_default();
        survey::survey(&mut plan, place.root.as_ref(), wanted, &leftovers)?;
        let rewritten = wanted
            .directories
            .keys()
            .filter(|name| options.rewritten_by_k3s.contains(*name));
        let directories: Vec<_> = rewritten.cloned().collect();
        if !directories.is_empty() {
            plan.warnings.push(Warning::Rewritten { directories });
        }
        plan.settle(options.on_conflict);
        Ok(plan)
    }

    fn place(&self) -> Result<Place, NodeError> {
        let unusable = |reason| NodeError::Root {
            path: self.root.clone(),
            reason,
        };
        let failed = |error| NodeError::io("open", &self.root, error);
        let path = match self.root.canonicalize() {
            Ok(path) => path,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !self.root.is_symlink() => {
                let parent = self.root.parent().filter(|parent| !parent.as_os_str().is_empty());
                let parent = parent.unwrap_or(Path::new(".")).canonicalize();
                let parent = parent.map_err(|_| unusable("the folder that it would be in is not there"))?;
                parent.join(self.root.file_name().ok_or_else(|| unusable("it has no name"))?)
            }
            Err(error) => return Err(failed(error)),
        };
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name
            .ok_or_else(|| unusable("it has no readable name"))?
            .to_owned();
        let parent = path.parent().unwrap_or(Path::new("/"));
        let open = |path: &Path| {
            let folder = Folder::open(path, self.watch.clone())?;
            folder.ok_or_else(|| NodeError::io("open", path, std::io::ErrorKind::NotFound))
        };
        let root = Folder::open(&path, self.watch.clone())?;
        let records = open(self.records.as_deref().unwrap_or(parent))?;
        let parent = open(parent)?;
        Ok(Place {
            path,
            root,
            name,
            parent,
            records,
        })
    }
}

fn open_records(place: &Place) -> Result<Records, NodeError> {
    let records = Records::open(&place.records, &place.name, true)?;
    records.ok_or_else(|| NodeError::NothingToUndo {
        root: place.path.clone(),
    })
}

/// The rights of the folders that are about to change.
fn rights_of(place: &Place, files: &[&PlannedFile]) -> Result<BTreeMap<String, Option<Rights>>, NodeError> {
    let mut rights = BTreeMap::new();
    for file in files {
        let folder = place
            .root
            .as_ref()
            .map_or(Ok(None), |root| root.folder(&file.directory))?;
        let folder = folder.map(|folder| folder.rights()).transpose()?;
        rights.insert(file.directory.clone(), folder);
    }
    Ok(rights)
}

/// The folders that go with their last file.
fn emptied(place: &Place, files: &[&PlannedFile]) -> Result<BTreeSet<String>, NodeError> {
    let mut gone = BTreeSet::new();
    let Some(root) = &place.root else { return Ok(gone) };
    let names: BTreeSet<_> = files.iter().map(|file| &file.directory).collect();
    for name in names {
        let Some(folder) = root.folder(name)? else {
            continue;
        };
        let is_removed = |file: &String| {
            let same = |planned: &&&PlannedFile| planned.directory == *name && planned.name == *file;
            files
                .iter()
                .find(same)
                .is_some_and(|planned| planned.action == Action::Remove)
        };
        if folder.names()?.iter().all(is_removed) {
            gone.insert(name.clone());
        }
    }
    Ok(gone)
}

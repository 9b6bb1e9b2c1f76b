//! Bringing back what a record holds.

use std::collections::BTreeSet;

use super::change::{Changes, carry_out, clear};
use super::folder::{Folder, Kind};
use super::mark::checksum;
use super::owner::Owner;
use super::plan::{Action, OnConflict, Plan, PlannedFile};
use super::record::{FileRecord, FolderRecord, OPEN, Record, Records};
use super::wanted::HOSTS_TOML;
use super::{Applier, Place};
use crate::NodeError;

impl Applier {
    /// What [`Self::undo`] would do now. Changes nothing, and takes no lock.
    ///
    /// # Errors
    /// [`NodeError::NothingToUndo`], [`NodeError::Record`], or what the system said.
    pub fn plan_undo(&self, on_conflict: OnConflict) -> Result<Plan, NodeError> {
        let place = self.place()?;
        let nothing = || NodeError::NothingToUndo {
            root: place.path.clone(),
        };
        let records = Records::open(&place.records, &place.name, false)?.ok_or_else(nothing)?;
        let (name, record) = records.last()?.ok_or_else(nothing)?;
        let mut plan = compare(&place, &records, &name, &record)?;
        plan.settle(on_conflict);
        Ok(plan)
    }

    /// Brings back what was before the last [`Self::apply`]: bytes, permissions, owners and folders. Can be done
    /// again for the one before. Files that somebody changed since are conflicts.
    ///
    /// # Errors
    /// [`NodeError::Conflicts`], [`NodeError::InUse`] and those of [`Self::plan_undo`].
    pub fn undo(&self, on_conflict: OnConflict) -> Result<Plan, NodeError> {
        let place = self.place()?;
        let nothing = || NodeError::NothingToUndo {
            root: place.path.clone(),
        };
        // Looking for a record makes none.
        let records = Records::open(&place.records, &place.name, false)?.ok_or_else(nothing)?;
        let _lock = records.lock(&place.path)?;
        let (name, record) = records.last()?.ok_or_else(nothing)?;
        back_to(&place, &records, &name, &record, on_conflict)
    }
}

/// Undoes an apply that did not get through.
pub(super) fn take_back(place: &Place, records: &Records) -> Result<(), NodeError> {
    match records.unfinished()? {
        Some(record) => back_to(place, records, OPEN, &record, OnConflict::Refuse).map(drop),
        None => records.give_up(),
    }
}

fn back_to(
    place: &Place,
    records: &Records,
    name: &str,
    record: &Record,
    on_conflict: OnConflict,
) -> Result<Plan, NodeError> {
    // The root may have been made since the place was looked at.
    let root = Folder::open(&place.path, place.parent.watch())?;
    if let Some(root) = &root {
        clear(root)?;
    }
    let mut plan = compare(place, records, name, record)?;
    plan.settle(on_conflict);
    let files = plan.in_the_way(on_conflict);
    if !files.is_empty() {
        return Err(NodeError::Conflicts { files });
    }
    let root = match root {
        Some(root) => Some(root),
        None if plan.changes().next().is_some() => Some(place.parent.folder_or_new(&place.name, 0o755)?),
        None => None,
    };
    if let Some(root) = &root {
        let mut begun = false;
        let done = carry_out(root, &changes(root, &plan, record)?, &mut begun);
        done.map_err(|error| match begun {
            true => NodeError::Half {
                root: place.path.clone(),
                source: Box::new(error),
            },
            false => error,
        })?;
    }
    records.forget(name)?;
    if record.made_root && place.parent.remove_folder(&place.name)? {
        place.parent.sync()?;
    }
    Ok(plan)
}

/// What a record would change.
fn compare(place: &Place, records: &Records, name: &str, record: &Record) -> Result<Plan, NodeError> {
    let mut plan = Plan {
        root: place.path.clone(),
        files: Vec::new(),
        kept: Vec::new(),
        shadows: Vec::new(),
        warnings: Vec::new(),
        was_interrupted: name == OPEN,
    };
    let root = Folder::open(&place.path, None)?;
    for (directory, folder) in &record.folders {
        let kind = root.as_ref().map_or(Ok(None), |root| root.kind(directory))?;
        let now = root.as_ref().map_or(Ok(None), |root| root.folder(directory))?;
        for (file, was) in &folder.files {
            let before = now.as_ref().map_or(Ok(None), |now| now.read(file))?;
            let after = match was.before {
                Some((digest, rights)) => Some(records.saved(name, &digest, rights)?),
                None => None,
            };
            let is_blocked = match &now {
                Some(now) => before.is_none() && now.kind(file)?.is_some(),
                None => kind.is_some_and(|kind| kind != Kind::Folder),
            };
            let planned = PlannedFile::new(directory, file, before, after);
            plan.files.push(judge(planned, was, is_blocked));
        }
    }
    Ok(plan)
}

/// What we find must be what we left, or what was there before.
fn judge(planned: PlannedFile, was: &FileRecord, is_blocked: bool) -> PlannedFile {
    let now = planned.before.as_deref().map(checksum);
    let is_known = was.after.contains(&now) || was.before.map(|(digest, _)| digest) == now;
    if is_blocked {
        return planned.not(Action::Obstacle);
    }
    let owner = planned
        .before
        .as_deref()
        .map(|bytes| match planned.name == HOSTS_TOML {
            true => Owner::of(bytes),
            false if is_known => Owner::Landfall,
            false => Owner::User,
        });
    let planned = match owner {
        Some(owner) => planned.of(owner),
        None => planned,
    };
    match is_known || !planned.is_change() {
        true => planned,
        false => planned.not(Action::Conflict),
    }
}

/// The changes, with the folders that come and go.
fn changes(root: &Folder, plan: &Plan, record: &Record) -> Result<Changes, NodeError> {
    let mut changes = plan.by_folder(&record_made(record));
    for (name, folder) in &record.folders {
        let Some(rights) = folder.before else { continue };
        if root.kind(name)?.is_none() {
            let change = changes.entry(name.clone()).or_default();
            change.rights = Some(rights);
        }
    }
    // A folder of ours that lost its files to somebody else goes, too.
    for name in record_made(record) {
        changes.entry(name).or_default().goes = true;
    }
    Ok(changes)
}

fn record_made(record: &Record) -> BTreeSet<String> {
    let is_made = |(name, folder): (&String, &FolderRecord)| folder.before.is_none().then(|| name.clone());
    record.folders.iter().filter_map(is_made).collect()
}

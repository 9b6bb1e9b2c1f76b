//! From what is wanted and what is there to a plan.

use std::collections::{BTreeMap, BTreeSet};

use landfall_oci::Digest;

use super::folder::{Folder, Found, Kind, Rights};
use super::mark::{self, Mark, checksum};
use super::owner::Owner;
use super::plan::{Action, Kept, Plan, PlannedFile, Shadow, Warning};
use super::record::Leftovers;
use super::wanted::{HOSTS_TOML, TEMPORARY, Wanted, WantedDirectory, WantedFile};
use crate::NodeError;

/// Folders within folders are followed so deep when looking for what can never be read.
const MAX_DEPTH: usize = 8;
/// As many of them are named.
const MAX_NESTED: usize = 20;

/// Compares; changes nothing. `root` is `None` when it has yet to be made.
pub(super) fn survey(
    plan: &mut Plan,
    root: Option<&Folder>,
    wanted: &Wanted,
    leftovers: &Leftovers,
) -> Result<(), NodeError> {
    let none = BTreeMap::new();
    let mut names: BTreeSet<String> = wanted.directories.keys().cloned().collect();
    if let Some(root) = root {
        names.extend(
            root.names()?
                .into_iter()
                .filter(|name| !name.starts_with(TEMPORARY)),
        );
        warn_writable(plan, root, "")?;
    }
    for name in &names {
        let kind = root.map_or(Ok(None), |root| root.kind(name))?;
        let folder = root.map_or(Ok(None), |root| root.folder(name))?;
        let left = leftovers.get(name).unwrap_or(&none);
        match (wanted.directories.get(name), folder, kind) {
            (Some(wanted), folder, None | Some(Kind::Folder)) => {
                wanted_folder(plan, name, wanted, folder.as_ref(), left)?;
            }
            (Some(wanted), ..) => {
                let obstacle = PlannedFile::new(name, HOSTS_TOML, None, Some(found(&wanted.hosts_toml)));
                plan.files.push(obstacle.not(Action::Obstacle));
            }
            (None, Some(folder), _) => other_folder(plan, name, &folder, left)?,
            (None, None, _) => {}
        }
    }
    if let Some(root) = root {
        plan.shadows = shadows(plan, root, wanted)?;
    }
    Ok(())
}

fn found(file: &WantedFile) -> Found {
    Found {
        bytes: file.content.clone(),
        rights: Rights {
            mode: file.mode.bits(),
            owner: None,
        },
    }
}

/// Names in our folder and what we wrote there, as far as it is still so.
fn ours(hosts_toml: Option<&Found>) -> BTreeMap<String, Digest> {
    match hosts_toml.map(|found| mark::read(&found.bytes)) {
        Some(Mark::Ours(files)) => files,
        _ => BTreeMap::new(),
    }
}

fn wanted_folder(
    plan: &mut Plan,
    name: &str,
    wanted: &WantedDirectory,
    folder: Option<&Folder>,
    left: &BTreeMap<String, Digest>,
) -> Result<(), NodeError> {
    let Some(folder) = folder else {
        for (file, wanted) in wanted.on_disk() {
            plan.files
                .push(PlannedFile::new(name, &file, None, Some(found(&wanted))));
        }
        return Ok(());
    };
    warn_writable(plan, folder, name)?;
    let hosts_toml = folder.read(HOSTS_TOML)?;
    let mut known = left.clone();
    known.remove(HOSTS_TOML);
    known.extend(ours(hosts_toml.as_ref()));
    let owner = match &hosts_toml {
        Some(found) => Owner::of(&found.bytes),
        None if has_certificates(folder, wanted, &known)? => Owner::User,
        None => Owner::Landfall,
    };
    if owner != Owner::Landfall {
        // One decision for the folder: our other files mean nothing beside somebody else's hosts.toml.
        let after = wanted.on_disk().remove(HOSTS_TOML).map(|file| found(&file));
        let planned = PlannedFile::new(name, HOSTS_TOML, hosts_toml, after).of(owner);
        plan.files.push(planned.not(Action::Conflict));
    }
    for (file, wanted) in wanted.on_disk() {
        if owner == Owner::Landfall || file != HOSTS_TOML {
            plan.files.push(one_file(name, &file, folder, &wanted, &known)?);
        }
    }
    for (file, digest) in &known {
        if !wanted.files.contains_key(file) {
            remove(plan, name, file, folder, digest)?;
        }
    }
    Ok(())
}

/// Without hosts.toml, containerd reads certificates as Docker lays them out; with one, it no longer does.
fn has_certificates(
    folder: &Folder,
    wanted: &WantedDirectory,
    known: &BTreeMap<String, Digest>,
) -> Result<bool, NodeError> {
    for name in folder.names()? {
        if ![".crt", ".cert", ".key"]
            .iter()
            .any(|ending| name.ends_with(ending))
        {
            continue;
        }
        let found = folder.read(&name)?.map(|found| checksum(&found.bytes));
        let wanted = wanted.files.get(&name).map(|file| checksum(&file.content));
        if found.is_none() || (found != wanted && found.as_ref() != known.get(&name)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn one_file(
    directory: &str,
    name: &str,
    folder: &Folder,
    wanted: &WantedFile,
    known: &BTreeMap<String, Digest>,
) -> Result<PlannedFile, NodeError> {
    let before = folder.read(name)?;
    let is_blocked = before.is_none() && folder.kind(name)?.is_some();
    let is_ours = before.as_ref().is_none_or(|before| {
        name == HOSTS_TOML
            || before.bytes == wanted.content
            || known.get(name) == Some(&checksum(&before.bytes))
    });
    let owner = before
        .as_ref()
        .map(|_| match (is_ours, known.contains_key(name)) {
            (true, _) => Owner::Landfall,
            (false, true) => Owner::LandfallEdited,
            (false, false) => Owner::User,
        });
    let mut planned = PlannedFile::new(directory, name, before, Some(found(wanted)));
    planned.owner = owner;
    Ok(match (is_blocked, is_ours) {
        (true, _) => planned.not(Action::Obstacle),
        (_, false) => planned.not(Action::Conflict),
        _ => planned,
    })
}

/// A folder that is not wanted: if it is ours, it goes.
fn other_folder(
    plan: &mut Plan,
    name: &str,
    folder: &Folder,
    left: &BTreeMap<String, Digest>,
) -> Result<(), NodeError> {
    warn_writable(plan, folder, name)?;
    let hosts_toml = folder.read(HOSTS_TOML)?;
    let owner = match &hosts_toml {
        _ if name == "_backup" => Owner::Spegel,
        Some(found) => Owner::of(&found.bytes),
        None => Owner::User,
    };
    if owner == Owner::Landfall || hosts_toml.is_none() {
        let mut known = left.clone();
        known.remove(HOSTS_TOML);
        known.extend(ours(hosts_toml.as_ref()));
        for (file, digest) in &known {
            remove(plan, name, file, folder, digest)?;
        }
    }
    if owner == Owner::Landfall {
        plan.files
            .push(PlannedFile::new(name, HOSTS_TOML, hosts_toml, None).of(owner));
        return Ok(());
    }
    if owner.comes_back() && !plan.warnings.contains(&Warning::OtherGenerator { owner }) {
        plan.warnings.push(Warning::OtherGenerator { owner });
    }
    let name = name.to_owned();
    plan.kept.push(Kept { name, owner });
    Ok(())
}

/// A file that we wrote and no longer want; if it was changed since, it stays.
fn remove(
    plan: &mut Plan,
    directory: &str,
    name: &str,
    folder: &Folder,
    known: &Digest,
) -> Result<(), NodeError> {
    let Some(before) = folder.read(name)? else {
        return Ok(());
    };
    match checksum(&before.bytes) == *known {
        true => plan
            .files
            .push(PlannedFile::new(directory, name, Some(before), None).of(Owner::Landfall)),
        false => plan.kept.push(Kept {
            name: format!("{directory}/{name}"),
            owner: Owner::LandfallEdited,
        }),
    }
    Ok(())
}

fn warn_writable(plan: &mut Plan, folder: &Folder, name: &str) -> Result<(), NodeError> {
    if folder.rights()?.mode & 0o002 != 0 {
        let directory = name.to_owned();
        plan.warnings.push(Warning::Writable { directory });
    }
    Ok(())
}

fn shadows(plan: &Plan, root: &Folder, wanted: &Wanted) -> Result<Vec<Shadow>, NodeError> {
    let mut shadows = Vec::new();
    let goes: BTreeSet<_> = plan
        .files
        .iter()
        .filter(|file| file.action == Action::Remove && file.name == HOSTS_TOML)
        .map(|file| file.directory.as_str())
        .collect();
    let stays = |name: &str| wanted.directories.contains_key(name) || !goes.contains(name);
    let has_default = stays("_default")
        && (wanted.directories.contains_key("_default") || root.folder("_default")?.is_some());
    for name in root.names()? {
        if wanted.directories.contains_key(&name)
            || name.starts_with('.')
            || matches!(&*name, "_default" | "_backup")
        {
            continue;
        }
        let Some(folder) = root.folder(&name)? else {
            continue;
        };
        let is_empty = goes.contains(&*name)
            || folder
                .read(HOSTS_TOML)?
                .is_none_or(|found| found.bytes.is_empty());
        let mut nested = Vec::new();
        nested_folders(&folder, &name, MAX_DEPTH, &mut nested)?;
        let hidden = with_port(&name).filter(|host| wanted.directories.contains_key(host));
        let remains = !goes.contains(&*name) || !is_all_ours(plan, &folder, &name)?;
        let hides = hidden.or_else(|| (is_empty && has_default).then(|| "_default".to_owned()));
        if let Some(hides) = hides.filter(|_| remains) {
            let directory = name;
            shadows.push(Shadow {
                directory,
                hides,
                nested,
            });
        }
    }
    Ok(shadows)
}

fn is_all_ours(plan: &Plan, folder: &Folder, name: &str) -> Result<bool, NodeError> {
    let is_removed = |file: &String| {
        plan.files.iter().any(|planned| {
            planned.directory == name && planned.name == *file && planned.action == Action::Remove
        })
    };
    Ok(folder.names()?.iter().all(is_removed))
}

/// `host_5000_` is looked at before `host:5000`.
fn with_port(name: &str) -> Option<String> {
    let (host, port) = name.strip_suffix('_')?.rsplit_once('_')?;
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    (is_port && !host.is_empty()).then(|| format!("{host}:{port}"))
}

fn nested_folders(folder: &Folder, path: &str, depth: usize, out: &mut Vec<String>) -> Result<(), NodeError> {
    if depth == 0 || out.len() >= MAX_NESTED {
        return Ok(());
    }
    for name in folder.names()? {
        let Some(inner) = folder.folder(&name)? else {
            continue;
        };
        let path = format!("{path}/{name}");
        if inner.kind(HOSTS_TOML)?.is_some() {
            out.push(path.clone());
        }
        nested_folders(&inner, &path, depth - 1, out)?;
    }
    Ok(())
}

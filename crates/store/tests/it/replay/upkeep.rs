//! What must be true of the files of a crashed store, and what collection and undo must make of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use landfall_oci::Digest;
use landfall_store::{Collected, DirectoryStore};
use serde_json::Value;

use super::check::{Between, Broken, check, ensure};
use super::workload::{Content, State, Sweep};
use crate::upkeep::blob_path;

/// One repository's files.
#[derive(Default)]
struct Records {
    name: String,
    members: BTreeSet<Digest>,
    revisions: BTreeSet<Digest>,
    /// Of each referrer the digest.
    referrers: BTreeSet<Digest>,
    /// What the manifests name, as far as it can be read.
    named: BTreeSet<Digest>,
}

/// No record of what is not there.
pub(crate) fn nothing_dangles(root: &Path) -> Broken {
    for here in read(root) {
        for digest in here.members.union(&here.revisions) {
            ensure!(
                blob_path(root, digest).exists(),
                "{} holds {digest}, which has no bytes",
                here.name
            );
        }
        for digest in &here.referrers {
            ensure!(
                here.revisions.contains(digest),
                "{} lists the referrer {digest}, which is gone",
                here.name
            );
        }
    }
    Ok(())
}

/// Collects until nothing is left to collect, which is after one time.
pub(crate) async fn collect(
    store: &DirectoryStore,
    root: &Path,
    content: &Content,
    allowed: &Between<'_>,
) -> Broken {
    for untagged in [false, true] {
        let sweep = Sweep {
            untagged,
            trash: false,
        };
        let collected = sweep.run(store).await;
        ensure!(
            collected.untouched.is_empty() && collected.spared == 0,
            "not collected: {collected:?}"
        );
        no_rubbish(root)?;
        nothing_dangles(root)?;
        let [before, after] = [allowed.before, allowed.after].map(|state| state.swept(content, sweep));
        let allowed = Between {
            before: &before,
            after: &after,
        };
        check(store, root, content, &allowed)
            .await
            .map_err(|error| format!("collected: {error}"))?;
        let again = sweep.run(store).await;
        ensure!(again == Collected::default(), "collected twice: {again:?}");
    }
    Ok(())
}

/// Nothing is left that nothing needs.
fn no_rubbish(root: &Path) -> Broken {
    let all = read(root);
    for here in &all {
        let stray = here.members.difference(&here.named).next();
        ensure!(
            stray.is_none(),
            "{} still holds {}, which no manifest names",
            here.name,
            stray.unwrap()
        );
    }
    for file in below(&root.join("blobs")) {
        let digest = digest_of(&file).unwrap();
        let is_held = all
            .iter()
            .any(|here| here.members.contains(&digest) || here.revisions.contains(&digest));
        ensure!(is_held, "nothing holds the bytes of {digest}");
    }
    for folder in ["tmp", "trash"] {
        let left = fs::read_dir(root.join(folder)).into_iter().flatten().count();
        ensure!(left == 0, "there are {left} things in {folder}");
    }
    Ok(())
}

/// Brings back every run that is listed: nothing of them may be lost.
pub(crate) async fn undo(
    store: &DirectoryStore,
    root: &Path,
    content: &Content,
    allowed: &Between<'_>,
) -> Broken {
    for trashed in store.trash().await.unwrap() {
        let undone = store.undo(trashed.run).await.map_err(|error| error.to_string())?;
        ensure!(undone.lost.is_empty(), "an undo has lost something: {undone:?}");
    }
    let left = store.trash().await.unwrap();
    ensure!(left.is_empty(), "undone, and still in the trash: {left:?}");
    nothing_dangles(root)?;
    let before = allowed.before.undone();
    // While the run is listed, nothing of it has been deleted.
    let after = match allowed.after.undone() {
        emptied if allowed.after.trash_is_empty() => State {
            tags: emptied.tags,
            ..before.clone()
        },
        after => after,
    };
    let allowed = Between {
        before: &before,
        after: &after,
    };
    check(store, root, content, &allowed)
        .await
        .map_err(|error| format!("undone: {error}"))
}

fn read(root: &Path) -> Vec<Records> {
    let repositories = root.join("repos");
    let mut all: Vec<Records> = Vec::new();
    for file in below(&repositories) {
        let path = file.strip_prefix(&repositories).unwrap().to_str().unwrap();
        let (name, record) = path.split_once("/_").unwrap();
        if all.last().is_none_or(|last| last.name != name) {
            all.push(Records {
                name: name.to_owned(),
                ..Records::default()
            });
        }
        let here = all.last_mut().unwrap();
        match record.split_once('/').unwrap().0 {
            "blobs" => drop(here.members.insert(digest_of(&file).unwrap())),
            "manifests" => {
                let digest = digest_of(&file).unwrap();
                here.revisions.insert(digest);
                let bytes = fs::read(blob_path(root, &digest)).unwrap_or_default();
                name_all(
                    &serde_json::from_slice(&bytes).unwrap_or_default(),
                    &mut here.named,
                );
            }
            "referrers" => {
                let name = path.rsplit_once('/').unwrap().1;
                here.referrers.insert(name.replacen('-', ":", 1).parse().unwrap());
            }
            _ => {}
        }
    }
    all
}

/// Every digest in a manifest but the subject's, which needs not be there.
fn name_all(value: &Value, named: &mut BTreeSet<Digest>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| name_all(item, named)),
        Value::Object(fields) => {
            named.extend(
                fields
                    .get("digest")
                    .map(|text| text.as_str().unwrap().parse::<Digest>().unwrap()),
            );
            let rest = fields.iter().filter(|(key, _)| *key != "subject");
            rest.for_each(|(_, item)| name_all(item, named));
        }
        _ => {}
    }
}

/// The digest of a file that lies in a folder of its algorithm.
fn digest_of(file: &Path) -> Option<Digest> {
    let hex = file.file_name()?.to_str()?;
    let algorithm = file.ancestors().skip(1).find_map(|folder| {
        let name = folder.file_name()?.to_str()?;
        name.starts_with("sha").then_some(name)
    })?;
    format!("{algorithm}:{hex}").parse().ok()
}

/// All files below a folder, those of one folder together.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap())
        .collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    let files = entries
        .into_iter()
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => below(&entry.path()),
            false => vec![entry.path()],
        });
    files.flatten().collect()
}

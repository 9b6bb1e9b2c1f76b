//! What the scripts would call docker for, in their order: `--dry-run --format ops`. Pure.
//!
//! Where a script is wrong (it takes one name for another because it contains it, forgets the last line, fetches an
//! image twice), this is what it means to do.

use std::collections::BTreeSet;

use landfall_images::{Entry, MapError, Mapping};

use super::words::{Dialect, Words};

/// The calls of the save script.
pub(super) fn save(words: &Words, entries: &[Entry]) -> Vec<String> {
    let names: Vec<_> = entries
        .iter()
        .map(|entry| words.source_name(&entry.text))
        .collect();
    let mut ops: Vec<_> = names.iter().map(|name| format!("docker pull {name}")).collect();
    ops.push(match words.dialect {
        Dialect::Shell => format!("docker save {}", names.join(" ")),
        Dialect::PowerShell => format!("docker save {} -o {}", names.join(" "), words.images),
    });
    ops
}

/// The calls of the load script.
///
/// # Errors
/// A name that has no place in the target.
pub(super) fn load(
    words: &Words,
    mapping: &Mapping,
    linux: &[Entry],
    windows: &[Entry],
) -> Result<Vec<String>, MapError> {
    let mut ops = vec![format!("docker load --input {}", words.images)];
    for list in lists(words, mapping, linux, windows)?
        .iter()
        .filter(|list| !list.with_linux)
    {
        ops.extend(list.ops());
    }
    let both: BTreeSet<_> = windows.iter().map(|entry| &entry.reference).collect();
    for entry in linux {
        let list = List::of(words, mapping, entry, true)?;
        let is_both = both.contains(&entry.reference);
        let target = match is_both {
            true => format!("{}-linux-amd64", list.name),
            false => list.name.clone(),
        };
        ops.push(format!("docker tag {} {target}", words.source_name(&entry.text)));
        ops.push(format!("docker push {target}"));
        if is_both {
            ops.extend(list.ops());
        }
    }
    Ok(ops)
}

/// A manifest list that is to be made.
pub(super) struct List {
    pub(super) entry: Entry,
    pub(super) name: String,
    /// What stands behind the image's tag in its members'.
    pub(super) members: Vec<String>,
    pub(super) with_linux: bool,
}

/// All lists, in the order in which the script makes them: first those of Windows alone.
///
/// # Errors
/// A name that has no place in the target.
pub(super) fn lists(
    words: &Words,
    mapping: &Mapping,
    linux: &[Entry],
    windows: &[Entry],
) -> Result<Vec<List>, MapError> {
    let in_linux: BTreeSet<_> = linux.iter().map(|entry| &entry.reference).collect();
    let in_windows: BTreeSet<_> = windows.iter().map(|entry| &entry.reference).collect();
    let alone = windows
        .iter()
        .filter(|entry| !in_linux.contains(&entry.reference));
    let both = linux.iter().filter(|entry| in_windows.contains(&entry.reference));
    let alone = alone.map(|entry| List::of(words, mapping, entry, false));
    alone
        .chain(both.map(|entry| List::of(words, mapping, entry, true)))
        .collect()
}

impl List {
    fn of(words: &Words, mapping: &Mapping, entry: &Entry, with_linux: bool) -> Result<Self, MapError> {
        let versions = words
            .windows_versions
            .split(',')
            .map(str::trim)
            .filter(|version| !version.is_empty());
        let windows = versions.map(|version| format!("windows-{version}"));
        Ok(Self {
            entry: entry.clone(),
            name: target(mapping, entry)?,
            members: windows
                .chain(with_linux.then(|| "linux-amd64".to_owned()))
                .collect(),
            with_linux,
        })
    }

    fn ops(&self) -> [String; 2] {
        let members: Vec<_> = self
            .members
            .iter()
            .map(|member| format!("{}-{member}", self.name))
            .collect();
        [
            format!(
                "docker manifest create {} {} --amend",
                self.name,
                members.join(" ")
            ),
            format!("docker manifest push {} --purge", self.name),
        ]
    }
}

/// Where an image goes, with the tag as the list has it: none where it has none.
pub(super) fn target(mapping: &Mapping, entry: &Entry) -> Result<String, MapError> {
    let target = mapping.apply(&entry.reference, &entry.text)?;
    let written = target.target().to_string();
    Ok(match entry.text.ends_with(&written) {
        true => target.to_string(),
        false => target.name(),
    })
}

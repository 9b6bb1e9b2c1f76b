//! `load` by a list that names the images: as Rancher's script does, which reads an archive and a list beside it.
//!
//! The names in the archive and those in the list need not be the same: an archive that was saved from another registry
//! carries that registry in its names, the list does not, and the target is not to have it either.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use landfall_bundle::Bundle;
use landfall_client::Client;
use landfall_hash::HashService;
use landfall_images::{Entry, Mapping, place_all};
use landfall_oci::{Digest, PlatformSet, Reference};
use tokio::sync::OnceCell;

use crate::load::collect_image;
use crate::origin::Origin;
use crate::push::{Counts, Push};
use crate::windows::{self, WindowsOptions};
use crate::{Class, Collection, DestinationOptions, Failure, Report, Reporter, TransferError};

/// What to load from a bundle that is open.
#[derive(Clone, Debug)]
pub struct ListedOptions {
    /// The images, under the names that the mapping is about.
    pub entries: Vec<Entry>,
    /// What stands before those names in the bundle, where that is known: `registry.example:5000/mirror`.
    pub source: Option<String>,
    /// Where they go.
    pub mapping: Mapping,
    /// Images that are to have Windows members, from the bundle or from what the target has.
    pub windows: Option<WindowsOptions>,
    /// What the target may be asked for.
    pub destination: DestinationOptions,
    /// Blobs pushed at once.
    pub jobs: usize,
    /// Only make the plan.
    pub dry_run: bool,
}

/// Loads the images of a list. Those that are not in the bundle or could not be placed are in the report, not an error.
///
/// # Errors
/// [`TransferError`] where nothing can begin: names collide, nobody answers.
pub async fn load_listed(
    bundle: &Bundle,
    options: &ListedOptions,
    client: &Client,
    hash: &HashService,
    reporter: &Arc<dyn Reporter>,
) -> Result<Report, TransferError> {
    let names = Names::of(options);
    let bundle = bundle.renamed(|reference| names.own_name(reference));
    let only: Vec<_> = options
        .entries
        .iter()
        .map(|entry| entry.reference.clone())
        .collect();
    let (reading, wanted) = (bundle.clone(), options.entries.clone());
    let collected = tokio::task::spawn_blocking(move || collect(&reading, &wanted, &names));
    let mut collection = collected.await?;
    if let Some(windows) = &options.windows {
        let mapping = &options.mapping;
        windows::complete(
            &mut collection,
            &bundle,
            windows,
            &only,
            client,
            mapping,
            reporter,
        )
        .await;
    }
    let references = collection
        .images
        .iter()
        .map(|image| (&image.reference, image.asked.as_str()));
    let placements = place_all(&options.mapping, references).map_err(TransferError::Places)?;
    let targets: Vec<_> = placements.into_iter().map(|placement| placement.target).collect();
    let push = Push {
        collection: &collection,
        targets: &targets,
        origin: Origin::Bundle(Arc::new(bundle)),
        client,
        hash,
        reporter: Arc::clone(reporter),
        jobs: options.jobs,
        counts: Counts::default(),
        destination: &options.destination,
        kind: OnceCell::new(),
    };
    push.go(options.dry_run).await
}

/// The images of the list, under the names as the list writes them. Blocking.
fn collect(bundle: &Bundle, entries: &[Entry], names: &Names) -> Collection {
    let texts: BTreeMap<_, _> = entries
        .iter()
        .map(|entry| (&entry.reference, &entry.text))
        .collect();
    let mut collection = Collection::default();
    let mut reasons: BTreeMap<Reference, (Class, String)> = BTreeMap::new();
    for image in bundle.images() {
        let Some(reference) = image.reference.as_ref() else {
            continue;
        };
        if texts.contains_key(reference)
            && let Err(error) = collect_image(bundle, image, reference, &PlatformSet::All, &mut collection)
        {
            reasons.insert(reference.clone(), (error.class(), error.describe()));
        }
    }
    for refused in bundle.refused() {
        let Some(reference) = refused.reference.as_ref() else {
            continue;
        };
        let reference = names.own_name(reference).unwrap_or_else(|| reference.clone());
        reasons.insert(reference, (Class::Unusable, refused.reason.clone()));
    }
    reasons.append(&mut one_of_each(&mut collection));
    let there: BTreeSet<_> = collection
        .images
        .iter()
        .map(|image| image.reference.clone())
        .collect();
    for image in &mut collection.images {
        image.asked.clone_from(texts[&image.reference]);
    }
    for entry in entries.iter().filter(|entry| !there.contains(&entry.reference)) {
        let absent = || (Class::NotFound, format!("not in {}", bundle.path().display()));
        let (class, reason) = reasons.remove(&entry.reference).unwrap_or_else(absent);
        collection.failed.push(Failure {
            reference: entry.reference.clone(),
            asked: entry.text.clone(),
            reason,
            class,
        });
    }
    collection
}

/// What the bundle has twice under one name of the list is one image, or nobody can say which one is meant.
fn one_of_each(collection: &mut Collection) -> BTreeMap<Reference, (Class, String)> {
    let mut roots: BTreeMap<Reference, BTreeSet<Digest>> = BTreeMap::new();
    for image in &collection.images {
        roots
            .entry(image.reference.clone())
            .or_default()
            .insert(image.root.digest);
    }
    let mut seen = BTreeSet::new();
    collection
        .images
        .retain(|image| roots[&image.reference].len() == 1 && seen.insert(image.reference.clone()));
    collection.forget_unneeded();
    let several = roots.into_iter().filter(|(_, roots)| roots.len() > 1);
    several
        .map(|(reference, roots)| {
            let reason = format!(
                "the archive has {} different images of this name; say which with -s",
                roots.len()
            );
            (reference, (Class::Unusable, reason))
        })
        .collect()
}

/// The names that are asked for, without their tags: members of an image differ from it in the tag alone.
struct Names {
    wanted: BTreeSet<String>,
    source: Option<String>,
}

impl Names {
    fn of(options: &ListedOptions) -> Self {
        let windows = options.windows.iter().flat_map(|windows| &windows.list);
        let entries = options.entries.iter().chain(windows);
        Self {
            wanted: entries.map(|entry| entry.reference.name()).collect(),
            source: options
                .source
                .as_ref()
                .map(|source| format!("{}/", source.trim_end_matches('/'))),
        }
    }

    /// The list's name for what the bundle calls so; `None` when that is the same.
    fn own_name(&self, reference: &Reference) -> Option<Reference> {
        let (name, full) = (reference.name(), reference.to_string());
        if let Some(rest) = self
            .source
            .as_ref()
            .and_then(|source| full.strip_prefix(source.as_str()))
        {
            return Reference::parse(rest).ok();
        }
        if self.wanted.contains(&name) {
            return None;
        }
        let tails = full.match_indices('/').map(|(at, _)| &full[at + 1..]);
        tails
            .filter_map(|tail| Reference::parse(tail).ok())
            .find(|tail| self.wanted.contains(&tail.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_name(list: &str, source: Option<&str>, name: &str) -> String {
        let options = ListedOptions {
            entries: landfall_images::List::parse(list).entries,
            source: source.map(str::to_owned),
            mapping: Mapping::of_scripts("reg".parse().unwrap()),
            windows: None,
            jobs: 1,
            dry_run: true,
        };
        let reference = Reference::parse(name).unwrap();
        let own = Names::of(&options).own_name(&reference);
        own.unwrap_or(reference).familiar()
    }

    #[test]
    fn names_of_the_bundle_become_those_of_the_list() {
        let list = "rancher/a:1\nb:2\nquay.io/x/y:3\n";
        let cases = [
            (None, "rancher/a:1", "rancher/a:1"),
            (None, "src.io/rancher/a:1", "rancher/a:1"),
            (None, "src.io:5000/proj/rancher/a:1", "rancher/a:1"),
            (None, "src.io/b:2", "b:2"),
            (None, "src.io/quay.io/x/y:3", "quay.io/x/y:3"),
            (None, "quay.io/x/y:3", "quay.io/x/y:3"),
            (
                None,
                "src.io/rancher/a:1-windows-1809",
                "rancher/a:1-windows-1809",
            ),
            (None, "src.io/other/a:1", "src.io/other/a:1"),
            (Some("src.io"), "src.io/rancher/a:1", "rancher/a:1"),
            (Some("src.io/"), "src.io/rancher/a:1", "rancher/a:1"),
            (Some("src.io/proj"), "src.io/proj/b:2", "b:2"),
            (Some("src.io"), "rancher/a:1", "rancher/a:1"),
            (Some("src.io"), "src.io/not/asked:1", "not/asked:1"),
            (Some("docker.io"), "rancher/a:1", "rancher/a:1"),
        ];
        for (source, name, expected) in cases {
            assert_eq!(own_name(list, source, name), expected, "{source:?} {name}");
        }
    }
}

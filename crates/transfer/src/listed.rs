//! `load` by a list that names the images: as Rancher's script does, which reads an archive and a list beside it.
//!
//! The names in the archive and those in the list need not be the same: an archive that was saved from another registry
//! carries that registry in its names, the list does not, and the target is not to have it either.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use landfall_bundle::{Bundle, BundleImage};
use landfall_client::Client;
use landfall_hash::HashService;
use landfall_images::{Entry, Mapping};
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
    /// Images of `entries` that go to another place as well, because the list has them in other words, too.
    pub reworded: Vec<Entry>,
    /// Where images are that the bundle does not have, under the names of the list.
    pub beside: Option<Bundle>,
    /// Why images that are nowhere are not, where more is to be said than that.
    pub absent: BTreeMap<Reference, String>,
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

/// The images of a list that are not in the bundle, under whatever names it has them.
#[must_use]
pub fn lacking(bundle: &Bundle, options: &ListedOptions) -> Vec<Entry> {
    let mut names = Names::of(options);
    let bundle = names.applied(bundle);
    let own = |reference: &Reference| names.own_name(reference).unwrap_or_else(|| reference.clone());
    let refused = bundle
        .refused()
        .iter()
        .filter_map(|image| image.reference.as_ref());
    let there: BTreeSet<_> = bundle
        .images()
        .iter()
        .filter_map(|image| image.reference.clone())
        .chain(refused.map(own))
        .collect();
    let lacking = options
        .entries
        .iter()
        .filter(|entry| !there.contains(&entry.reference));
    lacking.cloned().collect()
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
    let mut names = Names::of(options);
    let bundle = names.applied(bundle);
    let only: Vec<_> = options
        .entries
        .iter()
        .map(|entry| entry.reference.clone())
        .collect();
    let (reading, wanted) = (bundle.clone(), options.clone());
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
    reword(&mut collection, &options.reworded, &options.mapping);
    let targets = collection.targets(&options.mapping)?;
    let push = Push {
        collection: &collection,
        targets: &targets,
        origin: Origin::Bundles(std::iter::once(bundle).chain(options.beside.clone()).collect()),
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
fn collect(bundle: &Bundle, options: &ListedOptions, names: &Names) -> Collection {
    let entries = &options.entries;
    let texts: BTreeMap<_, _> = entries
        .iter()
        .map(|entry| (&entry.reference, &entry.text))
        .collect();
    let mut collection = Collection::default();
    let mut reasons: BTreeMap<Reference, (Class, String)> = BTreeMap::new();
    let has = |bundle: &Bundle, reference: &Reference| {
        let mut names = bundle.images().iter().map(|image| &image.reference);
        names.any(|name| name.as_ref() == Some(reference))
    };
    for (place, image) in images(bundle).chain(options.beside.iter().flat_map(images)) {
        let Some(reference) = image.reference.as_ref() else {
            continue;
        };
        let is_first = std::ptr::eq(place, bundle) || !has(bundle, reference);
        if is_first
            && texts.contains_key(reference)
            && let Err(error) = collect_image(place, image, reference, &PlatformSet::All, &mut collection)
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
        let absent = || {
            let known = options
                .absent
                .get(&entry.reference)
                .map(|reason| format!("; {reason}"));
            let reason = format!("not in {}{}", bundle.path().display(), known.unwrap_or_default());
            (Class::NotFound, reason)
        };
        let (class, reason) = reasons.remove(&entry.reference).unwrap_or_else(absent);
        collection.failed.push(Failure {
            reference: Some(entry.reference.clone()),
            asked: entry.text.clone(),
            reason,
            class,
        });
    }
    collection
}

fn images(bundle: &Bundle) -> impl Iterator<Item = (&Bundle, &BundleImage)> {
    bundle.images().iter().map(move |image| (bundle, image))
}

/// What the list has in other words, too, goes to a place of its own for each, where the mapping gives one.
fn reword(collection: &mut Collection, reworded: &[Entry], mapping: &Mapping) {
    let place = |reference: &Reference, text: &str| mapping.apply(reference, text).ok();
    let mut taken: BTreeSet<_> = collection
        .images
        .iter()
        .filter_map(|image| place(&image.reference, &image.asked))
        .collect();
    for entry in reworded {
        let is_it = |reference: &Reference| *reference == entry.reference;
        if !place(&entry.reference, &entry.text).is_none_or(|place| taken.insert(place)) {
            continue;
        }
        if let Some(image) = collection.images.iter().find(|image| is_it(&image.reference)) {
            let mut image = image.clone();
            image.asked.clone_from(&entry.text);
            collection.images.push(image);
        }
        let failed = collection
            .failed
            .iter()
            .find(|failure| failure.reference.as_ref().is_some_and(is_it));
        if let Some(failure) = failed {
            let mut failure = failure.clone();
            failure.asked.clone_from(&entry.text);
            collection.failed.push(failure);
        }
    }
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
    /// Names that the bundle has without any doubt.
    sure: BTreeSet<Reference>,
}

impl Names {
    fn of(options: &ListedOptions) -> Self {
        let windows = options.windows.iter().flat_map(|windows| &windows.list);
        let entries = options.entries.iter().chain(windows);
        let source = options.source.as_ref();
        Self {
            wanted: entries.map(|entry| entry.reference.name()).collect(),
            source: source.map(|source| format!("{}/", source.trim_end_matches('/'))),
            sure: BTreeSet::new(),
        }
    }

    /// The bundle under the names of the list.
    fn applied(&mut self, bundle: &Bundle) -> Bundle {
        let certain = bundle
            .images()
            .iter()
            .filter_map(|image| self.certain(image.reference.as_ref()?));
        self.sure = certain.collect();
        bundle.renamed(|reference| self.own_name(reference))
    }

    /// The list's name for what the bundle calls so, where nobody can doubt it: it came from the source, or is the same.
    fn certain(&self, reference: &Reference) -> Option<Reference> {
        let full = reference.to_string();
        if let Some(rest) = self
            .source
            .as_ref()
            .and_then(|source| full.strip_prefix(source.as_str()))
        {
            return Reference::parse(rest).ok();
        }
        self.wanted.contains(&reference.name()).then(|| reference.clone())
    }

    /// The list's name for what the bundle calls so; `None` when that is the same. Where nobody said what stands before
    /// the list's names, it may be anything, as long as no other image has more right to the name.
    fn own_name(&self, reference: &Reference) -> Option<Reference> {
        if let Some(own) = self.certain(reference) {
            return Some(own);
        }
        let full = reference.to_string();
        let tails = full.match_indices('/').map(|(at, _)| &full[at + 1..]);
        tails
            .filter_map(|tail| Reference::parse(tail).ok())
            .find(|tail| self.wanted.contains(&tail.name()) && !self.sure.contains(tail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_name(list: &str, source: Option<&str>, name: &str) -> String {
        let options = ListedOptions {
            entries: landfall_images::List::parse(list).entries,
            reworded: Vec::new(),
            beside: None,
            absent: BTreeMap::new(),
            source: source.map(str::to_owned),
            mapping: Mapping::of_scripts("reg".parse().unwrap()),
            windows: None,
            destination: DestinationOptions::default(),
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

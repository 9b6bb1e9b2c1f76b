//! Two lists into one collection: which images get members is decided by whole names.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use landfall_bundle::Bundle;
use landfall_client::Client;
use landfall_images::{Entry, Mapping};
use landfall_oci::Reference;

use super::WindowsOptions;
use super::discover::Search;
use super::shelf::Shelf;
use super::unit::Part;
use crate::resolve::{IMAGES_AT_ONCE, ResolveOptions, Resolver, failure};
use crate::{Collection, Event, Reporter, TransferError};

/// One name and what is to be done for it.
struct Task<'a> {
    entry: &'a Entry,
    /// It is on the Windows list.
    is_windows: bool,
    /// It is on the Linux list.
    is_linux: bool,
}

/// Resolves the Linux list and the Windows list of `windows`. With a `target`, members that it has already are found,
/// and an index that it has under a plain name loses nothing.
pub(crate) async fn resolve(
    entries: &[Entry],
    windows: &WindowsOptions,
    options: &ResolveOptions,
    client: &Client,
    target: Option<&Mapping>,
    reporter: &Arc<dyn Reporter>,
) -> Collection {
    let tasks = tasks(entries, &windows.list);
    reporter.event(&Event::Resolving { images: tasks.len() });
    let resolver = Resolver::new(options, client);
    let mut shelves = vec![Shelf::Upstream(Resolver::new(options, client))];
    shelves.extend(target.map(|mapping| Shelf::Target { client, mapping }));
    let search = Search {
        shelves,
        options: windows,
    };
    let results = run(tasks, reporter, async |task: &Task<'_>| match task.is_windows {
        true => search.unit(task.entry, task.is_linux).await,
        false => {
            let (found, content) = resolver.image(task.entry).await?;
            Ok(vec![Part {
                found,
                content,
                remark: None,
            }])
        }
    });
    let results = results.await;
    let mut collection = Collection::default();
    add(&mut collection, results, options.include_foreign);
    collection
}

/// Puts the lists of `windows` together for a bundle's collection, from what is in the bundle and what is in the
/// target already. `only` is the Linux list, where one was given.
pub(crate) async fn complete(
    collection: &mut Collection,
    bundle: &Bundle,
    windows: &WindowsOptions,
    only: &[Reference],
    client: &Client,
    mapping: &Mapping,
    reporter: &Arc<dyn Reporter>,
) {
    let listed: BTreeSet<_> = only.iter().collect();
    let tasks: Vec<_> = windows
        .list
        .iter()
        .map(|entry| Task {
            entry,
            is_windows: true,
            is_linux: listed.contains(&entry.reference),
        })
        .collect();
    reporter.event(&Event::Resolving { images: tasks.len() });
    let search = Search {
        shelves: vec![Shelf::Bundle(bundle.clone()), Shelf::Target { client, mapping }],
        options: windows,
    };
    // They are all decided here, whatever came of them as plain images.
    let names: BTreeSet<_> = tasks.iter().map(|task| task.entry.reference.clone()).collect();
    collection
        .images
        .retain(|image| !names.contains(&image.reference));
    collection.failed.retain(|failure| {
        !failure
            .reference
            .as_ref()
            .is_some_and(|name| names.contains(name))
    });
    let results = run(tasks, reporter, async |task: &Task<'_>| {
        search.unit(task.entry, task.is_linux).await
    });
    add(collection, results.await, true);
    collection.forget_unneeded();
}

/// Every name once, in the order of the lists.
fn tasks<'a>(linux: &'a [Entry], windows: &'a [Entry]) -> Vec<Task<'a>> {
    let in_windows: BTreeSet<_> = windows.iter().map(|entry| &entry.reference).collect();
    let in_linux: BTreeSet<_> = linux.iter().map(|entry| &entry.reference).collect();
    let only_windows = windows
        .iter()
        .filter(|entry| !in_linux.contains(&entry.reference));
    linux
        .iter()
        .chain(only_windows)
        .map(|entry| Task {
            entry,
            is_windows: in_windows.contains(&entry.reference),
            is_linux: in_linux.contains(&entry.reference),
        })
        .collect()
}

type Outcome<'a> = (Task<'a>, Result<Vec<Part>, TransferError>);

async fn run<'a>(
    tasks: Vec<Task<'a>>,
    reporter: &Arc<dyn Reporter>,
    work: impl AsyncFn(&Task<'a>) -> Result<Vec<Part>, TransferError>,
) -> Vec<Outcome<'a>> {
    let work = &work;
    stream::iter(tasks)
        .map(|task| async move {
            let result = work(&task).await;
            reporter.event(&Event::Resolved {
                reference: &task.entry.reference,
            });
            (task, result)
        })
        .buffered(IMAGES_AT_ONCE)
        .collect()
        .await
}

/// Adds what was found, each image with all its names or not at all.
fn add(collection: &mut Collection, results: Vec<Outcome<'_>>, include_foreign: bool) {
    // A name that stands in a list, or in the bundle, is what it is there; members take only names that are free.
    let mut taken: BTreeSet<Reference> = results
        .iter()
        .map(|(task, _)| task.entry.reference.clone())
        .collect();
    taken.extend(collection.images.iter().map(|image| image.reference.clone()));
    for (task, result) in results {
        let before = collection.images.len();
        let added = result.and_then(|parts| {
            for part in parts {
                let is_own = part.found.reference == task.entry.reference;
                if !is_own && taken.contains(&part.found.reference) {
                    continue;
                }
                collection.add(part.found, part.content, include_foreign)?;
                if let Some(image) = collection.images.last_mut() {
                    image.remark = part.remark;
                }
            }
            Ok(())
        });
        if let Err(error) = added {
            collection.images.truncate(before);
            collection.refused += usize::from(error.is_refusal());
            collection.failed.push(failure(task.entry, &error));
        }
        let new = &collection.images[before..];
        taken.extend(new.iter().map(|image| image.reference.clone()));
    }
    collection.forget_unneeded();
}

#[cfg(test)]
mod tests {
    use landfall_images::List;

    use super::*;

    fn kinds(linux: &str, windows: &str) -> Vec<(String, bool, bool)> {
        let (linux, windows) = (List::parse(linux).entries, List::parse(windows).entries);
        let tasks = tasks(&linux, &windows);
        let kinds = tasks
            .iter()
            .map(|task| (task.entry.text.clone(), task.is_linux, task.is_windows));
        kinds.collect()
    }

    /// Rancher's script asks whether ` item` is anywhere in the joined list: there, `winonly:1` is "in" the Linux list
    /// (for `winonly:1.2`) and gets no list, and `a:1-rc` would not be mistaken only because it is the longer one.
    #[test]
    fn membership_is_by_whole_names() {
        let kinds = kinds("a:1\na:1-rc\nwinonly:1.2\nb:2\n", "a:1\nquay:3\nwinonly:1\nb:2\n");
        let of = |linux: bool, windows: bool| {
            let found = kinds.iter().filter(|(_, l, w)| (*l, *w) == (linux, windows));
            found.map(|(name, ..)| name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of(true, true), ["a:1", "b:2"]);
        assert_eq!(of(true, false), ["a:1-rc", "winonly:1.2"]);
        assert_eq!(of(false, true), ["quay:3", "winonly:1"]);
    }

    #[test]
    fn two_spellings_of_one_name_are_one() {
        assert_eq!(
            kinds("docker.io/library/a\n", "a:latest\n"),
            [("docker.io/library/a".to_owned(), true, true)]
        );
    }
}

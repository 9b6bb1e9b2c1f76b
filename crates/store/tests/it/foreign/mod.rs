//! What other registries keep, read in place. The trees are made here as the real programs write them; that they do
//! is checked where those run (landfall-bundle, `peers`).

mod distribution;
mod zot;

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use landfall_oci::Target;
use landfall_store::{Listing, Page, Store};

/// Writes a file and the folders above it.
fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Makes a file look as if nobody had touched it for a minute.
fn age(path: &Path) {
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(60))
        .unwrap();
}

async fn repositories(store: &dyn Store) -> Vec<String> {
    let page = store.repositories(Page::first(1000)).await.unwrap();
    page.items.iter().map(ToString::to_string).collect()
}

async fn tags(store: &dyn Store, name: &str) -> Vec<String> {
    let page = store
        .tags(&name.parse().unwrap(), Page::first(1000))
        .await
        .unwrap();
    page.items.iter().map(ToString::to_string).collect()
}

/// Digests and kinds of what refers to a manifest.
fn about(listing: &Listing<landfall_oci::Descriptor>) -> Vec<(String, Option<&str>)> {
    let items = listing.items.iter();
    items
        .map(|item| (item.digest.to_string(), item.artifact_type.as_deref()))
        .collect()
}

fn by_tag(tag: &str) -> Target {
    Target::Tag(tag.parse().unwrap())
}

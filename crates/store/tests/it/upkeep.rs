//! What the tests of collection, scrub and retention share.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use landfall_oci::{Digest, RawManifest, Repository, Target};
use landfall_store::{
    CollectOptions, Collected, DirectoryStore, Finding, Item, Observer, Removal, Store, TagRemoval, suite,
};
use serde_json::json;

/// Remembers what it was told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) removals: Mutex<Vec<Removal>>,
    pub(crate) findings: Mutex<Vec<Finding>>,
    pub(crate) tags: Mutex<Vec<TagRemoval>>,
}

impl Observer for Told {
    fn removal(&self, removal: &Removal) {
        self.removals.lock().unwrap().push(removal.clone());
    }

    fn finding(&self, finding: &Finding) {
        self.findings.lock().unwrap().push(finding.clone());
    }

    fn tag_removal(&self, removal: &TagRemoval) {
        self.tags.lock().unwrap().push(removal.clone());
    }
}

/// Collects as if everything were two hours old.
pub(crate) fn later() -> CollectOptions {
    CollectOptions {
        now: Some(SystemTime::now() + Duration::from_secs(7200)),
        ..CollectOptions::default()
    }
}

/// The same, and manifests without a tag go too.
pub(crate) fn untagged() -> CollectOptions {
    CollectOptions {
        untagged_after: Some(Duration::ZERO),
        ..later()
    }
}

pub(crate) async fn collect(store: &DirectoryStore, options: CollectOptions) -> (Collected, Vec<Removal>) {
    let told = Arc::new(Told::default());
    let collected = store.collect(options, Arc::clone(&told) as _).await.unwrap();
    let removals = told.removals.lock().unwrap().clone();
    (collected, removals)
}

/// The digests of one kind that went.
pub(crate) fn gone(removals: &[Removal], item: Item) -> BTreeSet<Digest> {
    removals
        .iter()
        .filter(|removal| removal.item == item)
        .map(|removal| removal.digest)
        .collect()
}

/// An image of its own: config, one layer.
pub(crate) async fn image(store: &dyn Store, here: &Repository, name: &str, tags: &[&str]) -> Image {
    image_over(store, here, name, tags, None).await
}

pub(crate) struct Image {
    pub(crate) manifest: RawManifest,
    pub(crate) blobs: Vec<Digest>,
}

pub(crate) async fn image_over(
    store: &dyn Store,
    here: &Repository,
    name: &str,
    tags: &[&str],
    subject: Option<&RawManifest>,
) -> Image {
    let blobs = [
        suite::blob(format!("config of {name}")),
        suite::blob(format!("layer of {name}")),
    ];
    for blob in &blobs {
        suite::push_blob(store, here, blob).await;
    }
    let manifest = suite::image(&blobs, subject, Some("t/test"));
    put(store, here, &manifest, tags).await;
    Image {
        manifest,
        blobs: blobs.iter().map(|(digest, _)| *digest).collect(),
    }
}

pub(crate) async fn put(store: &dyn Store, here: &Repository, manifest: &RawManifest, tags: &[&str]) {
    let tags: Vec<_> = tags.iter().map(|tag| suite::tag(tag)).collect();
    suite::put(store, here, manifest, &tags).await.unwrap();
}

pub(crate) fn index(members: &[&RawManifest]) -> RawManifest {
    let members: Vec<_> = members.iter().map(|member| member.descriptor()).collect();
    suite::raw(&json!({
        "schemaVersion": 2,
        "mediaType": landfall_oci::MediaType::OCI_INDEX,
        "manifests": members,
    }))
}

/// Whether a manifest and all of its blobs answer.
pub(crate) async fn is_whole(store: &dyn Store, here: &Repository, image: &Image) -> bool {
    let target = Target::Digest(image.manifest.digest);
    if store.manifest(here, &target).await.is_err() {
        return false;
    }
    for blob in &image.blobs {
        if store.open_blob(here, blob).await.is_err() {
            return false;
        }
    }
    true
}

pub(crate) fn blob_path(root: &Path, digest: &Digest) -> std::path::PathBuf {
    let hex = digest.hex();
    root.join(format!("blobs/{}/{}/{hex}", digest.algorithm(), &hex[..2]))
}

/// Every file below a folder with its bytes, but not the lock.
pub(crate) fn files(root: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.file_name().unwrap() != "lock" {
                files.push((
                    path.strip_prefix(root).unwrap().to_owned(),
                    std::fs::read(&path).unwrap(),
                ));
            }
        }
    }
    files.sort();
    files
}

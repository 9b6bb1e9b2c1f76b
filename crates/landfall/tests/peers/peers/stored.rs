//! What Debian's docker-registry holds, read from its folder: no client, ours or theirs, is believed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use landfall_oci::Digest;
use landfall_testkit::Workload;
use landfall_testkit::digest::sha256;
use landfall_testkit::peers::DockerRegistry;

/// Every tag says what it should, and all that is behind it is in the tag's repository, byte for byte.
#[track_caller]
pub(super) fn assert_holds(registry: &DockerRegistry, workload: &Workload) {
    let base = registry.root().join("docker/registry/v2");
    for image in &workload.images {
        let repository = base.join("repositories").join(image.repository.as_str());
        assert_eq!(
            tag(registry, image.repository.as_str(), image.tag.as_str()),
            Some(image.root),
            "{}",
            image.name()
        );
        for manifest in workload.closure(image.root) {
            assert!(
                link(&repository.join("_manifests/revisions"), &manifest.digest).exists(),
                "{}",
                manifest.digest
            );
            assert!(
                data(&base, &manifest.digest) == manifest.bytes,
                "{}",
                manifest.digest
            );
        }
        for blob in workload.blobs_of(image.root) {
            assert!(
                link(&repository.join("_layers"), &blob).exists(),
                "{blob} in {}",
                image.repository
            );
            assert_eq!(sha256(&data(&base, &blob)), blob);
        }
    }
}

/// The digest of the bytes behind a tag.
pub(super) fn tag(registry: &DockerRegistry, repository: &str, tag: &str) -> Option<Digest> {
    registry
        .stored_manifest(repository, tag)
        .map(|bytes| sha256(&bytes))
}

/// Every file and folder with the time of its last change: two equal ones prove that nothing was written.
pub(super) fn snapshot(registry: &DockerRegistry) -> Vec<(PathBuf, SystemTime)> {
    let mut found = Vec::new();
    let mut folders = vec![registry.root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let about = entry.metadata().unwrap();
            found.push((entry.path(), about.modified().unwrap()));
            if about.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

fn link(folder: &Path, digest: &Digest) -> PathBuf {
    folder
        .join(digest.algorithm().as_str())
        .join(digest.hex())
        .join("link")
}

fn data(base: &Path, digest: &Digest) -> Vec<u8> {
    let hex = digest.hex();
    let path = base
        .join("blobs")
        .join(digest.algorithm().as_str())
        .join(&hex[..2])
        .join(&hex)
        .join("data");
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

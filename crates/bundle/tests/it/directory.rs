//! Layout directories: written blob by blob, whole images only, added to by later runs.

use landfall_bundle::{Bundle, BundleError, LayoutDir};
use landfall_hash::Sink;

use crate::support::{World, later_world, listing, scratch, world};

fn write(dir: &LayoutDir, world: &World) -> usize {
    let mut reused = 0;
    for (digest, (bytes, _)) in &world.blobs {
        let size = bytes.len() as u64;
        if dir.has(digest, size).unwrap() {
            reused += 1;
            continue;
        }
        let (blob, mut sink) = dir.blob(digest, size).unwrap();
        for chunk in bytes.chunks(1000) {
            sink.write(chunk).unwrap();
        }
        blob.commit().unwrap();
    }
    for manifest in world.manifests.values() {
        dir.manifest(manifest).unwrap();
    }
    dir.publish(&world.images).unwrap();
    reused
}

#[test]
fn a_second_run_adds_and_reuses() {
    let folder = scratch();
    let root = folder.path().join("layout");
    let (first, later) = (world(), later_world());
    assert_eq!(write(&LayoutDir::open(&root).unwrap(), &first), 0);
    let shared = later
        .blobs
        .keys()
        .filter(|digest| first.blobs.contains_key(digest))
        .count();
    assert_eq!(write(&LayoutDir::open(&root).unwrap(), &later), shared);
    assert_eq!(listing(&root), ["blobs", "index.json", "oci-layout"]);
    let bundle = Bundle::open(&root).unwrap();
    let names: Vec<_> = bundle
        .images()
        .iter()
        .map(|image| (image.name.as_str(), image.root.digest))
        .collect();
    assert_eq!(
        names,
        [
            ("docker.io/library/busybox:1.36", later.images[0].root.digest),
            ("docker.io/rancher/tool:1", later.images[1].root.digest),
            ("quay.io/team/app:v2", first.images[1].root.digest),
        ]
    );
    for (digest, manifest) in &later.manifests {
        assert_eq!(bundle.manifest(digest).unwrap(), *manifest);
    }
}

#[test]
fn wrong_blobs_are_not_reused() {
    let folder = scratch();
    let dir = LayoutDir::open(folder.path()).unwrap();
    let world = world();
    write(&dir, &world);
    let (digest, (bytes, _)) = world
        .blobs
        .iter()
        .find(|(_, (bytes, _))| bytes.len() == 3000)
        .unwrap();
    let path = folder.path().join("blobs/sha256").join(digest.hex());
    let mut wrong = bytes.clone();
    wrong[1000] ^= 1;
    std::fs::write(&path, wrong).unwrap();
    assert!(!dir.has(digest, 3000).unwrap());
    assert_eq!(write(&dir, &world), world.blobs.len() - 1);
    assert_eq!(std::fs::read(&path).unwrap(), *bytes);
    assert!(!dir.has(digest, 2999).unwrap());
}

#[test]
fn nothing_half_written_gets_a_name() {
    let folder = scratch();
    let dir = LayoutDir::open(folder.path()).unwrap();
    let world = world();
    let (digest, (bytes, _)) = world
        .blobs
        .iter()
        .find(|(_, (bytes, _))| bytes.len() == 3000)
        .unwrap();
    let (blob, mut sink) = dir.blob(digest, 3000).unwrap();
    sink.write(&bytes[..2999]).unwrap();
    assert!(sink.write(b"too much").is_err());
    let error = blob.commit().unwrap_err();
    assert!(matches!(error, BundleError::Incomplete { .. }), "{error}");
    assert!(listing(&folder.path().join("blobs/sha256")).is_empty());
}

#[test]
fn folders_with_other_things_are_left_alone() {
    let folder = scratch();
    std::fs::write(folder.path().join("thesis.txt"), b"").unwrap();
    let error = LayoutDir::open(folder.path()).unwrap_err();
    assert!(matches!(error, BundleError::NotABundle { .. }), "{error}");
    assert_eq!(listing(folder.path()), ["thesis.txt"]);
}

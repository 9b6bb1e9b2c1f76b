//! The workloads that everything else is tested with.

use std::process::Command;

use super::*;
use crate::{Scratch, run};

#[test]
fn the_same_seed_gives_the_same_images() {
    let (one, two, other) = (Workload::small(1), Workload::small(1), Workload::small(2));
    assert_eq!(one.images, two.images);
    assert_ne!(one.images[0].root, other.images[0].root);
    assert_eq!(one.list().lines().count(), 8);
}

#[test]
fn everything_that_is_named_is_there_and_is_what_it_is_called() {
    let workload = Workload::small(3);
    for image in &workload.images {
        assert!(!workload.closure(image.root).is_empty());
        for digest in workload.blobs_of(image.root) {
            assert_eq!(workload.blobs[&digest].digest(), digest);
        }
    }
    let named: BTreeSet<_> = workload
        .images
        .iter()
        .flat_map(|image| workload.blobs_of(image.root))
        .collect();
    assert_eq!(
        workload
            .blobs
            .keys()
            .filter(|digest| !named.contains(digest))
            .count(),
        0
    );
}

#[test]
fn the_shape_is_as_ordered() {
    let workload = Workload::small(4);
    let kinds: BTreeSet<_> = workload
        .manifests
        .values()
        .map(|raw| raw.media_type.clone())
        .collect();
    assert_eq!(kinds.len(), 4, "both families, images and indexes: {kinds:?}");
    let indexes = workload
        .images
        .iter()
        .filter(|image| workload.manifests[&image.root].media_type.is_index());
    assert_eq!(indexes.count(), 2);
    let bytes = workload.blob_bytes();
    assert!((1_000_000..6_000_000).contains(&bytes), "{bytes}");
    let platforms: BTreeSet<_> = workload
        .manifests
        .values()
        .filter_map(|raw| raw.view().ok())
        .flat_map(|view| view.children().to_vec())
        .filter_map(|child| child.platform)
        .map(|platform| platform.os)
        .collect();
    assert_eq!(
        platforms,
        ["linux", "unknown", "windows"].map(str::to_owned).into()
    );
}

#[test]
fn a_big_layer_takes_no_room() {
    let mut workload = Workload::new();
    let layer = workload.add_big_layer(5, 10_000_000);
    assert!(matches!(
        workload.blobs[&layer.digest],
        Content::Seeded { len: 10_000_000, .. }
    ));
    assert_eq!(workload.blobs[&layer.digest].bytes().len(), 10_000_000);
}

#[test]
fn layers_may_be_files() {
    let scratch = Scratch::new();
    let mut recipe = Recipe::small(6);
    recipe.images = 2;
    let on_disk = recipe.build(Some(&scratch.join("layers")));
    let in_memory = recipe.build(None);
    assert_eq!(on_disk.images, in_memory.images);
    on_disk.write_layout(&scratch.join("layout"));
    let check = "cd $0/blobs/sha256 && for f in *; do echo \"$f  $f\"; done | sha256sum -c --quiet";
    run(Command::new("sh").args(["-c", check]).arg(scratch.join("layout"))).ok();
}

#[test]
fn machine_files_make_layers_too() {
    let mut recipe = Recipe::small(7);
    (recipe.images, recipe.bases, recipe.bytes, recipe.stuff) = (2, 1, 8_000_000, Stuff::Machine);
    let workload = recipe.build(None);
    let largest = workload.blobs.values().map(Content::len).max();
    assert!(largest > Some(500_000), "{largest:?}");
}

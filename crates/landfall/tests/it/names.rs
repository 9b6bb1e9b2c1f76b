//! Where images go: the mapping rules, as the command line applies them.

use landfall_testkit::fake_registry::Kind;
use landfall_testkit::{FakeRegistry, Workload};

use crate::place::Place;

/// A bundle with one small image under each of these names.
fn bundle(place: &Place, names: &[&str]) {
    let mut workload = Workload::hello("x/seed:1", "hello");
    let root = workload.images[0].root;
    for name in names {
        workload.tag(name, root);
    }
    workload.images.retain(|image| image.name() != "x/seed:1");
    let upstream = FakeRegistry::with(&workload);
    place.scratch.write("list.txt", names.join("\n"));
    place.save(&upstream.address(), "bundle.tar", &[]).ok();
}

fn tags(target: &FakeRegistry) -> Vec<String> {
    target.tags().into_keys().collect()
}

#[test]
fn hosts_become_paths_and_docker_hub_is_dropped() {
    let place = Place::new();
    bundle(&place, &["rancher/a:1", "quay.io/x/y:3", "b:2"]);
    let target = FakeRegistry::empty();
    place
        .landfall(&["load", "bundle.tar", "-r", &format!("{}/", target.address())])
        .ok();
    assert_eq!(tags(&target), ["b:2", "quay.io/x/y:3", "rancher/a:1"]);
    let target = FakeRegistry::empty();
    let args = [
        "load",
        "bundle.tar",
        "-r",
        &format!("{}/proj", target.address()),
        "--rancher-names",
        "--map",
        "quay.io/x=other",
    ];
    place.landfall(&args).ok();
    assert_eq!(
        tags(&target),
        ["proj/other/y:3", "proj/rancher/a:1", "proj/rancher/b:2"]
    );
}

#[test]
fn two_images_for_one_place_are_refused_before_anything_moves() {
    let place = Place::new();
    bundle(&place, &["quay.io/x/y:3", "ghcr.io/x/y:3"]);
    let target = FakeRegistry::empty();
    let args = [
        "load",
        "bundle.tar",
        "-r",
        &target.address(),
        "--map",
        "quay.io=",
        "--map",
        "ghcr.io=",
    ];
    let outcome = place.landfall(&args);
    assert_eq!(outcome.code(), Some(2), "{outcome}");
    assert!(outcome.stderr.contains("would both become"), "{outcome}");
    assert_eq!(
        target.count(Kind::ManifestHead) + target.count(Kind::UploadStart),
        0
    );
}

#[test]
fn library_is_found_behind_a_pull_through_cache() {
    let mut workload = Workload::hello("library/busybox:1", "hello");
    workload.images.retain(|image| image.name().contains("library"));
    let upstream = FakeRegistry::with(&workload);
    let place = Place::new();
    place.scratch.write("list.txt", "busybox:1\n");
    place.save(&upstream.address(), "bundle.tar", &[]).ok();
    assert_eq!(place.landfall(&["list", "bundle.tar"]).ok(), "busybox:1\n");
}

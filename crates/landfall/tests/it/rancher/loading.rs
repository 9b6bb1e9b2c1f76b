//! `rancher-load-images` into a registry.

use landfall_testkit::fake_registry::{Fault, Kind, Rule};
use landfall_testkit::{FakeRegistry, Workload};

use super::{NAMES, load, save, saved, tags, upstream};
use crate::place::Place;

const TARGETS: [&str; 3] = ["quay.io/x/y:3", "rancher/a:1", "rancher/b:2"];

/// Case 3: an archive that was saved from another registry needs no `-s`, but takes it.
#[test]
fn the_source_is_not_in_the_target() {
    let source = upstream(&NAMES);
    let place = saved(&source, &NAMES);
    for more in [
        vec![],
        vec!["-s".to_owned(), source.address()],
        vec!["-s".to_owned(), source.address() + "/"],
    ] {
        let target = FakeRegistry::empty();
        let more: Vec<_> = more.iter().map(String::as_str).collect();
        load(&place, &target, &more).ok();
        assert_eq!(tags(&target), TARGETS, "{more:?}");
    }
    let target = FakeRegistry::empty();
    let registry = format!("{}/proj/", target.address());
    place.landfall(&["rancher-load-images", "-r", &registry]).ok();
    assert_eq!(tags(&target), TARGETS.map(|name| format!("proj/{name}")));
}

/// Case 6: upstream goes on and ends with 0.
#[test]
fn what_is_missing_or_refused_is_told_and_listed() {
    let source = upstream(&NAMES);
    let place = saved(&source, &NAMES);
    place
        .scratch
        .write("rancher-images.txt", "rancher/a:1\nnot/there:1\n");
    let target = FakeRegistry::empty();
    let outcome = load(&place, &target, &[]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert!(outcome.stdout.contains("FAILED  not/there:1"), "{outcome}");
    assert_eq!(tags(&target), ["rancher/a:1"]);
    let listed = String::from_utf8(place.read("rancher-images.tar.gz.failed.txt")).unwrap();
    assert!(listed.lines().any(|line| line == "not/there:1"), "{listed}");
    assert_eq!(load(&place, &target, &["--compat-exit-zero"]).code(), Some(0));

    let target = FakeRegistry::empty();
    target.rule(Rule::on(Kind::ManifestPut, Fault::status(403, "DENIED")));
    place.scratch.write("rancher-images.txt", "rancher/a:1\n");
    let outcome = load(&place, &target, &[]);
    assert_ne!(outcome.code(), Some(0), "{outcome}");
    assert!(tags(&target).is_empty());
}

#[test]
fn two_images_with_one_name_are_not_guessed_between() {
    let mut workload = Workload::hello("p/a:1", "one");
    let other = Workload::hello("q/a:1", "two");
    let root = other.images[0].root;
    workload.manifests.extend(other.manifests);
    workload.blobs.extend(other.blobs);
    workload.tag("q/a:1", root);
    let source = FakeRegistry::with(&workload);
    let place = saved(&source, &["p/a:1", "q/a:1"]);
    place.scratch.write("rancher-images.txt", "a:1\n");
    let target = FakeRegistry::empty();
    let outcome = load(&place, &target, &[]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert!(outcome.stdout.contains("2 different images"), "{outcome}");
    load(&place, &target, &["-s", &format!("{}/q", source.address())]).ok();
    assert_eq!(target.tags()["rancher/a:1"], root);
}

/// The scripts put texts together, so one image in two words has two places.
#[test]
fn an_image_in_two_words_goes_to_two_places() {
    let place = Place::new();
    place.scratch.write(
        "rancher-images.txt",
        "rancher/a:1\ndocker.io/rancher/a:1\nb:2\nrancher/a:1\nbusybox\nbusybox:latest\n",
    );
    let mut workload = Workload::hello("rancher/a:1", "a");
    let root = workload.images[0].root;
    for name in ["docker.io/rancher/a:1", "b:2", "busybox:latest"] {
        workload.tag(name, root);
    }
    let source = FakeRegistry::with(&workload);
    save(&place, &["-s", &source.address()]).ok();
    let target = FakeRegistry::empty();
    let outcome = load(&place, &target, &[]);
    let expected = [
        "docker.io/rancher/a:1",
        "rancher/a:1",
        "rancher/b:2",
        "rancher/busybox:latest",
    ];
    assert_eq!(tags(&target), expected, "{outcome}");
    outcome.ok();
}

/// The scripts go on with the next line; so do we, but the end says it.
#[test]
fn a_line_that_is_no_image_fails_alone() {
    let source = upstream(&NAMES);
    let place = Place::new();
    let list = "rancher/a:1\nNot/An:Image:Name\nb:2\n";
    place.scratch.write("rancher-images.txt", list);
    let saved = save(&place, &["-s", &source.address()]);
    let failed = "Image pull failed: Not/An:Image:Name\n";
    assert!(saved.stdout.contains(failed), "{saved}");
    assert!(saved.stdout.contains("with 2 images\n"), "{saved}");
    let target = FakeRegistry::empty();
    let loaded = load(&place, &target, &[]);
    assert_eq!(tags(&target), ["rancher/a:1", "rancher/b:2"]);
    for outcome in [saved, loaded] {
        assert_eq!(outcome.code(), Some(1), "{outcome}");
        assert!(outcome.stdout.contains("FAILED  Not/An:Image:Name"), "{outcome}");
        assert!(outcome.stdout.contains("rancher-images.txt:2"), "{outcome}");
    }
    let listed = String::from_utf8(place.read("rancher-images.tar.gz.failed.txt")).unwrap();
    assert!(listed.lines().any(|line| line == "Not/An:Image:Name"), "{listed}");
    // Nothing but such lines is no other end.
    place.scratch.write("rancher-images.txt", "a:b:c\n");
    assert_eq!(load(&place, &target, &[]).code(), Some(1));
    assert_eq!(load(&place, &target, &["--compat-exit-zero"]).code(), Some(0));
}

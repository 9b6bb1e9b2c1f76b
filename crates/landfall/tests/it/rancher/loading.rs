//! `rancher-load-images` into a registry.

use std::io::Write;

use landfall_testkit::fake_registry::{Fault, Kind, Rule};
use landfall_testkit::{FakeRegistry, Workload};

use super::{NAMES, load, saved, tags, upstream};

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

/// Case 8: whatever the archive is compressed with, and whatever it is called.
#[test]
fn archives_are_told_by_their_content() {
    let source = upstream(&NAMES);
    let place = saved(&source, &NAMES);
    let plain = place.read("rancher-images.tar.gz");
    let mut gzip = Vec::new();
    landfall_codec::gzip::compress(&plain[..], &mut gzip, std::num::NonZeroUsize::MIN).unwrap();
    let mut cut = gzip.clone();
    cut.truncate(gzip.len() / 2);
    place.scratch.write("images.tar", &gzip);
    place.scratch.write("cut.tar.gz", &cut);
    std::fs::File::create(place.path("none.tar.gz"))
        .unwrap()
        .write_all(b"no archive")
        .unwrap();
    for name in ["images.tar", "rancher-images.tar.gz"] {
        let target = FakeRegistry::empty();
        load(&place, &target, &["-i", name]).ok();
        assert_eq!(tags(&target), TARGETS, "{name}");
    }
    for name in ["cut.tar.gz", "none.tar.gz"] {
        let target = FakeRegistry::empty();
        let outcome = load(&place, &target, &["-i", name]);
        assert_ne!(outcome.code(), Some(0), "{outcome}");
        assert!(tags(&target).is_empty(), "nothing half-pushed");
    }
}

/// Case 9: a chart travels as what it is.
#[test]
fn charts_travel_with_the_images() {
    let names = ["rancher/charts/x:1.2.3_up4.5.6", "rancher/a:1"];
    let source = upstream(&names);
    let place = saved(&source, &names);
    let target = FakeRegistry::empty();
    load(&place, &target, &[]).ok();
    assert_eq!(target.tags(), source.tags());
}

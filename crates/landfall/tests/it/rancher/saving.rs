//! `rancher-save-images` against a registry.

use landfall_testkit::FakeRegistry;
use landfall_testkit::fake_registry::{Fault, Kind, Rule};

use super::{NAMES, save, saved, upstream};
use crate::place::{Place, failed, report};

#[test]
fn the_archive_has_the_names_that_docker_would_keep() {
    let source = upstream(&NAMES);
    let place = Place::new();
    place.scratch.write("rancher-images.txt", NAMES.join("\r\n"));
    let outcome = save(&place, &["-s", &format!("{}/", source.address())]);
    let address = source.address();
    let names = NAMES.map(|name| format!("{address}/{name}"));
    let lines: Vec<_> = outcome.stdout.lines().take(4).collect();
    let mut expected = names
        .clone()
        .map(|name| format!("Image pull success: {name}"))
        .to_vec();
    expected.push("Creating rancher-images.tar.gz with 3 images".to_owned());
    assert_eq!(lines, expected);
    assert!(outcome.stderr.contains("is a plain tar"), "{outcome}");
    let listed = place.landfall(&["list", "rancher-images.tar.gz"]).ok();
    let mut listed: Vec<_> = listed.lines().collect();
    listed.sort_unstable_by_key(|line| names.iter().position(|name| name == line));
    assert_eq!(listed, names);
    assert!(!place.exists("rancher-images.tar.gz.failed.txt"));
    outcome.ok();
}

/// Case 6: upstream keeps what it could get, names no reason, and ends with 0.
#[test]
fn what_cannot_be_had_is_told_and_listed() {
    let source = upstream(&NAMES);
    let address = source.address();
    let place = Place::new();
    place.scratch.write("list", "rancher/a:1\nnot/there:1\nb:2\n");
    let args = ["-l", "list", "-i", "out.tar.gz", "-s", &address];
    let outcome = save(&place, &args);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let lines: Vec<_> = outcome.stdout.lines().take(4).collect();
    let expected = [
        format!("Image pull success: {address}/rancher/a:1"),
        format!("Image pull failed: {address}/not/there:1"),
        format!("Image pull success: {address}/b:2"),
        "Creating out.tar.gz with 2 images".to_owned(),
    ];
    assert_eq!(lines, expected);
    // The list of what failed is one for the same words.
    let listed = String::from_utf8(place.read("out.tar.gz.failed.txt")).unwrap();
    assert_eq!(
        listed
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect::<Vec<_>>(),
        ["not/there:1"]
    );
    assert_eq!(
        save(&place, &[args.as_slice(), &["--compat-exit-zero"]].concat()).code(),
        Some(0)
    );
    let outcome = save(&place, &[args.as_slice(), &["--output", "json"]].concat());
    assert_eq!(failed(&report(&outcome)), ["not/there:1"]);
}

#[test]
fn nothing_pulled_is_no_archive() {
    let source = FakeRegistry::empty();
    let place = Place::new();
    place.scratch.write("rancher-images.txt", "a:1\n");
    let outcome = save(&place, &["-s", &source.address()]);
    assert_ne!(outcome.code(), Some(0), "{outcome}");
    assert!(outcome.stdout.contains("Image pull failed: "), "{outcome}");
    assert!(
        outcome
            .stdout
            .contains("No docker images pulled; skipping rancher-images.tar.gz.\n"),
        "{outcome}"
    );
    assert!(!place.exists("rancher-images.tar.gz"));
}

#[test]
fn an_archive_that_is_there_is_replaced() {
    let source = upstream(&NAMES);
    let place = saved(&source, &NAMES);
    place.scratch.write("rancher-images.txt", "b:2\n");
    save(&place, &["-s", &source.address()]).ok();
    let listed = place.landfall(&["list", "rancher-images.tar.gz"]).ok();
    assert_eq!(listed, format!("{}/b:2\n", source.address()));
}

/// The same command again: what is there is looked at, not fetched.
#[test]
fn the_same_archive_is_not_fetched_again() {
    let source = upstream(&NAMES);
    let place = saved(&source, &NAMES);
    let before = place.read("rancher-images.tar.gz");
    source.clear_requests();
    let outcome = save(&place, &["-s", &source.address()]);
    assert_eq!(source.count(Kind::Blob), 0, "{outcome}");
    let created = "Creating rancher-images.tar.gz with 3 images\n";
    assert!(outcome.stdout.contains(created), "{outcome}");
    outcome.ok();
    // One bit is enough for it to be another file.
    let mut damaged = before.clone();
    let middle = damaged
        .windows(4)
        .rposition(|bytes| bytes == [0x1F, 0x8B, 8, 0])
        .unwrap()
        + 40;
    damaged[middle] ^= 1;
    place.scratch.write("rancher-images.tar.gz", &damaged);
    save(&place, &["-s", &source.address()]).ok();
    assert!(source.count(Kind::Blob) > 0);
    assert!(place.read("rancher-images.tar.gz") == before);
}

/// What an earlier run fetched is not fetched again, also where an older archive is to be replaced.
#[test]
fn a_partial_archive_is_continued() {
    let source = upstream(&NAMES);
    let place = saved(&source, &["b:2"]);
    place.scratch.write("rancher-images.txt", "rancher/a:1\n");
    place.scratch.write("rancher-images.tar.gz", "another file");
    source.clear_requests();
    let all = || {
        let blobs = source
            .requests()
            .into_iter()
            .filter(|request| request.kind == Kind::Blob);
        blobs.map(|request| request.path).collect::<Vec<_>>()
    };
    // One of the two blobs cannot be had, so no image is complete.
    source.rule(Rule::on(Kind::Blob, Fault::status(404, "BLOB_UNKNOWN")).after(1));
    let outcome = save(&place, &["-s", &source.address(), "--jobs", "1"]);
    assert_ne!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(place.read("rancher-images.tar.gz"), b"another file");
    let first = all()[0].clone();
    source.clear_rules();
    source.clear_requests();
    save(&place, &["-s", &source.address(), "--jobs", "1"]).ok();
    assert!(
        !all().is_empty() && !all().contains(&first),
        "{first}: {:?}",
        all()
    );
}

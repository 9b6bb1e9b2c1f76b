//! Bad input of every kind: each has its own message and exit code, and leaves nothing half done.

use std::fs;

use landfall_testkit::fake_registry::{Auth, Fault, Kind, Rule};
use landfall_testkit::{Authority, FakeRegistry, Identity, Outcome, Workload};

use crate::place::Place;

/// The run failed with this code, and said all of these words.
#[track_caller]
fn refused(outcome: &Outcome, code: i32, words: &[&str]) {
    assert_eq!(outcome.code(), Some(code), "{outcome}");
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    for word in words {
        assert!(said.contains(word), "no {word:?} in {outcome}");
    }
    assert!(!said.contains("panicked"), "{outcome}");
}

fn saved(workload: &Workload) -> Place {
    let place = Place::with_list(workload);
    place
        .save(&FakeRegistry::with(workload).address(), "bundle.tar", &[])
        .ok();
    place
}

#[test]
fn lists() {
    let place = Place::new();
    let save =
        |list: &str| place.landfall(&["save", "-l", list, "-o", "bundle.tar", "--from", "127.0.0.1:1"]);
    refused(&save("none.txt"), 2, &["none.txt", "cannot read the image list"]);
    place
        .scratch
        .write("bad.txt", "ok:1\nRancher/Upper:1\nhttps://x/y:1\n");
    refused(
        &save("bad.txt"),
        2,
        &["bad.txt:2", "lower case", "bad.txt:3", "without the scheme"],
    );
    place.scratch.write("empty.txt", "# nothing\n");
    refused(&save("empty.txt"), 2, &["no image in it"]);
    place.scratch.write("binary.txt", [b'a', b'\n', 0xff, 0xfe]);
    refused(&save("binary.txt"), 2, &["binary.txt:2", "not text"]);
    let lint = place.landfall(&["images", "lint", "bad.txt"]);
    refused(&lint, 1, &["bad.txt:2: error", "2 errors"]);
}

#[test]
fn arguments() {
    let place = Place::new();
    refused(&place.landfall(&["save", "-l", "x"]), 2, &["--out"]);
    refused(
        &place.landfall(&["load", "x.tar", "-r", "http://reg:5000"]),
        2,
        &["without a scheme"],
    );
    refused(
        &place.landfall(&["load", "x.tar", "-r", "reg", "--map", "docker.io"]),
        2,
        &["PREFIX=PATH"],
    );
    refused(
        &place.landfall(&["save", "-l", "x", "-o", "y", "--platform", "linux"]),
        2,
        &["os/architecture"],
    );
    refused(&place.landfall(&["svae"]), 2, &["save"]);
    let args = [
        "save",
        "-l",
        "-",
        "-o",
        "x",
        "--username",
        "u",
        "--password-stdin",
    ];
    refused(
        &place.landfall(&args),
        2,
        &["cannot both come from standard input"],
    );
    let outcome = place.landfall(&["load", "x.tar", "-r", "reg", "--username", "u"]);
    refused(&outcome, 2, &["--password-stdin"]);
}

#[test]
fn bundles() {
    let workload = Workload::small(30);
    let place = saved(&workload);
    let load = |bundle: &str| place.landfall(&["load", bundle, "-r", "127.0.0.1:1"]);
    refused(&load("none.tar"), 3, &["none.tar", "no such file"]);
    place.scratch.write("text.tar", "hello ".repeat(500));
    refused(&load("text.tar"), 4, &["text.tar"]);
    let whole = place.read("bundle.tar");
    place.scratch.write("cut.tar", &whole[..whole.len() / 2]);
    refused(&load("cut.tar"), 4, &["cut.tar", "truncated"]);
    refused(&place.landfall(&["verify", "cut.tar"]), 4, &["truncated"]);
    place
        .scratch
        .write("gz.tar.gz", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
    refused(&load("gz.tar.gz"), 4, &["gz.tar.gz", "cut off"]);
}

#[test]
fn a_bundle_with_wrong_bytes() {
    let workload = Workload::small(31);
    let place = saved(&workload);
    let mut bytes = place.read("bundle.tar");
    // In the last layer: its content ends before the two zero blocks and its padding.
    let at = bytes.len() - 4096;
    bytes[at] ^= 1;
    place.scratch.write("bundle.tar", &bytes);
    refused(
        &place.landfall(&["verify", "bundle.tar"]),
        4,
        &["WRONG", "needed by"],
    );
    let target = FakeRegistry::empty();
    let outcome = place.landfall(&["load", "bundle.tar", "-r", &target.address()]);
    refused(&outcome, 1, &["the bundle is damaged", "carry it across again"]);
    for (name, root) in target.tags() {
        assert!(
            workload
                .images
                .iter()
                .any(|image| image.name() == name && image.root == root)
        );
    }
    assert!(target.tags().len() < workload.images.len());
}

#[test]
fn a_full_disk() {
    let workload = Workload::small(32);
    let upstream = FakeRegistry::with(&workload);
    let place = Place::with_list(&workload);
    fs::create_dir(place.path("small")).unwrap();
    let mounted = landfall_testkit::run(
        std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"])
            .arg(place.path("small")),
    );
    mounted.ok();
    let outcome = place.save(&upstream.address(), "small/bundle.tar", &[]);
    landfall_testkit::run(std::process::Command::new("umount").arg(place.path("small"))).ok();
    refused(&outcome, 3, &["not enough space", "free"]);
    assert_eq!(upstream.count(Kind::Blob), 0, "the plan knew it");
}

#[test]
fn outputs_that_cannot_be_written() {
    let workload = Workload::small(33);
    let upstream = FakeRegistry::with(&workload);
    let place = Place::with_list(&workload);
    let outcome = place.save(&upstream.address(), "no/such/folder/bundle.tar", &[]);
    refused(&outcome, 3, &["no/such/folder"]);
    place.save(&upstream.address(), "bundle.tar", &[]).ok();
    // The very bundle that is asked for is no obstacle; anything else is.
    place.save(&upstream.address(), "bundle.tar", &[]).ok();
    place.scratch.write("other.tar", "something else");
    let outcome = place.save(&upstream.address(), "other.tar", &[]);
    refused(&outcome, 2, &["already exists"]);
    place
        .save(&upstream.address(), "bundle.tar", &["--overwrite"])
        .ok();
}

#[test]
fn targets_that_refuse() {
    let workload = Workload::small(34);
    let place = saved(&workload);
    let read_only = FakeRegistry::builder().read_only().start();
    let outcome = place.landfall(&["load", "bundle.tar", "-r", &read_only.address()]);
    refused(&outcome, 1, &["405"]);
    assert!(read_only.tags().is_empty());
    let guarded = FakeRegistry::builder()
        .auth(Auth::basic("admin", "right"))
        .start();
    let mut command = place.command(&[
        "load",
        "bundle.tar",
        "-r",
        &guarded.address(),
        "--username",
        "admin",
    ]);
    let outcome = landfall_testkit::run(command.env("LANDFALL_PASSWORD", "wr0ng-password"));
    refused(&outcome, 6, &["--username"]);
    assert!(!format!("{outcome}").contains("wr0ng-password"));
    let outcome = place.landfall(&["load", "bundle.tar", "-r", &guarded.address()]);
    refused(&outcome, 6, &["log in"]);
}

#[test]
fn hosts_that_are_not_there_or_not_trusted() {
    let workload = Workload::small(35);
    let place = saved(&workload);
    let load = |registry: &str, more: &[&str]| {
        let mut args = vec!["load", "bundle.tar", "-r", registry, "--attempts", "1"];
        args.extend(more);
        place.landfall(&args)
    };
    refused(&load("registry.invalid:5000", &[]), 5, &["registry.invalid"]);
    refused(&load("127.0.0.1:1", &[]), 5, &["127.0.0.1:1"]);
    let authority = Authority::new();
    place.scratch.write("ca.crt", authority.certificate());
    let expired = FakeRegistry::builder()
        .tls(authority.issue_expired(&["127.0.0.1"]))
        .start();
    refused(
        &load(&expired.address(), &["--tls-ca", "ca.crt"]),
        5,
        &["expired"],
    );
    let stranger = FakeRegistry::builder()
        .tls(Identity::self_signed(&["127.0.0.1"]))
        .start();
    refused(&load(&stranger.address(), &[]), 5, &["--tls-ca"]);
    let other = FakeRegistry::builder()
        .tls(authority.issue(&["other.example"]))
        .start();
    refused(
        &load(&other.address(), &["--tls-ca", "ca.crt"]),
        5,
        &["other.example"],
    );
    let right = FakeRegistry::builder()
        .tls(authority.issue(&["127.0.0.1"]))
        .start();
    load(&right.address(), &["--tls-ca", "ca.crt"]).ok();
    load(&stranger.address(), &["--insecure"]).ok();
    refused(
        &load(&right.address(), &["--tls-ca", "none.crt"]),
        3,
        &["none.crt"],
    );
}

#[test]
fn images_that_are_not_what_was_asked_for() {
    let workload = Workload::small(36);
    let upstream = FakeRegistry::with(&workload);
    let place = Place::new();
    let save = |list: &str, more: &[&str]| {
        place.scratch.write("list.txt", list);
        place.save(&upstream.address(), "bundle.tar", more)
    };
    refused(
        &save("rancher/none:1\n", &[]),
        1,
        &["rancher/none", "does not exist"],
    );
    let known = workload.images[0].name();
    refused(&save(&format!("{known}-no\n"), &[]), 1, &["no such tag"]);
    refused(
        &save(&format!("{known}\n"), &["--platform", "plan9/mips"]),
        1,
        &["plan9/mips", "it offers"],
    );
    upstream.rule(Rule::on(
        Kind::Manifest,
        Fault::Replace {
            content_type: "application/vnd.oci.image.manifest.v1+json",
            body: vec![b' '; 5 << 20].into(),
        },
    ));
    refused(&save(&format!("{known}\n"), &[]), 1, &["4194304"]);
    upstream.clear_rules();
    upstream.rule(Rule::on(
        Kind::Manifest,
        Fault::Replace {
            content_type: "application/vnd.docker.distribution.manifest.v1+prettyjws",
            body: br#"{"schemaVersion":1,"fsLayers":[]}"#.as_slice().into(),
        },
    ));
    refused(&save(&format!("{known}\n"), &[]), 1, &["schema 1"]);
    assert!(!place.exists("bundle.tar"));
}

//! `serve`: bundles in place, a directory, both; and ourselves as the client of it.

use landfall_testkit::{FakeRegistry, Workload, htpasswd, run};

use crate::place::Place;
use crate::server::Serving;

#[test]
fn a_bundle_is_a_registry() {
    let workload = Workload::small(40);
    let place = Place::with_list(&workload);
    place
        .save(&FakeRegistry::with(&workload).address(), "bundle.tar", &[])
        .ok();
    let serving = Serving::start(&place, &["bundle.tar"]);
    // The whole bundle, saved again through the registry that it is.
    place.save(&serving.address, "again.tar", &[]).ok();
    assert!(crate::place::same_bytes(
        &place.path("bundle.tar"),
        &place.path("again.tar")
    ));
    let outcome = place.landfall(&["load", "bundle.tar", "-r", &format!("{}/new", serving.address)]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(serving.stop(), Some(0));
}

#[test]
fn a_directory_takes_pushes_and_keeps_them() {
    let workload = Workload::small(41);
    let place = Place::with_list(&workload);
    place
        .save(&FakeRegistry::with(&workload).address(), "bundle.tar", &[])
        .ok();
    let serving = Serving::start(&place, &["--root", "store"]);
    place
        .landfall(&["load", "bundle.tar", "-r", &serving.address])
        .ok();
    assert_eq!(serving.stop(), Some(0));
    let serving = Serving::start(&place, &["--root", "store"]);
    place.save(&serving.address, "again.tar", &[]).ok();
    assert!(crate::place::same_bytes(
        &place.path("bundle.tar"),
        &place.path("again.tar")
    ));
}

#[test]
fn an_index_with_members_left_out_keeps_its_digest() {
    let workload = Workload::small(44);
    let place = Place::with_list(&workload);
    let upstream = FakeRegistry::with(&workload);
    place
        .save(&upstream.address(), "some.tar", &["--platform", "linux/amd64"])
        .ok();
    let serving = Serving::start(&place, &["--root", "store"]);
    place.landfall(&["load", "some.tar", "-r", &serving.address]).ok();
    place
        .save(&serving.address, "again.tar", &["--platform", "linux/amd64"])
        .ok();
    assert!(crate::place::same_bytes(
        &place.path("some.tar"),
        &place.path("again.tar")
    ));
}

#[test]
fn an_overlay_answers_from_all_of_its_layers() {
    let (one, two) = (Workload::small(42), Workload::hello("extra/tool:1", "hello"));
    let place = Place::with_list(&one);
    place
        .save(&FakeRegistry::with(&one).address(), "one.tar", &[])
        .ok();
    place.scratch.write("list.txt", two.list());
    place
        .save(&FakeRegistry::with(&two).address(), "two.tar", &[])
        .ok();
    let serving = Serving::start(&place, &["one.tar", "--root", "store"]);
    place.landfall(&["load", "two.tar", "-r", &serving.address]).ok();
    place
        .scratch
        .write("list.txt", format!("{}{}", one.list(), two.list()));
    place.save(&serving.address, "both.tar", &[]).ok();
}

#[test]
fn passwords_and_tls_are_asked_for() {
    let workload = Workload::hello("rancher/tool:1", "hello");
    let place = Place::with_list(&workload);
    place
        .save(&FakeRegistry::with(&workload).address(), "bundle.tar", &[])
        .ok();
    place.scratch.write("users", htpasswd::line("admin", "s3cret"));
    let serving = Serving::start(
        &place,
        &[
            "--root",
            "store",
            "--tls-self-signed",
            "tls",
            "--htpasswd",
            "users",
        ],
    );
    let load = |password: &str, more: &[&str]| {
        let mut args = vec!["load", "bundle.tar", "-r", &serving.address, "--attempts", "1"];
        args.extend(more);
        run(place
            .command(&args)
            .env("LANDFALL_USERNAME", "admin")
            .env("LANDFALL_PASSWORD", password))
    };
    assert_eq!(load("s3cret", &[]).code(), Some(5));
    assert_eq!(load("wrong", &["--tls-ca", "tls/ca.crt"]).code(), Some(6));
    load("s3cret", &["--tls-ca", "tls/ca.crt"]).ok();
}

//! Debian's docker-registry (distribution 2.8): the strict registry that most private registries descend from.

use landfall_testkit::peers::docker_registry::Options;
use landfall_testkit::peers::{Containerd, DockerRegistry, Skopeo};
use landfall_testkit::{Authority, Outcome, Workload, run};

use super::fleet::{ATTESTED, DOCKER_LIST, SINGLE, add_big, fleet, full, only, saved, saved_with, says};
use super::stored;
use crate::place::{Place, report, same_bytes};

const PASSWORD: &str = "s3cret-Passw0rd";

#[test]
fn a_list_travels_over_three_of_them_and_nothing_moves_twice() {
    let mut workload = fleet();
    add_big(&mut workload);
    let place = Place::with_list(&workload);

    let upstream = DockerRegistry::with(&workload);
    place.save(&upstream.address(), "bundle.tar", &[]).ok();
    place.landfall(&["verify", "bundle.tar"]).ok();

    let target = DockerRegistry::empty();
    let load = || place.landfall(&["load", "bundle.tar", "-r", &target.address(), "--output", "json"]);
    let told = report(&load());
    assert_eq!(told["report"]["blobs_moved"], workload.blobs.len());
    stored::assert_holds(&target, &workload);
    let before = stored::snapshot(&target);
    let again = load();
    assert_eq!(again.code(), Some(0), "{again}");
    assert_eq!(report(&again)["report"]["bytes_moved"], 0);
    assert!(
        stored::snapshot(&target) == before,
        "a rerun wrote into the registry"
    );

    let other = DockerRegistry::empty();
    let copy = [
        "copy",
        "-l",
        "list.txt",
        "--from",
        &target.address(),
        "-r",
        &other.address(),
    ];
    place.landfall(&copy).ok();
    stored::assert_holds(&other, &workload);
    let before = stored::snapshot(&other);
    place.landfall(&copy).ok();
    assert!(
        stored::snapshot(&other) == before,
        "a rerun wrote into the registry"
    );

    place.save(&other.address(), "again.tar", &[]).ok();
    assert!(same_bytes(&place.path("bundle.tar"), &place.path("again.tar")));
}

#[test]
fn a_choice_of_platforms_becomes_a_smaller_index_that_containerd_resolves() {
    let workload = fleet();
    let place = saved_with(&workload, &["--platform", "linux/amd64"]);
    let strict = DockerRegistry::empty();
    let load = || place.landfall(&["load", "bundle.tar", "-r", &strict.address(), "--output", "json"]);
    let outcome = load();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert!(outcome.stdout.contains("smaller one was pushed"), "{outcome}");
    let before = stored::snapshot(&strict);
    let again = load();
    assert_eq!(again.code(), Some(0), "{again}");
    assert_eq!(report(&again)["report"]["bytes_moved"], 0);
    assert!(
        stored::snapshot(&strict) == before,
        "a rerun wrote into the registry"
    );

    let node = Containerd::start();
    node.mirror("docker.io", &strict.url());
    for name in [SINGLE, ATTESTED, DOCKER_LIST] {
        node.pull(&full(name), &[]).ok();
        assert_eq!(node.run(&full(name), "c").ok(), says(name));
    }
}

/// A registry behind TLS and a password, and a place with a bundle for it and the authority's certificate.
fn guarded(workload: &Workload) -> (DockerRegistry, Place) {
    let authority = Authority::new();
    let account = Some(("admin".to_owned(), PASSWORD.to_owned()));
    let tls = Some(authority.issue(&["127.0.0.1"]));
    let registry = DockerRegistry::start(&Options {
        account,
        tls,
        ..Options::default()
    });
    let place = saved(workload);
    place.scratch.write("ca.crt", authority.certificate());
    place.scratch.write("other.crt", Authority::new().certificate());
    (registry, place)
}

#[track_caller]
fn refused(outcome: &Outcome, code: i32, words: &[&str]) {
    assert_eq!(outcome.code(), Some(code), "{outcome}");
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    for word in words {
        assert!(said.contains(word), "`{word}` is not in\n{outcome}");
    }
    assert!(!said.contains(PASSWORD) && !said.contains("wr0ng"), "{outcome}");
}

#[test]
fn passwords_and_certificates_are_what_they_should_be() {
    let workload = only(&[SINGLE, ATTESTED]);
    let (registry, place) = guarded(&workload);
    let address = registry.address();
    let load = |password: &str, ca: &str| {
        let args = [
            "load",
            "bundle.tar",
            "-r",
            &address,
            "--attempts",
            "2",
            "--tls-ca",
            ca,
        ];
        let mut command = place.command(&args);
        if !password.is_empty() {
            command
                .env("LANDFALL_USERNAME", "admin")
                .env("LANDFALL_PASSWORD", password);
        }
        run(&mut command)
    };
    refused(&load("wr0ng", "ca.crt"), 6, &[&address, "--username"]);
    refused(&load("", "ca.crt"), 6, &[&address, "log in"]);
    refused(&load(PASSWORD, "other.crt"), 5, &[&address, "--tls-ca"]);
    let plain = place.landfall(&[
        "load",
        "bundle.tar",
        "-r",
        &address,
        "--plain-http",
        "--attempts",
        "1",
    ]);
    assert_ne!(plain.code(), Some(0), "{plain}");
    assert_eq!(stored::tag(&registry, "library/hello", "1"), None);
    load(PASSWORD, "ca.crt").ok();
    stored::assert_holds(&registry, &workload);

    // Back again, with the credentials that another program keeps.
    let file = place.path("auth.json");
    let mut login = Skopeo::new().skopeo();
    login.args([
        "login",
        "--tls-verify=false",
        "--username",
        "admin",
        "--password",
        PASSWORD,
        "--authfile",
    ]);
    run(login.arg(&file).arg(&address)).ok();
    let save = ["--tls-ca", "ca.crt", "--auth-file", "auth.json"];
    place.save(&address, "again.tar", &save).ok();
    assert!(same_bytes(&place.path("bundle.tar"), &place.path("again.tar")));
}

//! Upstreams that cannot be meant, each told with its place; and names that no upstream has.

use landfall_testkit::fake_registry::{Fault, Kind, Rule};
use landfall_testkit::{FakeRegistry, Outcome};

use super::{App, all_at, came_from, gateway};
use crate::place::Place;

/// What is said of a file of upstreams.
fn refused(place: &Place, name: &str, args: &[&str]) -> Outcome {
    let mut all = vec![
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--root",
        "store",
        "--upstreams",
        name,
    ];
    all.extend(args);
    place.landfall(&all)
}

#[test]
fn a_file_that_cannot_be_meant_is_refused_with_its_place() {
    let place = Place::new();
    place.scratch.write("no.crt", "this is no certificate");
    for (name, text, code, words) in [
        (
            "registries.yaml",
            "mirrors: {}\n",
            2,
            &["registries.yaml", "names no registry"][..],
        ),
        (
            "registries.yaml",
            "configs:\n  a.test: {}\n",
            2,
            &["registries.yaml", "names no registry"],
        ),
        (
            "registries.yaml",
            "mirrors:\n  quay.test:\n    endpoint: [\"http://127.0.0.1:1\"]\n    rewrite:\n      \"^(\": x\n",
            2,
            &["registries.yaml:5:", "rewrite", "missing closing )"],
        ),
        (
            "registries.yaml",
            "mirrors:\n  quay.test:\n    endpoint: [\"https://127.0.0.1:1\"]\nconfigs:\n  \"127.0.0.1:1\":\n    tls:\n      \
             ca_file: nowhere.crt\n",
            2,
            &["registries.yaml:5:", "nowhere.crt", "127.0.0.1:1"],
        ),
        (
            "registries.yaml",
            "mirrors:\n  quay.test:\n    endpoint: [\"https://127.0.0.1:1\"]\nconfigs:\n  \"127.0.0.1:1\":\n    tls:\n      \
             ca_file: no.crt\n",
            2,
            &["registries.yaml:5:", "no.crt", "certificate"],
        ),
        (
            "registries.yaml",
            "mirrors:\n  quay.test:\n    endpoint: 7\n   x: y\n",
            2,
            &["registries.yaml:4:", "no node starts"],
        ),
        (
            "registries.conf",
            "[[registry]]\nprefix = \"quay.test/org\"\nlocation = \"127.0.0.1:1/org\"\n",
            2,
            &["registries.conf:2:", "`quay.test/org`", "whole registries"],
        ),
    ] {
        place.scratch.write(name, text);
        let outcome = refused(&place, name, &[]);
        assert_eq!(outcome.code(), Some(code), "{text}{outcome}");
        let is_told = words.iter().all(|word| outcome.stderr.contains(word));
        assert!(
            is_told && outcome.stderr.starts_with("error: "),
            "{words:?}: {outcome}"
        );
    }
    let outcome = refused(&place, "nowhere.yaml", &[]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(outcome.stderr.contains("nowhere.yaml"), "{outcome}");
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let place = Place::new();
    let yaml = "mirrors:\n  \"*\":\n    endpoint: [\"http://127.0.0.1:1\"]\n";
    place.scratch.write("registries.yaml", yaml);
    for (args, words) in [
        (
            &["--upstream-network", "10.0.0.0/99"][..],
            "--upstream-network 10.0.0.0/99",
        ),
        (
            &["--upstream-realm", "auth.test"],
            "--upstream-realm auth.test: it is not REGISTRY=HOST",
        ),
        (&["--upstream-bare", "a b"], "--upstream-bare a b"),
        (&["--cache-size", "much"], "--cache-size"),
        (&["--cache", "store"], "--cache"),
        (&["--cache", "store/"], "--cache"),
    ] {
        let outcome = refused(&place, "registries.yaml", args);
        assert_eq!(outcome.code(), Some(2), "{outcome}");
        assert!(outcome.stderr.contains(words), "{outcome}");
    }
    for (args, words) in [
        (&["--upstreams", "registries.yaml"][..], "--cache DIR"),
        (&["--root", "store", "--cache", "cache"], "--upstreams"),
        (&["--root", "store", "--cache-size", "1GiB"], "--upstreams"),
        (&["--root", "store", "--tag-ttl", "1s"], "--upstreams"),
        (
            &["--root", "store", "--upstream-bare", "docker.io"],
            "--upstreams",
        ),
        (
            &["--root", "store", "--upstream-network", "10.0.0.0/8"],
            "--upstreams",
        ),
    ] {
        let outcome = place.landfall(&[&["serve"], args].concat());
        assert_eq!(outcome.code(), Some(2), "{outcome}");
        assert!(outcome.stderr.contains(words), "{outcome}");
    }
}

#[test]
fn the_settings_in_force_can_be_seen() {
    let place = Place::new();
    place.scratch.write("registries.yaml", "mirrors: {}\n");
    let text = place
        .landfall(&[
            "serve",
            "--print-config",
            "--root",
            "store",
            "--upstreams",
            "registries.yaml",
            "--cache",
            "elsewhere",
            "--cache-size",
            "200GiB",
            "--tag-ttl",
            "1m",
            "--missing-ttl",
            "5s",
            "--upstream-network",
            "10.1.0.0/16,10.2.0.0/16",
            "--upstream-realm",
            "quay.test=auth.test",
            "--upstream-bare",
            "docker.io",
        ])
        .ok();
    let shown: toml::Table = text.parse().unwrap();
    for (key, value) in [
        ("cache-size", "200GiB"),
        ("tag-ttl", "1m"),
        ("missing-ttl", "5s"),
        ("upstream-bare", "docker.io"),
        ("upstreams", place.path("registries.yaml").to_str().unwrap()),
        ("cache", place.path("elsewhere").to_str().unwrap()),
    ] {
        assert_eq!(shown[key].as_str(), Some(value), "{text}");
    }
    assert_eq!(
        shown["upstream-network"].as_array().map(Vec::len),
        Some(2),
        "{text}"
    );
    assert_eq!(
        shown["upstream-realm"][0].as_str(),
        Some("quay.test=auth.test"),
        "{text}"
    );
}

/// The world is closed: without a wildcard nobody is asked for what no entry names.
#[test]
fn a_registry_that_was_not_named_is_not_asked() {
    let place = Place::new();
    let upstream = FakeRegistry::with(&App::new("org/app:1", 100).workload);
    let yaml = format!("mirrors:\n  quay.test:\n    endpoint: [\"{}\"]\n", upstream.url());
    let serving = gateway(&place, &yaml, &[]);
    let other = FakeRegistry::with(&App::new("org/app:1", 100).workload);
    let by_name = other.address().replace(':', "__");
    for path in [
        "/v2/org/app/manifests/1?ns=unknown.test".to_owned(),
        "/v2/unknown.test/org/app/manifests/1".to_owned(),
        "/v2/org/app/manifests/1".to_owned(),
        format!("/v2/org/app/manifests/1?ns={}", other.address()),
        format!("/v2/{by_name}/org/app/manifests/1"),
        "/v2/org/app/manifests/1?ns=quay.test%40evil.test".to_owned(),
    ] {
        let answer = serving.get(&path);
        assert_eq!(answer.status, 404, "{path}: {answer}");
    }
    assert_eq!((other.connections(), upstream.connections()), (0, 0));
    came_from(
        &serving.get("/v2/org/app/manifests/1?ns=quay.test"),
        &upstream.address(),
    );
}

/// An upstream cannot send us where the file does not allow it.
#[test]
fn a_redirect_into_a_private_network_is_not_followed_unless_that_is_allowed() {
    let inside = FakeRegistry::with(&App::new("org/app:1", 3000).workload);
    let app = App::new("org/app:1", 3000);
    let upstream = FakeRegistry::builder()
        .workload(&app.workload)
        .redirect_blobs(inside.url())
        .start();
    let path = format!("/v2/quay.test/org/app/blobs/{}", app.layer);
    let place = Place::new();
    let serving = gateway(&place, &all_at(&upstream), &[]);
    let answer = serving.get(&path);
    assert_eq!((answer.status, inside.connections()), (502, 0), "{answer}");
    let log = serving.log();
    assert!(
        log.contains("this machine") && log.contains(&inside.address()),
        "why: {log}"
    );
    assert_eq!(serving.stop(), Some(0));
    let serving = gateway(&place, &all_at(&upstream), &["--upstream-network", "127.0.0.0/8"]);
    let answer = serving.get(&path);
    came_from(&answer, &upstream.address());
    assert!(answer.body == app.text && inside.connections() > 0);
}

/// An upstream that sends other bytes than the digest says is not believed, and nothing of it stays.
#[test]
fn wrong_bytes_are_given_to_nobody_twice() {
    let app = App::new("org/app:1", 3000);
    let upstream = FakeRegistry::with(&app.workload);
    upstream.rule(Rule::on(Kind::Blob, Fault::Flip { at: 7 }).times(1));
    let place = Place::new();
    let serving = gateway(&place, &all_at(&upstream), &[]);
    let path = format!("/v2/quay.test/org/app/blobs/{}", app.layer);
    // The end is kept back until the bytes are proven: nobody takes them for whole.
    let first = serving.get(&path);
    assert!(
        first.status != 200 || first.body.len() < app.text.len(),
        "{first}"
    );
    for answer in [serving.get(&path), serving.get(&path)] {
        assert!(answer.status != 200 || answer.body == app.text, "{answer}");
    }
    let (log, cached) = (serving.log(), serving.get(&path));
    assert!(
        log.contains("wrong bytes") && log.contains(&upstream.address()),
        "{log}"
    );
    assert_ne!(cached.header(super::FROM), Some("cache"), "{cached}");
}

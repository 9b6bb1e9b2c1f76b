//! `registries exits`: the air-gap proof, and each of the ways in which the flag of K3s leaks.

use super::{document, said};
use crate::place::Place;

const CLOSED: &str = r#"mirrors:
  docker.io: {endpoint: ["https://mirror.example"]}
  "*": {endpoint: ["https://mirror.example"]}
"#;

fn exits(file: &str, more: &[&str]) -> landfall_testkit::Outcome {
    let place = Place::new();
    place.scratch.write("registries.yaml", file);
    let mut arguments = vec!["registries", "exits", "registries.yaml"];
    arguments.extend(more);
    place.landfall(&arguments)
}

const FLAG: &str = "--disable-default-registry-endpoint";

#[test]
fn a_closed_configuration_is_proven() {
    let told = exits(CLOSED, &[FLAG]);
    said(
        &told,
        0,
        &[
            "proven:",
            "allowed  mirror.example, for docker.io",
            "token server",
        ],
    );
    let told = exits(CLOSED, &[FLAG, "--output", "json"]);
    assert_eq!(document(&told)["proven"], true);
    // The same file without the flag: both registries are asked in the end.
    said(
        &exits(CLOSED, &[]),
        1,
        &[
            "registry-1.docker.io",
            "THE HOST THAT THE IMAGE'S NAME BEGINS WITH",
        ],
    );
    // Only what is allowed by name is allowed.
    said(
        &exits(CLOSED, &[FLAG, "--allow", "other.example"]),
        1,
        &["WAY OUT  mirror.example"],
    );
}

#[test]
fn every_leak_of_the_flag_is_named() {
    let with = |more: &str| format!("{CLOSED}{more}");
    let leaks = [
        // A configs entry, even an empty one, cancels the flag.
        (with("configs:\n  docker.io: {}\n"), "registries.yaml:5:3 cancels"),
        // A registry with configs alone hides the wildcard.
        (
            with("configs:\n  quay.io:\n    auth: {username: u, password: p}\n"),
            "hides the wildcard mirror",
        ),
        // No wildcard, no entry.
        (
            "mirrors:\n  docker.io: {endpoint: [\"https://mirror.example\"]}\n".to_owned(),
            "holds only for registries that `mirrors` names",
        ),
        // A mirror without endpoints.
        (
            "mirrors:\n  docker.io:\n  quay.io: {endpoint: [\"https://mirror.example\"]}\n".to_owned(),
            "THE HOST THAT THE IMAGE'S NAME BEGINS WITH",
        ),
        // A key with a path makes a directory that hides the wildcard.
        (
            CLOSED.replace(
                "  \"*\"",
                "  quay.io/org: {endpoint: [\"https://mirror.example\"]}\n  \"*\"",
            ),
            "WAY OUT  quay.io",
        ),
        // A backslash breaks the file.
        (
            CLOSED.replace(
                "docker.io: {endpoint: [\"https://mirror.example\"]}",
                "docker.io: {endpoint: [\"https://mirror.example\"], rewrite: {'^\\d(.*)': 'x/$1'}}",
            ),
            "cannot be decoded",
        ),
        // A last endpoint without a host.
        (
            CLOSED.replace(
                "docker.io: {endpoint: [\"https://mirror.example\"]}",
                "docker.io: {endpoint: [\"/v2\"]}",
            ),
            "has no host in its URL",
        ),
    ];
    for (file, words) in leaks {
        let told = exits(&file, &[FLAG]);
        assert_eq!(told.code(), Some(1), "{file}\n{told}");
        assert!(told.stdout.contains(words), "no {words:?} for\n{file}\n{told}");
        assert!(told.stdout.contains("WAY OUT"), "{told}");
    }
}

#[test]
fn plain_containerd_always_ends_with_the_registry_itself() {
    let place = Place::new();
    place.scratch.write(
        "certs.d/_default/hosts.toml",
        "[host.\"https://mirror.example\"]\n",
    );
    let exits = |program: &str| place.landfall(&["registries", "exits", "certs.d", "--program", program]);
    said(&exits("containerd"), 1, &["THE HOST THAT"]);
    // The fork of RKE2 asks nobody whom the file does not name.
    said(&exits("rke2"), 0, &["proven:"]);
    place.scratch.write(
        "certs.d/_default/hosts.toml",
        "server = \"https://mirror.example\"\n[host.\"https://mirror.example\"]\n",
    );
    said(&exits("containerd"), 0, &["proven:"]);
}

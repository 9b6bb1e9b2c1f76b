//! `registries apply` on a folder that stands for a node's.

use std::fs;

use super::{PASSWORD, document, said};
use crate::place::Place;

const FILE: &str = "\
mirrors:
  docker.io:
    endpoint:
      - https://mirror.example:5000
  quay.io:
    endpoint:
      - https://mirror.example:5000
";

fn place(file: &str) -> Place {
    let place = Place::new();
    place.scratch.write("registries.yaml", file);
    fs::create_dir(place.path("etc")).unwrap();
    place
}

const APPLY: [&str; 5] = [
    "registries",
    "apply",
    "registries.yaml",
    "--certs-d",
    "etc/certs.d",
];
const UNDO: [&str; 5] = ["registries", "apply", "--undo", "--certs-d", "etc/certs.d"];

fn with<'a>(args: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [args, more].concat()
}

#[test]
fn a_dry_run_shows_what_the_run_then_does_and_undo_takes_back() {
    let place = place(FILE);
    let outcome = place.landfall(&with(&APPLY, &["--dry-run"]));
    said(
        &outcome,
        0,
        &[
            "+++ b/docker.io/hosts.toml",
            "+[host.\"https://mirror.example:5000\"]",
            "nothing was changed",
        ],
    );
    assert!(!place.exists("etc/certs.d"));
    said(
        &place.landfall(&APPLY),
        0,
        &[
            "created  docker.io/hosts.toml",
            "2 files changed",
            "without a restart",
        ],
    );
    let written = String::from_utf8(place.read("etc/certs.d/docker.io/hosts.toml")).unwrap();
    assert!(
        written.contains("[host.\"https://mirror.example:5000\"]"),
        "{written}"
    );
    said(&place.landfall(&APPLY), 0, &["is as it should be"]);
    said(
        &place.landfall(&with(&UNDO, &["--dry-run"])),
        0,
        &["--- a/docker.io/hosts.toml", "nothing was changed"],
    );
    assert!(place.exists("etc/certs.d/docker.io/hosts.toml"));
    said(&place.landfall(&UNDO), 0, &["removed  docker.io/hosts.toml"]);
    assert!(!place.exists("etc/certs.d"));
    said(&place.landfall(&UNDO), 1, &["nothing to undo"]);
}

#[test]
fn a_changed_configuration_is_a_diff_and_a_removed_entry_a_removed_file() {
    let place = place(FILE);
    said(&place.landfall(&APPLY), 0, &[]);
    place.scratch.write(
        "registries.yaml",
        "mirrors:\n  docker.io:\n    endpoint:\n      - https://other.example\n",
    );
    let outcome = place.landfall(&with(&APPLY, &["--output", "json"]));
    said(&outcome, 0, &[]);
    let told = document(&outcome);
    assert_eq!(told["done"], true, "{told:#}");
    let changes = told["changes"].as_array().unwrap();
    let change = |name: &str| {
        let found = changes.iter().find(|change| change["file"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {told:#}"))["diff"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(change("docker.io/hosts.toml").contains("-[host.\"https://mirror.example:5000\"]"));
    assert!(change("quay.io/hosts.toml").contains("+++ b/quay.io/hosts.toml"));
    assert!(!place.exists("etc/certs.d/quay.io"));
    said(&place.landfall(&UNDO), 0, &[]);
    assert!(place.exists("etc/certs.d/quay.io/hosts.toml"));
}

#[test]
fn files_of_others_are_kept_unless_told_otherwise() {
    let place = place(FILE);
    let theirs = "# by hand\nserver = \"https://theirs.example\"\n";
    place.scratch.folder("etc/certs.d/docker.io");
    place.scratch.write("etc/certs.d/docker.io/hosts.toml", theirs);
    place.scratch.folder("etc/certs.d/ghcr.io");
    place.scratch.write("etc/certs.d/ghcr.io/hosts.toml", theirs);
    let words = [
        "CONFLICT docker.io/hosts.toml: written by somebody else",
        "--replace-foreign",
        "kept     ghcr.io",
    ];
    for more in [&["--dry-run"][..], &[]] {
        said(&place.landfall(&with(&APPLY, more)), 3, &words);
        assert_eq!(place.read("etc/certs.d/docker.io/hosts.toml"), theirs.as_bytes());
        assert!(!place.exists("etc/certs.d/quay.io"), "all or nothing");
    }
    said(
        &place.landfall(&with(&APPLY, &["--replace-foreign"])),
        0,
        &["changed  docker.io/hosts.toml"],
    );
    assert_ne!(place.read("etc/certs.d/docker.io/hosts.toml"), theirs.as_bytes());
    assert_eq!(place.read("etc/certs.d/ghcr.io/hosts.toml"), theirs.as_bytes());
    said(&place.landfall(&UNDO), 0, &[]);
    assert_eq!(place.read("etc/certs.d/docker.io/hosts.toml"), theirs.as_bytes());
}

#[test]
fn what_somebody_changed_since_is_not_taken_back_unasked() {
    let place = place(FILE);
    said(&place.landfall(&APPLY), 0, &[]);
    let path = place.path("etc/certs.d/docker.io/hosts.toml");
    let edited = format!("{}# mine\n", fs::read_to_string(&path).unwrap());
    fs::write(&path, &edited).unwrap();
    said(
        &place.landfall(&UNDO),
        3,
        &["CONFLICT docker.io/hosts.toml", "changed by hand"],
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), edited);
    said(&place.landfall(&with(&UNDO, &["--replace-foreign"])), 0, &[]);
    assert!(!path.exists());
}

#[test]
fn what_certs_d_cannot_say_is_listed_and_no_password_is_written() {
    let file = format!(
        "{FILE}configs:\n  mirror.example:5000:\n    auth:\n      username: admin\n      password: {PASSWORD}\n    \
         tls:\n      ca_file: /no/such/ca.crt\n"
    );
    let place = place(&file);
    let words = [
        "not carried over: the credential for `mirror.example:5000` (registries.yaml:9:3)",
        "config.toml",
        "credential provider",
        "warning: /no/such/ca.crt is not there",
    ];
    said(&place.landfall(&APPLY), 1, &words);
    let written = String::from_utf8(place.read("etc/certs.d/docker.io/hosts.toml")).unwrap();
    assert!(
        written.contains("/no/such/ca.crt") && !written.contains(PASSWORD),
        "{written}"
    );
    let outcome = place.landfall(&with(&APPLY, &["--dry-run", "--output", "json"]));
    said(&outcome, 1, &[]);
    assert_eq!(
        document(&outcome)["not_carried_over"].as_array().unwrap().len(),
        1
    );
}

#[test]
fn where_k3s_writes_it_is_warned_and_its_fork_is_written_for() {
    let place = place(
        "mirrors:\n  docker.io:\n    endpoint:\n      - https://mirror.example\n    rewrite:\n      \"^a/(.*)\": \"b/$1\"\n",
    );
    let folder = "var/lib/rancher/k3s/agent/etc/containerd";
    place.scratch.folder(folder);
    let certs_d = format!("{folder}/certs.d");
    let args = ["registries", "apply", "registries.yaml", "--certs-d", &certs_d];
    said(
        &place.landfall(&args),
        0,
        &["registries.yaml has entries of the same names", "docker.io"],
    );
    let written = String::from_utf8(place.read(&format!("{certs_d}/docker.io/hosts.toml"))).unwrap();
    assert!(written.contains("rewrite"), "{written}");
    fs::write(
        place.path(&certs_d).join("docker.io/hosts.toml"),
        "# File generated by k3s. DO NOT EDIT.\n\nserver = \"\"\n",
    )
    .unwrap();
    said(
        &place.landfall(&args),
        3,
        &["generated by K3s", "change registries.yaml instead"],
    );
}

#[test]
fn certificates_that_stand_inline_lie_beside_and_keys_are_not_shown() {
    let place = place("");
    let authority = landfall_testkit::Authority::new();
    let client = authority.issue_client("node");
    let encode = |pem: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(pem)
    };
    let machine = format!(
        "version: v1alpha1\nmachine:\n  registries:\n    mirrors:\n      docker.io:\n        endpoints:\n          \
         - https://mirror.example:5000\n    config:\n      mirror.example:5000:\n        tls:\n          ca: {}\n          \
         clientIdentity:\n            crt: {}\n            key: {}\n",
        encode(&authority.certificate()),
        encode(&client.certificate),
        encode(&client.key)
    );
    place.scratch.write("machine.yaml", machine);
    let args = [
        "registries",
        "apply",
        "machine.yaml",
        "--format",
        "talos",
        "--certs-d",
        "etc/certs.d",
    ];
    let outcome = place.landfall(&with(&args, &["--dry-run"]));
    said(&outcome, 0, &["client.key: for its owner alone, and not shown"]);
    assert!(!outcome.stdout.contains("PRIVATE KEY"), "{outcome}");
    said(&place.landfall(&args), 0, &[]);
    let folder = place.path("etc/certs.d/docker.io");
    let names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 4, "{names:?}");
    let text = fs::read_to_string(folder.join("hosts.toml")).unwrap();
    for name in names.iter().filter(|name| *name != "hosts.toml") {
        assert!(text.contains(&format!("\"{name}\"")), "{name} in {text}");
    }
}

#[test]
fn arguments() {
    let place = place(FILE);
    said(&place.landfall(&["registries", "apply"]), 2, &["FILE"]);
    said(
        &place.landfall(&["registries", "apply", "none.yaml"]),
        3,
        &["none.yaml"],
    );
    said(
        &place.landfall(&[
            "registries",
            "apply",
            "registries.yaml",
            "--certs-d",
            "no/such/certs.d",
        ]),
        3,
        &["no/such/certs.d", "not there"],
    );
    place.scratch.write("broken.yaml", "mirrors: 7\n");
    said(
        &place.landfall(&["registries", "apply", "broken.yaml", "--certs-d", "etc/certs.d"]),
        1,
        &["broken.yaml:1"],
    );
}

#[test]
fn a_password_in_a_url_is_not_shown() {
    let place = place(&format!(
        "mirrors:\n  docker.io:\n    endpoint:\n      - https://u:{PASSWORD}@mirror.example\n"
    ));
    for more in [&["--dry-run"][..], &["--dry-run", "--output", "json"], &[]] {
        let outcome = place.landfall(&with(&APPLY, more));
        said(&outcome, 1, &["drops the rest"]);
    }
}

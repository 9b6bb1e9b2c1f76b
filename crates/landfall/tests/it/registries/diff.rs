//! `registries diff`: which images would be pulled differently.

use super::{PASSWORD, document, said};
use crate::place::Place;

fn place(old: &str, new: &str) -> Place {
    let place = Place::new();
    place.scratch.write("old.yaml", old);
    place.scratch.write("new.yaml", new);
    place
}

fn with_password(password: &str) -> String {
    format!(
        "mirrors:\n  docker.io:\n    endpoint: [\"https://a.example\"]\nconfigs:\n  a.example:\n    auth:\n      \
         username: puller\n      password: {password}\n"
    )
}

/// As long as the list of a real release.
fn long_list() -> String {
    let registries = ["rancher", "library", "quay.io/jetstack", "ghcr.io/kube-vip"];
    (0..712)
        .map(|n| format!("{}/image-{n}:v1.{n}\n", registries[n % registries.len()]))
        .collect()
}

#[test]
fn nothing_changes_between_a_file_and_itself() {
    let place = place(&with_password(PASSWORD), &with_password(PASSWORD));
    place.scratch.write("list.txt", long_list());
    let outcome = place.landfall(&["registries", "diff", "old.yaml", "new.yaml", "-l", "list.txt"]);
    said(&outcome, 0, &["712 images: nothing changes"]);
    let json = place.landfall(&[
        "registries",
        "diff",
        "old.yaml",
        "new.yaml",
        "-l",
        "list.txt",
        "--output",
        "json",
    ]);
    said(&json, 0, &[]);
    assert_eq!(document(&json)["same"], 712);
}

#[test]
fn passwords_are_compared_and_never_shown() {
    let other = format!("{PASSWORD}-2");
    let place = place(&with_password(PASSWORD), &with_password(&other));
    for output in ["text", "json"] {
        let outcome = place.landfall(&[
            "registries",
            "diff",
            "old.yaml",
            "new.yaml",
            "--image",
            "nginx",
            "--output",
            output,
        ]);
        said(&outcome, 1, &["user `puller`, another password", "new.yaml:6:5"]);
    }
}

#[test]
fn hundreds_of_images_are_a_few_groups() {
    let old = "mirrors:\n  docker.io:\n    endpoint: [\"https://a.example\", \"https://b.example\"]\n";
    let new = "mirrors:\n  docker.io:\n    endpoint: [\"https://b.example\", \"https://c.example\"]\n    rewrite:\n      \
               \"^rancher/(.*)\": \"m/$1\"\n";
    let place = place(old, new);
    place.scratch.write("list.txt", long_list());
    let outcome = place.landfall(&["registries", "diff", "old.yaml", "new.yaml", "-l", "list.txt"]);
    said(
        &outcome,
        1,
        &[
            "356 of 712 images would be pulled differently, 356 as before",
            "- https://a.example/v2 is not asked any more (was 1st)  [old.yaml:3:16]",
            "+ https://c.example/v2 is asked 2nd  [new.yaml:3:37]",
            "rancher/image-0 -> m/image-0",
            "and 175 more",
        ],
    );
    assert!(outcome.stdout.lines().count() < 30, "{outcome}");
    let json = place.landfall(&[
        "registries",
        "diff",
        "old.yaml",
        "new.yaml",
        "-l",
        "list.txt",
        "--output",
        "json",
    ]);
    let groups = document(&json)["groups"].as_array().unwrap().clone();
    assert_eq!(groups.len(), 2, "{json}");
    assert_eq!(groups[0]["images"].as_array().unwrap().len(), 178);
}

#[test]
fn a_file_that_breaks_is_seen_by_its_log_line() {
    let old = "mirrors: {docker.io: {endpoint: ['https://a.example']}}\n";
    let new = "mirrors: {docker.io: {endpoint: ['https://a.example'], rewrite: {'\\w': x}}}\n";
    let place = place(old, new);
    let outcome = place.landfall(&["registries", "diff", "old.yaml", "new.yaml", "--image", "nginx"]);
    said(
        &outcome,
        1,
        &["https://a.example/v2 is not asked any more", "failed to decode"],
    );
}

#[test]
fn versions_differ_by_their_facts() {
    let text = "mirrors: {docker.io: {endpoint: ['https://a.example'], rewrite: {'^(.*)': 'x/$1'}}}\n";
    let place = place(text, text);
    let args = [
        "registries",
        "diff",
        "old.yaml",
        "--image",
        "a/b:1",
        "--from-version",
        "v1.30.6",
        "--to-version",
        "v1.30.7+k3s1",
    ];
    let outcome = place.landfall(&args);
    said(
        &outcome,
        1,
        &[
            "now: tokens are asked for the rewritten repository",
            "token: for the image's own repository -> for the repository that is asked for",
        ],
    );
    let json = place.landfall(&[&args[..], &["--output", "json"]].concat());
    let facts = document(&json)["facts"].as_array().unwrap().clone();
    assert_eq!(facts.len(), 1, "{json}");
    assert_eq!(facts[0]["new"], true);
    // A change that does not touch this image is still told.
    let untouched = place.landfall(&[
        "registries",
        "diff",
        "old.yaml",
        "--image",
        "quay.io/a/b",
        "--from-version",
        "v1.30.6",
        "--to-version",
        "v1.30.7",
    ]);
    said(&untouched, 0, &["now: tokens", "nothing changes"]);
}

#[test]
fn both_consumers_can_be_compared() {
    let old = "mirrors: {docker.io: {endpoint: ['https://a.example']}}\n";
    let new = "mirrors: {docker.io: {endpoint: ['https://a.example']}}\nconfigs: {'*': {auth: {username: u, password: p}}}\n";
    let place = place(old, new);
    let containerd = place.landfall(&["registries", "diff", "old.yaml", "new.yaml", "--image", "nginx"]);
    said(&containerd, 0, &["nothing changes"]);
    let both = place.landfall(&[
        "registries",
        "diff",
        "old.yaml",
        "new.yaml",
        "--image",
        "nginx",
        "--consumer",
        "both",
    ]);
    said(&both, 1, &["by wharfie", "credential: user `u`"]);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let place = place("mirrors: [a]\n", "mirrors: {}\n");
    let diff = |args: &[&str]| place.landfall(&[&["registries", "diff"], args].concat());
    said(
        &diff(&["old.yaml", "new.yaml", "--image", "a"]),
        1,
        &["old.yaml:1:10"],
    );
    said(
        &diff(&["none.yaml", "new.yaml", "--image", "a"]),
        3,
        &["none.yaml"],
    );
    said(&diff(&["new.yaml", "--image", "a"]), 2, &["NEW"]);
    said(&diff(&["new.yaml", "new.yaml"]), 2, &["--list"]);
    let versions = [
        "new.yaml",
        "--image",
        "a",
        "--from-version",
        "x",
        "--to-version",
        "v1.29",
    ];
    said(&diff(&versions), 2, &["`x` is not a version"]);
}

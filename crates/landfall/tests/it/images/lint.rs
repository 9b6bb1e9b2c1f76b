//! What is odd about a list.

use super::{document, said};
use crate::place::Place;

#[test]
fn one_list_in_json_is_the_document_it_ever_was() {
    let place = Place::new();
    place.scratch.write("list.txt", "b:2\nrancher/a:1\nb:2\n");
    let made = place.landfall(&["images", "lint", "list.txt", "--output", "json"]);
    said(&made, 0, &[]);
    let document = document(&made);
    assert_eq!(document["images"], serde_json::json!(["b:2", "rancher/a:1"]));
    assert_eq!(
        document["references"],
        serde_json::json!(["docker.io/library/b:2", "docker.io/rancher/a:1"])
    );
    assert_eq!(document["errors"], 0);
    assert_eq!(document["notes"][0]["line"], 3);
    assert_eq!(document["notes"][0]["kind"], "duplicate");
    assert_eq!(document["notes"][0]["level"], "note");
    let two = place.landfall(&["images", "lint", "list.txt", "list.txt", "--output", "json"]);
    assert_eq!(super::document(&two)["lists"][1]["images"][0], "b:2");
}

#[test]
fn clashes_are_errors_and_missing_companions_warnings() {
    let place = Place::new();
    place.scratch.write(
        "list.txt",
        "quay.io/jetstack/cert-manager-controller:v1\nghcr.io/x/a:latest\nquay.io/x/a:latest\n",
    );
    let lint = |more: &[&str]| {
        let mut args = vec!["images", "lint", "list.txt"];
        args.extend(more);
        place.landfall(&args)
    };
    said(
        &lint(&[]),
        0,
        &[
            "list.txt:1: warning:",
            "cert-manager-acmesolver:v1",
            "list.txt:2: note: `ghcr.io/x/a:latest`",
            "3 images, 2 notes, 1 warning, 0 errors",
        ],
    );
    said(&lint(&["--strict"]), 1, &[]);
    said(&lint(&["-r", "reg.example:5000"]), 0, &[]);
    let mapped = [
        "-r",
        "reg.example:5000",
        "--map",
        "quay.io=m",
        "--map",
        "ghcr.io=m",
    ];
    said(
        &lint(&mapped),
        1,
        &["list.txt:3: error:", "would both become", "1 error"],
    );
    said(&lint(&["--map", "quay.io=m"]), 2, &["--registry"]);
    said(&lint(&["--from", "127.0.0.1:1"]), 2, &["--online"]);
}

#[test]
fn two_lists_for_two_systems() {
    let place = Place::new();
    place
        .scratch
        .write("linux.txt", "a:1\nwinonly:1.2\nrancher/wins:v0.4\n");
    place.scratch.write("windows.txt", "a:1\nwinonly:1\n");
    let made = place.landfall(&["images", "lint", "linux.txt", "--windows-list", "windows.txt"]);
    said(
        &made,
        0,
        &[
            "linux.txt:2: note: `winonly:1` of the Windows list begins `winonly:1.2`",
            "linux.txt:3: note: `rancher/wins:v0.4` is for Windows nodes; it belongs into the Windows list",
        ],
    );
}

#[test]
fn bad_lists() {
    let place = Place::new();
    place.scratch.write("empty.txt", "");
    said(
        &place.landfall(&["images", "lint", "empty.txt"]),
        1,
        &["empty.txt:1: error: no image in the list"],
    );
    place
        .scratch
        .write("columns.txt", "quay.io/a/b reg.example/c/b 1.2\n");
    said(
        &place.landfall(&["images", "lint", "columns.txt"]),
        0,
        &["columns.txt:1: note: three columns: `quay.io/a/b:1.2`"],
    );
    place.scratch.write("long.txt", "x".repeat(3 << 20));
    let long = place.landfall(&["images", "lint", "long.txt"]);
    said(&long, 1, &["long.txt:1: error: a line of 3145728 bytes"]);
    assert!(long.stdout.len() < 1000);
    let bad: String = (0..100).map(|number| format!("BAD{number}\n")).collect();
    place.scratch.write("many.txt", bad);
    said(
        &place.landfall(&["images", "compile", "many.txt"]),
        2,
        &["many.txt:20:", "and 80 more"],
    );
}

/// Every step over a long list has to take each image but once: what takes it once for each other one would not end.
#[test]
fn a_list_of_twenty_thousand_lines() {
    let place = Place::new();
    let line = |number: usize| {
        format!("quay.io/jetstack/cert-manager-controller:v{number}\nrancher/rancher:v2.{number}.0\n")
    };
    place
        .scratch
        .write("long.txt", (0..10_000).map(line).collect::<String>());
    let made = place.landfall(&[
        "images",
        "lint",
        "long.txt",
        "-r",
        "reg",
        "--map",
        "quay.io=",
        "--map",
        "docker.io=",
    ]);
    said(&made, 0, &["20000 images", "20000 warnings, 0 errors"]);
    let made = place.landfall(&["images", "compile", "long.txt", "--minus", "long.txt"]);
    said(&made, 0, &["no image is left"]);
}

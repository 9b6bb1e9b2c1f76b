//! Rancher's own files.

use landfall_testkit::FileServer;

use super::{document, said};
use crate::place::Place;

const LIST: &str = "rancher/fleet:v0.10.0\nrancher/rancher-agent:v2.9.0\nrancher/rancher:v2.9.0\nrancher/rke2-runtime:v1.30.2-rke2r1\n";
const SOURCES: &str = "rancher/fleet:v0.10.0 core,fleet:104.0.0\nrancher/rke2-runtime:v1.30.2-rke2r1 rke2All\nrancher/gone:1 core\n";
const ORIGINS: &str = "fleet https://github.com/rancher/fleet\n";

fn place() -> Place {
    let place = Place::new();
    place.scratch.write("rancher-images.txt", LIST);
    place.scratch.write("rancher-images-sources.txt", SOURCES);
    place.scratch.write("origins.txt", ORIGINS);
    place
}

#[test]
fn who_wants_an_image_and_what_it_is_built_from() {
    let made = place().landfall(&[
        "images",
        "rancher",
        "origins.txt",
        "rancher-images-sources.txt",
        "rancher-images.txt",
        "--version",
        "v2.9.0",
        "--explain",
        "rancher/fleet",
    ]);
    said(&made, 0, &["1 of its images are not in the list"]);
    assert_eq!(
        made.stdout,
        "rancher/fleet:v0.10.0\n\
         \x20 rancher v2.9.0 (rancher-images.txt:1)\n\
         \x20 rancher v2.9.0: built from https://github.com/rancher/fleet (origins.txt:1)\n\
         \x20 rancher v2.9.0: chart fleet 104.0.0 (rancher-images-sources.txt:1)\n\
         \x20 rancher v2.9.0: core (rancher-images-sources.txt:1)\n"
    );
}

#[test]
fn what_is_missing_is_told_and_added() {
    let place = place();
    let told = place.landfall(&["images", "rancher", "rancher-images.txt"]);
    said(
        &told,
        0,
        &[
            "rancher/fleet-agent:v0.10.0 is wanted by",
            "rancher/rke2-upgrade:v1.30.2-rke2r1",
            "(--add-missing adds it)",
            "auditLog.level",
        ],
    );
    assert_eq!(told.stdout, LIST);
    let added = place.landfall(&[
        "images",
        "rancher",
        "rancher-images.txt",
        "--add-missing",
        "--output",
        "json",
    ]);
    let document = document(&added);
    let names: Vec<_> = document["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| image["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 7);
    assert!(names.contains(&"rancher/system-agent-installer-rke2:v1.30.2-rke2r1"));
    let agent = &document["images"][0]["why"][0];
    assert_eq!(agent["source"], "known to be missing");
    assert!(!document["remarks"].to_string().contains("--add-missing"));
    // What is whole now has nothing missing.
    let whole = names.iter().map(|name| format!("{name}\n")).collect::<String>();
    place.scratch.write("whole.txt", whole);
    assert!(
        !place
            .landfall(&["images", "rancher", "whole.txt"])
            .stderr
            .contains("--add-missing")
    );
}

#[test]
fn a_release_is_fetched_with_all_its_files() {
    let place = place();
    let server = FileServer::with([
        ("/v2.9.0/rancher-images.txt", LIST.as_bytes().to_vec()),
        ("/v2.9.0/rancher-images-sources.txt", SOURCES.as_bytes().to_vec()),
        (
            "/v2.9.0/rancher-windows-images.txt",
            b"rancher/wins:v0.4.16\n".to_vec(),
        ),
    ]);
    let url = server.url();
    let made = place.landfall(&[
        "images",
        "rancher",
        "--version",
        "v2.9.0",
        "--release-url",
        &url,
        "--windows",
        "--output",
        "table",
    ]);
    said(
        &made,
        0,
        &[
            "rancher/wins:v0.4.16",
            "windows (rancher-windows-images.txt:1)",
            "rke2All",
        ],
    );
    let none = place.landfall(&["images", "rancher", "--version", "v9.9.9", "--release-url", &url]);
    said(
        &none,
        2,
        &[
            "/v9.9.9/rancher-images.txt is not there",
            "is v9.9.9 a release of Rancher?",
        ],
    );
    assert_eq!(
        server.asked().last().map(String::as_str),
        Some("/v9.9.9/rancher-images.txt")
    );
}

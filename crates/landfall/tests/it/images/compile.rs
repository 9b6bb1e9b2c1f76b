//! Lists put together, taken from one another, explained, written.

use landfall_testkit::FileServer;

use super::{document, said};
use crate::place::Place;

fn place() -> Place {
    let place = Place::new();
    place
        .scratch
        .write("one.txt", "rancher/b:1\nnginx\nquay.io/x/y:3");
    place
        .scratch
        .write("two.txt", "docker.io/library/nginx:latest\r\na:2\r\n");
    place
}

#[test]
fn one_list_from_several_sorted_each_image_once() {
    let place = place();
    let made = place.landfall(&["images", "compile", "one.txt", "two.txt"]);
    said(
        &made,
        0,
        &[
            "one.txt:3: note: no newline",
            "two.txt:1: note: Windows line ends",
        ],
    );
    assert_eq!(made.stdout, "a:2\nnginx\nquay.io/x/y:3\nrancher/b:1\n");
    let less = place.landfall(&["images", "compile", "one.txt", "two.txt", "--minus", "two.txt"]);
    assert_eq!(less.stdout, "quay.io/x/y:3\nrancher/b:1\n");
    let none = place.landfall(&["images", "compile", "one.txt", "--minus", "one.txt"]);
    said(&none, 0, &["no image is left"]);
    assert_eq!(none.stdout, "");
}

#[test]
fn reasons_outlive_the_way_through_a_file() {
    let place = place();
    said(
        &place.landfall(&[
            "images", "compile", "one.txt", "--output", "json", "-o", "one.json",
        ]),
        0,
        &["3 images in one.json"],
    );
    // Nothing lies beside it.
    assert_eq!(std::fs::read_dir(place.scratch.path()).unwrap().count(), 3);
    let both = place.landfall(&["images", "compile", "one.json", "two.txt", "--output", "json"]);
    let images = document(&both);
    let nginx = &images["images"][1];
    assert_eq!(nginx["name"], "nginx");
    assert_eq!(nginx["reference"], "docker.io/library/nginx:latest");
    assert_eq!(nginx["why"][0]["place"], "one.txt:2");
    assert_eq!(nginx["why"][1]["place"], "two.txt:1");
    // Remarks are told once, and stand in the document only.
    assert_eq!(both.stderr, "");
    assert!(
        images["remarks"]
            .as_array()
            .is_some_and(|remarks| remarks.len() >= 3),
        "{images}"
    );
    let csv = place.landfall(&["images", "compile", "one.json", "--output", "csv"]);
    assert!(csv.stdout.starts_with("image,reference,source,part,place,guess\r\nnginx,docker.io/library/nginx:latest,list one.txt,,one.txt:2,\r\n"), "{csv}");
    let table = place.landfall(&["images", "compile", "one.json", "--output", "table"]);
    said(&table, 0, &["WANTED BY", "list one.txt"]);
}

#[test]
fn one_image_is_explained_or_the_nearest_are_named() {
    let place = place();
    let explain =
        |name: &str| place.landfall(&["images", "compile", "one.txt", "two.txt", "--explain", name]);
    said(
        &explain("docker.io/nginx"),
        0,
        &["nginx\n  list one.txt (one.txt:2)\n  list two.txt (two.txt:1)\n"],
    );
    said(&explain("rancher/b"), 0, &["rancher/b:1\n"]);
    said(
        &explain("rancher/b:2"),
        1,
        &["nobody wants rancher/b:2; the nearest names: rancher/b:1"],
    );
    said(&explain("Bad:1"), 2, &["--explain Bad:1", "lower case"]);
}

#[test]
fn releases_among_the_sources() {
    let place = place();
    let server = FileServer::with([
        (
            "/k3s-io/k3s/v1.30.4%2Bk3s1/k3s-images.txt",
            b"docker.io/rancher/mirrored-pause:3.6\n".to_vec(),
        ),
        (
            "/rancher/rancher/v2.9.0/rancher-images.txt",
            b"rancher/mirrored-pause:3.6\nrancher/shell:v0.2.1\n".to_vec(),
        ),
    ]);
    let base = format!("{}/{{project}}", server.url());
    let made = place.landfall(&[
        "images",
        "compile",
        "one.txt",
        "k3s:v1.30.4-k3s1",
        "rancher:2.9.0",
        "--release-url",
        &base,
    ]);
    said(&made, 0, &["rancher-images-sources.txt"]);
    assert_eq!(
        made.stdout,
        "docker.io/rancher/k3s-upgrade:v1.30.4-k3s1\n\
         docker.io/rancher/mirrored-pause:3.6\n\
         docker.io/rancher/system-agent-installer-k3s:v1.30.4-k3s1\n\
         nginx\nquay.io/x/y:3\nrancher/b:1\nrancher/shell:v0.2.1\n"
    );
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    let place = place();
    place.scratch.write("empty.txt", "# nothing\n");
    place.scratch.write("bad.txt", "a:1\nnot an image\n");
    place.scratch.write("bad.json", r#"{"images": ["a:1", "B:1"]}"#);
    place.scratch.write("list.gz", b"\x1f\x8b\x08\x00\x00".as_slice());
    place.scratch.write("nul.txt", b"r\0a\0\n\0".as_slice());
    std::fs::create_dir(place.path("folder")).unwrap();
    for (spec, words) in [
        ("none.txt", ["none.txt", "cannot read"]),
        ("empty.txt", ["empty.txt", "no image in it"]),
        ("bad.txt", ["bad.txt:2", "3 words"]),
        ("bad.json", ["bad.json: images[1]", "lower case"]),
        ("list.gz", ["list.gz:1", "landfall load"]),
        ("nul.txt", ["nul.txt:1", "not text"]),
        ("folder", ["folder", "give the list in this folder"]),
        ("k3s:v1.30.4", ["k3s", "v1.30.4+k3s1"]),
        ("rancher:../x", ["`../x`", "v2.9.0"]),
    ] {
        said(&place.landfall(&["images", "compile", spec]), 2, &words);
    }
    said(&place.landfall(&["images", "compile"]), 2, &["<SPEC>"]);
    said(
        &place.landfall(&["images", "compile", "one.txt", "-o", "none/list.txt"]),
        3,
        &["none/list.txt"],
    );
}

//! `images manifests`.

use std::io::Write;
use std::process::Stdio;

use landfall_testkit::run;
use serde_json::Value;

use crate::place::Place;

fn pod(image: &str) -> String {
    format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n  containers:\n  - image: {image}\n")
}

#[test]
fn files_and_folders() {
    let place = Place::new();
    for (name, image) in [
        ("m/b.yaml", "b:1"),
        ("m/deep/c.YML", "c:1"),
        ("m/d.json", "d:1"),
        ("m/e.txt", "e:1"),
        ("f", "f:1"),
    ] {
        place.scratch.write(name, pod(image));
    }
    place.scratch.write("elsewhere/g.yaml", pod("g:1"));
    std::os::unix::fs::symlink(place.path("elsewhere"), place.path("m/link")).unwrap();
    std::os::unix::fs::symlink(place.path("elsewhere/g.yaml"), place.path("m/g.yaml")).unwrap();
    let list = place.landfall(&["images", "manifests", "m", "f"]).ok();
    assert_eq!(list, "b:1\nc:1\nd:1\nf:1\n");
    let told = place
        .landfall(&["images", "manifests", "m", "--explain", "c:1"])
        .ok();
    assert_eq!(
        told,
        "c:1\n  manifests: Pod p: spec.containers[0].image (m/deep/c.YML:6)\n"
    );
    place.scratch.write("empty/x.txt", "");
    for (folder, reason) in [
        ("empty", "no .yaml, .yml or .json"),
        ("nowhere", "cannot read nowhere"),
    ] {
        let outcome = place.landfall(&["images", "manifests", folder]);
        assert!(!outcome.is_ok() && outcome.stderr.contains(reason), "{outcome}");
    }
}

#[test]
fn standard_input_and_broken_documents() {
    let place = Place::new();
    let mut command = place.command(&["images", "manifests", "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let text = format!("{}---\nkind: [\n---\n{}", pod("a:1"), pod("b:1"));
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.stdout, b"a:1\nb:1\n", "{stderr}");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.starts_with("standard input:9:1: error: "), "{stderr}");
    // In JSON it is in the document.
    place.scratch.write("x.yaml", text);
    let outcome = run(&mut place.command(&["images", "manifests", "x.yaml", "--output", "json"]));
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let document: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(document["remarks"][0]["place"], "x.yaml:9:1", "{document:#}");
}

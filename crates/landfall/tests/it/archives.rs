//! `convert` and `export`, and archives where bundles are expected.

use landfall_testkit::{FakeRegistry, Workload};
use serde_json::{Value, json};

use crate::place::{Place, report, same_bytes};

fn saved(seed: u64) -> (Place, Workload) {
    let workload = Workload::small(seed);
    let place = Place::with_list(&workload);
    place
        .save(&FakeRegistry::with(&workload).address(), "bundle.tar", &[])
        .ok();
    (place, workload)
}

/// A docker-archive of one image with one layer; `text` is in the layer.
fn docker_archive(place: &Place, file: &str, tag: &str, text: &str) {
    let mut layer = landfall_oci::tar::encode("x", text.len() as u64);
    layer.extend(text.as_bytes());
    layer.resize(layer.len().next_multiple_of(512) + 1024, 0);
    let diff_id = landfall_hash::digest(landfall_oci::Algorithm::Sha256, &layer);
    let config =
        json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff_id]}});
    let list = json!([{"Config": "c.json", "RepoTags": [tag], "Layers": ["l/layer.tar"]}]);
    let mut bytes = Vec::new();
    for (name, content) in [
        ("l/layer.tar", layer),
        ("c.json", config.to_string().into_bytes()),
        ("manifest.json", list.to_string().into_bytes()),
    ] {
        bytes.extend(landfall_oci::tar::encode(name, content.len() as u64));
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    place.scratch.write(file, bytes);
}

#[test]
fn several_inputs_become_one_bundle() {
    let (place, _) = saved(70);
    docker_archive(&place, "docker.tar", "team/app:1", "one");
    place
        .landfall(&["convert", "bundle.tar", "docker.tar", "-o", "all.tar"])
        .ok();
    place.landfall(&["verify", "all.tar"]).ok();
    let before = place.landfall(&["list", "bundle.tar"]).ok();
    let after = place.landfall(&["list", "all.tar"]).ok();
    let mut names: Vec<_> = before.lines().chain(["team/app:1"]).collect();
    let mut found: Vec<_> = after.lines().collect();
    names.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, names);
    // A bundle alone comes out as it went in.
    place.landfall(&["convert", "bundle.tar", "-o", "same.tar"]).ok();
    assert!(same_bytes(&place.path("bundle.tar"), &place.path("same.tar")));
    // As a folder, and back.
    place.landfall(&["convert", "all.tar", "-o", "folder/"]).ok();
    place.landfall(&["verify", "folder"]).ok();
    let exists = place.landfall(&["convert", "all.tar", "-o", "same.tar"]);
    assert_eq!(exists.code(), Some(2), "{exists}");
    assert!(!place.path("same.tar.partial").exists());
}

#[test]
fn inputs_that_disagree() {
    let place = Place::new();
    docker_archive(&place, "one.tar", "team/app:1", "one");
    docker_archive(&place, "other.tar", "team/app:1", "other");
    let refused = place.landfall(&["convert", "one.tar", "other.tar", "-o", "all.tar"]);
    assert_eq!(refused.code(), Some(2), "{refused}");
    for words in ["team/app:1", "one.tar", "other.tar", "--first-wins"] {
        assert!(refused.stderr.contains(words), "{refused}");
    }
    assert!(!place.path("all.tar").exists());
    place
        .landfall(&["convert", "one.tar", "other.tar", "-o", "all.tar", "--first-wins"])
        .ok();
    place
        .landfall(&["convert", "one.tar", "-o", "one-alone.tar"])
        .ok();
    assert!(same_bytes(&place.path("all.tar"), &place.path("one-alone.tar")));
    place
        .landfall(&["convert", "one.tar", "one.tar", "-o", "twice.tar"])
        .ok();
    assert!(same_bytes(&place.path("twice.tar"), &place.path("one-alone.tar")));
}

#[test]
fn a_docker_archive_is_loaded_and_nothing_stays_in_the_spool() {
    let place = Place::new();
    docker_archive(&place, "docker.tar.gz", "team/app:1", "one");
    place.scratch.folder("spool");
    let target = FakeRegistry::empty();
    let load = [
        "load",
        "docker.tar.gz",
        "-r",
        &target.address(),
        "--spool",
        "spool",
        "--output",
        "json",
    ];
    let told = report(&place.landfall(&load));
    assert_eq!(told["report"]["blobs_moved"], 2);
    let again = report(&place.landfall(&load));
    assert_eq!(again["report"]["blobs_moved"], 0);
    assert_eq!(std::fs::read_dir(place.path("spool")).unwrap().count(), 0);
    let missing = place.landfall(&[
        "load",
        "docker.tar.gz",
        "-r",
        &target.address(),
        "--spool",
        "nowhere",
    ]);
    assert_eq!(missing.code(), Some(3), "{missing}");
    assert!(missing.stderr.contains("nowhere"), "{missing}");
}

#[test]
fn an_image_that_is_damaged_fails_alone() {
    let place = Place::new();
    docker_archive(&place, "docker.tar", "team/app:1", "one");
    let mut bytes = place.read("docker.tar");
    // In the layer's one file.
    bytes[1024] ^= 1;
    place.scratch.write("docker.tar", &bytes);
    let target = FakeRegistry::empty();
    for command in [
        &["load", "docker.tar", "-r", &target.address()][..],
        &["convert", "docker.tar", "-o", "out.tar"],
        &["verify", "docker.tar"],
    ] {
        let outcome = place.landfall(command);
        assert_eq!(outcome.code(), Some(4), "{outcome}");
        assert!(
            format!("{outcome}").contains("should have the digest"),
            "{outcome}"
        );
    }
    assert!(target.tags().is_empty() && !place.path("out.tar").exists());
}

#[test]
fn what_a_look_tells() {
    let place = Place::new();
    docker_archive(&place, "docker.tar", "team/app:1", "one");
    assert_eq!(place.landfall(&["list", "docker.tar"]).ok(), "team/app:1\n");
    let about: Value = serde_json::from_str(
        &place
            .landfall(&["inspect", "docker.tar", "--output", "json"])
            .ok(),
    )
    .unwrap();
    assert_eq!(about["images"][0]["platforms"][0], "linux/amd64");
    let whole: Value = serde_json::from_str(
        &place
            .landfall(&["inspect", "docker.tar", "--digests", "--output", "json"])
            .ok(),
    )
    .unwrap();
    assert!(
        whole["images"][0]["digest"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
}

#[test]
fn a_node_gets_its_folder() {
    let (place, _) = saved(71);
    let export = |more: &[&str]| {
        let mut args = vec!["export", "rke2", "bundle.tar", "-o", "node", "--allow-missing"];
        args.extend(more);
        place.landfall(&args)
    };
    export(&["--server", "registry.example:5000"]).ok();
    place
        .landfall(&["verify", "node/agent/images/rke2-images.linux-amd64.tar"])
        .ok();
    let registries = String::from_utf8(place.read("node/registries.yaml")).unwrap();
    assert!(
        registries.contains("https://registry.example:5000"),
        "{registries}"
    );
    place
        .landfall(&["registries", "check", "node/registries.yaml"])
        .ok();
    // A second time only when told so, and then the same.
    let first = place.read("node/agent/images/rke2-images.linux-amd64.tar");
    assert_eq!(export(&[]).code(), Some(2));
    export(&["--overwrite"]).ok();
    assert!(place.read("node/agent/images/rke2-images.linux-amd64.tar") == first);
}

//! The road: list, save, load, copy, pull, push, inspect, verify, on registries that behave.

use landfall_oci::{Digest, MediaType, Platform};
use landfall_testkit::fake_registry::Kind;
use landfall_testkit::workload::Family;
use landfall_testkit::{FakeRegistry, Workload};

use crate::place::{Place, failed, report, same_bytes};

#[test]
fn a_list_goes_all_the_way_and_nothing_moves_twice() {
    let workload = Workload::small(1);
    let upstream = FakeRegistry::with(&workload);
    let place = Place::with_list(&workload);
    place.save(&upstream.address(), "bundle.tar", &[]).ok();
    for digest in workload.blobs.keys() {
        assert_eq!(upstream.blob_fetches(digest).len(), 1, "{digest}");
    }
    place.landfall(&["verify", "bundle.tar"]).ok();
    let listed = place.landfall(&["list", "bundle.tar"]).ok();
    let mut names: Vec<_> = listed.lines().map(str::to_owned).collect();
    let mut wanted: Vec<_> = workload.list().lines().map(str::to_owned).collect();
    names.sort();
    wanted.sort();
    assert_eq!(names, wanted);
    let target = FakeRegistry::empty();
    place
        .landfall(&["load", "bundle.tar", "-r", &target.address()])
        .ok();
    target.assert_holds(&workload, ToString::to_string);
    // Once more: nothing but questions.
    target.clear_requests();
    place
        .landfall(&["load", "bundle.tar", "-r", &target.address()])
        .ok();
    let writes =
        target.count(Kind::UploadStart) + target.count(Kind::UploadEnd) + target.count(Kind::ManifestPut);
    assert_eq!(writes, 0);
}

#[test]
fn each_blob_is_uploaded_once_and_mounted_elsewhere() {
    let workload = Workload::small(2);
    let upstream = FakeRegistry::with(&workload);
    let place = Place::with_list(&workload);
    place.save(&upstream.address(), "bundle.tar", &[]).ok();
    let target = FakeRegistry::empty();
    let outcome = place.landfall(&[
        "load",
        "bundle.tar",
        "-r",
        &format!("{}/mirror", target.address()),
        "--output",
        "json",
    ]);
    let told = report(&outcome);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(told["report"]["blobs_moved"], workload.blobs.len());
    assert_eq!(target.count(Kind::UploadEnd), workload.blobs.len());
    target.assert_holds(&workload, |repository| format!("mirror/{repository}"));
}

#[test]
fn the_same_list_gives_the_same_bytes() {
    let workload = Workload::small(3);
    let place = Place::with_list(&workload);
    for out in ["one.tar", "two.tar"] {
        // Another registry process, another port: the same content.
        let upstream = FakeRegistry::with(&workload);
        place.save(&upstream.address(), out, &[]).ok();
    }
    assert!(same_bytes(&place.path("one.tar"), &place.path("two.tar")));
}

#[test]
fn copy_streams_from_registry_to_registry() {
    let workload = Workload::small(4);
    let (upstream, target) = (FakeRegistry::with(&workload), FakeRegistry::empty());
    let place = Place::with_list(&workload);
    let args = [
        "copy",
        "-l",
        "list.txt",
        "--from",
        &upstream.address(),
        "-r",
        &target.address(),
    ];
    place.landfall(&args).ok();
    target.assert_holds(&workload, ToString::to_string);
    for digest in workload.blobs.keys() {
        assert_eq!(upstream.blob_fetches(digest).len(), 1, "{digest}");
    }
}

#[test]
fn one_image_is_pulled_and_pushed_byte_for_byte() {
    let workload = Workload::small(5);
    let upstream = FakeRegistry::with(&workload);
    let place = Place::new();
    let image = workload
        .images
        .iter()
        .find(|image| workload.closure(image.root).len() > 1)
        .unwrap();
    let name = image.name_in(&upstream.address());
    for out in ["layout", "image.tar"] {
        place.landfall(&["pull", &name, "-o", out]).ok();
        let target = FakeRegistry::empty();
        let new_name = format!("{}/elsewhere/app:2", target.address());
        place.landfall(&["push", out, &new_name]).ok();
        assert_eq!(target.tags()["elsewhere/app:2"], image.root);
    }
}

#[test]
fn the_plan_alone_moves_nothing() {
    let workload = Workload::small(6);
    let upstream = FakeRegistry::with(&workload);
    let place = Place::with_list(&workload);
    let outcome = place.save(
        &upstream.address(),
        "bundle.tar",
        &["--dry-run", "--output", "json"],
    );
    let plan: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(plan["bytes"], workload.blob_bytes());
    assert_eq!(plan["blobs"], workload.blobs.len());
    assert_eq!(plan["images"].as_array().unwrap().len(), workload.images.len());
    assert!(plan["disk_needed"].as_u64().unwrap() > workload.blob_bytes());
    assert_eq!(upstream.count(Kind::Blob), 0);
    assert!(!place.exists("bundle.tar") && !place.exists("bundle.tar.partial"));
    let text = place.save(&upstream.address(), "bundle.tar", &["--dry-run"]).ok();
    assert!(text.contains("unique blobs"), "{text}");
}

#[test]
fn a_choice_of_platforms_keeps_the_index() {
    let workload = Workload::small(7);
    let upstream = FakeRegistry::with(&workload);
    let place = Place::with_list(&workload);
    place.save(&upstream.address(), "all.tar", &[]).ok();
    place
        .save(&upstream.address(), "some.tar", &["--platform", "linux/amd64"])
        .ok();
    assert!(place.read("some.tar").len() < place.read("all.tar").len());
    place.landfall(&["verify", "some.tar"]).ok();
    // A registry that refuses indexes with members missing gets smaller ones, and the report says so. (One that
    // takes them gets the originals: see serving.rs.)
    let strict = FakeRegistry::empty();
    let outcome = place.landfall(&["load", "some.tar", "-r", &strict.address(), "--output", "json"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let told = report(&outcome)["report"]["done"].to_string();
    assert!(told.contains("smaller one was pushed"), "{told}");
    let is_whole = |image: &&landfall_testkit::workload::Image| workload.closure(image.root).len() == 1;
    for image in workload.images.iter().filter(is_whole) {
        assert_eq!(strict.tags()[&image.name()], image.root);
    }
    // Once more: the smaller ones are recognised.
    strict.clear_requests();
    place
        .landfall(&["load", "some.tar", "-r", &strict.address()])
        .ok();
    assert_eq!(
        strict.count(Kind::UploadStart) + strict.count(Kind::ManifestPut),
        0
    );
}

#[test]
fn failures_make_a_list_for_the_next_run() {
    let workload = Workload::small(8);
    let upstream = FakeRegistry::with(&workload);
    let place = Place::new();
    place
        .scratch
        .write("list.txt", format!("{}rancher/gone:1\n", workload.list()));
    // A plan that cannot succeed ends before the first byte of a layer.
    let outcome = place.save(&upstream.address(), "bundle.tar", &["--output", "json"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(failed(&report(&outcome)), ["rancher/gone:1"]);
    assert_eq!(upstream.count(Kind::Blob), 0);
    assert!(!place.exists("bundle.tar"));
    let again = place
        .landfall(&["images", "lint", "bundle.tar.failed.txt", "--output", "json"])
        .ok();
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["images"], serde_json::json!(["rancher/gone:1"]));
    // Asked to, it goes without, and says so in the bundle.
    let outcome = place.save(&upstream.address(), "bundle.tar", &["--allow-missing"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let about = place.landfall(&["inspect", "bundle.tar"]).ok();
    assert!(about.contains("MISSING  rancher/gone:1"), "{about}");
    place.landfall(&["verify", "bundle.tar"]).ok();
}

#[test]
fn events_are_json_lines() {
    let workload = Workload::small(9);
    let upstream = FakeRegistry::with(&workload);
    let place = Place::with_list(&workload);
    let out = place
        .save(&upstream.address(), "bundle.tar", &["--output", "json"])
        .ok();
    let events: Vec<serde_json::Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "image-finished").count(),
        workload.images.len()
    );
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "blob-finished").count(),
        workload.blobs.len()
    );
    assert_eq!(kinds.last(), Some(&"report"));
}

/// An image whose base layer its registry need not hold, as Windows images have it.
fn with_foreign_layer(elsewhere: &FakeRegistry) -> (Workload, Digest) {
    let mut workload = Workload::new();
    let base = workload.add_file_layer(&[("base", 0o644, b"from elsewhere")]);
    let own = workload.add_file_layer(&[("own", 0o644, b"from here")]);
    let root = workload.add_image(Family::Docker, &Platform::new("windows", "amd64"), &[base, own]);
    let mut json: serde_json::Value =
        serde_json::from_slice(&workload.manifests[&root.digest].bytes).unwrap();
    let foreign: Digest = json["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
    json["layers"][0]["mediaType"] = MediaType::DOCKER_FOREIGN_LAYER.as_str().into();
    json["layers"][0]["urls"] = serde_json::json!([format!("{}/cdn/{foreign}", elsewhere.url())]);
    workload.manifests.clear();
    let root = workload.add_manifest(MediaType::DOCKER_MANIFEST, &json);
    workload.tag("rancher/windows:1", root.digest);
    let content = workload.blobs.remove(&foreign).unwrap();
    elsewhere.put_blob("any/thing", content);
    (workload, foreign)
}

#[test]
fn foreign_layers_stay_where_they_are_unless_they_are_asked_for() {
    let elsewhere = FakeRegistry::empty();
    let (workload, foreign) = with_foreign_layer(&elsewhere);
    let upstream = FakeRegistry::with(&workload);
    let place = Place::with_list(&workload);
    place.save(&upstream.address(), "without.tar", &[]).ok();
    place.landfall(&["verify", "without.tar"]).ok();
    assert_eq!(elsewhere.blob_fetches(&foreign).len(), 0);
    place
        .save(&upstream.address(), "with.tar", &["--include-foreign"])
        .ok();
    assert_eq!(elsewhere.blob_fetches(&foreign).len(), 1);
    let repository = "rancher/windows".parse().unwrap();
    for (bundle, is_carried) in [("without.tar", false), ("with.tar", true)] {
        let target = FakeRegistry::empty();
        place.landfall(&["load", bundle, "-r", &target.address()]).ok();
        // The manifest is the same in both: the layer is still called foreign and still has its urls.
        assert_eq!(target.tags()["rancher/windows:1"], workload.images[0].root);
        assert_eq!(
            target.blob(&repository, &foreign).is_some(),
            is_carried,
            "{bundle}"
        );
    }
}

#[test]
fn a_part_of_a_bundle_is_planned_and_loaded_as_that_part() {
    let workload = Workload::small(10);
    let place = Place::with_list(&workload);
    place
        .save(&FakeRegistry::with(&workload).address(), "bundle.tar", &[])
        .ok();
    let image = &workload.images[1];
    place.scratch.write("part.txt", image.name());
    let target = FakeRegistry::empty();
    let args = [
        "load",
        "bundle.tar",
        "-r",
        &target.address(),
        "-l",
        "part.txt",
        "--output",
        "json",
    ];
    let plan = place.landfall(&[&args[..], &["--dry-run"]].concat()).ok();
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let blobs = workload.blobs_of(image.root);
    let bytes: u64 = blobs.iter().map(|digest| workload.blobs[digest].len()).sum();
    assert_eq!(
        (&plan["bytes"], &plan["bytes_to_move"]),
        (&bytes.into(), &bytes.into())
    );
    assert_eq!(plan["blobs"], blobs.len());
    place.landfall(&args).ok();
    assert_eq!(target.tags().into_keys().collect::<Vec<_>>(), [image.name()]);
}

//! The ways in which publishers keep Windows images, each recognised and told.

use landfall_oci::{MediaType, Platform, Tag};
use landfall_testkit::workload::Family;
use landfall_testkit::{FakeRegistry, Outcome};

use super::{WINDOWS_1809, WINDOWS_2022, index, lists, load, platforms, save};
use crate::place::Place;
use crate::windows_world::{VERSIONS, World};

/// Saves and loads `a:1`, which both lists have.
#[track_caller]
fn through(world: &World, more: &[&str]) -> (FakeRegistry, Outcome, Place) {
    through_lists(world, "a:1", "a:1", more)
}

#[track_caller]
fn through_lists(world: &World, linux: &str, windows: &str, more: &[&str]) -> (FakeRegistry, Outcome, Place) {
    let place = Place::new();
    lists(&place, linux, windows);
    let outcome = save(&place, &world.registry(), more);
    let target = FakeRegistry::empty();
    if place.exists("bundle.tar") {
        load(&place, "bundle.tar", &target, &[]).ok();
    }
    (target, outcome, place)
}

#[track_caller]
fn complete(outcome: &Outcome, words: &[&str]) {
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    for word in words {
        assert!(outcome.stdout.contains(word), "`{word}` is not in\n{outcome}");
    }
}

#[test]
fn tags_that_name_the_architecture_too() {
    let mut world = World::new();
    world.add_linux("a:1");
    for (version, build) in VERSIONS {
        let image = world.windows("a:1", build);
        world
            .workload
            .tag(&format!("a:1-windows-{version}-amd64"), image.digest);
    }
    let (target, outcome, _) = through(&world, &[]);
    complete(
        &outcome,
        &[
            "by its tag windows-1809-amd64",
            "by its tag windows-ltsc2022-amd64",
        ],
    );
    assert_eq!(
        platforms(&target, "a:1"),
        [WINDOWS_1809, WINDOWS_2022, "linux/amd64"]
    );
    // Under the name that old clusters pull, and under the one that was found.
    let tags = target.tags();
    assert_eq!(tags["a:1-windows-1809"], tags["a:1-windows-1809-amd64"]);
}

#[test]
fn another_word_for_the_same_build() {
    let mut world = World::new();
    world.add_linux("a:1");
    world.add_windows("a:1");
    let (target, outcome, _) = through(&world, &["--windows-versions", "2022,ltsc2019"]);
    complete(
        &outcome,
        &["windows ltsc2019 (10.0.17763.5458), by its tag windows-1809"],
    );
    // In the order that was given.
    assert_eq!(
        platforms(&target, "a:1"),
        [WINDOWS_2022, WINDOWS_1809, "linux/amd64"]
    );
    assert_eq!(
        target.tags()["a:1-windows-ltsc2019"],
        target.tags()["a:1-windows-1809"]
    );
}

/// Upstream: such images are never mirrored right (rancher#39561, #41533), for it wants tags that do not exist.
#[test]
fn an_index_that_holds_everything_stays_byte_for_byte() {
    let mut world = World::new();
    let mut members = vec![world.linux("a:1", "amd64"), world.linux("a:1", "arm64")];
    members.extend(VERSIONS.map(|(_, build)| world.windows("a:1", build)));
    let whole = world.add_index(Family::Oci, "a:1", &members);
    for (linux, windows) in [("a:1", "a:1"), ("b:1", "a:1")] {
        world.add_linux("b:1");
        let (target, outcome, _) = through_lists(&world, linux, windows, &[]);
        complete(&outcome, &["holds every member already and stays as it is"]);
        let tags = target.tags();
        assert_eq!(tags["a:1"], whole.digest);
        assert_eq!(tags["a:1-windows-1809"], members[2].digest);
        assert_eq!(tags["a:1-windows-ltsc2022"], members[3].digest);
        assert_eq!(tags["a:1-linux-amd64"], members[0].digest);
    }
}

#[test]
fn an_index_is_extended_and_loses_nothing() {
    let mut world = World::new();
    let linux = world.linux("a:1", "amd64");
    let arm = world.linux("a:1", "arm64");
    let old = world.windows("a:1", VERSIONS[0].1);
    let note = world.workload.add_attestation(&linux);
    let members = [linux.clone(), arm, old, note.clone()];
    world.add_index(Family::Oci, "a:1", &members);
    let new = world.windows("newer", VERSIONS[1].1);
    world.workload.tag("a:1-windows-ltsc2022", new.digest);
    let (target, outcome, place) = through(&world, &["--index-format", "oci"]);
    complete(&outcome, &["of the index there", "linux/arm64, as before"]);
    let made = index(&target, "a:1").manifests;
    assert_eq!(made.len(), 5);
    let told: Vec<_> = made
        .iter()
        .map(|member| member.platform.as_ref().unwrap().to_string())
        .collect();
    assert_eq!(
        told,
        [
            WINDOWS_1809,
            WINDOWS_2022,
            "linux/amd64",
            "linux/arm64",
            "unknown/unknown"
        ]
    );
    assert_eq!(made[4].digest, note.digest);
    assert_eq!(made[4].companion_of(), Some(linux.digest));
    let stored = target.manifest(
        &"a".parse().unwrap(),
        &landfall_oci::Target::Tag("1".parse::<Tag>().unwrap()),
    );
    assert_eq!(stored.unwrap().media_type, MediaType::OCI_INDEX);
    place.landfall(&["verify", "bundle.tar"]).ok();
    // A choice of platforms is a choice here, too.
    let (target, ..) = through(&world, &["--platform", "linux/amd64"]);
    assert_eq!(
        platforms(&target, "a:1"),
        [WINDOWS_1809, WINDOWS_2022, "linux/amd64", "unknown/unknown"]
    );
}

#[test]
fn a_tag_of_its_own_goes_before_an_entry() {
    let mut world = World::new();
    let linux = world.linux("a:1", "amd64");
    let stale = world.windows("stale", "10.0.17763.1");
    world.add_index(Family::Docker, "a:1", &[linux, stale]);
    let members = world.add_windows("a:1");
    let (target, outcome, _) = through(&world, &[]);
    complete(&outcome, &["windows(10.0.17763.1)/amd64 of the index gave way"]);
    let made = index(&target, "a:1").manifests;
    assert_eq!(made.len(), 3);
    assert_eq!(made[0].digest, members[0].digest);
}

/// Upstream: `docker manifest create` says "is a manifest list" and the whole image fails.
#[test]
fn a_member_may_be_an_index_of_its_own() {
    let mut world = World::new();
    world.add_linux("a:1");
    for (version, build) in VERSIONS {
        let image = world.windows("a:1", build);
        let note = world.workload.add_attestation(&image);
        world.add_index(Family::Oci, &format!("a:1-windows-{version}"), &[image, note]);
    }
    let (target, outcome, _) = through(&world, &[]);
    complete(
        &outcome,
        &[
            "a:1-windows-1809 is itself an index",
            "docker manifest create refuses",
        ],
    );
    assert_eq!(
        platforms(&target, "a:1"),
        [WINDOWS_1809, WINDOWS_2022, "linux/amd64"]
    );
    assert!(
        index(&target, "a:1")
            .manifests
            .iter()
            .all(|member| !member.media_type.is_index())
    );
}

/// RKE2's list for Windows: `rancher/pause:3.6-windows-1809-amd64`, `rancher/rke2-runtime:…-windows-amd64`.
#[test]
fn a_name_that_is_a_windows_image_stays_what_it_is() {
    let mut world = World::new();
    world.add_linux("pause:3.6");
    let image = world.windows("pause:3.6", VERSIONS[0].1);
    world.workload.tag("pause:3.6-windows-1809-amd64", image.digest);
    let host = Platform::new("windows", "amd64");
    let runtime = world
        .workload
        .add_windows_image(Family::Docker, &host, None, "runs on any");
    world.workload.tag("runtime:v1-windows-amd64", runtime.digest);
    let windows = "pause:3.6-windows-1809-amd64 runtime:v1-windows-amd64";
    let (target, outcome, place) = through_lists(&world, "pause:3.6", windows, &[]);
    complete(
        &outcome,
        &["is itself an image for windows(10.0.17763.5458)/amd64"],
    );
    let tags = target.tags();
    assert_eq!(tags.len(), 3, "{tags:?}");
    assert_eq!(tags["pause:3.6-windows-1809-amd64"], image.digest);
    assert_eq!(tags["runtime:v1-windows-amd64"], runtime.digest);
    let docker = docker_list(&place);
    assert!(
        docker.contains("pause:3.6\"") && !docker.contains("windows"),
        "{docker}"
    );
}

fn docker_list(place: &Place) -> String {
    let mut tar = std::process::Command::new("tar");
    tar.args(["-xOf"])
        .arg(place.path("bundle.tar"))
        .arg("manifest.json");
    landfall_testkit::run(&mut tar).ok()
}

/// `docker load` ends at the first image that is not for its own system.
#[test]
fn docker_load_is_offered_linux_only_unless_there_is_nothing_else() {
    let mut world = World::new();
    world.add_linux("a:1");
    world.add_windows("a:1");
    let (_, outcome, place) = through(&world, &[]);
    complete(&outcome, &[]);
    let docker: serde_json::Value = serde_json::from_str(&docker_list(&place)).unwrap();
    assert_eq!(
        docker[0]["RepoTags"],
        serde_json::json!(["docker.io/library/a:1", "docker.io/library/a:1-linux-amd64"])
    );
    assert_eq!(docker.as_array().unwrap().len(), 1);
    place
        .scratch
        .write("only.txt", "a:1-windows-1809\na:1-windows-ltsc2022\n");
    place.scratch.write("list.txt", "a:1-windows-1809\n");
    place.save(&world.registry().address(), "windows.tar", &[]).ok();
}

#[test]
fn what_is_no_windows_image_is_no_member() {
    let mut world = World::new();
    let linux = world.add_linux("a:1");
    world.add_windows("a:1");
    world
        .workload
        .images
        .retain(|image| image.name() != "a:1-windows-1809");
    world.workload.tag("a:1-windows-1809", linux.digest);
    world.add_linux("b:1");
    let (target, outcome, _) = through_lists(&world, "a:1 b:1", "a:1", &[]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert!(
        outcome
            .stdout
            .contains("a:1-windows-1809 cannot be a member of a manifest list: it is a linux/amd64 image"),
        "{outcome}"
    );
    assert_eq!(target.tags().into_keys().collect::<Vec<_>>(), ["b:1"]);
}

#[test]
fn a_wrong_version_is_told() {
    let mut world = World::new();
    world.add_linux("a:1");
    let image = world.windows("a:1", VERSIONS[0].1);
    world.workload.tag("a:1-windows-ltsc2022", image.digest);
    let (_, outcome, _) = through(&world, &["--windows-versions", "ltsc2022"]);
    complete(
        &outcome,
        &["a:1-windows-ltsc2022 states os.version 10.0.17763.5458, which is not ltsc2022 (10.0.20348)"],
    );
}

#[test]
fn the_linux_image_may_stand_under_its_own_tag_only() {
    let mut world = World::new();
    let linux = world.add_linux("a:1-linux-amd64");
    world.add_windows("a:1");
    let (target, outcome, _) = through(&world, &[]);
    complete(&outcome, &["linux/amd64, by its tag linux-amd64"]);
    assert_eq!(target.tags()["a:1-linux-amd64"], linux.digest);
    assert_eq!(
        platforms(&target, "a:1"),
        [WINDOWS_1809, WINDOWS_2022, "linux/amd64"]
    );
}

#[test]
fn an_image_on_the_linux_list_without_one_for_linux_is_refused() {
    let mut world = World::new();
    world.add_windows("a:1");
    world.add_linux("b:1");
    let (target, outcome, _) = through_lists(&world, "a:1 b:1", "a:1", &[]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert!(outcome.stdout.contains("missing are linux/amd64"), "{outcome}");
    assert_eq!(target.tags().into_keys().collect::<Vec<_>>(), ["b:1"]);
}

#[test]
fn a_name_with_a_digest_cannot_get_members() {
    let mut world = World::new();
    let linux = world.add_linux("a:1");
    world.add_windows("a:1");
    world.add_linux("b:1");
    let pinned = format!("a@{}", linux.digest);
    let (target, outcome, _) = through_lists(&world, &format!("{pinned} b:1"), &pinned, &[]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(target.tags().into_keys().collect::<Vec<_>>(), ["b:1"]);
}

#[test]
fn flags_that_make_no_sense() {
    let place = Place::new();
    lists(&place, "a:1", "a:1");
    place.scratch.write("empty.txt", "");
    let save = ["save", "-l", "linux.txt", "-o", "x.tar"];
    for (more, words) in [
        (&["--windows-versions", "1809"][..], "--windows-list"),
        (&["--allow-missing-members"], "--windows-list"),
        (
            &["--windows-list", "windows.txt", "--windows-versions", "18/09"],
            "not a Windows version",
        ),
        (
            &["--windows-list", "windows.txt", "--windows-versions", "1809,,x"],
            "not a Windows version",
        ),
        (&["--windows-list", "nowhere.txt"], "nowhere.txt"),
        (&["--windows-list", "empty.txt"], "no image in it"),
        (
            &["--windows-list", "windows.txt", "--index-format", "rpm"],
            "docker",
        ),
        (
            &["--include-foreign", "--no-include-foreign"],
            "cannot be used with",
        ),
    ] {
        let outcome = place.landfall(&[&save[..], more].concat());
        assert_eq!(outcome.code(), Some(2), "{outcome}");
        assert!(outcome.stderr.contains(words), "{outcome}");
    }
}

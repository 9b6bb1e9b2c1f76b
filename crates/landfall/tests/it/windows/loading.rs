//! Lists made while loading, from what is in the bundle and what is in the registry already: the way of those who save
//! Windows and Linux images apart, as the scripts make them do.

use landfall_testkit::FakeRegistry;
use landfall_testkit::fake_registry::Kind;
use landfall_testkit::workload::Family;

use super::{WINDOWS_1809, WINDOWS_2022, lists, load, platforms};
use crate::place::{Place, failed, report};
use crate::windows_world::{BOTH, World};

/// `linux.tar` and `windows.tar`, saved apart; `a:1` is on both lists, `b:1` on the Linux one, `w:1` on the other.
fn apart() -> (World, Place) {
    let mut world = World::new();
    for name in ["a:1", "b:1"] {
        world.add_linux(name);
    }
    for name in ["a:1", "w:1"] {
        world.add_windows(name);
    }
    let place = Place::new();
    lists(&place, "a:1 b:1", "a:1 w:1");
    let upstream = world.registry();
    place.scratch.write("list.txt", "a:1\nb:1\n");
    place.save(&upstream.address(), "linux.tar", &[]).ok();
    let names = [
        "a:1-windows-1809",
        "a:1-windows-ltsc2022",
        "w:1-windows-1809",
        "w:1-windows-ltsc2022",
    ];
    place.scratch.write("list.txt", names.join("\n"));
    place.save(&upstream.address(), "windows.tar", &[]).ok();
    (world, place)
}

const WITH: [&str; 4] = ["--windows-list", "windows.txt", "--windows-versions", BOTH];

fn assert_whole(world: &World, target: &FakeRegistry) {
    assert_eq!(
        platforms(target, "a:1"),
        [WINDOWS_1809, WINDOWS_2022, "linux/amd64"]
    );
    assert_eq!(platforms(target, "w:1"), [WINDOWS_1809, WINDOWS_2022]);
    let tags = target.tags();
    assert_eq!(tags["b:1"], world.workload.image("b:1").root);
    assert_eq!(tags["a:1-linux-amd64"], world.workload.image("a:1").root);
    assert_eq!(tags.len(), 8, "{tags:?}");
}

/// Windows first, then Linux: the only order in which upstream's lists come out right.
#[test]
fn members_that_are_in_the_registry_already_are_found() {
    let (world, place) = apart();
    let target = FakeRegistry::empty();
    load(&place, "windows.tar", &target, &[]).ok();
    load(&place, "linux.tar", &target, &WITH).ok();
    assert_whole(&world, &target);
    // Once more: nothing but questions.
    target.clear_requests();
    load(&place, "linux.tar", &target, &WITH).ok();
    let writes =
        target.count(Kind::UploadStart) + target.count(Kind::UploadEnd) + target.count(Kind::ManifestPut);
    assert_eq!(writes, 0);
}

/// Upstream: the second `docker manifest create` has no Linux member to find, and the plain tag loses its Linux image.
#[test]
fn the_other_order_gives_the_same() {
    let (world, place) = apart();
    let (target, other) = (FakeRegistry::empty(), FakeRegistry::empty());
    load(&place, "linux.tar", &target, &[]).ok();
    load(&place, "windows.tar", &target, &WITH).ok();
    assert_whole(&world, &target);
    load(&place, "windows.tar", &other, &[]).ok();
    load(&place, "linux.tar", &other, &WITH).ok();
    assert_eq!(target.tags(), other.tags());
}

#[test]
fn a_list_in_the_registry_is_extended_version_by_version() {
    let (world, place) = apart();
    let target = FakeRegistry::empty();
    load(&place, "linux.tar", &target, &[]).ok();
    for version in ["1809", "ltsc2022"] {
        let with = ["--windows-list", "windows.txt", "--windows-versions", version];
        load(&place, "windows.tar", &target, &with).ok();
    }
    let mut members = platforms(&target, "a:1");
    members.sort();
    assert_eq!(members, ["linux/amd64", WINDOWS_1809, WINDOWS_2022]);
    assert_eq!(target.tags()["a:1-linux-amd64"], world.workload.image("a:1").root);
}

/// What somebody has pushed for another platform stays.
#[test]
fn platforms_of_others_stay_in_the_list() {
    let (mut world, place) = apart();
    let arm = world.linux("a:1", "arm64");
    let linux = world.workload.manifests[&world.workload.image("a:1").root].descriptor();
    let linux = landfall_oci::Descriptor {
        platform: Some("linux/amd64".parse().unwrap()),
        ..linux
    };
    let index = world.workload.add_index(Family::Docker, &[linux, arm]);
    world.workload.images.retain(|image| image.name() != "a:1");
    world.workload.tag("a:1", index.digest);
    let target = world.registry();
    load(&place, "windows.tar", &target, &WITH).ok();
    assert_eq!(
        platforms(&target, "a:1"),
        [WINDOWS_1809, WINDOWS_2022, "linux/amd64", "linux/arm64"]
    );
}

#[test]
fn a_missing_member_refuses_its_image_only() {
    let (world, place) = apart();
    let target = FakeRegistry::empty();
    let outcome = load(
        &place,
        "linux.tar",
        &target,
        &[&WITH[..], &["--output", "json"]].concat(),
    );
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(failed(&report(&outcome)), ["a:1", "w:1"]);
    assert_eq!(target.tags().into_keys().collect::<Vec<_>>(), ["b:1"]);
    let outcome = load(
        &place,
        "linux.tar",
        &target,
        &[&WITH[..], &["--allow-missing-members"]].concat(),
    );
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    // Nothing at all is known of w:1; a:1 is its Linux image, as without the flag.
    assert_eq!(target.tags()["a:1"], world.workload.image("a:1").root);
}

/// `-l` says which images are on the Linux list: one that the bundle does not hold is refused, whatever else there is.
#[test]
fn the_linux_list_is_taken_at_its_word() {
    let (_, place) = apart();
    let target = FakeRegistry::empty();
    let outcome = load(
        &place,
        "windows.tar",
        &target,
        &[&WITH[..], &["-l", "linux.txt", "--output", "json"]].concat(),
    );
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(failed(&report(&outcome)), ["a:1", "b:1"]);
    assert_eq!(platforms(&target, "w:1"), [WINDOWS_1809, WINDOWS_2022]);
    assert!(!target.tags().contains_key("a:1"));
}

/// One image of a copy failed and is copied again by the list of failures: the others' lists stay whole.
#[test]
fn a_copy_of_the_failed_list_loses_no_linux_member() {
    let (world, place) = apart();
    let (upstream, target) = (world.registry(), FakeRegistry::empty());
    let (from, to) = (upstream.address(), target.address());
    let copy = |list: &str| {
        let args = [
            "copy",
            "-l",
            list,
            "--from",
            &from,
            "-r",
            &to,
            "--windows-list",
            "windows.txt",
            "--windows-versions",
            BOTH,
        ];
        place.landfall(&args).ok()
    };
    copy("linux.txt");
    assert_whole(&world, &target);
    let before = target.tags();
    place.scratch.write("failed.txt", "b:1\n");
    copy("failed.txt");
    assert_eq!(target.tags(), before);
}

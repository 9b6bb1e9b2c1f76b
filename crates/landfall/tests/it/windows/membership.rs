//! Which images get members: acceptance cases 4, 5, 10 and 12.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use landfall_oci::Reference;
use landfall_testkit::FakeRegistry;
use serde_json::Value;

use super::{WINDOWS_1809, WINDOWS_2022, index, lists, load, platforms, save};
use crate::place::{Place, failed, report, same_bytes};
use crate::windows_world::{BOTH, World};

/// Case 4: X and W, and what is published for them.
fn case_4() -> (World, Place) {
    let mut world = World::new();
    for name in ["a:1", "a:1-rc", "winonly:1.2", "b:2"] {
        world.add_linux(name);
    }
    for name in ["a:1", "quay:3", "winonly:1", "b:2"] {
        world.add_windows(name);
    }
    let place = Place::new();
    lists(&place, "a:1 a:1-rc winonly:1.2 b:2", "a:1 quay:3 winonly:1 b:2");
    (world, place)
}

fn expected_tags() -> BTreeSet<String> {
    let mut tags = BTreeSet::new();
    for name in ["a:1", "b:2", "quay:3", "winonly:1"] {
        for suffix in ["", "-windows-1809", "-windows-ltsc2022"] {
            tags.insert(format!("{name}{suffix}"));
        }
    }
    tags.extend(["a:1-linux-amd64", "b:2-linux-amd64", "a:1-rc", "winonly:1.2"].map(str::to_owned));
    tags
}

fn assert_case_4(world: &World, target: &FakeRegistry) {
    let tags = target.tags();
    assert_eq!(tags.keys().cloned().collect::<BTreeSet<_>>(), expected_tags());
    for name in ["a:1", "b:2"] {
        assert_eq!(
            platforms(target, name),
            [WINDOWS_1809, WINDOWS_2022, "linux/amd64"]
        );
    }
    for name in ["quay:3", "winonly:1"] {
        assert_eq!(platforms(target, name), [WINDOWS_1809, WINDOWS_2022]);
    }
    for name in ["a:1-rc", "winonly:1.2"] {
        assert_eq!(tags[name], world.workload.image(name).root);
    }
    // The members keep their digests, under the list and under their own names.
    for name in ["a:1", "quay:3", "winonly:1", "b:2"] {
        let members = index(target, name).manifests;
        for (version, member) in ["1809", "ltsc2022"].iter().zip(&members) {
            let own = format!("{name}-windows-{version}");
            assert_eq!(member.digest, world.workload.image(&own).root);
            assert_eq!(tags[&own], member.digest);
            assert_eq!(member.platform.as_ref().unwrap().os_features, ["win32k"]);
            assert!(member.annotations.is_empty() && member.extra.is_empty());
        }
    }
    assert_eq!(tags["a:1-linux-amd64"], world.workload.image("a:1").root);
}

/// Upstream: `winonly:1` never gets its list, because it is "in" `winonly:1.2`; it needs two machines and three runs.
#[test]
fn both_lists_in_one_pass_by_a_bundle_and_by_a_copy() {
    let (world, place) = case_4();
    let upstream = world.registry();
    save(&place, &upstream, &[]).ok();
    place.landfall(&["verify", "bundle.tar"]).ok();
    let target = FakeRegistry::empty();
    load(&place, "bundle.tar", &target, &[]).ok();
    assert_case_4(&world, &target);

    let copied = FakeRegistry::empty();
    let (from, to) = (upstream.address(), copied.address());
    let copy = [
        "copy",
        "-l",
        "linux.txt",
        "--from",
        &from,
        "-r",
        &to,
        "--windows-list",
        "windows.txt",
        "--windows-versions",
        BOTH,
        "--output",
        "json",
    ];
    place.landfall(&copy).ok();
    assert_case_4(&world, &copied);
    assert_eq!(copied.tags(), target.tags());
    let again = place.landfall(&copy);
    assert_eq!(report(&again)["report"]["bytes_moved"], 0, "{again}");
    assert_eq!(copied.tags(), target.tags());

    fs::rename(place.path("bundle.tar"), place.path("first.tar")).unwrap();
    save(&place, &world.registry(), &[]).ok();
    assert!(same_bytes(&place.path("bundle.tar"), &place.path("first.tar")));
}

/// The plan says which member is from where, and what a list is made of.
#[test]
fn the_plan_tells_where_members_are_from() {
    let (world, place) = case_4();
    let told = save(&place, &world.registry(), &["--dry-run"]).ok();
    assert!(
        told.contains("note: a:1: assembled: windows 1809 (10.0.17763.5458), by its tag windows-1809;"),
        "{told}"
    );
    assert!(told.contains("linux/amd64, by its own name"), "{told}");
    assert!(!place.exists("bundle.tar"));
}

/// Case 5. Upstream: `docker manifest create` fails, nobody is told, and the exit code is 0.
#[test]
fn a_missing_member_refuses_its_image_only() {
    let (mut world, place) = case_4();
    world
        .workload
        .images
        .retain(|image| image.name() != "a:1-windows-ltsc2022");
    let upstream = world.registry();
    let outcome = save(&place, &upstream, &["--output", "json"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(failed(&report(&outcome)), ["a:1"]);
    let list = String::from_utf8(place.read("bundle.tar.failed.txt")).unwrap();
    assert!(
        list.lines().any(|line| line == "a:1") && list.contains("a:1-windows-ltsc2022"),
        "{list}"
    );
    let target = FakeRegistry::empty();
    load(&place, "bundle.tar", &target, &[]).ok();
    let others: BTreeSet<_> = expected_tags()
        .into_iter()
        .filter(|tag| !tag.starts_with("a:1") || tag == "a:1-rc")
        .collect();
    assert_eq!(target.tags().into_keys().collect::<BTreeSet<_>>(), others);

    let copied = FakeRegistry::empty();
    let (from, to) = (upstream.address(), copied.address());
    let outcome = place.landfall(&[
        "copy",
        "-l",
        "linux.txt",
        "--from",
        &from,
        "-r",
        &to,
        "--windows-list",
        "windows.txt",
        "--windows-versions",
        BOTH,
    ]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(copied.tags(), target.tags());

    let outcome = save(&place, &upstream, &["--overwrite", "--allow-missing-members"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert!(
        outcome.stdout.contains("WITHOUT ltsc2022 (10.0.20348)"),
        "{outcome}"
    );
    let target = FakeRegistry::empty();
    load(&place, "bundle.tar", &target, &[]).ok();
    assert_eq!(platforms(&target, "a:1"), [WINDOWS_1809, "linux/amd64"]);
}

/// An image that is not there at all still holds up the bundle, as without Windows.
#[test]
fn an_image_that_is_not_there_is_no_missing_member() {
    let (mut world, place) = case_4();
    world.workload.images.retain(|image| image.name() != "a:1-rc");
    let outcome = save(&place, &world.registry(), &["--output", "json"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(failed(&report(&outcome)), ["a:1-rc"]);
    assert!(!place.exists("bundle.tar"));
}

/// Names of which one begins with the other, from a list.
fn prefix_pairs(list: &str) -> Vec<(String, String)> {
    let names: Vec<_> = list.lines().filter(|line| !line.is_empty()).collect();
    let mut pairs = Vec::new();
    for short in &names {
        let longer = names
            .iter()
            .filter(|long| long != &short && long.starts_with(short));
        pairs.extend(longer.map(|long| ((*short).to_owned(), (*long).to_owned())));
    }
    pairs
}

/// Case 12, on the real list where it is at hand, else on pairs of the same shapes.
#[test]
fn names_that_begin_alike_do_not_touch() {
    let shared =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/lists/movers_rancher-v2.13.2_568.txt");
    let list = fs::read_to_string(&shared).unwrap_or_else(|_| {
        "rancher/a:1\nrancher/a:1-rc\nrancher/a:1.2\nrancher/b:2.9.1\nrancher/b:2.9.10\nrancher/c:1\n"
            .to_owned()
    });
    let pairs = prefix_pairs(&list);
    if shared.exists() {
        assert_eq!(pairs.len(), 39);
    }
    let of =
        |pick: fn(&(String, String)) -> &String| pairs.iter().map(pick).cloned().collect::<BTreeSet<_>>();
    for windows in [of(|(short, _)| short), of(|(_, long)| long)] {
        let mut world = World::new();
        let linux = world.linux("any", "amd64");
        let members = crate::windows_world::VERSIONS.map(|(_, build)| world.windows("any", build));
        for name in list.lines().filter(|line| !line.is_empty()) {
            world.workload.tag(name, linux.digest);
        }
        for name in &windows {
            for ((version, _), member) in crate::windows_world::VERSIONS.iter().zip(&members) {
                world
                    .workload
                    .tag(&format!("{name}-windows-{version}"), member.digest);
            }
        }
        let place = Place::new();
        place.scratch.write("linux.txt", &list);
        let lines: String = windows.iter().map(|name| format!("{name}\n")).collect();
        place.scratch.write("windows.txt", lines);
        let outcome = save(&place, &world.registry(), &["--dry-run", "--output", "json"]);
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        let plan: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let planned: BTreeMap<_, _> = plan["images"]
            .as_array()
            .unwrap()
            .iter()
            .map(|image| {
                (
                    image["reference"].as_str().unwrap(),
                    image["digest"].as_str().unwrap(),
                )
            })
            .collect();
        for name in list.lines().filter(|line| !line.is_empty()) {
            let reference: Reference = name.parse().unwrap();
            let is_plain = planned[reference.to_string().as_str()] == linux.digest.to_string();
            assert_eq!(is_plain, !windows.contains(name), "{name}");
            let own = format!("{reference}-linux-amd64");
            let is_listed = list.lines().any(|line| line == format!("{name}-linux-amd64"));
            assert_eq!(
                planned.contains_key(own.as_str()),
                windows.contains(name) || is_listed,
                "{name}"
            );
        }
    }
}

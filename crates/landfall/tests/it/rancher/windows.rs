//! Windows through the drop-ins: one archive, one run, from Linux.

use landfall_oci::{Digest, Repository, Target};
use landfall_testkit::FakeRegistry;
use serde_json::{Value, json};

use super::{load, save, tags};
use crate::place::Place;
use crate::windows_world::{BOTH, World};

const LISTS: [&str; 4] = ["--windows-image-list", "w.txt", "--windows-versions", BOTH];

/// The lists of case 4 and what is published for them, saved in one archive.
fn saved(without: &str) -> (Place, FakeRegistry) {
    let mut world = World::new();
    for name in ["a:1", "a:1-rc", "winonly:1.2", "b:2"] {
        world.add_linux(name);
    }
    for name in ["a:1", "quay:3", "winonly:1", "b:2"] {
        world.add_windows(name);
    }
    world.workload.images.retain(|image| image.name() != without);
    let source = world.registry();
    let place = Place::new();
    place
        .scratch
        .write("rancher-images.txt", "a:1\na:1-rc\nwinonly:1.2\nb:2");
    place.scratch.write("w.txt", "a:1\nquay:3\nwinonly:1\nb:2");
    let address = source.address();
    let args = [&["-s", &address, "--allow-missing-members"], LISTS.as_slice()].concat();
    save(&place, &args).ok();
    (place, source)
}

/// Case 4: upstream has no list for `winonly:1`.
#[test]
fn lists_are_made_from_one_archive() {
    let (place, _source) = saved("");
    let target = FakeRegistry::empty();
    let outcome = load(&place, &target, &LISTS);
    let prepared: Vec<_> = outcome
        .stdout
        .lines()
        .filter(|line| line.starts_with("Preparing"))
        .collect();
    let line = |name: &str, members: &str| {
        format!(
            "Preparing manifest {}/rancher/{name}, list[{members}]",
            target.address()
        )
    };
    let (alone, both) = (
        "windows-1809 windows-ltsc2022",
        "windows-1809 windows-ltsc2022 linux-amd64",
    );
    let expected = [
        line("quay:3", alone),
        line("winonly:1", alone),
        line("a:1", both),
        line("b:2", both),
    ];
    assert_eq!(prepared, expected);
    outcome.ok();
    let mut expected = vec!["a:1-rc".to_owned(), "winonly:1.2".to_owned()];
    for name in ["a:1", "b:2", "quay:3", "winonly:1"] {
        expected.extend(["", "-windows-1809", "-windows-ltsc2022"].map(|suffix| format!("{name}{suffix}")));
    }
    expected.extend(["a:1-linux-amd64".to_owned(), "b:2-linux-amd64".to_owned()]);
    let mut expected: Vec<_> = expected.iter().map(|name| format!("rancher/{name}")).collect();
    expected.sort();
    assert_eq!(tags(&target), expected);
}

/// Case 5: upstream's list of this image fails in silence.
#[test]
fn a_missing_member_refuses_its_image_alone() {
    let (place, _source) = saved("b:2-windows-ltsc2022");
    let target = FakeRegistry::empty();
    let outcome = load(&place, &target, &LISTS);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert!(outcome.stdout.contains("FAILED  b:2"), "{outcome}");
    let there = tags(&target);
    assert!(
        there.contains(&"rancher/a:1".to_owned()) && there.contains(&"rancher/quay:3".to_owned()),
        "{there:?}"
    );
    assert!(
        !there.iter().any(|name| name.starts_with("rancher/b:2")),
        "{there:?}"
    );
    let listed = String::from_utf8(place.read("rancher-images.tar.gz.failed.txt")).unwrap();
    assert!(listed.lines().any(|line| line == "b:2"), "{listed}");
    load(
        &place,
        &target,
        &[LISTS.as_slice(), &["--allow-missing-members"]].concat(),
    )
    .ok();
    assert!(tags(&target).contains(&"rancher/b:2".to_owned()));
}

/// The way of seed documents: Windows machines first, each with the PowerShell scripts, then Linux.
#[test]
fn the_powershell_scripts_then_the_shell_script() {
    let (place, source) = saved("");
    let target = FakeRegistry::empty();
    place.scratch.write("rancher-windows-images.txt", "a:1\nquay:3\n");
    for release in ["1809", "ltsc2022"] {
        let outcome = save(&place, &["-s", &source.address(), "-o", release]);
        assert!(
            outcome
                .stdout
                .contains(&format!("Pulling {}/a:1-windows-{release}\n", source.address())),
            "{outcome}"
        );
        outcome.ok();
        let outcome = load(&place, &target, &["-o", release]);
        let tagging = format!("Tagging {}/rancher/a:1-windows-{release}\n", target.address());
        assert!(outcome.stdout.contains(&tagging), "{outcome}");
        outcome.ok();
    }
    assert_eq!(tags(&target).len(), 4);
    place.scratch.write("rancher-images.txt", "a:1\n");
    place.scratch.write("w.txt", "a:1\nquay:3\n");
    save(&place, &["-s", &source.address()]).ok();
    load(&place, &target, &LISTS).ok();
    let there = tags(&target);
    for name in ["rancher/a:1", "rancher/a:1-linux-amd64", "rancher/quay:3"] {
        assert!(there.contains(&name.to_owned()), "{there:?}");
    }
}

/// Case 10: each member as its config states itself, in order; the members are those that were published.
#[test]
fn lists_say_what_the_configs_say() {
    let (place, source) = saved("");
    let target = FakeRegistry::empty();
    load(&place, &target, &LISTS).ok();
    let read = |digest: Digest, name: &Repository| -> Value {
        let manifest = target.manifest(name, &Target::Digest(digest)).unwrap();
        serde_json::from_slice(&manifest.bytes).unwrap()
    };
    for (name, members) in [
        ("a:1", &["windows-1809", "windows-ltsc2022", "linux-amd64"][..]),
        ("quay:3", &["windows-1809", "windows-ltsc2022"]),
    ] {
        let repository: Repository = format!("rancher/{}", &name[..name.len() - 2]).parse().unwrap();
        let list = target.tags()[&format!("rancher/{name}")];
        let stored = target.manifest(&repository, &Target::Digest(list)).unwrap();
        assert_eq!(stored.media_type, landfall_oci::MediaType::DOCKER_LIST);
        let expected: Vec<_> = members
            .iter()
            .map(|member| {
                let published = match *member {
                    "linux-amd64" => source.tags()[name],
                    member => source.tags()[&format!("{name}-{member}")],
                };
                assert_eq!(target.tags()[&format!("rancher/{name}-{member}")], published);
                let manifest = read(published, &repository);
                let config: Digest = manifest["config"]["digest"].as_str().unwrap().parse().unwrap();
                let config = target.blob(&repository, &config).unwrap().bytes();
                let config: Value = serde_json::from_slice(&config).unwrap();
                let fields = ["architecture", "os", "os.version", "os.features", "variant"];
                let stated = fields.into_iter().filter(|field| !config[field].is_null());
                let platform: serde_json::Map<_, _> = stated
                    .map(|field| (field.to_owned(), config[field].clone()))
                    .collect();
                let bytes = target
                    .manifest(&repository, &Target::Digest(published))
                    .unwrap()
                    .bytes;
                json!({
                    "mediaType": manifest["mediaType"], "size": bytes.len(),
                    "digest": published, "platform": platform,
                })
            })
            .collect();
        let list: Value = serde_json::from_slice(&stored.bytes).unwrap();
        let list_type = "application/vnd.docker.distribution.manifest.list.v2+json";
        let whole = json!({"schemaVersion": 2, "mediaType": list_type, "manifests": expected});
        assert_eq!(list, whole, "{name}");
        assert_eq!(list["manifests"][0]["platform"]["os.version"], "10.0.17763.5458");
        assert_eq!(list["manifests"][0]["platform"]["os.features"], json!(["win32k"]));
    }
}

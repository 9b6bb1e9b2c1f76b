//! Base layers that are to be fetched from their publisher: carried, checked, and fetched without anybody's credentials.

use landfall_testkit::fake_registry::{Auth, Fault, Kind, Rule};
use landfall_testkit::{FakeRegistry, run};

use super::{WINDOWS_1809, WINDOWS_2022, lists, load, platforms, save};
use crate::place::{Place, failed, report};
use crate::windows_world::World;

/// `a:1` for both systems, its Windows base layers at `elsewhere` only, and a place with its lists.
fn published(elsewhere: &FakeRegistry) -> (World, Place) {
    let mut world = World::with_bases_at(&elsewhere.url());
    world.add_linux("a:1");
    world.add_linux("b:1");
    world.add_windows("a:1");
    for (_, content) in world.bases() {
        elsewhere.put_blob("any/thing", content.clone());
    }
    let place = Place::new();
    lists(&place, "a:1 b:1", "a:1");
    (world, place)
}

#[test]
fn they_are_carried_by_default_and_every_descriptor_stays() {
    let elsewhere = FakeRegistry::empty();
    let (world, place) = published(&elsewhere);
    save(&place, &world.registry(), &[]).ok();
    let target = FakeRegistry::empty();
    load(&place, "bundle.tar", &target, &[]).ok();
    assert_eq!(
        platforms(&target, "a:1"),
        [WINDOWS_1809, WINDOWS_2022, "linux/amd64"]
    );
    for (layer, _) in world.bases() {
        assert_eq!(elsewhere.blob_fetches(&layer.digest()).len(), 1);
        assert!(target.blob(&"a".parse().unwrap(), &layer.digest()).is_some());
    }
    for version in ["1809", "ltsc2022"] {
        let name = format!("a:1-windows-{version}");
        assert_eq!(target.tags()[&name], world.workload.image(&name).root);
    }
    // And streamed, too.
    let copied = FakeRegistry::empty();
    let upstream = world.registry();
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
        "1809,ltsc2022",
    ];
    place.landfall(&copy).ok();
    assert_eq!(copied.tags(), target.tags());
    for (layer, _) in world.bases() {
        assert!(copied.blob(&"a".parse().unwrap(), &layer.digest()).is_some());
    }
}

#[test]
fn they_stay_where_they_are_when_told_so() {
    let elsewhere = FakeRegistry::empty();
    let (world, place) = published(&elsewhere);
    save(&place, &world.registry(), &["--no-include-foreign"]).ok();
    place.landfall(&["verify", "bundle.tar"]).ok();
    let target = FakeRegistry::empty();
    load(&place, "bundle.tar", &target, &[]).ok();
    for (layer, _) in world.bases() {
        assert_eq!(elsewhere.blob_fetches(&layer.digest()).len(), 0);
        assert!(target.blob(&"a".parse().unwrap(), &layer.digest()).is_none());
    }
    assert_eq!(
        target.tags()["a:1-windows-1809"],
        world.workload.image("a:1-windows-1809").root
    );
}

/// The registry's password is the registry's: the host of a url sees none, even when it asks.
#[test]
fn no_credential_goes_to_a_url() {
    let elsewhere = FakeRegistry::empty();
    let (world, place) = published(&elsewhere);
    let upstream = FakeRegistry::builder()
        .workload(&world.workload)
        .auth(Auth::basic("admin", "s3cret"))
        .start();
    elsewhere.rule(Rule::on(Kind::Blob, Fault::status(401, "UNAUTHORIZED")).times(1));
    let from = upstream.address();
    let mut command = place.command(&[
        "save",
        "-l",
        "linux.txt",
        "-o",
        "bundle.tar",
        "--from",
        &from,
        "--windows-list",
        "windows.txt",
        "--windows-versions",
        "1809,ltsc2022",
        "--attempts",
        "1",
    ]);
    command
        .env("LANDFALL_USERNAME", "admin")
        .env("LANDFALL_PASSWORD", "s3cret");
    let outcome = run(&mut command);
    assert!(upstream.requests().iter().any(|request| request.is_authorized()));
    assert!(elsewhere.count(Kind::Blob) > 0, "{outcome}");
    assert!(
        elsewhere
            .requests()
            .iter()
            .all(|request| !request.is_authorized())
    );
    assert!(!format!("{outcome}").contains("s3cret"));
}

#[test]
fn wrong_bytes_and_dead_urls_fail_their_image() {
    let elsewhere = FakeRegistry::empty();
    let (world, place) = published(&elsewhere);
    let (first, _) = world.bases().next().unwrap();
    let lie = vec![b'x'; usize::try_from(first.layer.size).unwrap()];
    let ending = first.digest().to_string();
    for (fault, words) in [
        (
            Fault::Replace {
                content_type: "application/octet-stream",
                body: lie.into(),
            },
            "wrong bytes",
        ),
        (
            Fault::Replace {
                content_type: "application/octet-stream",
                body: vec![b'x'; 100_000].into(),
            },
            "100000",
        ),
        (Fault::status(404, "BLOB_UNKNOWN"), "not"),
    ] {
        elsewhere.clear_rules();
        elsewhere.rule(Rule::on(Kind::Blob, fault).path(ending.clone()));
        let more = [
            "--allow-missing",
            "--overwrite",
            "--attempts",
            "1",
            "--output",
            "json",
        ];
        let outcome = save(&place, &world.registry(), &more);
        assert_eq!(outcome.code(), Some(1), "{outcome}");
        let told = report(&outcome);
        assert_eq!(failed(&told), ["a:1", "a:1-windows-1809"], "{outcome}");
        let reasons = told["report"]["failed"].to_string();
        assert!(reasons.contains(words), "{reasons}");
        let target = FakeRegistry::empty();
        load(&place, "bundle.tar", &target, &[]).ok();
        assert!(!target.tags().contains_key("a:1"));
    }
}

#[test]
fn urls_that_are_no_web_addresses_are_not_followed() {
    for url in [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "gopher://x",
        "//x/y",
        "",
        "data:,x",
    ] {
        let mut world = World::with_bases_at(url);
        world.add_linux("b:1");
        world.add_windows("w:1");
        let place = Place::new();
        lists(&place, "b:1", "w:1");
        let outcome = save(
            &place,
            &world.registry(),
            &["--allow-missing", "--output", "json", "--attempts", "1"],
        );
        assert_eq!(outcome.code(), Some(1), "{url}: {outcome}");
        assert_eq!(
            failed(&report(&outcome)),
            ["w:1", "w:1-windows-1809", "w:1-windows-ltsc2022"]
        );
    }
}

/// docker-registry answers 500 to a manifest with urls unless it was configured for them; what helps is said.
#[test]
fn a_registry_that_refuses_urls_is_explained() {
    let elsewhere = FakeRegistry::empty();
    let (world, place) = published(&elsewhere);
    save(&place, &world.registry(), &[]).ok();
    let target = FakeRegistry::empty();
    let of_windows =
        |request: &landfall_testkit::fake_registry::Request| request.path.contains("/a/manifests/");
    target.rule(Rule::on(Kind::ManifestPut, Fault::status(500, "UNKNOWN")).when(of_windows));
    let outcome = load(&place, "bundle.tar", &target, &["--attempts", "1"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert!(
        outcome.stdout.contains("validation.manifests.urls.allow"),
        "{outcome}"
    );
    assert_eq!(target.tags().into_keys().collect::<Vec<_>>(), ["b:1"]);
}

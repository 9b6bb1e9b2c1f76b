//! Upstream faults: the result is right or the error is clear, and wrong bytes are never kept.

use std::time::Duration;

use landfall_oci::Digest;
use landfall_testkit::fake_registry::{Auth, Bearer, Fault, Kind, Rule};
use landfall_testkit::{FakeRegistry, Workload};

use crate::place::{Place, failed, report};

/// The biggest blob: big enough that a fault in its middle is one.
fn biggest(workload: &Workload) -> Digest {
    *workload
        .blobs
        .iter()
        .max_by_key(|(_, content)| content.len())
        .unwrap()
        .0
}

/// Saves through a fault that should not matter; the bundle is right all the same.
fn saves_in_spite_of(rules: Vec<Rule>) -> (FakeRegistry, Workload) {
    let workload = Workload::small(20);
    let upstream = FakeRegistry::with(&workload);
    rules.into_iter().for_each(|rule| upstream.rule(rule));
    let place = Place::with_list(&workload);
    place
        .save(&upstream.address(), "bundle.tar", &["--stall-timeout", "1"])
        .ok();
    place.landfall(&["verify", "bundle.tar"]).ok();
    (upstream, workload)
}

#[test]
fn too_many_requests_are_waited_out() {
    let (upstream, _) = saves_in_spite_of(vec![
        Rule::on(Kind::Manifest, Fault::too_many(1)).times(2),
        Rule::on(Kind::Blob, Fault::too_many(1)).times(2),
    ]);
    assert_eq!(upstream.count_where(|request| request.status() == 429), 4);
}

#[test]
fn a_registry_that_is_away_for_a_moment_is_asked_again() {
    saves_in_spite_of(vec![
        Rule::on(Kind::Manifest, Fault::status(503, "UNAVAILABLE")).times(3),
        Rule::on(Kind::Blob, Fault::status(502, "")).times(3),
    ]);
}

#[test]
fn a_broken_blob_continues_at_the_byte_where_it_stopped() {
    let part = 10_000;
    let (upstream, workload) = saves_in_spite_of(vec![
        Rule::on(Kind::Blob, Fault::Reset { after: part })
            .path(biggest(&Workload::small(20)).hex())
            .times(1),
    ]);
    let fetches = upstream.blob_fetches(&biggest(&workload));
    assert_eq!(fetches.len(), 2);
    let from: u64 = fetches[1]
        .range()
        .unwrap()
        .trim_start_matches("bytes=")
        .trim_end_matches('-')
        .parse()
        .unwrap();
    assert!(from > 0 && from <= part, "{from}");
}

#[test]
fn a_truncated_blob_continues() {
    saves_in_spite_of(vec![Rule::on(Kind::Blob, Fault::Cut { after: 5_000 }).times(3)]);
}

#[test]
fn a_stalled_blob_is_given_up_and_continued() {
    let stall = Fault::Stall {
        after: 4_000,
        pause: Duration::from_secs(60),
    };
    saves_in_spite_of(vec![
        Rule::on(Kind::Blob, stall)
            .path(biggest(&Workload::small(20)).hex())
            .times(1),
    ]);
}

#[test]
fn a_registry_without_ranges_is_read_from_the_beginning() {
    let workload = Workload::small(21);
    let upstream = FakeRegistry::builder()
        .workload(&workload)
        .without_ranges()
        .start();
    upstream.rule(
        Rule::on(Kind::Blob, Fault::Reset { after: 10_000 })
            .path(biggest(&workload).hex())
            .times(1),
    );
    let place = Place::with_list(&workload);
    place.save(&upstream.address(), "bundle.tar", &[]).ok();
    place.landfall(&["verify", "bundle.tar"]).ok();
}

/// Saves through a fault that makes it impossible: a clear error, no bundle, and a run without the fault is right.
fn fails_clearly(rule: Rule, code: i32, words: &str) {
    let workload = Workload::small(22);
    let upstream = FakeRegistry::with(&workload);
    upstream.rule(rule);
    let place = Place::with_list(&workload);
    let outcome = place.save(&upstream.address(), "bundle.tar", &["--attempts", "2"]);
    assert_eq!(outcome.code(), Some(code), "{outcome}");
    assert!(
        outcome.stdout.contains(words) || outcome.stderr.contains(words),
        "no {words:?} in {outcome}"
    );
    assert!(!place.exists("bundle.tar"));
    upstream.clear_rules();
    place.save(&upstream.address(), "bundle.tar", &[]).ok();
    place.landfall(&["verify", "bundle.tar"]).ok();
}

#[test]
fn wrong_bytes_never_enter_a_bundle() {
    let always = 1000;
    let rule = Rule::on(Kind::Blob, Fault::Flip { at: 17 })
        .path(biggest(&Workload::small(22)).hex())
        .times(always);
    fails_clearly(rule, 4, "wrong bytes");
}

#[test]
fn a_wrong_digest_header_is_not_believed() {
    fails_clearly(
        Rule::on(Kind::Manifest, Fault::WrongDigestHeader).times(1000),
        4,
        "says that",
    );
}

#[test]
fn a_blob_of_another_length_is_refused_early() {
    let rule = Rule::on(Kind::Blob, Fault::Short { len: 100 })
        .path(biggest(&Workload::small(22)).hex())
        .times(1000);
    fails_clearly(rule, 4, "100");
}

#[test]
fn a_registry_that_stays_away_is_named() {
    fails_clearly(
        Rule::on(Kind::Manifest, Fault::status(503, "UNAVAILABLE")).times(1000),
        1,
        "503",
    );
}

#[test]
fn expired_tokens_are_renewed_in_the_middle() {
    let workload = Workload::small(23);
    // Tokens that end long before they say, on a road slow enough that the run takes several of them.
    let lifetime = Duration::from_millis(250);
    let bearer = Bearer {
        lifetime,
        stated_seconds: Some(300),
        ..Bearer::account("robot", "s3cret")
    };
    let auth = Auth::Bearer(bearer);
    let upstream = FakeRegistry::builder()
        .workload(&workload)
        .auth(auth)
        .bytes_per_second(2 << 20)
        .start();
    let place = Place::with_list(&workload);
    let args = [
        "save",
        "-l",
        "list.txt",
        "-o",
        "bundle.tar",
        "--from",
        &upstream.address(),
        "--username",
        "robot",
    ];
    let mut command = place.command(&args);
    let outcome = landfall_testkit::run(command.env("LANDFALL_PASSWORD", "s3cret"));
    assert!(!format!("{outcome}").contains("s3cret"), "{outcome}");
    outcome.ok();
    place.landfall(&["verify", "bundle.tar"]).ok();
    assert!(upstream.count_where(|request| request.kind == Kind::Blob && request.status() == 401) > 0);
}

#[test]
fn wrong_bytes_never_enter_a_registry_by_copy() {
    let workload = Workload::small(24);
    let (upstream, target) = (FakeRegistry::with(&workload), FakeRegistry::empty());
    let broken = biggest(&workload);
    upstream.rule(
        Rule::on(Kind::Blob, Fault::Flip { at: 3 })
            .path(broken.hex())
            .times(1000),
    );
    let place = Place::with_list(&workload);
    let args = [
        "copy",
        "-l",
        "list.txt",
        "--from",
        &upstream.address(),
        "-r",
        &target.address(),
        "--output",
        "json",
        "--attempts",
        "2",
    ];
    let outcome = place.landfall(&args);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let hit: Vec<_> = workload
        .images
        .iter()
        .filter(|image| workload.blobs_of(image.root).contains(&broken))
        .collect();
    assert_eq!(failed(&report(&outcome)).len(), hit.len());
    for image in hit {
        assert!(
            !target.has_tag(&image.repository, &image.tag),
            "{} is tagged",
            image.name()
        );
    }
}

#[test]
fn a_push_that_breaks_off_is_repeated() {
    let workload = Workload::small(25);
    let upstream = FakeRegistry::with(&workload);
    let place = Place::with_list(&workload);
    place.save(&upstream.address(), "bundle.tar", &[]).ok();
    let target = FakeRegistry::builder()
        .rule(Rule::on(Kind::UploadEnd, Fault::DropUpload { after: 3_000 }).times(2))
        .rule(Rule::on(Kind::UploadEnd, Fault::NoAnswer).times(1))
        .rule(Rule::on(Kind::UploadStart, Fault::status(503, "UNAVAILABLE")).times(2))
        .rule(Rule::on(Kind::ManifestPut, Fault::too_many(1)).times(2))
        .start();
    place
        .landfall(&["load", "bundle.tar", "-r", &target.address()])
        .ok();
    target.assert_holds(&workload, ToString::to_string);
}

#[test]
fn registries_that_want_chunks_get_them() {
    let workload = Workload::small(26);
    let upstream = FakeRegistry::with(&workload);
    let place = Place::with_list(&workload);
    place.save(&upstream.address(), "bundle.tar", &[]).ok();
    let target = FakeRegistry::builder().chunked(64 * 1024, 256 * 1024).start();
    place
        .landfall(&["load", "bundle.tar", "-r", &target.address()])
        .ok();
    target.assert_holds(&workload, ToString::to_string);
    assert!(target.count(Kind::UploadChunk) > 0);
}

#[test]
fn a_registry_without_mounts_gets_every_blob() {
    let workload = Workload::small(27);
    let upstream = FakeRegistry::with(&workload);
    let place = Place::with_list(&workload);
    place.save(&upstream.address(), "bundle.tar", &[]).ok();
    let target = FakeRegistry::builder().without_mounts().start();
    place
        .landfall(&["load", "bundle.tar", "-r", &target.address()])
        .ok();
    target.assert_holds(&workload, ToString::to_string);
}

#[test]
fn cve_2026_2376_credentials_do_not_follow_a_redirect_to_another_host() {
    let workload = Workload::small(28);
    let elsewhere = FakeRegistry::with(&workload);
    let upstream = FakeRegistry::builder()
        .workload(&workload)
        .auth(Auth::basic("robot", "s3cret"))
        .redirect_blobs(elsewhere.url())
        .start();
    let place = Place::with_list(&workload);
    let mut command = place.command(&[
        "save",
        "-l",
        "list.txt",
        "-o",
        "bundle.tar",
        "--from",
        &upstream.address(),
        "--username",
        "robot",
    ]);
    command.env("LANDFALL_PASSWORD", "s3cret");
    landfall_testkit::run(&mut command).ok();
    place.landfall(&["verify", "bundle.tar"]).ok();
    assert!(elsewhere.count(Kind::Blob) > 0);
    assert_eq!(
        elsewhere.count_where(landfall_testkit::fake_registry::Request::is_authorized),
        0
    );
}

#[test]
fn a_repository_that_refuses_spoils_its_own_images_only() {
    let workload = Workload::small(29);
    let place = Place::with_list(&workload);
    place
        .save(&FakeRegistry::with(&workload).address(), "bundle.tar", &[])
        .ok();
    for refused in &workload.images {
        let target = FakeRegistry::empty();
        let path = format!("/v2/{}/blobs/", refused.repository);
        target.rule(Rule::on(Kind::UploadStart, Fault::status(403, "DENIED")).path(path));
        let outcome = place.landfall(&["load", "bundle.tar", "-r", &target.address(), "--output", "json"]);
        assert_eq!(outcome.code(), Some(1), "{outcome}");
        assert_eq!(failed(&report(&outcome)), [refused.name()]);
        assert_eq!(target.tags().len(), workload.images.len() - 1);
    }
}

#[test]
fn the_next_source_goes_on_where_the_last_one_broke_off() {
    let mut workload = Workload::hello("rancher/seed:1", "hello");
    let layer = workload.add_big_layer(7, 3 << 20);
    let platform = landfall_oci::Platform::new("linux", "amd64");
    let family = landfall_testkit::workload::Family::Oci;
    let root = workload.add_image(family, &platform, &[layer]);
    workload.tag("a/first:1", root.digest);
    workload.tag("b/second:1", root.digest);
    let broken = biggest(&workload);
    let upstream = FakeRegistry::with(&workload);
    let rule = Rule::on(Kind::Blob, Fault::Cut { after: 1 << 20 });
    upstream.rule(rule.path(format!("a/first/blobs/{broken}")));
    let place = Place::new();
    place.scratch.write("list.txt", "a/first:1\nb/second:1\n");
    place
        .save(&upstream.address(), "bundle.tar", &["--attempts", "1"])
        .ok();
    place.landfall(&["verify", "bundle.tar"]).ok();
    let fetches = upstream.blob_fetches(&broken);
    assert!(fetches.last().unwrap().path.contains("b/second"));
    assert!(fetches.last().unwrap().range().is_some(), "{fetches:?}");
}

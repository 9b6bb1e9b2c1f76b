//! Upstreams that are away, servers that are killed, caches that are full: what was here stays usable.

use std::time::Duration;

use landfall_testkit::FakeRegistry;
use landfall_testkit::fake_registry::{Fault, Kind, Rule};

use super::{App, FROM, all_at, asked, came_from, gateway};
use crate::place::Place;
use crate::server::{Serving, eventually};

const SIZE: usize = 3 << 20;

/// A value of the metrics.
#[track_caller]
fn metric(serving: &Serving, name: &str) -> u64 {
    let text = serving.get("/metrics").body;
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found
        .unwrap_or_else(|| panic!("no {name}: {text}"))
        .parse()
        .unwrap()
}

#[test]
fn what_was_fetched_is_served_without_its_upstream() {
    let app = App::new("org/app:1", 5000);
    let upstream = FakeRegistry::with(&app.workload);
    let place = Place::new();
    let yaml = all_at(&upstream);
    let tag = "/v2/quay.test/org/app/manifests/1";
    let digest = format!("/v2/quay.test/org/app/manifests/{}", app.root);
    let blob = format!("/v2/quay.test/org/app/blobs/{}", app.layer);
    let serving = gateway(&place, &yaml, &["--tag-ttl", "0"]);
    came_from(&serving.get(tag), &upstream.address());
    came_from(&serving.get(&blob), &upstream.address());
    eventually("it is kept", || serving.get(&blob).header(FROM) == Some("cache"));
    // Nobody is away: a tag is looked at again, and is fresh.
    let again = serving.get(tag);
    assert_eq!(again.header("warning"), None, "{again}");
    let name = upstream.address();
    drop(upstream);
    for _ in 0..2 {
        let stale = serving.get(tag);
        came_from(&stale, "cache");
        let warning = stale.header("warning").unwrap_or_default();
        assert!(warning.starts_with("110 "), "{stale}");
        for path in [&digest, &blob] {
            let answer = serving.get(path);
            came_from(&answer, "cache");
            assert_eq!(
                answer.header("warning"),
                None,
                "what has a digest is never stale: {answer}"
            );
        }
    }
    // What is not here is not there for the moment, which is not the same as missing.
    let unknown = serving.get("/v2/quay.test/org/other/manifests/1");
    assert!(matches!(unknown.status, 502 | 503), "{unknown}");
    assert!(unknown.body.contains(&name), "{unknown}");
    // The same after a restart, which remembers nothing but the cache.
    assert_eq!(serving.stop(), Some(0));
    let serving = gateway(&place, &yaml, &["--tag-ttl", "0"]);
    let stale = serving.get(tag);
    came_from(&stale, "cache");
    assert!(stale.header("warning").is_some(), "{stale}");
}

#[test]
fn a_fetch_goes_on_where_a_kill_has_stopped_it() {
    let app = App::new("org/app:1", SIZE);
    let upstream = FakeRegistry::with(&app.workload);
    let pause = Duration::from_secs(60);
    upstream.rule(
        Rule::on(
            Kind::Blob,
            Fault::Stall {
                after: 2 << 20,
                pause,
            },
        )
        .times(1),
    );
    let place = Place::new();
    let serving = gateway(&place, &all_at(&upstream), &[]);
    let path = format!("/v2/quay.test/org/app/blobs/{}", app.layer);
    // Bytes that have arrived in the cache are given out before the rest comes.
    let first = [("range", "bytes=0-1048575")];
    let begin = serving.request("GET", &path, &first);
    assert_eq!(begin.status, 206, "{}", begin.status);
    assert!(begin.body == app.text[..1 << 20]);
    // SIGKILL.
    drop(serving);
    upstream.clear_rules();
    upstream.clear_requests();
    let serving = gateway(&place, &all_at(&upstream), &["--metrics"]);
    let answer = serving.get(&path);
    came_from(&answer, &upstream.address());
    assert!(answer.body == app.text);
    let requests = upstream.requests();
    let [only] = &requests[..] else {
        panic!("{requests:?}")
    };
    let from: usize = only
        .range()
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
        .unwrap_or_else(|| panic!("{}", only.line()));
    assert!(
        from >= 1 << 20 && (from as u64) + only.sent() == SIZE as u64,
        "{}",
        only.line()
    );
    assert_eq!(metric(&serving, "landfall_gateway_resumed_total"), 1);
    eventually("it is kept", || serving.get(&path).header(FROM) == Some("cache"));
}

#[test]
fn the_cache_stays_below_its_size() {
    const IMAGES: usize = 8;
    let apps: Vec<_> = (0..IMAGES)
        .map(|number| App::new(&format!("org/app{number}:1"), 300_000))
        .collect();
    let mut builder = FakeRegistry::builder();
    for app in &apps {
        builder = builder.workload(&app.workload);
    }
    let upstream = builder.start();
    let place = Place::new();
    let serving = gateway(&place, &all_at(&upstream), &["--metrics"]);
    for (number, app) in apps.iter().enumerate() {
        let base = format!("/v2/quay.test/org/app{number}");
        came_from(&serving.get(&format!("{base}/manifests/1")), &upstream.address());
        let answer = serving.get(&format!("{base}/blobs/{}", app.layer));
        assert!(answer.body == app.text);
    }
    eventually("all of it is kept", || {
        metric(&serving, "landfall_gateway_cache_bytes") > (IMAGES * 300_000) as u64
    });
    assert_eq!(serving.stop(), Some(0));
    // What was used a moment ago stays even so; what nobody has used since the server before this one does not.
    let hour_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    age(&place.path("store/cache"), hour_ago);
    let size = ["--cache-size", "1000000B", "--metrics"];
    let serving = gateway(&place, &all_at(&upstream), &size);
    assert!(metric(&serving, "landfall_gateway_cache_bytes") <= 1_000_000);
    assert!(metric(&serving, "landfall_gateway_evicted_bytes_total") >= 1_400_000);
    // What went comes again.
    let before = asked(&upstream);
    for (number, app) in apps.iter().enumerate() {
        let answer = serving.get(&format!("/v2/quay.test/org/app{number}/blobs/{}", app.layer));
        assert!(answer.status == 200 && answer.body == app.text, "{number}");
    }
    assert!(asked(&upstream) > before);
}

/// Makes all files below a folder as old as this.
fn age(folder: &std::path::Path, time: std::time::SystemTime) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            age(&entry.path(), time);
        } else if kind.is_file() {
            let file = std::fs::File::options().write(true).open(entry.path());
            if let Ok(file) = file {
                file.set_modified(time).unwrap();
            }
        }
    }
}

/// Upkeep of the cache is asked of the server that has it, as for any directory.
#[test]
fn the_cache_can_be_looked_after_while_it_is_served() {
    let app = App::new("org/app:1", 5000);
    let upstream = FakeRegistry::with(&app.workload);
    let place = Place::new();
    let serving = gateway(&place, &all_at(&upstream), &[]);
    let blob = format!("/v2/quay.test/org/app/blobs/{}", app.layer);
    serving.get("/v2/quay.test/org/app/manifests/1");
    serving.get(&blob);
    eventually("it is kept", || serving.get(&blob).header(FROM) == Some("cache"));
    let told = place.landfall(&["gc", "--root", "store/cache"]).ok();
    assert!(told.contains("0 manifests"), "{told}");
    let told = place.landfall(&["scrub", "--root", "store/cache"]).ok();
    assert!(!told.is_empty());
    came_from(&serving.get(&blob), "cache");
    // A second server is told who has it.
    let again = place.landfall(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--upstreams",
        "registries.yaml",
        "--cache",
        "store/cache",
    ]);
    assert_eq!(again.code(), Some(3), "{again}");
    assert!(again.stderr.contains("store/cache"), "{again}");
    assert_eq!(serving.stop(), Some(0));
    place.landfall(&["gc", "--root", "store/cache"]).ok();
}

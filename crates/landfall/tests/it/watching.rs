//! What those who look after a registry see: logs, metrics, health.

use std::time::Duration;

use landfall_testkit::{free_port, htpasswd, run};
use serde_json::Value;

use crate::place::Place;
use crate::server::{Serving, basic, eventually, request};

const SECRET: &str = "a-s3cret-that-no-log-shows";

/// How long the draining server goes on.
const DELAY: Duration = Duration::from_secs(3);

fn lines(place: &Place, name: &str) -> Vec<Value> {
    let text = String::from_utf8(place.read(name)).unwrap();
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}: {line}"));
    text.lines().map(parse).collect()
}

#[test]
fn each_request_and_each_change_is_a_line_without_secrets() {
    let place = Place::new();
    let digest = place.layout("one", "one");
    place.scratch.write("users", htpasswd::line("ann", SECRET));
    let args = [
        "--root",
        "store",
        "--htpasswd",
        "users",
        "--tokens",
        "--access-log",
        "access.log",
        "--audit-log",
        "audit.log",
    ];
    let serving = Serving::start_with(&place, &args, |command| {
        command.env("LANDFALL_LOG", "trace");
    });
    let as_ann = |args: &[&str]| {
        run(place
            .command(args)
            .env("LANDFALL_USERNAME", "ann")
            .env("LANDFALL_PASSWORD", SECRET))
    };
    as_ann(&["push", "one", &serving.name("team/app:1")]).ok();
    as_ann(&["pull", &serving.name("team/app:1"), "-o", "one.tar"]).ok();
    let credential = basic("ann", SECRET);
    let token = serving.request(
        "GET",
        "/token?service=landfall&scope=repository:team/app:pull&account=ann",
        &[("authorization", &credential)],
    );
    let token = token.json()["token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    let pulled = serving.request("GET", "/v2/team/app/manifests/1", &[("authorization", &bearer)]);
    assert_eq!(pulled.status, 200);
    let deleted = serving.request(
        "DELETE",
        &format!("/v2/team/app/manifests/{digest}"),
        &[("authorization", &credential)],
    );
    assert_eq!(deleted.status, 202, "{deleted}");
    assert_eq!(serving.get("/v2/team/app/manifests/1").status, 401);
    let log = serving.log();
    assert_eq!(serving.stop(), Some(0));

    let (access, audit) = (lines(&place, "access.log"), lines(&place, "audit.log"));
    let find = |lines: &[Value], method: &str, path: &str| {
        let fits = |line: &&Value| line["method"] == method && line["path"].as_str().unwrap().contains(path);
        lines
            .iter()
            .rfind(fits)
            .cloned()
            .unwrap_or_else(|| panic!("no {method} {path}"))
    };
    for (lines, method, path, action, status) in [
        (&access, "PUT", "/manifests/", "push", 201),
        (&audit, "PUT", "/manifests/", "push", 201),
        (&audit, "DELETE", "/manifests/", "delete", 202),
    ] {
        let line = find(lines, method, path);
        assert_eq!(line["user"], "ann", "{line}");
        assert_eq!(line["repository"], "team/app", "{line}");
        assert_eq!(
            (&line["action"], &line["status"]),
            (&action.into(), &status.into())
        );
        assert!(
            line["client"].as_str().unwrap().starts_with("127.0.0.1:"),
            "{line}"
        );
        assert!(line["timestamp"].is_string() && line["ms"].is_u64(), "{line}");
    }
    assert_eq!(find(&audit, "PUT", "/manifests/")["digest"], digest);
    assert!(find(&audit, "PUT", "/manifests/")["received"].as_u64() > Some(100));
    let pulled = access
        .iter()
        .find(|line| line["action"] == "pull" && line["status"] == 200 && line["method"] == "GET");
    let pulled = pulled.unwrap();
    assert_eq!(
        (&pulled["user"], &pulled["digest"]),
        (&"ann".into(), &digest.as_str().into())
    );
    assert!(pulled["bytes"].as_u64() > Some(100), "{pulled}");
    let refused = access.iter().find(|line| line["status"] == 401).unwrap();
    assert_eq!(refused["user"], "-");
    assert!(
        audit.iter().all(|line| line["action"] != "pull"),
        "pulls change nothing"
    );

    let texts = ["access.log", "audit.log"].map(|name| String::from_utf8(place.read(name)).unwrap());
    let encoded = credential.strip_prefix("Basic ").unwrap();
    for text in [&texts[0], &texts[1], &log] {
        for secret in [SECRET, encoded, &token, "$2y$"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn a_log_that_was_moved_away_is_opened_anew() {
    let place = Place::new();
    let serving = Serving::start(&place, &["--root", "store", "--access-log", "access.log"]);
    serving.get("/v2/before/x/tags/list");
    let has = |name: &str, word: &str| {
        place.exists(name) && String::from_utf8_lossy(&place.read(name)).contains(word)
    };
    eventually("the line is written", || has("access.log", "/v2/before/"));
    std::fs::rename(place.path("access.log"), place.path("access.log.1")).unwrap();
    serving.get("/v2/between/x/tags/list");
    eventually("the old file is still written", || {
        has("access.log.1", "/v2/between/")
    });
    serving.signal("HUP");
    eventually("the new file is written", || {
        serving.get("/v2/after/x/tags/list");
        has("access.log", "/v2/after/")
    });
    assert_eq!(serving.stop(), Some(0));
    assert!(!has("access.log", "/v2/between/"));
    assert!(!lines(&place, "access.log").is_empty() && lines(&place, "access.log.1").len() >= 2);
}

#[test]
fn a_log_can_be_standard_error_and_must_be_writable() {
    let place = Place::new();
    let serving = Serving::start(&place, &["--root", "store", "--audit-log", "-"]);
    place.layout("one", "one");
    place.push("one", &serving.name("team/app:1")).ok();
    eventually("the change is said", || {
        let log = serving.log();
        log.lines().any(|line| {
            serde_json::from_str::<Value>(line).is_ok_and(|line| line["repository"] == "team/app")
        })
    });
    drop(serving);
    let args = [
        "serve",
        "--root",
        "store",
        "--listen",
        "127.0.0.1:0",
        "--access-log",
        "no/such/folder/log",
    ];
    let outcome = place.landfall(&args);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(outcome.stderr.contains("no/such/folder/log"), "{outcome}");
}

#[test]
fn metrics_and_health_have_an_address_of_their_own() {
    let place = Place::new();
    let status = format!("127.0.0.1:{}", free_port());
    let args = ["--root", "store", "--status-listen", &status];
    let serving = Serving::start(&place, &args);
    let get = |path: &str| request(&status, "GET", path, &[]).unwrap();
    assert_eq!(get("/healthz").status, 200);
    assert_eq!(get("/readyz").status, 200);
    assert_eq!(get("/v2/").status, 404, "no image goes over this address");
    place.layout("one", "one");
    place.push("one", &serving.name("team/app:1")).ok();
    let metrics = get("/metrics");
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain"));
    for line in metrics.body.lines().filter(|line| !line.starts_with('#')) {
        let (name, number) = line.rsplit_once(' ').unwrap();
        assert!(
            name.starts_with("landfall_") || name.starts_with("process_"),
            "{line}"
        );
        assert!(number.parse::<f64>().is_ok(), "{line}");
    }
    for name in [
        "landfall_requests_total",
        "landfall_collections_total",
        "process_resident_memory_bytes",
    ] {
        assert!(metrics.body.contains(&format!("\n{name}")), "{name}: {metrics}");
    }
    // The names of images are nobody's business who only watches.
    assert!(!metrics.body.contains("team/app"));
    assert_eq!(serving.get("/metrics").status, 404);
    assert_eq!(serving.get("/healthz").status, 200);
    drop(serving);
    let serving = Serving::start(&place, &["--root", "store", "--metrics"]);
    assert_eq!(serving.get("/metrics").status, 200);
    drop(serving);
    place.scratch.write("users", htpasswd::line("ann", SECRET));
    let args = ["--root", "store", "--metrics", "--htpasswd", "users"];
    let serving = Serving::start(&place, &args);
    assert_eq!(serving.get("/metrics").status, 401);
    let ann = basic("ann", SECRET);
    assert_eq!(
        serving
            .request("GET", "/metrics", &[("authorization", &ann)])
            .status,
        200
    );
}

#[test]
fn told_to_stop_it_says_so_while_it_still_answers() {
    let place = Place::new();
    let status = format!("127.0.0.1:{}", free_port());
    let args = [
        "--root",
        "store",
        "--status-listen",
        &status,
        "--drain-delay",
        "3s",
    ];
    let serving = Serving::start(&place, &args);
    let digest = place.layout("one", "one");
    place.push("one", &serving.name("team/app:1")).ok();
    let ready = || request(&status, "GET", "/readyz", &[]);
    assert_eq!(ready().unwrap().status, 200);
    let told = std::time::Instant::now();
    serving.signal("TERM");
    eventually("it says that it will stop", || {
        ready().is_ok_and(|answer| answer.status == 503)
    });
    // For as long as the delay lasts, whoever has not heard of it yet is served.
    let manifest = format!("/v2/team/app/manifests/{digest}");
    for (address, path) in [(&serving.address, manifest.as_str()), (&status, "/healthz")] {
        match request(address, "GET", path, &[]) {
            Ok(answer) => assert_eq!(answer.status, 200, "{path}: {answer}"),
            Err(error) => assert!(told.elapsed() >= DELAY, "{path}: {error}"),
        }
    }
    assert_eq!(serving.wait(), Some(0));
    assert!(told.elapsed() >= DELAY, "it did not wait");
    assert!(ready().is_err(), "the status listener ends last, but it ends");
}

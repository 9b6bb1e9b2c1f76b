//! What is asked for comes from the upstream that the file names for it, with that upstream's certificate and password,
//! and is asked for once.

use landfall_testkit::certs::LOOPBACK;
use landfall_testkit::fake_registry::Auth;
use landfall_testkit::{Authority, FakeRegistry};

use super::{App, FROM, all_at, asked, came_from, gateway};
use crate::place::Place;
use crate::server::{Serving, eventually};

const USER: &str = "puller";
const PASSWORD: &str = "not-to-be-told-4711";

/// A harbor with TLS of its own, a password and names that are rewritten; a plain mirror below a project; the rest.
struct World {
    place: Place,
    harbor: FakeRegistry,
    proxy: FakeRegistry,
    rest: FakeRegistry,
    serving: Serving,
}

impl World {
    fn new() -> Self {
        let place = Place::new();
        let authority = Authority::new();
        place.scratch.write("harbor.crt", authority.certificate());
        let harbor = FakeRegistry::builder()
            .workload(&App::new("demo/nginx:1.27", 5000).workload)
            .tls(authority.issue(&LOOPBACK))
            .auth(Auth::basic(USER, PASSWORD))
            .start();
        // It is asked below /v2/project: to it that is a part of the name.
        let proxy = FakeRegistry::with(&App::new("project/org/app:1", 5000).workload);
        let rest = FakeRegistry::with(&App::new("other/tool:2", 5000).workload);
        let yaml = format!(
            "mirrors:\n  hub.test:\n    endpoint: [\"{harbor}\"]\n    rewrite:\n      \"^rancher/(.*)\": \"demo/$1\"\n  \
             quay.test:5000:\n    endpoint: [\"{proxy}/v2/project\"]\n  \
             \"*\":\n    endpoint: [\"{rest}\"]\n\
             configs:\n  \"{harbor_host}\":\n    auth:\n      username: {USER}\n      password: {PASSWORD}\n    \
             tls:\n      ca_file: harbor.crt\n",
            harbor = harbor.url(),
            harbor_host = harbor.address(),
            proxy = proxy.url(),
            rest = rest.url(),
        );
        let serving = gateway(
            &place,
            &yaml,
            &["--access-log", "-", "--audit-log", "-", "--metrics"],
        );
        Self {
            place,
            harbor,
            proxy,
            rest,
            serving,
        }
    }
}

#[test]
fn each_registry_by_each_way_of_naming_it() {
    let world = World::new();
    let serving = &world.serving;
    for (path, header, from) in [
        ("/v2/rancher/nginx/manifests/1.27?ns=hub.test", "", &world.harbor),
        ("/v2/hub.test/rancher/nginx/manifests/1.27", "", &world.harbor),
        ("/v2/rancher/nginx/manifests/1.27", "hub.test", &world.harbor),
        ("/v2/org/app/manifests/1?ns=quay.test:5000", "", &world.proxy),
        ("/v2/quay.test__5000/org/app/manifests/1", "", &world.proxy),
        ("/v2/other/tool/manifests/2?ns=any.test", "", &world.rest),
        ("/v2/any.test/other/tool/manifests/2", "", &world.rest),
    ] {
        let before = asked(from);
        let headers = [("oci-namespace", header)];
        let headers = if header.is_empty() { &[][..] } else { &headers[..] };
        let answer = serving.request("GET", path, headers);
        // Whichever way it is asked for, it is the same image, and fetched once.
        let is_first = asked(from) > before;
        let expected = if is_first {
            from.address()
        } else {
            "cache".to_owned()
        };
        came_from(&answer, &expected);
        assert_eq!(answer.json()["schemaVersion"], 2, "{answer}");
    }
    assert_eq!((asked(&world.proxy), asked(&world.rest)), (1, 1));
    let layer = App::new("project/org/app:1", 5000);
    let path = format!("/v2/quay.test__5000/org/app/blobs/{}", layer.layer);
    let answer = serving.get(&path);
    came_from(&answer, &world.proxy.address());
    assert!(answer.body == layer.text);
    eventually("the blob is kept", || {
        serving.get(&path).header(FROM) == Some("cache")
    });
}

#[test]
fn whole_images_are_pulled_and_the_second_time_from_here() {
    let world = World::new();
    let registries = [&world.harbor, &world.proxy, &world.rest];
    for round in 0..2 {
        for name in [
            "hub.test/rancher/nginx:1.27",
            "quay.test__5000/org/app:1",
            "any.test/other/tool:2",
        ] {
            let name = world.serving.name(name);
            let pull = [
                "pull",
                &name,
                "-o",
                "pulled.tar",
                "--overwrite",
                "--attempts",
                "1",
            ];
            world.place.landfall(&pull).ok();
            world.place.landfall(&["verify", "pulled.tar"]).ok();
        }
        for registry in registries {
            if round == 1 {
                assert_eq!(asked(registry), 0, "{:?}", registry.requests());
            }
            registry.clear_requests();
        }
        // What was fetched is kept once those who waited for it have gone.
        eventually("nothing is under way", || {
            let metrics = world.serving.get("/metrics").body;
            metrics.contains("landfall_gateway_fetches_under_way 0\n")
        });
    }
}

/// Nor does an upstream hear anything that is another's.
#[test]
fn a_password_is_told_to_its_own_registry_and_to_nobody_else() {
    let world = World::new();
    for path in [
        "/v2/rancher/nginx/manifests/1.27?ns=hub.test",
        "/v2/org/app/manifests/1?ns=quay.test:5000",
        "/v2/other/tool/manifests/2?ns=any.test",
    ] {
        world.serving.get(path);
    }
    let metrics = world.serving.get("/metrics").body;
    assert!(metrics.contains("landfall_gateway_answers_total"), "{metrics}");
    for other in [&world.proxy, &world.rest] {
        assert_eq!(other.count_where(|request| request.is_authorized()), 0);
    }
    assert!(world.harbor.count_where(|request| request.is_authorized()) > 0);
    let encoded = crate::server::basic(USER, PASSWORD);
    let encoded = encoded.trim_start_matches("Basic ");
    let log = world.serving.log();
    for (what, text) in [("the log", &log), ("the metrics", &metrics)] {
        for secret in [PASSWORD, encoded] {
            assert!(!text.contains(secret), "{what} has a password in it:\n{text}");
        }
    }
    assert!(log.contains("rancher/nginx"), "there is a log: {log}");
}

/// A wrong password is told as what it is, without the password.
#[test]
fn a_password_that_is_refused_is_said_so() {
    let place = Place::new();
    let upstream = FakeRegistry::builder()
        .workload(&App::new("org/app:1", 100).workload)
        .auth(Auth::basic(USER, PASSWORD))
        .start();
    let yaml = all_at(&upstream)
        + &format!(
            "configs:\n  \"{}\":\n    auth:\n      username: {USER}\n      password: wrong-and-secret\n",
            upstream.address()
        );
    let serving = gateway(&place, &yaml, &[]);
    let answer = serving.get("/v2/quay.test/org/app/manifests/1");
    assert_eq!(answer.status, 403, "{answer}");
    assert!(answer.body.contains(&upstream.address()), "{answer}");
    let log = serving.log();
    assert!(!log.contains("wrong-and-secret"), "{log}");
    assert!(
        log.contains(&upstream.address()) && log.contains("registries.yaml:"),
        "whose password it is and where it stands: {log}"
    );
}

/// `--read-only` is about clients: what is fetched is kept all the same.
#[test]
fn a_registry_that_takes_no_pushes_fetches_and_keeps() {
    let place = Place::new();
    let upstream = FakeRegistry::with(&App::new("org/app:1", 100).workload);
    let serving = gateway(&place, &all_at(&upstream), &["--read-only"]);
    let path = "/v2/org/app/manifests/1?ns=quay.test";
    came_from(&serving.get(path), &upstream.address());
    came_from(&serving.get(path), "cache");
    place.layout("small", "small");
    let pushed = place.push("small", &serving.name("quay.test/org/app:1"));
    assert!(!pushed.is_ok(), "{pushed}");
    // Nor is what it keeps a place to push to.
    assert_eq!(
        serving
            .request("DELETE", "/v2/quay.test/org/app/manifests/1", &[])
            .status,
        405
    );
    came_from(&serving.get(path), "cache");
}

/// Names that nobody named are not looked for anywhere, and the miss is noted as the image that was meant.
#[test]
fn what_no_upstream_has_is_wanted() {
    let place = Place::new();
    let upstream = FakeRegistry::with(&App::new("org/app:1", 100).workload);
    let serving = gateway(&place, &all_at(&upstream), &["--upstream-bare", "docker.io"]);
    for path in [
        "/v2/org/missing/manifests/9?ns=quay.test",
        "/v2/quay.test/org/missing/manifests/9",
        "/v2/library/plain/manifests/3",
    ] {
        assert_eq!(serving.get(path).status, 404);
    }
    assert_eq!(
        asked(&upstream),
        2,
        "the second time it is known: {:?}",
        upstream.requests()
    );
    came_from(
        &serving.get("/v2/quay.test/org/app/manifests/1"),
        &upstream.address(),
    );
    let told = place.landfall(&["wanted", "--root", "store"]).ok();
    let names: Vec<_> = told.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(names, ["library/plain:3", "quay.test/org/missing:9"], "{told}");
}

/// A gateway need not be anything else.
#[test]
fn a_cache_alone_is_enough() {
    let place = Place::new();
    let upstream = FakeRegistry::with(&App::new("org/app:1", 100).workload);
    place.scratch.write("registries.yaml", all_at(&upstream));
    let args = ["--upstreams", "registries.yaml", "--cache", "cache"];
    let serving = Serving::start(&place, &args);
    let name = serving.name("quay.test/org/app:1");
    place.landfall(&["pull", &name, "-o", "pulled.tar"]).ok();
    drop(upstream);
    assert_eq!(serving.stop(), Some(0));
    // What it has kept is an ordinary directory.
    let serving = Serving::start(&place, &["--root", "cache", "--read-only"]);
    let answer = serving.get("/v2/org/app/manifests/1?ns=quay.test");
    assert_eq!(answer.status, 200, "{answer}");
    assert_eq!(answer.header(FROM), None, "there is no gateway: {answer}");
    place.layout("small", "small");
    assert!(!place.push("small", &serving.name("org/app:1")).is_ok());
}

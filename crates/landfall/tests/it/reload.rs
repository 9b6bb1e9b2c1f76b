//! SIGHUP: what is good is in force at once, what is bad is said and the old stays. And certificates, which are
//! looked at without being asked.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::Method;
use landfall_net::client::{Request, RetryOptions, TlsOptions, Transport, TransportOptions};
use landfall_testkit::{Authority, htpasswd};

use crate::place::Place;
use crate::server::{Serving, basic, eventually};

const RULES: &str = "[[rule]]\nrepository = \"*\"\npull = [\"ann\"]\npush = [\"ann\"]\n";
const OPENED: &str = "[[rule]]\nrepository = \"*\"\npull = [\"anonymous\"]\npush = [\"ann\"]\n";

/// A server whose log says when a reload is over.
fn serve(place: &Place, args: &[&str]) -> Serving {
    Serving::start_with(place, args, |command| {
        command.env("LANDFALL_LOG", "warn,landfall::reload=info");
    })
}

/// SIGHUP, and all that is said until the reload is over.
#[track_caller]
fn reload(serving: &Serving) -> String {
    let before = serving.log().len();
    let said = || serving.log()[before..].to_owned();
    serving.signal("HUP");
    eventually("a reload ends", || {
        said().contains("landfall::reload: reloaded") || said().contains("the old settings stay in force")
    });
    said()
}

#[test]
fn rights_users_patterns_and_retention_are_taken_up() {
    let place = Place::new();
    place.layout("one", "one");
    place.layout("two", "two");
    place.scratch.write("rules.toml", RULES);
    place.scratch.write("users", htpasswd::line("ann", "first"));
    let file = "root = \"store\"\nrules = \"rules.toml\"\nhtpasswd = \"users\"\n";
    place.scratch.write("serve.toml", file);
    let serving = serve(&place, &["--config", "serve.toml"]);
    let status = |password: &str| {
        serving
            .request("GET", "/v2/", &[("authorization", &basic("ann", password))])
            .status
    };
    assert_eq!((status("first"), status("second")), (200, 401));
    assert_eq!(serving.get("/v2/team/app/tags/list").status, 401);

    place.scratch.write("rules.toml", OPENED);
    place.scratch.write("users", htpasswd::line("ann", "second"));
    assert!(!reload(&serving).contains("ERROR"));
    assert_eq!((status("first"), status("second")), (401, 200));
    assert_eq!(serving.get("/v2/team/app/tags/list").status, 404);

    let name = serving.name("team/app:v1");
    let push = |layout: &str, name: &str| {
        landfall_testkit::run(
            place
                .command(&["push", layout, name])
                .env("LANDFALL_USERNAME", "ann")
                .env("LANDFALL_PASSWORD", "second"),
        )
    };
    push("one", &name).ok();
    push("two", &name).ok();
    push("one", &serving.name("team/app:t1")).ok();
    push("two", &serving.name("team/app:t2")).ok();
    let retain = ["gc", "--root", "store", "--retain", "--dry-run"];
    let none = place.landfall(&retain);
    assert_eq!(none.code(), Some(2), "{none}");
    place.scratch.write(
        "serve.toml",
        format!("{file}immutable = [\"team/*:v*\"]\n[[retention]]\ntags = \"t*\"\nkeep_last = 1\n"),
    );
    assert!(!reload(&serving).contains("WARN"), "nothing here needs a restart");
    let moved = push("one", &name);
    assert_eq!(moved.code(), Some(1), "{moved}");
    assert!(moved.stderr.contains("409"), "{moved}");
    let told = place.landfall(&retain).ok();
    assert!(told.contains("tag        team/app:t1"), "{told}");
    assert!(told.contains("1 tag of 3 would go"), "{told}");
}

#[test]
fn what_is_bad_is_said_and_the_old_stays() {
    let place = Place::new();
    place.layout("one", "one");
    place.scratch.write("rules.toml", OPENED);
    place.scratch.write("users", htpasswd::line("ann", "first"));
    let file = "root = \"store\"\nrules = \"rules.toml\"\nhtpasswd = \"users\"\nimmutable = [\"*:v*\"]\n";
    place.scratch.write("serve.toml", file);
    let serving = serve(&place, &["--config", "serve.toml"]);
    let assert_as_before = || {
        let ann = basic("ann", "first");
        let login = serving.request("GET", "/v2/", &[("authorization", &ann)]);
        assert_eq!(login.status, 200, "{login}");
        assert_eq!(serving.get("/v2/team/app/tags/list").status, 404);
    };
    for (name, good, bad, said) in [
        (
            "rules.toml",
            OPENED,
            "[[rule]]\nrepository = \"*\"\npull = [\"@nobody\"]\n",
            "rules.toml:3:",
        ),
        ("rules.toml", OPENED, "[[rule]]\nrepo = \"*\"\n", "rules.toml:"),
        (
            "users",
            &htpasswd::line("ann", "first"),
            "# people\nann:plain-text\n",
            "users:2",
        ),
        (
            "serve.toml",
            file,
            "root = \"store\"\nimmutabel = []\n",
            "serve.toml:2:1: ",
        ),
        (
            "serve.toml",
            file,
            "root = \"store\"\n[[retention]]\ntags = \"*\"\n",
            "serve.toml:2:1: ",
        ),
    ] {
        place.scratch.write(name, bad);
        let told = reload(&serving);
        let loud = told
            .lines()
            .any(|line| line.contains("ERROR") && line.contains(said) && line.contains("old"));
        assert!(loud, "{name} with {bad:?}: {told}");
        assert_as_before();
        place.scratch.write(name, good);
        let told = reload(&serving);
        assert!(!told.contains("ERROR"), "{told}");
        assert_as_before();
    }
    std::fs::remove_file(place.path("rules.toml")).unwrap();
    assert!(reload(&serving).contains("rules.toml"));
    assert_as_before();
    assert_eq!(serving.stop(), Some(0));
}

#[test]
fn what_only_a_start_takes_up_is_named_each_time() {
    let place = Place::new();
    place.scratch.write("serve.toml", "root = \"store\"\n");
    let serving = serve(&place, &["--config", "serve.toml"]);
    place
        .scratch
        .write("serve.toml", "root = \"store\"\nread-only = true\n");
    for _ in 0..2 {
        let told = reload(&serving);
        assert!(
            told.contains("WARN") && told.contains("read-only") && told.contains("next start"),
            "{told}"
        );
    }
    place.scratch.write("serve.toml", "root = \"store\"\n");
    assert!(!reload(&serving).contains("WARN"));
}

fn client(place: &Place, authorities: &[&str]) -> Transport {
    Transport::new(TransportOptions {
        tls: TlsOptions {
            ca_files: authorities.iter().map(|name| place.path(name)).collect(),
            ..TlsOptions::default()
        },
        retry: RetryOptions {
            attempts: 1,
            ..RetryOptions::default()
        },
        ..TransportOptions::default()
    })
    .unwrap()
}

async fn ping(client: &Transport, address: &str) -> Result<(), String> {
    let url = format!("https://{address}/v2/").parse().unwrap();
    let answer = client.send(&Request::new(Method::GET, url)).await;
    match answer.map(|answer| answer.status()) {
        Ok(status) if status.is_success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Both files anew, each in one step, as an administrator's tool does it.
fn install(place: &Place, authority: &Authority) {
    let identity = authority.issue(&["127.0.0.1"]);
    for (name, text) in [("server.key", identity.key), ("server.crt", identity.certificate)] {
        let staged = place.scratch.write(format!("{name}.new"), text);
        std::fs::rename(staged, place.path(name)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_replaced_under_load_without_a_failed_request() {
    let place = Place::new();
    let (old, new) = (Authority::new(), Authority::new());
    place.scratch.write("old.crt", old.certificate());
    place.scratch.write("new.crt", new.certificate());
    install(&place, &old);
    let args = [
        "--root",
        "store",
        "--tls-cert",
        "server.crt",
        "--tls-key",
        "server.key",
    ];
    let serving = Serving::start(&place, &args);
    let address = serving.address.as_str();
    // Trusts only the new one: the first success shows that it is served.
    assert!(ping(&client(&place, &["new.crt"]), address).await.is_err());
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let load = async {
        let steady = client(&place, &["old.crt", "new.crt"]);
        while !done.load(Ordering::Relaxed) {
            // On a connection that lives on, and on a new one.
            let fresh = client(&place, &["old.crt", "new.crt"]);
            let both = tokio::join!(ping(&steady, address), ping(&fresh, address));
            assert_eq!(both, (Ok(()), Ok(())));
            answered.fetch_add(2, Ordering::Relaxed);
        }
    };
    let replaced = async {
        install(&place, &new);
        let end = tokio::time::Instant::now() + Duration::from_secs(30);
        while ping(&client(&place, &["new.crt"]), address).await.is_err() {
            assert!(
                tokio::time::Instant::now() < end,
                "never replaced: {}",
                serving.log()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        done.store(true, Ordering::Relaxed);
    };
    tokio::join!(load, replaced);
    assert!(answered.load(Ordering::Relaxed) > 2);
    // A certificate that cannot be used is no reason to lose the one that can.
    place.scratch.write("server.crt", "no certificate");
    eventually("the bad certificate is named", || {
        let log = serving.log();
        log.contains("ERROR") && log.contains("the old certificate stays in use")
    });
    assert_eq!(ping(&client(&place, &["new.crt"]), address).await, Ok(()));
}

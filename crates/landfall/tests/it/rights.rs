//! Who may do what, from the socket to the rules: with passwords, with tokens, with client certificates.

use landfall_testkit::{Authority, FakeRegistry, Outcome, Workload, htpasswd, run};
use serde_json::json;

use crate::place::Place;
use crate::server::{Serving, basic};

const RULES: &str = r#"
[groups]
builders = ["bob", "cert:ci"]

[[rule]]
repository = "*"
pull = ["anonymous"]
push = ["ann"]
delete = ["ann"]

[[rule]]
repository = "team"
pull = ["authenticated"]
push = ["@builders"]
delete = ["ann"]

[[rule]]
repository = "team/secret"
pull = ["ann"]
push = ["ann"]
"#;

const REFUSED: Option<i32> = Some(6);

/// A place with users, rules, and the layout `one`.
fn place() -> Place {
    let place = Place::new();
    let users = [("ann", "ann-s3cret"), ("bob", "bob-s3cret")].map(|(user, word)| htpasswd::line(user, word));
    place.scratch.write("users", users.concat());
    place.scratch.write("rules.toml", RULES);
    place.layout("one", "one");
    place
}

/// The program as `ann` or `bob`, or as nobody (`""`).
fn as_user(place: &Place, user: &str, args: &[&str]) -> Outcome {
    let mut command = place.command(args);
    command.args(["--attempts", "1"]);
    if !user.is_empty() {
        command
            .env("LANDFALL_USERNAME", user)
            .env("LANDFALL_PASSWORD", format!("{user}-s3cret"));
    }
    run(&mut command)
}

/// What each of nobody, bob and ann can pull and push, with tokens or with passwords in each request.
#[track_caller]
fn assert_rights(more: &[&str]) {
    let place = place();
    let mut args = vec!["--root", "store", "--htpasswd", "users", "--rules", "rules.toml"];
    args.extend(more);
    let serving = Serving::start(&place, &args);
    let push = |user: &str, name: &str| as_user(&place, user, &["push", "one", &serving.name(name)]);
    let pull = |user: &str, name: &str| {
        let _ = std::fs::remove_file(place.path("pulled.tar"));
        as_user(&place, user, &["pull", &serving.name(name), "-o", "pulled.tar"])
    };
    for (user, name, allowed) in [
        ("", "public/app:1", false),
        ("bob", "public/app:1", false),
        ("ann", "public/app:1", true),
        ("", "team/app:1", false),
        ("ann", "team/app:1", false),
        ("bob", "team/app:1", true),
        ("bob", "team/secret/app:1", false),
        ("ann", "team/secret/app:1", true),
    ] {
        let outcome = push(user, name);
        let expected = if allowed { Some(0) } else { REFUSED };
        assert_eq!(outcome.code(), expected, "{user} pushes {name}: {outcome}");
    }
    for (user, name, allowed) in [
        ("", "public/app:1", true),
        ("bob", "public/app:1", true),
        ("", "team/app:1", false),
        ("bob", "team/app:1", true),
        ("ann", "team/app:1", true),
        ("", "team/secret/app:1", false),
        ("bob", "team/secret/app:1", false),
        ("ann", "team/secret/app:1", true),
    ] {
        let outcome = pull(user, name);
        assert_eq!(outcome.is_ok(), allowed, "{user} pulls {name}: {outcome}");
        if !allowed {
            assert_eq!(outcome.code(), REFUSED, "{user} pulls {name}: {outcome}");
        }
    }
    let wrong = run(place
        .command(&["push", "one", &serving.name("team/app:2"), "--attempts", "1"])
        .env("LANDFALL_USERNAME", "bob")
        .env("LANDFALL_PASSWORD", "guess"));
    assert_eq!(wrong.code(), REFUSED, "{wrong}");
    assert_catalog_and_deletion(&serving);
}

#[track_caller]
fn assert_catalog_and_deletion(serving: &Serving) {
    let ask = |method: &str, path: &str, user: &str| {
        let credential = basic(user, &format!("{user}-s3cret"));
        serving.request(method, path, &[("authorization", &credential)])
    };
    for (user, names) in [
        ("bob", json!(["public/app", "team/app"])),
        ("ann", json!(["public/app", "team/app", "team/secret/app"])),
    ] {
        let catalog = ask("GET", "/v2/_catalog", user);
        assert_eq!(catalog.json()["repositories"], names, "{user}: {catalog}");
    }
    let manifest = "/v2/team/app/manifests/1";
    let digest = ask("HEAD", manifest, "bob");
    let digest = digest.header("docker-content-digest").unwrap();
    let by_digest = format!("/v2/team/app/manifests/{digest}");
    let refused = ask("DELETE", &by_digest, "bob");
    assert_eq!(refused.status, 403, "{refused}");
    assert_eq!(refused.json()["errors"][0]["code"], "DENIED");
    assert_eq!(ask("DELETE", &by_digest, "ann").status, 202);
    assert_eq!(ask("GET", manifest, "ann").status, 404);
}

#[test]
fn with_passwords_in_each_request() {
    assert_rights(&[]);
}

#[test]
fn with_tokens() {
    assert_rights(&["--tokens"]);
}

#[test]
fn a_token_shows_and_opens_what_its_owner_may_and_survives_a_restart() {
    let place = place();
    let args = [
        "--root",
        "store",
        "--htpasswd",
        "users",
        "--rules",
        "rules.toml",
        "--tokens",
    ];
    let serving = Serving::start(&place, &args);
    for (user, name) in [("ann", "public/app:1"), ("bob", "team/app:1")] {
        as_user(&place, user, &["push", "one", &serving.name(name)]).ok();
    }
    let challenge = serving.get("/v2/team/app/manifests/1");
    assert_eq!(challenge.status, 401);
    let challenge = challenge.header("www-authenticate").unwrap().to_owned();
    assert!(
        challenge.starts_with("Bearer realm=\"http://127.0.0.1:"),
        "{challenge}"
    );
    assert!(
        challenge.contains("scope=\"repository:team/app:pull\""),
        "{challenge}"
    );
    // What is open to everybody needs no token.
    let catalog = serving.get("/v2/_catalog");
    assert_eq!(catalog.json()["repositories"], json!(["public/app"]), "{catalog}");
    let token = |scope: &str, headers: &[(&str, &str)]| {
        let path = format!("/token?service=landfall&scope={scope}");
        let answer = serving.request("GET", &path, headers);
        assert_eq!(answer.status, 200, "{answer}");
        format!("Bearer {}", answer.json()["token"].as_str().unwrap())
    };
    let bob = basic("bob", "bob-s3cret");
    let bob: [(&str, &str); 1] = [("authorization", &bob)];
    for (headers, names) in [
        (&[][..], json!(["public/app"])),
        (&bob[..], json!(["public/app", "team/app"])),
    ] {
        let token = token("registry:catalog:*", headers);
        let catalog = serving.request("GET", "/v2/_catalog", &[("authorization", &token)]);
        assert_eq!(catalog.json()["repositories"], names, "{catalog}");
    }
    // A token for one repository opens no other, and nobody's token opens what is closed to nobody.
    let manifest = |name: &str, token: &str| {
        let path = format!("/v2/{name}/manifests/1");
        serving.request("GET", &path, &[("authorization", token)]).status
    };
    let bobs = token("repository:team/app:pull", &bob);
    assert_eq!(manifest("team/app", &bobs), 200);
    let nobodys = token("repository:team/app:pull", &[]);
    assert_eq!(manifest("team/app", &nobodys), 401);
    assert_eq!(manifest("team/app", "Bearer made.up.token"), 401);
    // The key is kept, and for nobody else to read.
    use std::os::unix::fs::PermissionsExt as _;
    let key = std::fs::metadata(place.path("store/token.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o077, 0);
    assert_eq!(serving.stop(), Some(0));
    let serving = Serving::start(&place, &args);
    let path = "/v2/team/app/manifests/1";
    let answer = serving.request("GET", path, &[("authorization", &bobs)]);
    assert_eq!(answer.status, 200, "{answer}");
}

#[test]
fn a_bundle_is_loaded_where_its_loader_may_push() {
    let place = place();
    let workload = Workload::small(61);
    place.scratch.write("list.txt", workload.list());
    place
        .save(&FakeRegistry::with(&workload).address(), "bundle.tar", &[])
        .ok();
    let args = [
        "--root",
        "store",
        "--htpasswd",
        "users",
        "--rules",
        "rules.toml",
        "--tokens",
    ];
    let serving = Serving::start(&place, &args);
    let load =
        |user: &str, path: &str| as_user(&place, user, &["load", "bundle.tar", "-r", &serving.name(path)]);
    for (user, path, code) in [
        ("", "team/mirror", REFUSED),
        ("bob", "mirror", REFUSED),
        ("bob", "team/mirror", Some(0)),
        ("ann", "mirror", Some(0)),
    ] {
        let outcome = load(user, path);
        assert_eq!(outcome.code(), code, "{user} into {path}: {outcome}");
    }
    // And out again, by everybody, in the same bytes.
    let from = serving.name("mirror");
    as_user(
        &place,
        "",
        &["save", "-l", "list.txt", "-o", "again.tar", "--from", &from],
    )
    .ok();
    assert!(crate::place::same_bytes(
        &place.path("bundle.tar"),
        &place.path("again.tar")
    ));
}

/// A server with TLS that knows clients by their certificates.
fn with_certificates(place: &Place, more: &[&str]) -> Serving {
    let clients = Authority::new();
    place.scratch.write("clients.crt", clients.certificate());
    for name in ["ci", "other"] {
        clients.issue_client(name).write(place.scratch.path(), name);
    }
    Authority::new()
        .issue_client("ci")
        .write(place.scratch.path(), "forged");
    let mut args = vec![
        "--root",
        "store",
        "--tls-self-signed",
        "tls",
        "--client-ca",
        "clients.crt",
        "--audit-log",
        "audit.log",
    ];
    args.extend(more);
    Serving::start(place, &args)
}

/// Shows this client certificate, or none (`""`).
fn showing(place: &Place, name: &str, args: &[&str]) -> Outcome {
    let mut command = place.command(args);
    command.args(["--attempts", "1", "--tls-ca", "tls/ca.crt"]);
    if !name.is_empty() {
        let (certificate, key) = (format!("{name}.crt"), format!("{name}.key"));
        command.args(["--client-cert", &certificate, "--client-key", &key]);
    }
    run(&mut command)
}

#[test]
fn a_client_certificate_names_who_pushes() {
    let place = place();
    let serving = with_certificates(&place, &["--rules", "rules.toml", "--htpasswd", "users"]);
    let name = serving.name("team/app:1");
    for (certificate, code) in [
        ("", REFUSED),
        ("other", REFUSED),
        // Not of the authority that the server believes: no connection at all.
        ("forged", Some(5)),
        ("ci", Some(0)),
    ] {
        let outcome = showing(&place, certificate, &["push", "one", &name]);
        assert_eq!(outcome.code(), code, "{certificate:?}: {outcome}");
    }
    // `other` is somebody, so it may pull; nobody may not.
    let pull =
        |certificate: &str, out: &str| showing(&place, certificate, &["pull", &name, "-o", out]).code();
    assert_eq!(pull("other", "one.tar"), Some(0));
    assert_eq!(pull("", "two.tar"), REFUSED);
    let elsewhere = showing(&place, "ci", &["push", "one", &serving.name("public/app:1")]);
    assert_eq!(elsewhere.code(), REFUSED, "{elsewhere}");
    assert_eq!(serving.stop(), Some(0));
    let audit = String::from_utf8(place.read("audit.log")).unwrap();
    assert!(!audit.is_empty());
    for line in audit.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["user"], "cert:ci", "{line}");
    }
}

#[test]
fn a_certificate_and_tokens_go_together() {
    let place = place();
    let serving = with_certificates(&place, &["--rules", "rules.toml", "--tokens"]);
    let name = serving.name("team/app:1");
    assert_eq!(showing(&place, "other", &["push", "one", &name]).code(), REFUSED);
    showing(&place, "ci", &["push", "one", &name]).ok();
    showing(&place, "other", &["pull", &name, "-o", "one.tar"]).ok();
}

#[test]
fn who_shows_no_certificate_where_one_is_required_is_not_let_in() {
    let place = place();
    let serving = with_certificates(&place, &["--client-cert-required"]);
    let name = serving.name("any/app:1");
    let without = showing(&place, "", &["push", "one", &name]);
    assert_eq!(without.code(), Some(5), "{without}");
    showing(&place, "other", &["push", "one", &name]).ok();
}

//! Files that change under a running registry, guessers, and those who are named in between.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use landfall_server::{Access, AccessControl, AccessOptions, Peer, RegistryOptions, ServerError};
use landfall_store::suite;

use crate::client::{PEER, Scene};
use crate::sites::{Site, basic, encoded, open, users};

const CLOSED: &str = "[[rule]]\nrepository = \"*\"\npull = [\"ann\"]\n";

async fn status(site: &Site, who: &str) -> u16 {
    site.get(who, "/v2/_catalog").await.status.as_u16()
}

#[tokio::test]
async fn a_bad_file_keeps_the_old_in_force() {
    let site = Site::new(&["ann", "bob"], CLOSED).await;
    assert_eq!(status(&site, &basic("ann")).await, 200);
    for (name, bad) in [
        ("rules.toml", "[[rule]]\nrepositories = \"*\"\n"),
        ("users", "ann\n"),
        ("token.key", "x"),
    ] {
        let good = std::fs::read_to_string(site.path(name)).unwrap();
        site.replace(name, bad);
        let error = site.control.reload().await.unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        assert_eq!(status(&site, &basic("ann")).await, 200);
        assert_eq!(status(&site, "").await, 401);
        std::fs::remove_file(site.path(name)).unwrap();
        assert!(matches!(site.control.reload().await, Err(ServerError::Io { .. })));
        assert_eq!(status(&site, &basic("ann")).await, 200);
        site.replace(name, &good);
        site.control.reload().await.unwrap();
    }
    // One is bad, the other is taken.
    site.replace("rules.toml", "x");
    site.replace("users", &users(&["bob"]));
    site.control.reload().await.unwrap_err();
    assert_eq!(status(&site, &basic("ann")).await, 401);
}

#[tokio::test]
async fn a_changed_file_is_seen() {
    let site = Site::new(&["ann"], CLOSED).await;
    let watching = tokio::spawn(Arc::clone(&site.control).watch());
    assert_eq!(status(&site, &basic("bob")).await, 401);
    site.replace("users", &users(&["ann", "bob"]));
    site.replace("rules.toml", &CLOSED.replace("ann", "bob"));
    let seen = async {
        while status(&site, &basic("bob")).await != 200 {
            // Not so often that it counts as guessing for long.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), seen).await.unwrap();
    assert!(!watching.is_finished());
    watching.abort();
}

#[tokio::test]
async fn a_registry_does_not_start_with_a_bad_file() {
    let folder = tempfile::tempdir().unwrap();
    let missing = open(folder.path(), |_| ()).await.unwrap_err();
    assert!(matches!(missing, ServerError::Io { .. }));
    std::fs::write(folder.path().join("users"), "ann:x\n").unwrap();
    std::fs::write(folder.path().join("rules.toml"), "[[rule]]\n").unwrap();
    let bad = open(folder.path(), |_| ()).await.unwrap_err().to_string();
    assert!(bad.contains("users:1:"), "{bad}");
    let bad = open(folder.path(), |options| options.htpasswd = None)
        .await
        .unwrap_err()
        .to_string();
    assert!(bad.contains("rules.toml:1:1: "), "{bad}");
    let no_url = |options: &mut AccessOptions| {
        options.htpasswd = None;
        options.rules = None;
        options.tokens.as_mut().unwrap().external_url = Some("nonsense".into());
    };
    assert!(open(folder.path(), no_url).await.is_err());
}

/// CVE-2026-4404: with an empty password file nobody gets in, whatever usual name and password is tried.
#[tokio::test]
async fn there_is_no_default_password() {
    let site = Site::new(&[], "[[rule]]\nrepository = \"*\"\npull = [\"authenticated\"]\n").await;
    let mut place = 0_u32;
    for pair in [
        "admin:admin",
        "admin:Harbor12345",
        "admin:",
        "root:root",
        "landfall:landfall",
        "anonymous:",
    ] {
        place += 1;
        let peer = Peer {
            addr: (std::net::Ipv4Addr::from(place), 1).into(),
            ..PEER
        };
        let headers = [("authorization", encoded(pair))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        for path in ["/v2/", "/token"] {
            let refused = site
                .scene
                .send_from(peer.clone(), Method::GET, path, &headers, "")
                .await;
            refused.expect(401);
        }
    }
}

#[tokio::test]
async fn guesses_are_refused_before_a_hash_is_computed() {
    let site = Site::new(&["ann", "bob"], CLOSED).await;
    site.get(&basic("bob"), "/v2/").await.expect(200);
    let wrong = encoded("ann:wrong");
    for _ in 0..5 {
        site.get(&wrong, "/v2/").await.expect(401);
    }
    let before = site.control.password_hashes();
    for who in [&wrong, &encoded("nobody:x"), &basic("ann")] {
        for path in ["/v2/", "/token"] {
            let refused = site.get(who, path).await;
            refused.expect_error(429, "TOOMANYREQUESTS");
            assert!(refused.header("retry-after").parse::<u32>().unwrap() >= 1);
        }
    }
    let form = site
        .post_form("grant_type=password&username=ann&password=ann-secret")
        .await;
    form.expect(429);
    assert_eq!(site.control.password_hashes(), before);
    // Neighbours behind the same address who are known to be right are not held up, nor is anybody elsewhere.
    site.get(&basic("bob"), "/v2/").await.expect(200);
    assert_eq!(site.control.password_hashes(), before);
    let elsewhere = Peer {
        addr: "192.0.2.7:1".parse().unwrap(),
        ..PEER
    };
    let header = basic("ann");
    let headers = [("authorization", header.as_str())];
    let let_in = site
        .scene
        .send_from(elsewhere, Method::GET, "/v2/", &headers, "")
        .await;
    let_in.expect(200);
}

#[tokio::test]
async fn guesses_that_come_at_once_are_guesses_too() {
    let site = Site::new(&["ann"], CLOSED).await;
    let wrong = encoded("ann:wrong");
    let guesses = (0..50).map(|_| site.get(&wrong, "/v2/"));
    let answers = futures_util::future::join_all(guesses).await;
    assert!(answers.iter().any(|answer| answer.status == 429));
    // Five, and those that were under way when the fifth had failed.
    let tried = site.control.password_hashes();
    assert!(tried <= 10, "{tried}");
    // Who is right may come in a crowd.
    let site = Site::new(&["ann"], CLOSED).await;
    let right = basic("ann");
    let log_ins = (0..50).map(|_| site.get(&right, "/v2/"));
    for answer in futures_util::future::join_all(log_ins).await {
        answer.expect(200);
    }
}

/// The class of X-Forwarded-For trust: a guesser that names another address with each guess.
#[tokio::test]
async fn a_guesser_cannot_choose_its_address() {
    for (trusted, expected) in [(&[][..], 429), (&["127.0.0.1"][..], 401)] {
        let site = Site::with(&["ann"], CLOSED, |options| {
            options.trusted_proxies = trusted.iter().map(|text| text.parse().unwrap()).collect();
        })
        .await;
        let wrong = encoded("ann:wrong");
        let mut last = 0;
        for guess in 0..7 {
            let forwarded = format!("192.0.2.{guess}");
            let headers = [("authorization", wrong.as_str()), ("x-forwarded-for", &forwarded)];
            last = site
                .scene
                .send(Method::GET, "/v2/", &headers, "")
                .await
                .status
                .as_u16();
        }
        assert_eq!(last, expected, "{trusted:?}");
    }
}

#[tokio::test]
async fn an_unknown_user_costs_what_a_known_one_costs() {
    let site = Site::new(&["ann"], CLOSED).await;
    let mut computed = Vec::new();
    for who in ["ann:wrong", "nobody:wrong"] {
        let before = site.control.password_hashes();
        let refused = site.get(&encoded(who), "/v2/").await;
        refused.expect(401);
        computed.push((site.control.password_hashes() - before, refused.body.clone()));
    }
    assert_eq!(computed[0], computed[1]);
    assert_eq!(computed[0].0, 1);
}

#[tokio::test]
async fn users_without_rules_and_rules_without_users() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    std::fs::write(&path, users(&["ann"])).unwrap();
    let scene = async |options: AccessOptions| {
        let access = Access::Controlled(AccessControl::open(options).await.unwrap());
        Scene::with(RegistryOptions {
            access,
            ..RegistryOptions::default()
        })
        .await
    };
    let closed = scene(AccessOptions {
        htpasswd: Some(path),
        ..AccessOptions::default()
    })
    .await;
    closed.get("/v2/").await.expect(401);
    let header = basic("ann");
    let headers = [("authorization", header.as_str())];
    let begun = closed
        .send(Method::POST, "/v2/a/blobs/uploads/", &headers, "")
        .await;
    begun.expect(202);
    let node = crate::sites::certified("node");
    closed
        .send_from(node, Method::GET, "/v2/", &[], "")
        .await
        .expect(200);

    // Everybody may do everything: what a client has left in its configuration does not keep it out.
    let open = scene(AccessOptions::default()).await;
    for header in ["Basic !", "Bearer x", "Basic YTpi", ""] {
        let headers = [("authorization", header)];
        open.send(Method::GET, "/v2/", &headers, "").await.expect(200);
    }

    // Public and read-only for all: nobody needs to log in, so nobody is asked to.
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, "[[rule]]\nrepository = \"*\"\npull = [\"anonymous\"]\n").unwrap();
    let public = scene(AccessOptions {
        rules: Some(rules),
        ..AccessOptions::default()
    })
    .await;
    suite::fill(&*public.store).await;
    public.get("/v2/").await.expect(200);
    public.get("/v2/alpine/manifests/v1").await.expect(200);
    public.post("/v2/alpine/blobs/uploads/").await.expect(401);
    public.delete("/v2/alpine/manifests/v1").await.expect(401);
}

//! Who may do what, endpoint by endpoint, and what those who may not can find out.

use http::Method;
use landfall_server::Peer;
use landfall_store::suite::{self, Held};
use serde_json::json;

use crate::client::{Answer, PEER, Scene};
use crate::sites::{Site, basic, certified};

const RULES: &str = r#"
    [groups]
    staff = ["pusher", "reader"]
    [[rule]]
    repository = "*"
    pull = ["@staff", "cert:node", "anonymous"]
    push = ["pusher"]
    [[rule]]
    repository = "alpine"
    pull = ["@staff", "cert:node"]
    push = ["pusher"]
    delete = ["cleaner"]
    [[rule]]
    repository = "own"
    pull = ["stranger"]
    push = ["stranger"]
"#;
const USERS: [&str; 4] = ["reader", "pusher", "cleaner", "stranger"];

async fn site() -> (Site, Held) {
    let site = Site::new(&USERS, RULES).await;
    let held = suite::fill(&*site.scene.store).await;
    let alpine = held.into_iter().find(|held| held.repository.as_str() == "alpine");
    (site, alpine.unwrap())
}

/// One request to one endpoint.
struct Row {
    method: Method,
    path: String,
    body: bytes::Bytes,
    content_type: String,
    /// The right that it needs, and what it is answered with it.
    right: &'static str,
    status: u16,
}

/// Every endpoint of a repository.
async fn rows(scene: &Scene, held: &Held) -> Vec<Row> {
    let name = &held.repository;
    let upload = scene.store.start_upload(name, None).await.unwrap().id;
    let (blob, manifest) = (held.blobs[0].0, held.manifest.digest);
    let (new, content) = suite::blob("new");
    let row = |right, method, path: String, status| Row {
        method,
        path: format!("/v2/{name}/{path}"),
        body: bytes::Bytes::new(),
        content_type: String::new(),
        right,
        status,
    };
    let with = |row: Row, body: &bytes::Bytes, content_type: &str| Row {
        body: body.clone(),
        content_type: content_type.to_owned(),
        ..row
    };
    let (bytes, kind) = (&held.manifest.bytes, held.manifest.media_type.as_str());
    let upload = format!("blobs/uploads/{upload}");
    vec![
        row("pull", Method::GET, "tags/list".into(), 200),
        row("pull", Method::GET, format!("referrers/{manifest}"), 200),
        row("pull", Method::GET, "manifests/v1".into(), 200),
        row("pull", Method::HEAD, format!("manifests/{manifest}"), 200),
        row("pull", Method::GET, format!("blobs/{blob}"), 200),
        row("pull", Method::HEAD, format!("blobs/{blob}"), 200),
        with(row("push", Method::PUT, "manifests/v2".into(), 201), bytes, kind),
        with(
            row("push", Method::PUT, format!("manifests/{manifest}?tag=v3"), 201),
            bytes,
            kind,
        ),
        row("push", Method::POST, "blobs/uploads/".into(), 202),
        row("push", Method::POST, "blobs/uploads".into(), 202),
        with(
            row("push", Method::POST, format!("blobs/uploads/?digest={new}"), 201),
            &content,
            "",
        ),
        row(
            "push",
            Method::POST,
            format!("blobs/uploads/?mount={blob}&from=nowhere"),
            202,
        ),
        row("push", Method::GET, upload.clone(), 204),
        with(row("push", Method::PATCH, upload.clone(), 202), &content, ""),
        row("push", Method::PUT, format!("{upload}?digest={new}"), 400),
        row("push", Method::DELETE, upload, 204),
        row("delete", Method::DELETE, "manifests/v1".into(), 202),
        row("delete", Method::DELETE, format!("manifests/{manifest}"), 202),
        row("delete", Method::DELETE, format!("blobs/{blob}"), 202),
    ]
}

/// Somebody, and what is shown of it.
struct Somebody {
    name: &'static str,
    peer: Peer,
    authorization: String,
    rights: &'static [&'static str],
    /// What it hears without the right.
    refused: u16,
}

async fn everybody(site: &Site) -> Vec<Somebody> {
    let all = "repository:alpine:*";
    let somebody = |name, authorization, rights, refused| Somebody {
        name,
        peer: PEER,
        authorization,
        rights,
        refused,
    };
    let mut found = vec![
        somebody("nobody", String::new(), &[][..], 401),
        somebody("nobody's token", site.token("", all).await, &[], 401),
        somebody("junk", "Bearer junk".into(), &[], 401),
        somebody(
            "a token for elsewhere",
            site.token(&basic("pusher"), "repository:alpin:*").await,
            &[],
            0,
        ),
        somebody(
            "a token to pull",
            site.token(&basic("pusher"), "repository:alpine:pull").await,
            &["pull"],
            0,
        ),
        Somebody {
            peer: certified("node"),
            ..somebody("a certificate", String::new(), &["pull"], 403)
        },
        Somebody {
            peer: certified("reader"),
            ..somebody("a certificate with a user's name", String::new(), &[], 403)
        },
    ];
    for (name, rights) in [
        ("reader", &["pull"][..]),
        ("pusher", &["pull", "push"]),
        ("cleaner", &["delete"]),
        ("stranger", &[]),
    ] {
        found.push(somebody(name, basic(name), rights, 403));
        found.push(somebody(name, site.token(&basic(name), all).await, rights, 403));
    }
    found
}

async fn send(site: &Site, who: &Somebody, row: &Row) -> Answer {
    let mut headers = vec![("host", "registry.test")];
    for (name, value) in [
        ("authorization", &who.authorization),
        ("content-type", &row.content_type),
    ] {
        if !value.is_empty() {
            headers.push((name, value));
        }
    }
    let (method, body) = (row.method.clone(), row.body.clone());
    site.scene
        .send_from(who.peer.clone(), method, &row.path, &headers, body)
        .await
}

/// CVE-2026-41888: one endpoint that forgot to ask. Every endpoint, for every kind of caller.
#[tokio::test]
async fn every_endpoint_asks_the_gate() {
    let (site, held) = site().await;
    for who in everybody(&site).await {
        for row in rows(&site.scene, &held).await {
            if who.rights.contains(&row.right) {
                continue;
            }
            let answer = send(&site, &who, &row).await;
            let case = format!("{} {} {}", who.name, row.method, row.path);
            // A user's token for less than the user may do is 401, for what the user may not do 403.
            let user_may = ["pull", "push"].contains(&row.right);
            let expected = match who.refused {
                0 => 401 + 2 * u16::from(!user_may),
                status => status,
            };
            assert_eq!(answer.status, expected, "{case}: {answer:?}");
            let challenge = answer.header("www-authenticate");
            assert_eq!(answer.status == 401, challenge.starts_with("Bearer "), "{case}");
            if who.refused == 0 && user_may {
                assert!(
                    challenge.ends_with("error=\"insufficient_scope\""),
                    "{case}: {challenge}"
                );
            }
            if answer.status == 401 {
                let needed = match row.right {
                    "push" => "pull,push",
                    right => right,
                };
                let scope = format!("scope=\"repository:alpine:{needed}");
                assert!(challenge.contains(&scope), "{case}: {challenge}");
            }
        }
    }
    // Nothing came of it.
    suite::reading(&*site.scene.store, &suite::samples()).await;
}

#[tokio::test]
async fn every_right_is_what_it_says() {
    for index in 0..19 {
        let (site, held) = site().await;
        for who in everybody(&site).await {
            let row = rows(&site.scene, &held).await.swap_remove(index);
            if !who.rights.contains(&row.right) {
                continue;
            }
            let answer = send(&site, &who, &row).await;
            assert_eq!(
                answer.status, row.status,
                "{} {} {}: {answer:?}",
                who.name, row.method, row.path
            );
            // What was deleted is there again for the next.
            suite::push(&*site.scene.store, &held).await;
        }
    }
}

/// CVE-2024-39897: what one may not read cannot be told from what is not there.
#[tokio::test]
async fn a_closed_repository_is_no_oracle() {
    let (site, held) = site().await;
    let (blob, manifest) = (held.blobs[0].0, held.manifest.digest);
    let stranger = basic("stranger");
    let same = |mut there: Answer, mut not_there: Answer| {
        // Each answer has its own number.
        for answer in [&mut there, &mut not_there] {
            answer.headers.remove("x-request-id");
        }
        assert_eq!(there.status, not_there.status);
        assert_eq!(there.headers, not_there.headers);
        assert_eq!(there.body, not_there.body);
    };
    // A name below the closed one is closed too, and there is nothing.
    for (path, other) in [
        ("tags/list", "tags/list".to_owned()),
        ("manifests/v1", "manifests/v9".into()),
        (
            &format!("manifests/{manifest}"),
            format!("manifests/{}", suite::blob("9").0),
        ),
        (&format!("blobs/{blob}"), format!("blobs/{}", suite::blob("9").0)),
        (
            &format!("referrers/{manifest}"),
            format!("referrers/{}", suite::blob("9").0),
        ),
    ] {
        for who in ["", &stranger] {
            let there = site.get(who, &format!("/v2/alpine/{path}")).await;
            let missing = site.get(who, &format!("/v2/alpine/{other}")).await;
            assert!(matches!(there.status.as_u16(), 401 | 403));
            same(there, missing);
        }
    }
    // A mount: by name and by any holder. The blob is in `alpine` alone.
    let mount = |digest, from: &str| format!("/v2/own/blobs/uploads/?mount={digest}{from}");
    let only_there = scene_only_blob(&site, "alpine").await;
    for from in ["&from=alpine", "", "&from="] {
        let there = site.ask(&stranger, Method::POST, &mount(only_there, from)).await;
        let missing = site
            .ask(&stranger, Method::POST, &mount(suite::blob("9").0, from))
            .await;
        assert_eq!(
            (there.status.as_u16(), missing.status.as_u16()),
            (202, 202),
            "{from}"
        );
    }
    site.get(&stranger, &format!("/v2/own/blobs/{only_there}"))
        .await
        .expect(404);
    // Who may read it may mount it: by a password, and by a token that says so.
    let path = format!("/v2/target/blobs/uploads/?mount={only_there}&from=alpine");
    let narrow = site.token(&basic("pusher"), "repository:target:pull,push").await;
    site.ask(&narrow, Method::POST, &path).await.expect(202);
    let wide = "repository:target:pull,push+repository:alpine:pull";
    let wide = site.token(&basic("pusher"), wide).await;
    site.ask(&wide, Method::POST, &path).await.expect(201);
    let anonymous = format!("/v2/target2/blobs/uploads/?mount={only_there}");
    site.ask(&basic("pusher"), Method::POST, &anonymous)
        .await
        .expect(201);
}

async fn scene_only_blob(site: &Site, name: &str) -> landfall_oci::Digest {
    let blob = suite::blob("only there");
    suite::push_blob(&*site.scene.store, &suite::repository(name), &blob).await;
    blob.0
}

#[tokio::test]
async fn the_list_shows_what_may_be_read() {
    let (site, _) = site().await;
    let all = json!(["a/deep/er/name", "alpine", "alpine-extra", "alpine/child"]);
    let public = json!(["a/deep/er/name", "alpine-extra"]);
    let list = async |who: &str, query: &str| {
        let answer = site.get(who, &format!("/v2/_catalog{query}")).await;
        answer.expect(200);
        (
            answer.json()["repositories"].clone(),
            answer.header("link").to_owned(),
        )
    };
    assert_eq!(list("", "").await.0, public);
    assert_eq!(list(&basic("reader"), "").await.0, all);
    assert_eq!(list(&basic("cleaner"), "").await.0, public);
    // Pages are full, and there is a next one only when there is something on it.
    let (first, link) = list("", "?n=1").await;
    assert_eq!(
        (first, link.as_str()),
        (
            json!(["a/deep/er/name"]),
            "</v2/_catalog?n=1&last=a/deep/er/name>; rel=\"next\""
        )
    );
    let (second, link) = list("", "?n=1&last=a/deep/er/name").await;
    assert_eq!((second, link.as_str()), (json!(["alpine-extra"]), ""));
    assert_eq!(list("", "?n=2").await, (public.clone(), String::new()));
    assert_eq!(list("", "?n=0").await, (json!([]), String::new()));
    // A token must be for the list.
    let token = site.token(&basic("reader"), "registry:catalog:*").await;
    assert_eq!(list(&token, "").await.0, all);
    assert_eq!(
        list(&site.token("", "registry:catalog:*").await, "").await.0,
        public
    );
    let other = site.token(&basic("reader"), "repository:alpine:pull").await;
    let refused = site.get(&other, "/v2/_catalog").await;
    refused.expect(401);
    assert!(
        refused
            .header("www-authenticate")
            .contains("scope=\"registry:catalog:*\",error=")
    );
}

#[tokio::test]
async fn a_namespace_leads_only_to_what_may_be_read() {
    let rules = r#"
        [[rule]]
        repository = "quay.io"
        pull = ["reader"]
        [[rule]]
        repository = "alpine"
        pull = ["reader", "stranger"]
    "#;
    let site = Site::new(&USERS, rules).await;
    let scene = &site.scene;
    let (store, blob) = (&*scene.store, suite::blob("x"));
    for name in ["quay.io/alpine", "alpine"] {
        suite::push_blob(store, &suite::repository(name), &blob).await;
    }
    let hidden = suite::blob("in quay only");
    suite::push_blob(store, &suite::repository("quay.io/alpine"), &hidden).await;
    let path = |digest| format!("/v2/alpine/blobs/{digest}?ns=quay.io");
    let found = site.get(&basic("reader"), &path(blob.0)).await;
    assert_eq!(found.header("oci-namespace"), "quay.io");
    let found = site.get(&basic("stranger"), &path(blob.0)).await;
    assert_eq!((found.status.as_u16(), found.header("oci-namespace")), (200, ""));
    site.get(&basic("stranger"), &path(hidden.0)).await.expect(404);
    // containerd asks for a token for the path; what is behind the namespace is then the rules' word.
    let scope = "repository:alpine:pull";
    let token = site.token(&basic("reader"), scope).await;
    site.get(&token, &path(hidden.0)).await.expect(200);
    let token = site.token(&basic("stranger"), scope).await;
    site.get(&token, &path(hidden.0)).await.expect(404);
    let path = format!("/v2/only/blobs/{}?ns=quay.io", hidden.0);
    suite::push_blob(store, &suite::repository("quay.io/only"), &hidden).await;
    let token = site.token(&basic("reader"), "repository:only:pull").await;
    site.get(&token, &path).await.expect(200);
    let token = site.token(&basic("stranger"), "repository:only:pull").await;
    site.get(&token, &path).await.expect(403);
}

/// Who shows nothing is told to log in before it is told that nothing is there: it asks only once.
#[tokio::test]
async fn a_closed_namespace_asks_for_a_password() {
    let rules = r#"
        [[rule]]
        repository = "*"
        pull = ["anonymous"]
        [[rule]]
        repository = "quay.io"
        pull = ["reader"]
    "#;
    let site = Site::new(&USERS, rules).await;
    let blob = suite::blob("x");
    suite::push_blob(&*site.scene.store, &suite::repository("quay.io/a"), &blob).await;
    suite::push_blob(&*site.scene.store, &suite::repository("open"), &blob).await;
    let get = async |who: &str, name: &str| {
        let answer = site
            .get(who, &format!("/v2/{name}/blobs/{}?ns=quay.io", blob.0))
            .await;
        answer.status.as_u16()
    };
    // The same whether it is there or not.
    assert_eq!((get("", "a").await, get("", "b").await), (401, 401));
    assert_eq!(get("", "open").await, 200);
    let scope = "repository:a:pull";
    let (nobody, reader) = (
        site.token("", scope).await,
        site.token(&basic("reader"), scope).await,
    );
    assert_eq!((get(&nobody, "a").await, get(&reader, "a").await), (404, 200));
    assert_eq!(
        (
            get(&basic("stranger"), "a").await,
            get(&basic("reader"), "a").await
        ),
        (404, 200)
    );
    site.get("", &format!("/v2/b/blobs/{}", blob.0)).await.expect(404);
}

/// GHSA-c9p4: whoever was put out of a group kept its rights. CVE-2026-35172: what had been read stayed readable.
#[tokio::test]
async fn rights_end_with_the_rules_that_gave_them() {
    let (site, held) = site().await;
    let path = format!("/v2/alpine/blobs/{}", held.blobs[0].0);
    let scope = "repository:alpine:pull";
    let (reader, node) = (site.token(&basic("reader"), scope).await, certified("node"));
    let by_node = async || {
        site.scene
            .send_from(node.clone(), Method::GET, &path, &[], "")
            .await
    };
    for who in [&reader, &basic("reader")] {
        site.get(who, &path).await.expect(200);
    }
    by_node().await.expect(200);
    site.replace(
        "rules.toml",
        &RULES
            .replace(", \"reader\"]", "]")
            .replace("\"cert:node\"", "\"cert:other\""),
    );
    site.control.reload().await.unwrap();
    for who in [&reader, &basic("reader")] {
        site.get(who, &path).await.expect_error(403, "DENIED");
    }
    by_node().await.expect_error(403, "DENIED");
    // And back: rights were never in the token.
    site.replace("rules.toml", RULES);
    site.control.reload().await.unwrap();
    site.get(&reader, &path).await.expect(200);
    // Deleted is deleted for everybody, token or not.
    let delete = site.ask(&basic("cleaner"), Method::DELETE, &path).await;
    delete.expect(202);
    site.get(&reader, &path).await.expect(404);
    site.get(&basic("reader"), &path).await.expect(404);
}

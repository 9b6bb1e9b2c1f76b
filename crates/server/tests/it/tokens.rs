//! The token endpoint as docker, containerd and others use it.

use http::Method;
use landfall_server::TokenOptions;
use landfall_store::suite;

use crate::sites::{Site, basic, encoded, users};

const RULES: &str = r#"
    [[rule]]
    repository = "*"
    pull = ["authenticated"]
    push = ["ann"]
    [[rule]]
    repository = "public"
    pull = ["anonymous"]
    push = ["ann"]
"#;

async fn site() -> Site {
    let site = Site::new(&["ann", "bob"], RULES).await;
    suite::push_blob(
        &*site.scene.store,
        &suite::repository("public"),
        &suite::blob("x"),
    )
    .await;
    suite::push_blob(
        &*site.scene.store,
        &suite::repository("team/app"),
        &suite::blob("x"),
    )
    .await;
    site
}

fn blob(name: &str) -> String {
    format!("/v2/{name}/blobs/{}", suite::blob("x").0)
}

/// docker, podman, skopeo and crane learn at `/v2/` how to log in; containerd and regctl at the refused request.
#[tokio::test]
async fn both_ways_to_learn_where_tokens_are() {
    let site = site().await;
    let realm = "Bearer realm=\"http://registry.test/token\",service=\"landfall\"";
    let base = site.get("", "/v2/").await;
    base.expect_error(401, "UNAUTHORIZED");
    assert_eq!(base.header("www-authenticate"), realm);
    let refused = site.get("", &blob("team/app")).await;
    let expected = format!("{realm},scope=\"repository:team/app:pull\"");
    assert_eq!(refused.header("www-authenticate"), expected);
    // Without a password: a token for nothing opens /v2/ and what is public, and that needs no token at all.
    let nobody = site.token("", "repository:public:pull").await;
    for who in [nobody.as_str(), "", "Basic Og=="] {
        site.get(who, &blob("public")).await.expect(200);
        site.get(who, &blob("team/app")).await.expect(401);
    }
    site.get(&nobody, "/v2/").await.expect(200);
    site.get(&basic("bob"), "/v2/").await.expect(200);
    let wrong = site.get(&encoded("bob:wrong"), "/v2/").await;
    wrong.expect(401);
    let junk = site.get("Bearer x.y.z", "/v2/").await;
    assert_eq!(
        junk.header("www-authenticate"),
        format!("{realm},error=\"invalid_token\"")
    );
}

#[tokio::test]
async fn a_token_holds_what_was_asked_for_and_may_be_done() {
    let site = site().await;
    let granted = async |who: &str, query: &str| {
        let answer = site.get(who, &format!("/token?{query}")).await;
        answer.expect(200);
        assert_eq!(answer.header("cache-control"), "no-store");
        let json = answer.json();
        assert_eq!(json["token"], json["access_token"]);
        assert_eq!(json["expires_in"], 300);
        assert!(json["issued_at"].as_str().unwrap().ends_with('Z'));
        json["scope"].as_str().unwrap().to_owned()
    };
    for (who, query, expected) in [
        ("", "scope=repository:public:pull,push", "repository:public:pull"),
        ("", "scope=repository:team/app:pull", ""),
        ("", "", ""),
        (
            &basic("bob"),
            "scope=repository:team/app:pull,push,delete",
            "repository:team/app:pull",
        ),
        (
            &basic("ann"),
            "scope=repository:team/app:*&account=ann",
            "repository:team/app:pull,push",
        ),
        (
            &basic("ann"),
            "scope=repository:a:push&scope=repository:b:pull%20repository:a:pull&service=landfall",
            "repository:a:push,pull repository:b:pull",
        ),
        (&basic("bob"), "scope=registry:catalog:*", "registry:catalog:*"),
    ] {
        assert_eq!(granted(who, query).await, expected, "{who} {query}");
    }
    let push = site.token(&basic("ann"), "repository:team/app:push").await;
    // None implies another, and neither does a name its neighbours.
    site.get(&push, &blob("team/app")).await.expect(401);
    site.ask(&push, Method::POST, "/v2/team/app/blobs/uploads/")
        .await
        .expect(202);
    for other in ["team", "team/app/x", "team/apps"] {
        let path = format!("/v2/{other}/blobs/uploads/");
        site.ask(&push, Method::POST, &path).await.expect(401);
    }
}

#[tokio::test]
async fn what_is_refused_at_the_endpoint() {
    let site = site().await;
    for who in [
        encoded("ann:wrong"),
        encoded("nobody:x"),
        "Bearer x".into(),
        "Basic !".into(),
    ] {
        let refused = site.get(&who, "/token").await;
        refused.expect_error(401, "UNAUTHORIZED");
        assert!(refused.header("www-authenticate").starts_with("Basic "));
    }
    site.get("", "/token?service=other").await.expect(400);
    let many: String = (0..60)
        .map(|index| format!("scope=repository:r{index}:pull&"))
        .collect();
    site.get("", &format!("/token?{many}")).await.expect(400);
    for form in ["", "grant_type=magic", "grant_type=refresh_token2"] {
        site.post_form(form).await.expect(400);
    }
    site.post_form(&"x".repeat(100_000)).await.expect(413);
    site.ask("", Method::PUT, "/token").await.expect(405);
    site.ask("", Method::HEAD, "/token").await.expect(405);
    let wrong = site
        .post_form("grant_type=password&username=ann&password=wrong")
        .await;
    wrong.expect(401);
    // Without tokens there is no such place, and passwords are asked for.
    let plain = Site::with(&["ann"], RULES, |options| options.tokens = None).await;
    let refused = plain.get("", "/v2/").await;
    assert!(refused.header("www-authenticate").starts_with("Basic "));
    plain.get(&basic("ann"), "/token").await.expect(404);
    plain.get("Bearer x", "/v2/").await.expect(401);
}

/// docker's way: `docker login` asks for a refresh token and forgets the password.
#[tokio::test]
async fn the_form_and_tokens_that_are_kept() {
    let site = site().await;
    let form = "grant_type=password&username=ann&password=ann-secret&service=landfall&client_id=x\
                &scope=repository:team/app:pull+repository:public:push";
    let first = site.post_form(form).await;
    first.expect(200);
    assert_eq!(
        first.json()["scope"],
        "repository:team/app:pull repository:public:push"
    );
    assert_eq!(first.json().get("refresh_token"), None);
    let offline = site
        .post_form(&format!("{form}&access_type=offline"))
        .await
        .json();
    let by_get = site
        .get(&basic("ann"), "/token?offline_token=true&client_id=docker")
        .await
        .json();
    // Nobody in particular has nothing to come back with.
    let nobody = site.get("", "/token?offline_token=true").await.json();
    assert_eq!(nobody.get("refresh_token"), None);
    let renew = async |token: &str| {
        let form = format!("grant_type=refresh_token&refresh_token={token}&scope=repository:team/app:pull");
        site.post_form(&form).await
    };
    for kept in [&offline, &by_get] {
        let kept = kept["refresh_token"].as_str().unwrap();
        let renewed = renew(kept).await;
        renewed.expect(200);
        let token = format!("Bearer {}", renewed.json()["access_token"].as_str().unwrap());
        site.get(&token, &blob("team/app")).await.expect(200);
        // It is for the endpoint alone, as the other kind is for all but the endpoint.
        site.get(&format!("Bearer {kept}"), "/v2/").await.expect(401);
    }
    renew(offline["token"].as_str().unwrap()).await.expect(401);
    // A new password ends all of it; so does the user's end.
    let kept = offline["refresh_token"].as_str().unwrap();
    let bearer = format!("Bearer {}", offline["token"].as_str().unwrap());
    site.get(&bearer, &blob("public")).await.expect(401);
    site.get(&bearer, "/v2/").await.expect(200);
    let good = std::fs::read_to_string(site.path("users")).unwrap();
    for changed in [users(&["ann", "bob"]), users(&["bob"])] {
        site.replace("users", &changed);
        site.control.reload().await.unwrap();
        renew(kept).await.expect(401);
        site.get(&bearer, "/v2/").await.expect(401);
    }
    site.replace("users", &good);
    site.control.reload().await.unwrap();
    renew(kept).await.expect(200);
    // A new key ends everything.
    std::fs::remove_file(site.path("token.key")).unwrap();
    site.control.reload().await.unwrap_err();
    renew(kept).await.expect(200);
    let other = Site::new(&["ann"], RULES).await;
    std::fs::copy(other.path("token.key"), site.path("token.key")).unwrap();
    site.control.reload().await.unwrap();
    renew(kept).await.expect(401);
}

#[tokio::test]
async fn a_certificate_gets_tokens_too() {
    let rules = "[[rule]]\nrepository = \"*\"\npull = [\"cert:node\"]\n";
    let site = Site::new(&[], rules).await;
    suite::push_blob(&*site.scene.store, &suite::repository("a"), &suite::blob("x")).await;
    let node = crate::sites::certified("node");
    let path = "/token?scope=repository:a:pull&offline_token=true";
    let answer = site.scene.send_from(node, Method::GET, path, &[], "").await;
    assert_eq!(answer.json()["scope"], "repository:a:pull");
    assert_eq!(answer.json().get("refresh_token"), None);
    let token = format!("Bearer {}", answer.json()["token"].as_str().unwrap());
    site.get(&token, &blob("a")).await.expect(200);
    site.get("", &blob("a")).await.expect(401);
}

#[tokio::test]
async fn another_url_and_another_name() {
    let site = Site::with(&["ann"], RULES, |options| {
        let tokens = options.tokens.as_mut().unwrap();
        *tokens = TokenOptions {
            service: "site-a".to_owned(),
            external_url: Some("https://registry.example/".to_owned()),
            ..TokenOptions::new(tokens.key_file.clone())
        };
    })
    .await;
    let refused = site.get("", "/v2/").await;
    let expected = "Bearer realm=\"https://registry.example/token\",service=\"site-a\"";
    assert_eq!(refused.header("www-authenticate"), expected);
    // The same key under another name: a token of the one is not a token of the other.
    let token = site.get(&basic("ann"), "/token?service=site-a").await.json()["token"].clone();
    let token = format!("Bearer {}", token.as_str().unwrap());
    site.get(&token, "/v2/").await.expect(200);
    let other = Site::new(&["ann"], RULES).await;
    std::fs::copy(site.path("token.key"), other.path("token.key")).unwrap();
    std::fs::copy(site.path("users"), other.path("users")).unwrap();
    other.control.reload().await.unwrap();
    other.get(&token, "/v2/").await.expect(401);
}

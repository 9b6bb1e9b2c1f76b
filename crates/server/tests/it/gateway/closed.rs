//! The closed world: nobody is asked but who was configured, nothing is told to anybody else.

use landfall_server::gateway::{Endpoint, GatewayOptions, Upstreams};
use landfall_testkit::FakeRegistry;
use landfall_testkit::fake_registry::{Auth, Fault, Kind, Rule};

use super::{Front, app, endpoint, forgetful, host, log_in, quay};

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_nobody_configured_is_asked_of_nobody() {
    let (workload, layer) = app(50, 1000);
    let [upstream, victim] = [(); 2].map(|()| FakeRegistry::with(&workload));
    let front = Front::new(quay(&[&upstream]), forgetful()).await;
    for namespace in [
        "evil.example",
        &victim.address(),
        "localhost",
        "169.254.169.254",
        "quay.io.evil.example",
        "quay.io:444",
        "quay.io@evil.example",
        "user:pass@quay.io",
        "quay.io/../evil",
        "quay.io/org",
        "http://quay.io",
        "quay.io#",
        "quay.io%00",
        "",
        "*",
    ] {
        let text = percent_encoding::utf8_percent_encode(namespace, percent_encoding::NON_ALPHANUMERIC);
        for path in [
            format!("/v2/org/app/manifests/1?ns={text}"),
            format!("/v2/org/app/blobs/{}?ns={text}", layer.digest),
            format!("/v2/quay.io/org/app/manifests/1?ns={text}"),
        ] {
            front.get(&path).await.expect(404);
        }
        let header = [("oci-namespace", namespace)];
        if http::HeaderValue::from_str(namespace).is_ok() {
            let answer = front
                .scene
                .send(http::Method::GET, "/v2/org/app/manifests/1", &header, "")
                .await;
            answer.expect(404);
        }
    }
    for path in ["evil.example/org/app", "127.0.0.1/org/app", "org/app"] {
        front.get(&format!("/v2/{path}/manifests/1")).await.expect(404);
    }
    assert!(upstream.requests().is_empty(), "{:?}", upstream.requests());
    assert!(victim.requests().is_empty());
}

/// A registry that sends us on: to another port of this machine, or to where clouds keep their secrets.
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_leads_nowhere_that_was_not_meant() {
    let (workload, layer) = app(51, 100_000);
    let victim = FakeRegistry::with(&workload);
    for location in [
        format!("{}/cdn/{}", victim.url(), layer.digest),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[::1]:1/".to_owned(),
        "http://localhost:1/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let upstream = FakeRegistry::with(&workload);
        upstream.rule(Rule::always(Fault::Redirect {
            location: location.clone(),
        }));
        let front = Front::new(quay(&[&upstream]), forgetful()).await;
        front.get("/v2/org/app/manifests/1?ns=quay.io").await.expect(502);
        front.blob("org/app", &layer.digest).await.expect(502);
    }
    assert!(victim.requests().is_empty());
    // In a network that was allowed, it is followed.
    let upstream = FakeRegistry::builder()
        .workload(&workload)
        .redirect_blobs(victim.url())
        .start();
    let mut known = host(&upstream);
    known.networks = vec!["127.0.0.0/8".parse().unwrap()];
    let mut upstreams = Upstreams::new();
    upstreams.insert(
        &"quay.io".parse().unwrap(),
        vec![Endpoint::new(known.connect().unwrap())],
    );
    let front = Front::new(upstreams, forgetful()).await;
    front
        .blob("org/app", &layer.digest)
        .await
        .is_exactly(&layer.bytes, &upstream.address());
    assert_eq!(victim.count(Kind::Blob), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_in_a_circle_end() {
    let (workload, layer) = app(52, 1000);
    let upstream = FakeRegistry::with(&workload);
    let location = format!("{}/v2/org/app/blobs/{}", upstream.url(), layer.digest);
    upstream.rule(Rule::always(Fault::Redirect { location }));
    let front = Front::new(quay(&[&upstream]), forgetful()).await;
    front.blob("org/app", &layer.digest).await.expect(502);
    assert!(upstream.requests().len() < 20);
}

/// CVE-2026-33540: the registry names its token server itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_told_to_no_token_server_elsewhere() {
    let thief = FakeRegistry::empty();
    for realm in [
        // Another port of the same host is not another host.
        thief.url().replace("127.0.0.1", "localhost"),
        "http://auth.evil.example".to_owned(),
        "https://auth.evil.example".to_owned(),
        "http://169.254.169.254".to_owned(),
    ] {
        let upstream = challenging(&format!("{realm}/token"));
        let mut known = host(&upstream.fake);
        known.host = upstream.address.parse().unwrap();
        log_in(&mut known, "user", "hunter2");
        let mut upstreams = Upstreams::new();
        upstreams.insert(
            &"quay.io".parse().unwrap(),
            vec![Endpoint::new(known.connect().unwrap())],
        );
        let front = Front::new(upstreams, forgetful()).await;
        let refused = front.get("/v2/org/app/manifests/1?ns=quay.io").await;
        assert!(
            refused.status.is_server_error() || refused.status == 403,
            "{realm} {refused:?}"
        );
        assert!(!String::from_utf8_lossy(&refused.body).contains("hunter2"));
    }
    // Also where there is no password to be told, and its address may be dialled.
    let realm = thief.url().replace("127.0.0.1", "localhost");
    for (allowed, asked) in [(Vec::new(), 0), (vec![realm.replace("http://", "")], 1)] {
        let upstream = challenging(&format!("{realm}/token"));
        let mut known = host(&upstream.fake);
        known.host = upstream.address.parse().unwrap();
        known.networks = vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
        known.realms = allowed;
        let mut upstreams = Upstreams::new();
        upstreams.insert(
            &"quay.io".parse().unwrap(),
            vec![Endpoint::new(known.connect().unwrap())],
        );
        let front = Front::new(upstreams, forgetful()).await;
        let refused = front.get("/v2/org/app/manifests/1?ns=quay.io").await;
        assert_ne!(refused.status, 200);
        assert_eq!(thief.requests().len().min(1), asked, "{:?}", thief.requests());
    }
}

/// A server that answers everything with 401 and a realm.
pub(crate) struct Challenging {
    pub(crate) address: String,
    /// For the settings that go with a fake registry.
    pub(crate) fake: FakeRegistry,
}

pub(crate) fn challenging(realm: &str) -> Challenging {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = format!(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"{realm}\",service=\"x\"\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    std::thread::spawn(move || {
        // Ends with the test.
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            let mut request = [0; 4096];
            let _ = connection.read(&mut request);
            let _ = connection.write_all(answer.as_bytes());
        }
    });
    Challenging {
        address,
        fake: FakeRegistry::empty(),
    }
}

/// What one host is told, no other is.
#[tokio::test(flavor = "multi_thread")]
async fn each_host_sees_its_own_credential_and_no_other() {
    let (workload, _) = app(54, 1000);
    let first = FakeRegistry::builder()
        .workload(&workload)
        .auth(Auth::basic("ann", "first-secret"))
        .start();
    let second = FakeRegistry::builder()
        .workload(&workload)
        .auth(Auth::basic("bob", "second-secret"))
        .start();
    // The first one lets nobody in, and passes on to the second.
    let mut one = host(&first);
    log_in(&mut one, "ann", "wrong");
    let mut other = host(&second);
    log_in(&mut other, "bob", "second-secret");
    let endpoints = [one, other].map(|host| Endpoint::new(host.connect().unwrap()));
    let mut upstreams = Upstreams::new();
    upstreams.insert(&"quay.io".parse().unwrap(), endpoints.into());
    let front = Front::new(upstreams, GatewayOptions::default()).await;
    // What the client shows us is ours, and goes nowhere.
    let headers = [("authorization", "Basic Y2xpZW50OnNlY3JldA=="), ("cookie", "x=1")];
    let answer = front
        .scene
        .send(
            http::Method::GET,
            "/v2/org/app/manifests/1?ns=quay.io",
            &headers,
            "",
        )
        .await;
    answer.expect(200);
    let shown = |registry: &FakeRegistry| -> Vec<String> {
        registry
            .requests()
            .iter()
            .map(|request| request.header("authorization").to_owned())
            .filter(|text| !text.is_empty())
            .collect()
    };
    assert_eq!(shown(&first), ["Basic YW5uOndyb25n"]);
    assert_eq!(shown(&second), ["Basic Ym9iOnNlY29uZC1zZWNyZXQ="]);
    for request in first.requests().iter().chain(&second.requests()) {
        assert_eq!(request.header("cookie"), "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_without_endpoints_is_closed_also_to_the_wildcard() {
    let (workload, _) = app(55, 1000);
    let upstream = FakeRegistry::with(&workload);
    let mut upstreams = Upstreams::new();
    upstreams.insert_wildcard(vec![endpoint(&upstream)]);
    upstreams.insert(&"closed.example".parse().unwrap(), Vec::new());
    let front = Front::new(upstreams, forgetful()).await;
    front
        .get("/v2/org/app/manifests/1?ns=closed.example")
        .await
        .expect(404);
    assert!(upstream.requests().is_empty());
    front
        .get("/v2/org/app/manifests/1?ns=open.example")
        .await
        .expect(200);
}

//! Rules of access hold for what is elsewhere too: they see the name that it is kept by, and are asked first.

use http::Method;
use landfall_server::gateway::GatewayOptions;
use landfall_server::{Access, RegistryOptions};
use landfall_testkit::FakeRegistry;

use super::{Front, app, quay};
use crate::sites::{Site, basic};

const RULES: &str = r#"
    [[rule]]
    repository = "*"
    [[rule]]
    repository = "quay.io"
    pull = ["ann"]
    [[rule]]
    repository = "quay.io/org/closed"
    [[rule]]
    repository = "org"
    pull = ["anonymous"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_for_who_may_not_have_it() {
    let (mut workload, layer) = app(70, 200_000);
    let root = workload.images[0].root;
    workload.tag("org/closed:1", root);
    let upstream = FakeRegistry::with(&workload);
    let site = Site::new(&["ann", "bob"], RULES).await;
    let registry = RegistryOptions {
        access: Access::Controlled(std::sync::Arc::clone(&site.control)),
        ..RegistryOptions::default()
    };
    let front = Front::with(quay(&[&upstream]), GatewayOptions::default(), registry).await;
    let ask = async |user: &str, path: &str| {
        let header = if user.is_empty() {
            String::new()
        } else {
            basic(user)
        };
        let mut headers = vec![("host", "registry.test")];
        if !user.is_empty() {
            headers.push(("authorization", header.as_str()));
        }
        front.scene.send(Method::GET, path, &headers, "").await
    };
    let blob = format!("/v2/org/app/blobs/{}?ns=quay.io", layer.digest);
    let closed_blob = format!("/v2/org/closed/blobs/{}?ns=quay.io", layer.digest);
    for path in [
        "/v2/quay.io/org/app/manifests/1",
        "/v2/org/app/manifests/1?ns=quay.io",
        &blob,
    ] {
        ask("", path).await.expect(401);
        let bob = ask("bob", path).await;
        assert!(matches!(bob.status.as_u16(), 403 | 404), "{path} {bob:?}");
    }
    for path in ["/v2/org/closed/manifests/1?ns=quay.io", &closed_blob] {
        let ann = ask("ann", path).await;
        assert!(matches!(ann.status.as_u16(), 403 | 404), "{path} {ann:?}");
    }
    assert!(upstream.requests().is_empty(), "{:?}", upstream.requests());
    ask("ann", "/v2/org/app/manifests/1?ns=quay.io").await.expect(200);
    let answer = ask("ann", &blob).await;
    answer.is_exactly(&layer.bytes, &upstream.address());
    // That it is here now changes nothing for the others.
    let bob = ask("bob", &blob).await;
    assert!(matches!(bob.status.as_u16(), 403 | 404), "{bob:?}");
    ask("", &blob).await.expect(401);
}

//! Registries that have their API below a path, or answer for others: every request says so, the token server's realm
//! and the next page of a list are wherever the host says.

use std::sync::Arc;

use landfall_client::Site;
use landfall_oci::Target;

use crate::fake::{Seen, reply};
use crate::{Case, collect, descriptor, log_in, noise};

#[tokio::test]
async fn every_request_goes_below_the_prefix_and_names_the_registry() {
    let blob = noise(300_000);
    let served = blob.clone();
    let case = Case::with(log_in, move |seen: Seen| {
        let (path, host) = (seen.path(), seen.header("host").unwrap());
        let resumed = seen.header("range").is_some();
        match path {
            "/token" => reply(200, &[], r#"{"token":"T"}"#),
            _ if seen.header("authorization").is_none() => {
                let realm = format!(r#"Bearer realm="http://{host}/token",service="s""#);
                reply(401, &[("www-authenticate", &realm)], "")
            }
            "/v2/hub/team/app/tags/list" if !seen.query().contains("last=") => {
                let next = format!("<{path}?last=b&ns=quay.io>; rel=\"next\"");
                reply(200, &[("link", &next)], r#"{"tags":["a","b"]}"#)
            }
            "/v2/hub/team/app/tags/list" => reply(200, &[], r#"{"tags":["c"]}"#),
            _ if path.contains("/blobs/") && resumed => reply(
                206,
                &[("content-range", "bytes 100000-299999/300000")],
                served.slice(100_000..),
            ),
            _ if path.contains("/blobs/") => {
                crate::fake::cut(200, &[], served.slice(..100_000), Some(300_000))
            }
            "/v2/hub/" => reply(200, &[], "{}"),
            _ => reply(404, &[], ""),
        }
    })
    .await;
    let quay = "quay.io".parse().unwrap();
    let client = case.client.through(Site::new("/v2/hub", Some(quay)).unwrap());
    client.ping(&case.registry).await.unwrap();
    let tags = client.tags(&case.registry, &case.repository).await.unwrap();
    assert_eq!(tags.len(), 3);
    let wanted = descriptor(&blob);
    let mut stream = client
        .blob(&case.registry, &case.repository, &wanted, 0)
        .await
        .unwrap();
    assert!(collect(&mut stream).await.unwrap() == blob);
    let tag: Target = "1".parse().unwrap();
    let manifest = client.manifest(&case.registry, &case.repository, &tag).await;
    assert!(manifest.is_err());
    let seen = case.server.seen();
    let asked: Arc<[_]> = seen.iter().filter(|seen| seen.path() != "/token").collect();
    assert!(asked.len() >= 6, "{asked:?}");
    for request in asked.iter() {
        assert!(request.path().starts_with("/v2/hub/"), "{request:?}");
        assert!(request.query().contains("ns=quay.io"), "{request:?}");
    }
    // What was learnt of the registry holds for every site of it.
    let tokens = || {
        case.server
            .seen()
            .iter()
            .filter(|seen| seen.path() == "/token")
            .count()
    };
    let before = tokens();
    let other = case.client.through(Site::new("/v2/other", None).unwrap());
    let _ = other.manifest(&case.registry, &case.repository, &tag).await;
    assert_eq!(tokens(), before);
    let last = case.server.seen().pop().unwrap();
    assert_eq!(last.uri.to_string(), "/v2/other/team/app/manifests/1");
}

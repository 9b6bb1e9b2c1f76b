//! Registries that have their API below a path, or answer for others: every request says so, the token server's realm
//! and the next page of a list are wherever the host says.

use std::sync::Arc;

use landfall_client::{Revalidated, Site};
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

/// A front end that knows a tag asks whether it still holds.
#[tokio::test]
async fn what_is_known_is_asked_for_by_its_etag_and_told_apart_without() {
    let body = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    let digest = crate::sha256(body.as_bytes());
    let other = crate::sha256(b"other");
    let case = Case::new(move |seen: Seen| {
        let text = digest.to_string();
        let facts = [
            ("docker-content-digest", text.as_str()),
            ("content-type", "application/vnd.oci.image.index.v1+json"),
            ("content-length", "88"),
        ];
        match seen.path().rsplit('/').next() {
            Some("etag") if seen.header("if-none-match") == Some(&format!("\"{digest}\"")) => {
                reply(304, &[], "")
            }
            Some("gone") => reply(404, &[], ""),
            Some("down") => reply(503, &[], ""),
            _ => reply(200, &facts, ""),
        }
    })
    .await;
    let ask = async |tag: &str, known| {
        let tag: Target = tag.parse().unwrap();
        case.client
            .revalidate(&case.registry, &case.repository, &tag, known)
            .await
    };
    assert_eq!(ask("etag", &digest).await.unwrap(), Revalidated::Same);
    assert_eq!(ask("plain", &digest).await.unwrap(), Revalidated::Same);
    let changed = ask("plain", &other).await.unwrap();
    assert!(matches!(changed, Revalidated::Changed(found) if found.digest == digest));
    assert_eq!(ask("gone", &digest).await.unwrap(), Revalidated::Gone);
    assert!(ask("down", &digest).await.is_err());
}

/// Of a blob that nobody has described, the registry's word is its length, also in the middle and at the end.
#[tokio::test]
async fn a_blob_of_any_size() {
    let blob = noise(300_000);
    let served = blob.clone();
    let case = Case::new(move |seen: Seen| {
        let first = seen
            .header("range")
            .map(|range| range[6..].trim_end_matches('-').parse::<usize>().unwrap());
        let range = |first| format!("bytes {first}-299999/300000");
        match first {
            Some(300_000) => reply(416, &[("content-range", "bytes */300000")], ""),
            Some(first) => reply(206, &[("content-range", &range(first))], served.slice(first..)),
            None => crate::fake::cut(200, &[], served.slice(..200_000), Some(300_000)),
        }
    })
    .await;
    let digest = crate::sha256(&blob);
    for offset in [0, 1, 299_999, 300_000] {
        let stream = case
            .client
            .blob_of_any_size(&case.registry, &case.repository, &digest, offset as u64)
            .await;
        let mut stream = stream.unwrap();
        assert_eq!(stream.size(), 300_000);
        assert!(collect(&mut stream).await.unwrap() == blob[offset..], "{offset}");
    }
    let beyond = case
        .client
        .blob_of_any_size(&case.registry, &case.repository, &digest, 400_000)
        .await;
    assert!(beyond.is_err());
}

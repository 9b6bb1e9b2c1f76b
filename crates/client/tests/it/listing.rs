//! Lists, page by page, and the registry itself.

use landfall_client::{ClientError, Kind};
use landfall_oci::MediaType;

use crate::fake::reply;
use crate::{Case, sha256};

#[tokio::test]
async fn tags_over_several_pages() {
    let case = Case::new(|seen| match seen.query() {
        "n=1000" => reply(
            200,
            &[("link", r#"</v2/team/app/tags/list?n=1000&last=b>; rel="next""#)],
            r#"{"name":"team/app","tags":["a","b"]}"#,
        ),
        _ => reply(200, &[], r#"{"name":"team/app","tags":["c","not a tag!"]}"#),
    })
    .await;
    let tags = case.client.tags(&case.registry, &case.repository).await.unwrap();
    assert_eq!(
        tags.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["a", "b", "c"]
    );
}

#[tokio::test]
async fn no_tags_and_no_repository() {
    let case = Case::new(|seen| match seen.path().contains("empty") {
        true => reply(200, &[], r#"{"tags":null}"#),
        false => reply(404, &[], r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#),
    })
    .await;
    assert!(
        case.client
            .tags(&case.registry, &"empty".parse().unwrap())
            .await
            .unwrap()
            .is_empty()
    );
    let error = case
        .client
        .tags(&case.registry, &case.repository)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
}

#[tokio::test]
async fn cve_2026_2376_the_next_page_is_not_sought_elsewhere() {
    let case = Case::new(|_| {
        reply(
            200,
            &[("link", r#"<http://evil.example/x>; rel="next""#)],
            r#"{"tags":[]}"#,
        )
    })
    .await;
    let error = case
        .client
        .tags(&case.registry, &case.repository)
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Protocol { .. }), "{error}");
}

#[tokio::test]
async fn referrers_by_the_api_and_by_the_fallback_tag() {
    let subject = sha256(b"subject");
    let entry = |kind: &str| {
        format!(
            r#"{{"mediaType":"{}","digest":"{}","size":3,"artifactType":"{kind}"}}"#,
            MediaType::OCI_MANIFEST,
            sha256(kind.as_bytes())
        )
    };
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{},{}]}}"#,
        MediaType::OCI_INDEX,
        entry("a/signature"),
        entry("a/sbom")
    );
    for has_api in [true, false] {
        let index = index.clone();
        let case = Case::new(move |seen| match seen.path() {
            path if path.contains("/referrers/") && has_api => reply(200, &[], index.clone()),
            path if path.ends_with(&format!("/manifests/sha256-{}", subject.hex())) => {
                reply(200, &[], index.clone())
            }
            _ => reply(404, &[], ""),
        })
        .await;
        let all = case
            .client
            .referrers(&case.registry, &case.repository, &subject, None)
            .await
            .unwrap();
        assert_eq!(all.len(), 2);
        let kind = Some("a/sbom");
        let some = case
            .client
            .referrers(&case.registry, &case.repository, &subject, kind)
            .await
            .unwrap();
        assert_eq!(some.len(), 1);
        let none = case
            .client
            .referrers(&case.registry, &case.repository, &sha256(b"x"), None)
            .await
            .unwrap();
        assert!(has_api || none.is_empty());
    }
}

#[tokio::test]
async fn pinging() {
    let case = Case::new(|seen| match seen.path() {
        "/v2/" => reply(200, &[], "{}"),
        _ => panic!("{seen:?}"),
    })
    .await;
    case.client.ping(&case.registry).await.unwrap();
    let website = Case::new(|_| reply(404, &[], "<html>")).await;
    let error = website.client.ping(&website.registry).await.unwrap_err();
    assert!(matches!(error, ClientError::Protocol { .. }), "{error}");
    let locked = Case::new(|_| reply(401, &[("www-authenticate", "Basic")], "")).await;
    assert_eq!(
        locked.client.ping(&locked.registry).await.unwrap_err().kind(),
        Kind::Unauthorized
    );
}

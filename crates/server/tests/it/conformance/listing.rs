//! Lists: in order, in pages, from any place on; of tags and of repositories.

use bytes::Bytes;
use http::Method;
use serde_json::json;

use super::data::Data;
use super::{REPO, Stand, pages, stands};
use crate::client::Scene;

async fn tag_many(stand: &Stand, count: usize) -> Vec<String> {
    let mut data = Data::default();
    let image = data.image(19, 0, json!({}));
    super::steps::push(stand, &data).await;
    for n in 0..count {
        let tag = format!("t{n}");
        stand.put_manifest(REPO, &tag, &image).await.expect(201);
    }
    let mut tags: Vec<String> = (0..count).map(|n| format!("t{n}")).collect();
    tags.extend(stand.below.tags.iter().map(|(tag, _)| tag.clone()));
    tags.sort();
    tags
}

#[tokio::test]
async fn tags_in_pages() {
    for stand in stands().await {
        let tags = tag_many(&stand, 7).await;
        let path = format!("/v2/{REPO}/tags/list");
        for size in [1, 2, 3, tags.len() - 1, tags.len(), 100, 99_999_999] {
            let mut seen = Vec::new();
            for page in pages(&stand, format!("{path}?n={size}")).await {
                let page = page.json();
                assert_eq!(page["name"], REPO);
                let tags = page["tags"].as_array().unwrap().clone();
                assert!(!tags.is_empty() && tags.len() <= size, "{page}");
                seen.extend(tags);
            }
            assert_eq!(json!(seen), json!(tags), "pages of {size}");
        }
        // Nothing of it, and so no next page.
        for query in ["?n=0", "?n=0&last=t3"] {
            let none = stand.get(&format!("{path}{query}")).await;
            none.expect(200);
            assert_eq!(
                (none.json(), none.header("link")),
                (json!({"name": REPO, "tags": []}), "")
            );
        }
        // From a place on where no tag is, and after the last.
        let rest = stand.get(&format!("{path}?last=t3-and-more")).await.json();
        let expected: Vec<_> = tags.iter().filter(|tag| tag.as_str() > "t3-and-more").collect();
        assert_eq!(rest["tags"], json!(expected));
        let end = stand.get(&format!("{path}?last=zzzz")).await;
        end.expect(200);
        assert_eq!(end.json()["tags"], json!([]));
        check_numbers(&stand, &path).await;
    }
}

async fn check_numbers(scene: &Scene, list: &str) {
    for wrong in ["-1", "x", "", "1.5", "%2B1", "0x1"] {
        let refused = scene.get(&format!("{list}?n={wrong}")).await;
        refused.expect_error(400, "PAGINATION_NUMBER_INVALID");
    }
    // Too large for any integer is a wish for all.
    scene
        .get(&format!("{list}?n=99999999999999999999999"))
        .await
        .expect(200);
}

#[tokio::test]
async fn tags_of_nothing() {
    let stand = Stand::directory(Default::default()).await;
    let unknown = stand.get(&format!("/v2/{REPO}/tags/list")).await;
    unknown.expect_error(404, "NAME_UNKNOWN");
    stand.head(&format!("/v2/{REPO}/tags/list")).await.expect(404);
}

#[tokio::test]
async fn repositories_in_pages() {
    for stand in stands().await {
        let mut data = Data::default();
        let image = data.image(19, 0, json!({}));
        for name in ["a", "a-b", "a/b", REPO] {
            stand.push_blob(name, &Bytes::from("{\"seed\":19}")).await;
            stand.put_manifest(name, "x", &image).await.expect(201);
        }
        let first = stand.get("/v2/_catalog?n=2").await;
        assert_eq!(first.json(), json!({"repositories": ["a", "a-b"]}));
        assert_eq!(first.header("link"), "</v2/_catalog?n=2&last=a-b>; rel=\"next\"");
        for size in [1, 2, 3, 4, 100] {
            let mut seen = Vec::new();
            for page in pages(&stand, format!("/v2/_catalog?n={size}")).await {
                seen.extend(page.json()["repositories"].as_array().unwrap().clone());
            }
            assert_eq!(json!(seen), json!(["a", "a-b", "a/b", REPO]));
        }
        let none = stand.get("/v2/_catalog?n=0").await;
        assert_eq!(
            (none.json(), none.header("link")),
            (json!({"repositories": []}), "")
        );
        let head = stand.send(Method::HEAD, "/v2/_catalog", &[], "").await;
        let all = stand.get("/v2/_catalog").await;
        assert_eq!(head.header("content-length"), all.body.len().to_string());
        check_numbers(&stand, "/v2/_catalog").await;
    }
}

#[tokio::test]
async fn lists_of_a_bundle() {
    let mut data = Data::default();
    let image = data.image(36, 0, json!({}));
    for n in 0..5 {
        data.tag(&format!("v1.{n}"), &image);
    }
    let stand = Stand::bundle(data);
    let mut seen = Vec::new();
    for page in pages(&stand, format!("/v2/{REPO}/tags/list?n=2")).await {
        seen.extend(page.json()["tags"].as_array().unwrap().clone());
    }
    assert_eq!(json!(seen), json!(["v1.0", "v1.1", "v1.2", "v1.3", "v1.4"]));
    assert_eq!(
        stand.get("/v2/_catalog").await.json(),
        json!({"repositories": [REPO]})
    );
    check_numbers(&stand, "/v2/_catalog").await;
    stand
        .get("/v2/no/such/tags/list")
        .await
        .expect_error(404, "NAME_UNKNOWN");
}

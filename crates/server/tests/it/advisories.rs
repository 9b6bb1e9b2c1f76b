//! One test for each class of past advisories that this server could repeat.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Method, Request};
use http_body::Frame;
use http_body_util::StreamBody;
use landfall_oci::{MAX_MANIFEST_BYTES, MediaType};
use landfall_store::suite;

use crate::client::{PEER, Scene};

/// CVE-2017-11468: a manifest without end filled the memory.
#[tokio::test]
async fn a_manifest_is_capped_before_it_is_buffered() {
    let scene = Scene::new().await;
    let path = "/v2/a/manifests/huge";
    let headers = [("content-type", MediaType::OCI_MANIFEST.as_str().to_owned())];
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let huge = Bytes::from(vec![b' '; MAX_MANIFEST_BYTES + 1]);
    let refused = scene.send(Method::PUT, path, &headers, huge.clone()).await;
    refused.expect_error(413, "SIZE_INVALID");
    let refused = scene.chunked(Method::PUT, path, &headers, huge).await;
    refused.expect_error(413, "SIZE_INVALID");
    // Endless: refused after the limit and a little draining.
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let endless = futures_util::stream::repeat_with(move || {
        counter.fetch_add(65_536, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(&[b' '; 65_536])))
    });
    let request = Request::put(path).body(StreamBody::new(endless)).unwrap();
    assert_eq!(scene.registry.handle(request, PEER).await.status(), 413);
    assert!(taken.load(Ordering::Relaxed) < 2 * MAX_MANIFEST_BYTES);
}

/// CVE-2021-41190: one digest, read as an image by one client and as an index by another.
#[tokio::test]
async fn one_body_is_never_two_things() {
    let scene = Scene::new().await;
    let config = suite::blob("{}");
    scene.push_blob("a", &config.1).await;
    let image = suite::image(&[config], None, None);
    let put = |content_type: &'static str, body: Bytes| {
        let scene = &scene;
        async move {
            let headers = [("content-type", content_type)];
            scene.send(Method::PUT, "/v2/a/manifests/x", &headers, body).await
        }
    };
    let index = "application/vnd.oci.image.index.v1+json";
    put(index, image.bytes.clone())
        .await
        .expect_error(400, "MANIFEST_INVALID");
    let mut both: serde_json::Value = serde_json::from_slice(&image.bytes).unwrap();
    both["manifests"] = serde_json::json!([]);
    let both = Bytes::from(both.to_string());
    let manifest = "application/vnd.oci.image.manifest.v1+json";
    put(manifest, both).await.expect_error(400, "MANIFEST_INVALID");
    for junk in ["", "null", "[]", "\"x\"", "{", "<html>", "{\"schemaVersion\":1}"] {
        put(manifest, Bytes::from(junk))
            .await
            .expect_error(400, "MANIFEST_INVALID");
    }
    let deep = Bytes::from("[".repeat(100_000));
    put(manifest, deep).await.expect_error(400, "MANIFEST_INVALID");
}

/// CVE-2023-2253: the number of entries asked for decided how much was allocated.
#[tokio::test]
async fn a_huge_page_is_a_usual_page() {
    let scene = Scene::new().await;
    suite::fill(&*scene.store).await;
    for n in ["18446744073709551615", "99999999999999999999999999", "1000000000"] {
        let all = scene.get(&format!("/v2/_catalog?n={n}")).await;
        assert_eq!(all.json()["repositories"].as_array().unwrap().len(), 4);
        scene
            .get(&format!("/v2/alpine/tags/list?n={n}"))
            .await
            .expect(200);
    }
}

/// CVE-2024-39897 and CVE-2026-35172: what one repository holds says nothing of another.
#[tokio::test]
async fn a_blob_of_another_repository_is_not_there() {
    let scene = Scene::new().await;
    let (digest, content) = suite::blob("secret of b");
    scene.push_blob("b", &content).await;
    scene.head(&format!("/v2/a/blobs/{digest}")).await.expect(404);
    scene
        .get(&format!("/v2/a/blobs/{digest}"))
        .await
        .expect_error(404, "BLOB_UNKNOWN");
    // Read once, deleted, gone at once: nothing remembers it.
    scene.get(&format!("/v2/b/blobs/{digest}")).await.expect(200);
    scene.delete(&format!("/v2/b/blobs/{digest}")).await.expect(202);
    scene.get(&format!("/v2/b/blobs/{digest}")).await.expect(404);
    // The bytes may still lie on the disk: nobody holds them, so nobody can mount them.
    let path = format!("/v2/a/blobs/uploads/?mount={digest}");
    scene.post(&path).await.expect(202);
    scene.post(&format!("{path}&from=b")).await.expect(202);
}

/// CVE-2024-3727: text from outside became a path.
#[tokio::test]
async fn no_path_is_made_from_raw_text() {
    let scene = Scene::new().await;
    suite::fill(&*scene.store).await;
    let hex = "0".repeat(64);
    for path in [
        "/v2/../../etc/tags/list".to_owned(),
        "/v2/alpine/../alpine/tags/list".into(),
        "/v2/alpine%2F..%2Falpine/tags/list".into(),
        "/v2/_tags/tags/list".into(),
        "/v2/alpine/_manifests/tags/list".into(),
        "/v2/alpine/manifests/..".into(),
        "/v2/alpine/manifests/..%2F..%2Fmarker".into(),
        "/v2/alpine/blobs/sha256:..%2F..%2Flandfall-store".into(),
        format!("/v2/alpine/blobs/sha256:{hex}%00"),
        format!("/v2/alpine/blobs/..:{hex}"),
        "/v2/alpine/blobs/uploads/..%2Flock".into(),
        "/v2/alpine/referrers/sha256:..".into(),
        "/v2//tags/list".into(),
        "/v2/alpine//tags/list".into(),
    ] {
        let refused = scene.get(&path).await;
        assert!(
            matches!(refused.status.as_u16(), 400 | 404),
            "{path}: {refused:?}"
        );
    }
}

/// zot#3977 and its like: the size of an upload is not believed, and somebody else's upload is not touched.
#[tokio::test]
async fn an_upload_belongs_to_its_repository() {
    let scene = Scene::new().await;
    let begun = scene.post("/v2/a/blobs/uploads/").await;
    let id = begun.header("docker-upload-uuid").to_owned();
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let other = scene
            .send(method, &format!("/v2/b/blobs/uploads/{id}"), &[], "x")
            .await;
        other.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    }
    let digest = suite::blob("x").0;
    let path = format!("/v2/b/blobs/uploads/{id}?digest={digest}");
    scene
        .send(Method::PUT, &path, &[], "x")
        .await
        .expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    scene.get(&format!("/v2/a/blobs/uploads/{id}")).await.expect(204);
}

/// distribution#4898: a name that is the beginning of another.
#[tokio::test]
async fn neighbours_do_not_share_a_fate() {
    let scene = Scene::new().await;
    let held = suite::fill(&*scene.store).await;
    let alpine = &held[1];
    scene
        .delete(&format!("/v2/alpine/manifests/{}", alpine.manifest.digest))
        .await
        .expect(202);
    let names = scene.get("/v2/_catalog").await.json()["repositories"].clone();
    assert_eq!(
        names,
        serde_json::json!(["a/deep/er/name", "alpine-extra", "alpine/child"])
    );
    scene.get("/v2/alpine-extra/manifests/v1").await.expect(200);
    scene.get("/v2/alpine/child/manifests/v1").await.expect(200);
}

/// An upload that the disk cannot take is refused before its bytes.
#[tokio::test]
async fn a_full_disk_is_said_with_its_figures() {
    let scene = Scene::new().await;
    let begun = scene.post("/v2/a/blobs/uploads/").await;
    let digest = suite::blob("x").0;
    let path = format!("{}?digest={digest}", begun.header("location"));
    let headers = [("content-range", "0-9223372036854775807")];
    let refused = scene.chunked(Method::PUT, &path, &headers, "x").await;
    refused.expect_error(507, "DENIED");
    let message = refused.json()["errors"][0]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(message.contains("9223372036854775808"), "{message}");
}

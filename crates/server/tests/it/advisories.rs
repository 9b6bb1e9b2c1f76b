//! One test for each class of past advisories that this server could repeat; its name carries the advisory's id.
//! Of other rooms: `cargo test --workspace -- cve_ ghsa_ zot_ distribution_ angos_ trow_` lists them all.

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
async fn cve_2017_11468_a_manifest_is_capped_before_it_is_buffered() {
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
async fn cve_2021_41190_one_body_is_never_two_things() {
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
    // What was stored as one thing is that thing to every reader, whatever it would like.
    put(manifest, image.bytes.clone()).await.expect(201);
    for accept in [
        index,
        "application/vnd.docker.distribution.manifest.v1+json",
        "*/*",
        "",
    ] {
        for path in [
            "/v2/a/manifests/x".to_owned(),
            format!("/v2/a/manifests/{}", image.digest),
        ] {
            let read = scene.send(Method::GET, &path, &[("accept", accept)], "").await;
            assert_eq!(read.expect(200).header("content-type"), manifest);
            assert_eq!(read.body, image.bytes);
        }
    }
}

/// CVE-2023-2253: the number of entries asked for decided how much was allocated.
#[tokio::test]
async fn cve_2023_2253_a_huge_page_is_a_usual_page() {
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

/// CVE-2024-39897: what one repository holds says nothing of another, and a mount is no way around that.
#[tokio::test]
async fn cve_2024_39897_a_blob_of_another_repository_is_not_there() {
    let scene = Scene::new().await;
    let (digest, content) = suite::blob("secret of b");
    scene.push_blob("b", &content).await;
    scene.head(&format!("/v2/a/blobs/{digest}")).await.expect(404);
    scene
        .get(&format!("/v2/a/blobs/{digest}"))
        .await
        .expect_error(404, "BLOB_UNKNOWN");
    for query in [format!("mount={digest}&from=c"), format!("mount={digest}&from=a")] {
        scene
            .post(&format!("/v2/a/blobs/uploads/?{query}"))
            .await
            .expect(202);
    }
    scene.head(&format!("/v2/a/blobs/{digest}")).await.expect(404);
}

/// CVE-2026-35172: a cache went on answering for what had been deleted.
#[tokio::test]
async fn cve_2026_35172_what_was_deleted_is_gone_at_once_and_stays_so() {
    let scene = Scene::new().await;
    let config = suite::blob("{}");
    for name in ["a", "b"] {
        scene.push_blob(name, &config.1).await;
    }
    let manifest = suite::image(std::slice::from_ref(&config), None, None);
    for name in ["a", "b"] {
        scene.put_manifest(name, "v1", &manifest).await.expect(201);
    }
    let paths = |name: &str| {
        [
            format!("/v2/{name}/blobs/{}", config.0),
            format!("/v2/{name}/manifests/{}", manifest.digest),
        ]
    };
    for path in &paths("b") {
        scene.get(path).await.expect(200);
        scene.delete(path).await.expect(202);
    }
    // Reading it elsewhere, where it still is, does not bring it back here.
    for path in &paths("a") {
        scene.get(path).await.expect(200);
    }
    for path in &paths("b") {
        scene.get(path).await.expect(404);
        scene.head(path).await.expect(404);
    }
    scene
        .get("/v2/b/manifests/v1")
        .await
        .expect_error(404, "MANIFEST_UNKNOWN");
    // The bytes may still lie on the disk: of a repository that no longer holds them, nobody can mount them.
    let path = format!("/v2/c/blobs/uploads/?mount={}&from=b", config.0);
    scene.post(&path).await.expect(202);
}

/// CVE-2024-3727: text from outside became a path.
#[tokio::test]
async fn cve_2024_3727_no_path_is_made_from_raw_text() {
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

/// CVE-2022-31666 to 31671 (Harbor): an object was found by its id alone, whoever owned it.
#[tokio::test]
async fn cve_2022_31666_to_31671_an_upload_belongs_to_its_repository() {
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
async fn distribution_4898_neighbours_do_not_share_a_fate() {
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

/// trow: whoever could push could put other bytes under any digest.
#[tokio::test]
async fn trow_other_bytes_never_come_under_a_digest() {
    let scene = Scene::new().await;
    let (digest, content) = suite::blob("the real bytes");
    scene.push_blob("a", &content).await;
    for name in ["a", "b"] {
        let single = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        let refused = scene.send(Method::POST, &single, &[], "other bytes!!!").await;
        refused.expect_error(400, "DIGEST_INVALID");
        let begun = scene.post(&format!("/v2/{name}/blobs/uploads/")).await;
        let location = begun.header("location");
        scene
            .send(Method::PATCH, location, &[], "other bytes!!!")
            .await
            .expect(202);
        let refused = scene
            .send(Method::PUT, &format!("{location}?digest={digest}"), &[], "")
            .await;
        refused.expect_error(400, "DIGEST_INVALID");
    }
    assert_eq!(scene.get(&format!("/v2/a/blobs/{digest}")).await.body, content);
    scene.head(&format!("/v2/b/blobs/{digest}")).await.expect(404);
    let config = suite::blob("{}");
    scene.push_blob("a", &config.1).await;
    let manifest = suite::image(std::slice::from_ref(&config), None, None);
    let other = suite::image(&[config], None, Some("type/other"));
    let refused = scene
        .put_manifest("a", &other.digest.to_string(), &manifest)
        .await;
    refused.expect_error(400, "DIGEST_INVALID");
}

/// trow, mcronce/oci-registry: whoever asks names the upstream.
#[tokio::test]
async fn trow_and_mcronce_a_namespace_never_leads_out_of_the_store() {
    let scene = Scene::new().await;
    let peer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = peer.local_addr().unwrap();
    for namespace in [
        host.to_string(),
        "169.254.169.254".to_owned(),
        "evil.example".to_owned(),
    ] {
        let path = format!("/v2/library/alpine/manifests/3?ns={namespace}");
        scene.get(&path).await.expect_error(404, "MANIFEST_UNKNOWN");
        let headers = [("oci-namespace", namespace.as_str())];
        let path = "/v2/library/alpine/manifests/3";
        scene.send(Method::GET, path, &headers, "").await.expect(404);
    }
    // All answers are in; had anything been asked for there, it would wait in the queue.
    peer.set_nonblocking(true).unwrap();
    assert_eq!(peer.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

/// zot 9425ca8b (open redirect), zot#3980 (credentials for other sites): a caller's headers steer neither where an
/// answer points nor who may read it.
#[tokio::test]
async fn zot_9425ca8b_and_3980_no_header_points_an_answer_elsewhere() {
    let scene = Scene::new().await;
    let headers = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "gopher"),
        ("forwarded", "host=evil.example"),
        ("origin", "https://evil.example"),
        ("referer", "https://evil.example/"),
    ];
    let (digest, content) = suite::blob("content");
    let upload = scene
        .send(Method::POST, "/v2/a/blobs/uploads/", &headers, "")
        .await;
    let single = format!("/v2/a/blobs/uploads/?digest={digest}");
    let pushed = scene.send(Method::POST, &single, &headers, content).await;
    let listed = scene.send(Method::GET, "/v2/_catalog?n=1", &headers, "").await;
    let option = scene.send(Method::OPTIONS, "/v2/", &headers, "").await;
    for answer in [
        upload.expect(202),
        pushed.expect(201),
        listed.expect(200),
        &option,
    ] {
        assert!(!format!("{:?}", answer.headers).contains("evil.example"));
        assert!(
            answer
                .headers
                .keys()
                .all(|name| !name.as_str().starts_with("access-control-"))
        );
        let location = answer.header("location");
        assert!(
            location.is_empty() || location.starts_with("/v2/a/blobs/"),
            "{location}"
        );
    }
}

/// zot#3977, zot#3978: bodies without a limit, where none is wanted at all.
#[tokio::test]
async fn zot_3977_a_body_that_nobody_wants_is_not_read() {
    let scene = Scene::new().await;
    let held = suite::fill(&*scene.store).await.remove(0);
    let name = &held.repository;
    for (method, path) in [
        (Method::GET, "/v2/".to_owned()),
        (Method::GET, format!("/v2/{name}/manifests/v1")),
        (Method::DELETE, format!("/v2/{name}/manifests/none")),
        (Method::POST, "/v2/NOT/blobs/uploads/".to_owned()),
        (Method::PUT, "/v2/_catalog".to_owned()),
    ] {
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        let endless = futures_util::stream::repeat_with(move || {
            counter.fetch_add(65_536, Ordering::Relaxed);
            Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(&[b' '; 65_536])))
        });
        let request = Request::builder().method(method).uri(path);
        let request = request.body(StreamBody::new(endless)).unwrap();
        scene.registry.handle(request, PEER).await;
        assert!(taken.load(Ordering::Relaxed) < 2 * MAX_MANIFEST_BYTES);
    }
}

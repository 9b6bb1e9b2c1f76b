//! What containerd, docker and others need beyond the specification.

use bytes::Bytes;
use http::Method;
use landfall_oci::{MediaType, RawManifest};
use landfall_store::suite;

use crate::client::{Scene, bytes};

async fn image(scene: &Scene, name: &str) -> RawManifest {
    let blobs = [suite::blob("{}"), suite::blob(bytes(1, 5000))];
    for (_, content) in &blobs {
        scene.push_blob(name, content).await;
    }
    let manifest = suite::image(&blobs, None, None);
    scene.put_manifest(name, "v1", &manifest).await.expect(201);
    manifest
}

#[tokio::test]
async fn a_known_digest_is_answered_with_304() {
    let scene = Scene::new().await;
    let manifest = image(&scene, "a").await;
    let quoted = format!("\"{}\"", manifest.digest);
    let blob = format!("/v2/a/blobs/{}", suite::blob("{}").0);
    for path in [
        "/v2/a/manifests/v1".to_owned(),
        format!("/v2/a/manifests/{}", manifest.digest),
        blob,
    ] {
        let etag = scene.get(&path).await.header("etag").to_owned();
        assert_eq!(scene.head(&path).await.header("etag"), etag);
        let several = format!("\"sha256:other\", W/{etag}");
        for known in [etag.as_str(), "*", several.as_str()] {
            let same = scene
                .send(Method::GET, &path, &[("if-none-match", known)], "")
                .await;
            same.expect(304);
            assert_eq!(same.header("etag"), etag);
        }
        let other = scene
            .send(Method::GET, &path, &[("if-none-match", "\"sha256:other\"")], "")
            .await;
        other.expect(200);
        assert!(!other.body.is_empty());
    }
    assert_eq!(scene.get("/v2/a/manifests/v1").await.header("etag"), quoted);
}

#[tokio::test]
async fn layers_are_sent_as_they_are_whatever_encoding_is_accepted() {
    let scene = Scene::new().await;
    let content = bytes(2, 5000);
    let digest = scene.push_blob("a", &content).await;
    let path = format!("/v2/a/blobs/{digest}");
    let headers = [("accept-encoding", "zstd;q=1.0,gzip,deflate")];
    let found = scene.send(Method::GET, &path, &headers, "").await;
    assert_eq!(found.body, content);
    assert_eq!(found.header("content-type"), "application/octet-stream");
}

#[tokio::test]
async fn an_interrupted_layer_goes_on_at_any_byte() {
    let scene = Scene::new().await;
    let content = bytes(3, 5000);
    let path = format!("/v2/a/blobs/{}", scene.push_blob("a", &content).await);
    for start in [0, 1, 4999] {
        let range = format!("bytes={start}-");
        let rest = scene.send(Method::GET, &path, &[("range", &range)], "").await;
        rest.expect(206);
        assert_eq!(rest.body, content[start..]);
    }
    // Of other content than the one that it began with it must not go on.
    let headers = [("range", "bytes=10-"), ("if-range", "\"sha256:other\"")];
    let whole = scene.send(Method::GET, &path, &headers, "").await;
    whole.expect(200);
    assert_eq!(whole.body, content);
}

#[tokio::test]
async fn dockers_own_media_types_are_kept() {
    let scene = Scene::new().await;
    let config = scene.push_blob("a", &Bytes::from("{}")).await;
    let manifest = suite::raw(&serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MediaType::DOCKER_MANIFEST,
        "config": {"mediaType": MediaType::DOCKER_CONFIG, "digest": config, "size": 2},
        "layers": [],
    }));
    scene.put_manifest("a", "docker", &manifest).await.expect(201);
    let list = suite::raw(&serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MediaType::DOCKER_LIST,
        "manifests": [manifest.descriptor()],
    }));
    scene.put_manifest("a", "list", &list).await.expect(201);
    for (tag, media_type) in [
        ("docker", MediaType::DOCKER_MANIFEST),
        ("list", MediaType::DOCKER_LIST),
    ] {
        let found = scene.head(&format!("/v2/a/manifests/{tag}")).await;
        assert_eq!(found.header("content-type"), media_type.as_str());
    }
}

#[tokio::test]
async fn a_chunk_must_be_what_its_headers_say() {
    let scene = Scene::new().await;
    let begun = scene.post("/v2/a/blobs/uploads/").await;
    let location = begun.header("location").to_owned();
    let patch = |range: &'static str, body: &'static str| {
        let (scene, location) = (&scene, location.clone());
        async move {
            scene
                .send(Method::PATCH, &location, &[("content-range", range)], body)
                .await
        }
    };
    patch("bytes 0-1/2", "ab")
        .await
        .expect_error(400, "BLOB_UPLOAD_INVALID");
    patch("0-", "ab").await.expect_error(400, "BLOB_UPLOAD_INVALID");
    patch("0-5", "ab").await.expect_error(400, "SIZE_INVALID");
    patch("5-0", "ab").await.expect_error(416, "BLOB_UPLOAD_INVALID");
    // Without a length only the bytes themselves show it.
    let headers = [("content-range", "0-9")];
    let short = scene.chunked(Method::PATCH, &location, &headers, "abc").await;
    short.expect_error(400, "SIZE_INVALID");
    assert_eq!(scene.get(&location).await.header("range"), "0-2");
    let headers = [("content-range", "3-4")];
    let long = scene.chunked(Method::PATCH, &location, &headers, "defg").await;
    assert_eq!(long.status, 400);
    scene.get(&location).await.expect(204);
}

#[tokio::test]
async fn what_is_not_done_here_is_said_with_what_is() {
    let scene = Scene::new().await;
    let digest = suite::blob("x").0;
    for (method, path, allowed) in [
        (Method::PUT, "/v2/".to_owned(), "GET, HEAD"),
        (Method::POST, "/v2/_catalog".into(), "GET, HEAD"),
        (
            Method::PATCH,
            "/v2/a/manifests/x".into(),
            "GET, HEAD, PUT, DELETE",
        ),
        (Method::PUT, format!("/v2/a/blobs/{digest}"), "GET, HEAD, DELETE"),
        (Method::GET, "/v2/a/blobs/uploads/".into(), "POST"),
        (Method::DELETE, "/v2/a/tags/list".into(), "GET, HEAD"),
    ] {
        let refused = scene.send(method, &path, &[], "").await;
        refused.expect_error(405, "UNSUPPORTED");
        assert_eq!(refused.header("allow"), allowed, "{path}");
    }
    scene.get("/favicon.ico").await.expect_error(404, "UNSUPPORTED");
    scene.get("/v1/_ping").await.expect(404);
}

#[tokio::test]
async fn an_upload_that_was_told_nothing_goes_on_after_a_restart() {
    let scene = Scene::new().await;
    let content = bytes(4, 9000);
    let begun = scene.post("/v2/a/blobs/uploads/").await;
    let location = begun.header("location").to_owned();
    scene
        .send(Method::PATCH, &location, &[], content.slice(..5000))
        .await
        .expect(202);
    let Scene {
        registry,
        store,
        root,
    } = scene;
    drop((registry, store));
    let store = std::sync::Arc::new(crate::client::directory(root.path()).await);
    let registry = landfall_server::Registry::new(store.clone(), Default::default());
    let scene = Scene {
        registry: registry.into(),
        store,
        root,
    };
    let state = scene.get(&location).await;
    assert_eq!(state.header("range"), "0-4999");
    let digest = landfall_hash::digest(landfall_oci::Algorithm::Sha256, &content);
    let put = format!("{location}?digest={digest}");
    let headers = [("content-range", "5000-8999")];
    scene
        .send(Method::PUT, &put, &headers, content.slice(5000..))
        .await
        .expect(201);
    assert_eq!(scene.get(&format!("/v2/a/blobs/{digest}")).await.body, content);
}

/// A node that loses its power in the middle of a push holds neither the upload nor the server.
#[tokio::test]
async fn a_sender_that_falls_silent_is_given_up() {
    let options = landfall_server::RegistryOptions {
        patience: std::time::Duration::from_millis(50),
        ..Default::default()
    };
    let scene = Scene::with(options).await;
    let location = scene
        .post("/v2/a/blobs/uploads/")
        .await
        .header("location")
        .to_owned();
    let first = futures_util::stream::iter([Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from(
        "abc",
    )))]);
    let silent = futures_util::StreamExt::chain(first, futures_util::stream::pending());
    let body = http_body_util::StreamBody::new(silent);
    let request = http::Request::patch(&location).body(body).unwrap();
    let given_up = scene.registry.handle(request, crate::client::PEER).await;
    assert_eq!(given_up.status(), 408);
    assert_eq!(scene.get(&location).await.header("range"), "0-2");
    scene
        .send(Method::PATCH, &location, &[("content-range", "3-5")], "def")
        .await
        .expect(202);
}

//! Whoever is slow or greedy takes memory and attention from itself only.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, FuturesUnordered};
use http::{Method, Request};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use landfall_oci::Digest;
use landfall_server::{
    Access, AccessControl, AccessOptions, Metrics, RegistryOptions, RequestBody, TokenOptions, Wanted,
};
use landfall_store::suite;

use crate::client::{PEER, Scene};
use crate::status::{large, metered, push};

/// A body that has begun and goes no further.
fn unfinished(begin: Vec<u8>) -> impl RequestBody {
    let begin = stream::iter([Ok::<_, io::Error>(Frame::data(Bytes::from(begin)))]);
    StreamBody::new(Box::pin(begin.chain(stream::pending())))
}

#[tokio::test]
async fn forms_that_do_not_end_do_not_keep_manifests_from_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = TokenOptions::new(folder.path().join("key"));
    let control = AccessControl::open(AccessOptions {
        tokens: Some(tokens),
        ..AccessOptions::default()
    });
    let scene = Scene::with(RegistryOptions {
        access: Access::Controlled(control.await.unwrap()),
        manifest_memory: 256 << 10,
        ..RegistryOptions::default()
    })
    .await;
    push(&scene, "a", "v1").await;
    // Nobody needs a password to send a form.
    let mut waiting = FuturesUnordered::new();
    for _ in 0..8 {
        let form = unfinished(vec![b'x'; 60_000]);
        let request = Request::builder().method(Method::POST).uri("/token");
        waiting.push(scene.registry.handle(request.body(form).unwrap(), PEER));
    }
    let mut pull = std::pin::pin!(scene.get("/v2/a/manifests/v1"));
    let pulled = loop {
        tokio::select! {
            pulled = &mut pull => break pulled,
            Some(_) = waiting.next() => {}
        }
    };
    pulled.expect(200);
}

#[tokio::test]
async fn manifests_that_are_only_looked_into_count_too() {
    let metrics = Arc::new(Metrics::default());
    let wanted = Arc::new(Wanted::in_memory());
    let scene = Scene::with(RegistryOptions {
        manifest_memory: 1 << 20,
        wanted: Some(Arc::clone(&wanted)),
        ..metered(&metrics)
    })
    .await;
    let missing = suite::blob("not here").0;
    let member = |digest: Digest| {
        serde_json::json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 2, "digest": digest,
            "platform": {"os": "linux", "architecture": "arm64"}})
    };
    let index = suite::raw(&serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [member(missing)],
        "annotations": {"filling": "x".repeat(300_000)},
    }));
    let fallback = missing.to_string().replace(':', "-");
    for tag in ["v1", &fallback] {
        scene.put_manifest("a", tag, &index).await.expect(201);
    }
    scene.head("/v2/a/manifests/v1").await.expect(200);
    // Somebody has all the memory that there is.
    scene.push_blob("b", &suite::blob("{}").1).await;
    for number in 0..3 {
        let manifest = large(number, 300_000);
        scene
            .put_manifest("b", &number.to_string(), &manifest)
            .await
            .expect(201);
    }
    let mut held = Vec::new();
    for number in 0..3 {
        let path = format!("/v2/b/manifests/{number}");
        let request = Request::builder()
            .uri(path)
            .body(Full::new(Bytes::new()))
            .unwrap();
        held.push(scene.registry.handle(request, PEER).await);
    }
    assert!(held.iter().all(|reply| reply.status() == 200));
    scene
        .get(&format!("/v2/a/referrers/{missing}"))
        .await
        .expect_error(503, "TOOMANYREQUESTS");
    // What is missing is missing all the same; for which platform, nobody had the room to find out.
    let path = format!("/v2/a/manifests/{missing}");
    scene.get(&path).await.expect(404);
    assert!(wanted.list()[0].platforms.is_empty(), "{:?}", wanted.list());
    held.clear();
    scene.get(&path).await.expect(404);
    assert_eq!(
        wanted
            .list()
            .iter()
            .filter(|image| image.platforms == ["linux/arm64"])
            .count(),
        1
    );
    scene.get(&format!("/v2/a/referrers/{missing}")).await.expect(200);
}

fn put<B>(body: B) -> Request<B> {
    let request = Request::builder().method(Method::PUT);
    request.uri("/v2/a/manifests/v1").body(body).unwrap()
}

#[tokio::test]
async fn a_refusal_of_ours_is_heard_by_who_is_still_sending() {
    let scene = Scene::with(RegistryOptions {
        manifest_memory: 1,
        ..RegistryOptions::default()
    })
    .await;
    let read = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&read);
    let pieces = stream::iter(0..20).map(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok::<_, io::Error>(Frame::data(Bytes::from_static(&[b'x'; 10_000])))
    });
    // All the memory that there is, held by a sender that does not go on.
    let mut first = std::pin::pin!(scene.registry.handle(put(unfinished(vec![b'x'])), PEER));
    let mut second = std::pin::pin!(
        scene
            .registry
            .handle(put(StreamBody::new(Box::pin(pieces))), PEER)
    );
    let answered = tokio::select! {
        biased;
        _ = &mut first => None,
        reply = &mut second => Some(reply.status()),
    };
    assert_eq!(answered.unwrap(), 503);
    assert_eq!(read.load(Ordering::Relaxed), 20, "the rest of the body");
}

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

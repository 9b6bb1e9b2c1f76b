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

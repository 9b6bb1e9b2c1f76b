//! Who is let in, and what nobody may do.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use http::Method;
use landfall_server::{Access, Htpasswd, Peer, Registry, RegistryOptions};
use landfall_store::suite;

use crate::client::{PEER, Scene};

fn credential(text: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

#[tokio::test]
async fn with_a_password_file_nothing_is_answered_without_one() {
    let file = format!("ann:{}\n", bcrypt::hash("s3cret", 4).unwrap());
    let scene = Scene::with(RegistryOptions {
        access: Access::Users(Htpasswd::parse(&file, Path::new("users")).unwrap()),
        ..RegistryOptions::default()
    })
    .await;
    let digest = suite::blob("x").0;
    let blob = format!("/v2/a/blobs/{digest}");
    // Each time from elsewhere: who fails often from one place is slowed down.
    let mut places = (1..).map(|place: u32| Peer {
        addr: (std::net::Ipv4Addr::from(place), 1).into(),
        ..PEER
    });
    for (method, path) in [
        (Method::GET, "/v2/"),
        (Method::GET, "/v2/_catalog"),
        (Method::GET, "/v2/a/tags/list"),
        (Method::HEAD, "/v2/a/manifests/x"),
        (Method::PUT, "/v2/a/manifests/x"),
        (Method::GET, &blob),
        (Method::POST, "/v2/a/blobs/uploads/"),
        (Method::GET, "/v2/NOT/a/name"),
    ] {
        for header in [
            "",
            "Bearer x",
            "Basic !",
            &credential("ann:wrong"),
            &credential("bob:s3cret"),
        ] {
            let place = places.next().unwrap();
            let headers = [("authorization", header)];
            let refused = scene.send_from(place, method.clone(), path, &headers, "").await;
            refused.expect(401);
            assert!(refused.header("www-authenticate").starts_with("Basic realm="));
        }
    }
    scene.get("/healthz").await.expect(200);
    let header = credential("ann:s3cret");
    let let_in = scene
        .send(Method::GET, "/v2/", &[("authorization", &header)], "")
        .await;
    let_in.expect(200);
}

/// Every mutation, each through the one gate (CVE-2026-41888).
#[tokio::test]
async fn cve_2026_41888_nothing_is_changed_where_nothing_may_be() {
    let scene = Scene::new().await;
    let held = suite::fill(&*scene.store).await.remove(0);
    let name = held.repository.as_str();
    let digest = held.blobs[0].0;
    let upload = scene
        .post(&format!("/v2/{name}/blobs/uploads/"))
        .await
        .header("location")
        .to_owned();
    let no_deletes = RegistryOptions {
        deletes: false,
        ..RegistryOptions::default()
    };
    let read_only = RegistryOptions {
        read_only: true,
        ..RegistryOptions::default()
    };
    let mutations = [
        (Method::DELETE, format!("/v2/{name}/manifests/v1"), true),
        (
            Method::DELETE,
            format!("/v2/{name}/manifests/{}", held.manifest.digest),
            true,
        ),
        (Method::DELETE, format!("/v2/{name}/blobs/{digest}"), true),
        (Method::PUT, format!("/v2/{name}/manifests/v2"), false),
        (
            Method::PUT,
            format!("/v2/{name}/manifests/{}?tag=v3", held.manifest.digest),
            false,
        ),
        (Method::POST, format!("/v2/{name}/blobs/uploads/"), false),
        (
            Method::POST,
            format!("/v2/{name}/blobs/uploads/?digest={digest}"),
            false,
        ),
        (
            Method::POST,
            format!("/v2/other/blobs/uploads/?mount={digest}&from={name}"),
            false,
        ),
        (Method::PATCH, upload.clone(), false),
        (Method::PUT, format!("{upload}?digest={digest}"), false),
        (Method::DELETE, upload, false),
    ];
    for (options, all) in [(no_deletes, false), (read_only, true)] {
        let scene = Scene {
            registry: Arc::new(Registry::new(Arc::clone(&scene.store), options)),
            store: Arc::clone(&scene.store),
            root: tempfile::tempdir().unwrap(),
        };
        for (method, path, is_delete) in &mutations {
            if all || *is_delete {
                let refused = scene.send(method.clone(), path, &[], "x").await;
                refused.expect_error(405, "UNSUPPORTED");
            }
        }
        suite::reading(&*scene.store, &suite::samples()).await;
    }
}

//! One registry in the place of many.

use bytes::Bytes;
use http::Method;
use landfall_store::suite;

use crate::client::Scene;

async fn push(scene: &Scene, name: &str) -> landfall_oci::RawManifest {
    let blobs = [suite::blob(format!("config of {name}"))];
    scene.push_blob(name, &blobs[0].1).await;
    let manifest = suite::image(&blobs, None, None);
    scene.put_manifest(name, "1", &manifest).await.expect(201);
    manifest
}

#[tokio::test]
async fn a_namespace_finds_what_is_kept_under_its_name() {
    let scene = Scene::new().await;
    let mut kept = Vec::new();
    for name in ["quay.io/a/b", "a/b", "library/nginx", "busybox"] {
        kept.push((name, push(&scene, name).await));
    }
    // Path, namespace, where it is found, whether the answer names the namespace.
    for (path, namespace, found, honoured) in [
        ("a/b", "", "a/b", false),
        ("a/b", "quay.io", "quay.io/a/b", true),
        ("a/b", "ghcr.io", "a/b", false),
        ("a/b", "registry.local:5000", "a/b", false),
        ("library/nginx", "docker.io", "library/nginx", true),
        ("library/busybox", "docker.io", "busybox", true),
        ("docker.io/library/nginx", "", "library/nginx", false),
        ("docker.io/library/busybox", "", "busybox", false),
        ("quay.io/a/b", "", "quay.io/a/b", false),
        ("library/nginx", "not a host", "library/nginx", false),
    ] {
        let (_, manifest) = kept.iter().find(|(name, _)| *name == found).unwrap();
        let config = suite::blob(format!("config of {found}")).0;
        let query = match namespace {
            "" => String::new(),
            other => format!("?ns={}", other.replace(' ', "%20")),
        };
        let told = if honoured { namespace } else { "" };
        let paths = [
            format!("/v2/{path}/manifests/1{query}"),
            format!("/v2/{path}/manifests/{}{query}", manifest.digest),
            format!("/v2/{path}/blobs/{config}{query}"),
            format!("/v2/{path}/tags/list{query}"),
        ];
        for url in &paths {
            for answer in [scene.get(url).await, scene.head(url).await] {
                answer.expect(200);
                assert_eq!(answer.header("oci-namespace"), told, "{url}");
            }
        }
        assert_eq!(
            scene.get(&paths[0]).await.body,
            manifest.bytes,
            "{path} {namespace}"
        );
    }
    let by_header = scene
        .send(
            Method::GET,
            "/v2/a/b/manifests/1",
            &[("oci-namespace", "quay.io")],
            "",
        )
        .await;
    assert_eq!(by_header.body, kept[0].1.bytes);
}

#[tokio::test]
async fn a_push_goes_where_its_path_says() {
    let scene = Scene::new().await;
    let (digest, content) = suite::blob("pushed through a mirror");
    let path = format!("/v2/a/b/blobs/uploads/?digest={digest}&ns=registry.local");
    scene.send(Method::POST, &path, &[], content).await.expect(201);
    scene.head(&format!("/v2/a/b/blobs/{digest}")).await.expect(200);
    scene
        .head(&format!("/v2/registry.local/a/b/blobs/{digest}"))
        .await
        .expect(404);
    scene
        .head(&format!("/v2/a/b/blobs/{digest}?ns=registry.local"))
        .await
        .expect(200);
}

#[tokio::test]
async fn referrers_follow_the_namespace() {
    let scene = Scene::new().await;
    let subject = push(&scene, "quay.io/a/b").await;
    let config = suite::blob("signature");
    scene.push_blob("quay.io/a/b", &config.1).await;
    let signature = suite::image(&[config], Some(&subject), Some("application/x.sig"));
    scene
        .put_manifest("quay.io/a/b", "sig", &signature)
        .await
        .expect(201);
    let found = scene
        .get(&format!("/v2/a/b/referrers/{}?ns=quay.io", subject.digest))
        .await;
    assert_eq!(found.header("oci-namespace"), "quay.io");
    assert_eq!(found.json()["manifests"].as_array().unwrap().len(), 1);
    let bytes: &Bytes = &found.body;
    assert!(!bytes.is_empty());
}

//! Bundles below a directory, as `serve` lays them.

use std::sync::Arc;

use landfall_server::{Registry, RegistryOptions};
use landfall_store::{Overlay, Store, suite};

use crate::client::{Scene, directory};

#[tokio::test]
async fn an_image_can_be_built_upon_one_of_the_layer_below() {
    let below = tempfile::tempdir().unwrap();
    let lower: Arc<dyn Store> = Arc::new(directory(below.path()).await);
    let held = suite::fill(&*lower).await;
    let root = tempfile::tempdir().unwrap();
    let upper: Arc<dyn Store> = Arc::new(directory(root.path()).await);
    let store: Arc<dyn Store> = Arc::new(Overlay::new(vec![upper, Arc::new(suite::Frozen(lower))]).unwrap());
    let scene = Scene {
        registry: Arc::new(Registry::new(Arc::clone(&store), RegistryOptions::default())),
        store,
        root,
    };
    let base = &held[1];
    let layer = base.blobs[1].0;
    // docker push: HEAD says it is there, so only the new manifest comes.
    scene.head(&format!("/v2/alpine/blobs/{layer}")).await.expect(200);
    let derived = suite::image(&base.blobs, None, Some("a/type"));
    scene.put_manifest("alpine", "v2", &derived).await.expect(201);
    scene.get("/v2/alpine/manifests/v1").await.expect(200);
    let mounted = scene
        .post(&format!("/v2/mine/blobs/uploads/?mount={layer}&from=alpine"))
        .await;
    mounted.expect(201);
    assert_eq!(scene.get(mounted.header("location")).await.body, base.blobs[1].1);
    scene
        .delete("/v2/alpine/manifests/v1")
        .await
        .expect_error(405, "UNSUPPORTED");
    let tags = scene.get("/v2/alpine/tags/list").await.json();
    assert_eq!(tags["tags"], serde_json::json!(["v1", "v2"]));
}

/// A disk that is no longer mounted.
#[tokio::test]
async fn a_directory_that_is_gone_is_not_ready() {
    let below = tempfile::tempdir().unwrap();
    let upper: Arc<dyn Store> = Arc::new(directory(below.path()).await);
    let lower = tempfile::tempdir().unwrap();
    let lower: Arc<dyn Store> = Arc::new(suite::Frozen(Arc::new(directory(lower.path()).await)));
    let store: Arc<dyn Store> = Arc::new(Overlay::new(vec![lower, upper]).unwrap());
    for is_there in [true, false] {
        if !is_there {
            std::fs::rename(below.path().join("repos"), below.path().join("away")).unwrap();
        }
        // What was asked a moment ago is remembered: each registry asks anew.
        let scene = Scene {
            registry: Arc::new(Registry::new(Arc::clone(&store), RegistryOptions::default())),
            store: Arc::clone(&store),
            root: tempfile::tempdir().unwrap(),
        };
        let status = scene.get("/readyz").await.status;
        assert_eq!(status, if is_there { 200 } else { 503 });
    }
}

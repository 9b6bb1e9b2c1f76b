//! Stores over stores.

use std::sync::Arc;

use landfall_oci::Target;
use landfall_store::suite::Frozen;
use landfall_store::{Overlay, Page, Store, StoreError, suite};

use crate::open;

struct Scene {
    _folders: [tempfile::TempDir; 2],
    lower: Arc<dyn Store>,
    upper: Arc<dyn Store>,
    held: Vec<suite::Held>,
}

async fn scene(filled: bool) -> Scene {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let lower = open(folders[0].path()).await;
    let held = match filled {
        true => suite::fill(&lower).await,
        false => Vec::new(),
    };
    Scene {
        lower: Arc::new(Frozen(Arc::new(lower))),
        upper: Arc::new(open(folders[1].path()).await),
        held,
        _folders: folders,
    }
}

#[tokio::test]
async fn an_overlay_passes_the_suite_in_either_order() {
    for writable_first in [true, false] {
        let scene = scene(false).await;
        let mut layers = vec![scene.upper, scene.lower];
        if !writable_first {
            layers.reverse();
        }
        suite::writable(&Overlay::new(layers).unwrap()).await;
    }
}

#[tokio::test]
async fn an_overlay_of_read_only_stores_is_read_only() {
    let scene = scene(true).await;
    let overlay = Overlay::new(vec![Arc::clone(&scene.lower), scene.lower]).unwrap();
    suite::reading(&overlay, &scene.held).await;
    suite::read_only(&overlay, &scene.held[0]).await;
}

#[tokio::test]
async fn there_is_at_most_one_writable_layer() {
    let one = scene(false).await;
    let two = scene(false).await;
    let both = Overlay::new(vec![one.upper, two.upper]);
    assert!(matches!(both.err(), Some(StoreError::Conflict { .. })));
}

#[tokio::test]
async fn what_lies_below_can_be_built_upon() {
    let scene = scene(true).await;
    let overlay = Overlay::new(vec![Arc::clone(&scene.upper), scene.lower]).unwrap();
    let base = &scene.held[1];
    suite::reading(&overlay, &scene.held).await;
    // A manifest whose layers only the layer below holds, in the same repository.
    let derived = suite::image(&base.blobs, None, Some("a/type"));
    suite::put(&overlay, &base.repository, &derived, &[suite::tag("v2")])
        .await
        .unwrap();
    let tags = overlay.tags(&base.repository, Page::first(9)).await.unwrap();
    assert_eq!(tags.items, [suite::tag("v1"), suite::tag("v2")]);
    // A mount from below copies the bytes up; a manifest in the new repository can then name them.
    let other = suite::repository("from/below");
    let layer = base.blobs[1].0;
    assert!(
        overlay
            .stat_blob(&other, &layer)
            .await
            .unwrap_err()
            .is_not_found()
    );
    overlay.mount(&base.repository, &other, &layer).await.unwrap();
    assert_eq!(
        suite::read_blob(&*scene.upper, &other, &layer).await,
        base.blobs[1].1
    );
    let missing = suite::put(&overlay, &other, &derived, &[]).await;
    assert!(matches!(missing, Err(StoreError::MissingBlobs { digests }) if digests.len() == 2));
    // A tag set to a manifest that only lies below.
    let digest = base.manifest.digest;
    let expected = landfall_store::Expected::Absent;
    overlay
        .set_tag(&base.repository, &suite::tag("v3"), &digest, expected)
        .await
        .unwrap();
    let by_tag = Target::Tag(suite::tag("v3"));
    assert_eq!(
        overlay.manifest(&base.repository, &by_tag).await.unwrap(),
        base.manifest
    );
}

#[tokio::test]
async fn what_lies_below_cannot_be_deleted_but_an_override_can_be_taken_back() {
    let scene = scene(true).await;
    let overlay = Overlay::new(vec![scene.upper, scene.lower]).unwrap();
    let base = &scene.held[1];
    let by_tag = Target::Tag(base.tag.clone());
    let refused = [
        overlay.delete_tag(&base.repository, &base.tag).await,
        overlay
            .delete_manifest(&base.repository, &base.manifest.digest)
            .await,
        overlay.delete_blob(&base.repository, &base.blobs[0].0).await,
    ];
    for answer in refused {
        assert!(matches!(answer, Err(StoreError::ReadOnly { .. })), "{answer:?}");
    }
    let mine = suite::image(&base.blobs, None, Some("my/own"));
    let tags = std::slice::from_ref(&base.tag);
    suite::put(&overlay, &base.repository, &mine, tags).await.unwrap();
    assert_eq!(overlay.manifest(&base.repository, &by_tag).await.unwrap(), mine);
    overlay.delete_tag(&base.repository, &base.tag).await.unwrap();
    assert_eq!(
        overlay.manifest(&base.repository, &by_tag).await.unwrap(),
        base.manifest
    );
}

#[tokio::test]
async fn a_push_that_nobody_would_see_is_refused() {
    let scene = scene(true).await;
    let overlay = Overlay::new(vec![scene.lower, scene.upper]).unwrap();
    let base = &scene.held[1];
    let mine = suite::image(&base.blobs, None, Some("my/own"));
    let tags = std::slice::from_ref(&base.tag);
    let refused = suite::put(&overlay, &base.repository, &mine, tags).await;
    assert!(matches!(refused, Err(StoreError::ReadOnly { .. })), "{refused:?}");
    suite::put(&overlay, &base.repository, &mine, &[suite::tag("free")])
        .await
        .unwrap();
}

//! Deletions: gone at once, and only what was meant; refused where they are not done.

use landfall_server::RegistryOptions;
use serde_json::json;

use super::data::Data;
use super::steps::{list, pull, push};
use super::{ALGORITHMS, REPO, Stand, blob_path, manifest_path, stands};
use crate::client::bytes;

#[tokio::test]
async fn of_a_blob() {
    for stand in stands().await {
        for algorithm in ALGORITHMS {
            let digest = stand.push_blob_as(REPO, &bytes(10, 512), algorithm).await;
            stand.delete(&blob_path(&digest)).await.expect(202);
            stand.head(&blob_path(&digest)).await.expect(404);
            stand
                .delete(&blob_path(&digest))
                .await
                .expect_error(404, "BLOB_UNKNOWN");
            // It can come back.
            stand.push_blob_as(REPO, &bytes(10, 512), algorithm).await;
            stand.get(&blob_path(&digest)).await.expect(200);
        }
    }
}

#[tokio::test]
async fn of_a_tag_leaves_the_manifest() {
    for stand in stands().await {
        let mut data = Data::default();
        let image = data.image(17, 1, json!({}));
        data.tag("one", &image);
        data.tag("two", &image);
        push(&stand, &data).await;
        stand.delete(&manifest_path("one")).await.expect(202);
        stand.head(&manifest_path("one")).await.expect(404);
        stand
            .delete(&manifest_path("one"))
            .await
            .expect_error(404, "MANIFEST_UNKNOWN");
        data.tags.remove(0);
        list(&stand, &data).await;
        pull(&stand, &data).await;
    }
}

#[tokio::test]
async fn of_a_manifest_takes_its_tags_along() {
    for stand in stands().await {
        let mut data = Data::default();
        let (image, other) = (data.image(17, 1, json!({})), data.image(18, 1, json!({})));
        data.tag("one", &image);
        data.tag("two", &image);
        push(&stand, &data).await;
        stand.put_manifest(REPO, "other", &other).await.expect(201);
        stand.delete(&manifest_path(image.digest)).await.expect(202);
        for tag in ["one", "two"] {
            stand
                .get(&manifest_path(tag))
                .await
                .expect_error(404, "MANIFEST_UNKNOWN");
        }
        data.tags = vec![("other".to_owned(), other.digest)];
        data.manifests.remove(0);
        list(&stand, &data).await;
        pull(&stand, &data).await;
    }
}

#[tokio::test]
async fn of_what_was_never_there() {
    for stand in stands().await {
        let nothing = landfall_hash::digest(ALGORITHMS[0], b"nothing");
        for reference in [nothing.to_string(), "no-such-tag".into()] {
            let path = manifest_path(reference);
            stand.get(&path).await.expect_error(404, "MANIFEST_UNKNOWN");
            stand.head(&path).await.expect(404);
            stand.delete(&path).await.expect_error(404, "MANIFEST_UNKNOWN");
        }
        stand
            .delete(&blob_path(&nothing))
            .await
            .expect_error(404, "BLOB_UNKNOWN");
    }
}

/// Everything of a data set, each by a DELETE that must be refused.
async fn expect_refused(stand: &Stand, data: &Data) {
    let tags = data.tags.iter().map(|(tag, _)| manifest_path(tag));
    let manifests = data.manifests.iter().map(|found| manifest_path(found.digest));
    let blobs = data.blobs.iter().map(|(digest, _)| blob_path(digest));
    for path in tags.chain(manifests).chain(blobs) {
        stand.delete(&path).await.expect_error(405, "UNSUPPORTED");
    }
    pull(stand, data).await;
}

#[tokio::test]
async fn refused() {
    let mut data = Data::default();
    let image = data.image(37, 2, json!({}));
    data.tag("kept", &image);
    let bundle = Stand::bundle(data.clone());
    expect_refused(&bundle, &data).await;
    let overlay = Stand::overlay(RegistryOptions::default()).await;
    expect_refused(&overlay, &overlay.below).await;
    let forbidden = RegistryOptions {
        deletes: false,
        ..RegistryOptions::default()
    };
    let keeping = Stand::directory(forbidden).await;
    push(&keeping, &data).await;
    expect_refused(&keeping, &data).await;
}

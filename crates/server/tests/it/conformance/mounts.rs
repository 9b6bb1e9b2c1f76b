//! Mounts: a blob of another repository without a transfer; an upload where it is not to be had.

use http::Method;
use landfall_hash::digest;

use super::{ALGORITHMS, REPO, REPO2, Stand, blob_path, expect_blob, stands};
use crate::client::bytes;

#[tokio::test]
async fn from_a_repository_and_from_any() {
    for stand in stands().await {
        for algorithm in ALGORITHMS {
            for (seed, from) in [
                (7, format!("&from={REPO2}")),
                (8, String::new()),
                (9, "&from=".into()),
            ] {
                let content = bytes(seed, 512);
                let digest = stand.push_blob_as(REPO2, &content, algorithm).await;
                stand.head(&blob_path(&digest)).await.expect(404);
                let path = format!("/v2/{REPO}/blobs/uploads/?mount={digest}{from}");
                let mounted = stand.post(&path).await;
                mounted.expect(201);
                assert_eq!(mounted.header("docker-content-digest"), digest.to_string());
                expect_blob(&stand, mounted.header("location"), &digest, &content).await;
                // Gone from where it came, it stays here.
                stand
                    .delete(&format!("/v2/{REPO2}/blobs/{digest}"))
                    .await
                    .expect(202);
                expect_blob(&stand, &blob_path(&digest), &digest, &content).await;
            }
        }
    }
}

#[tokio::test]
async fn of_what_is_not_there() {
    for stand in stands().await {
        for algorithm in ALGORITHMS {
            for (seed, from) in [
                (9, format!("&from={REPO2}")),
                (30, String::new()),
                (31, "&from=NOT+A+NAME".into()),
                (32, format!("&from={REPO}")),
            ] {
                let missing = bytes(seed, 512);
                let digest = digest(algorithm, &missing);
                let path = format!("/v2/{REPO}/blobs/uploads/?mount={digest}{from}");
                let begun = stand.post(&path).await;
                begun.expect(202);
                assert_eq!(begun.header("range"), "0-0");
                let path = format!("{}?digest={digest}", begun.header("location"));
                stand
                    .send(Method::PUT, &path, &[], missing.clone())
                    .await
                    .expect(201);
                expect_blob(&stand, &blob_path(&digest), &digest, &missing).await;
            }
        }
        for wrong in ["sha256:x", "", "md5:00"] {
            let path = format!("/v2/{REPO}/blobs/uploads/?mount={wrong}&from={REPO2}");
            stand.post(&path).await.expect_error(400, "DIGEST_INVALID");
        }
    }
}

#[tokio::test]
async fn out_of_a_bundle_below() {
    let stand = Stand::overlay(Default::default()).await;
    for (from, (digest, content)) in [format!("&from={REPO}"), String::new()]
        .iter()
        .zip(&stand.below.blobs)
    {
        let mounted = stand
            .post(&format!("/v2/{REPO2}/blobs/uploads/?mount={digest}{from}"))
            .await;
        mounted.expect(201);
        expect_blob(&stand, mounted.header("location"), digest, content).await;
    }
}

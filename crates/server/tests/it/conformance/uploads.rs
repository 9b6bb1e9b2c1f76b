//! Uploads other than in chunks: in one request, in two, as a stream; cancelled; with a wrong digest.

use bytes::Bytes;
use http::Method;
use landfall_hash::digest;
use landfall_oci::Algorithm;

use super::{ALGORITHMS, REPO, begin, blob_path, expect_blob, stands};
use crate::client::bytes;

/// As the suite has them: some bytes, none, and the empty JSON object.
fn contents() -> [Bytes; 4] {
    [bytes(1, 512), Bytes::new(), Bytes::from("{}"), bytes(4, 300_000)]
}

#[tokio::test]
async fn in_one_request() {
    for stand in stands().await {
        for algorithm in ALGORITHMS {
            for content in contents() {
                let digest = digest(algorithm, &content);
                let path = format!("/v2/{REPO}/blobs/uploads/?digest={digest}");
                for _again in 0..2 {
                    let done = stand.send(Method::POST, &path, &[], content.clone()).await;
                    done.expect(201);
                    assert_eq!(done.header("docker-content-digest"), digest.to_string());
                    expect_blob(&stand, done.header("location"), &digest, &content).await;
                }
            }
        }
        assert_eq!(stand.uploads_under_way(), 0);
    }
}

#[tokio::test]
async fn in_two_requests() {
    for stand in stands().await {
        for algorithm in ALGORITHMS {
            for content in contents() {
                let digest = digest(algorithm, &content);
                let path = format!("{}?digest={digest}", begin(&stand).await);
                let done = stand.send(Method::PUT, &path, &[], content.clone()).await;
                done.expect(201);
                assert_eq!(done.header("docker-content-digest"), digest.to_string());
                expect_blob(&stand, done.header("location"), &digest, &content).await;
                // It is finished: its name means nothing any more.
                let again = stand.send(Method::PUT, &path, &[], content.clone()).await;
                again.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
            }
        }
    }
}

#[tokio::test]
async fn as_a_stream() {
    for stand in stands().await {
        for algorithm in ALGORITHMS {
            let content = bytes(6, 100_000);
            let digest = digest(algorithm, &content);
            let location = begin(&stand).await;
            let taken = stand
                .chunked(Method::PATCH, &location, &[], content.clone())
                .await;
            taken.expect(202);
            assert_eq!(taken.header("range"), "0-99999");
            let path = format!("{}?digest={digest}", taken.header("location"));
            stand.send(Method::PUT, &path, &[], "").await.expect(201);
            expect_blob(&stand, &blob_path(&digest), &digest, &content).await;
        }
    }
}

#[tokio::test]
async fn cancelled() {
    for stand in stands().await {
        let location = begin(&stand).await;
        stand.send(Method::PATCH, &location, &[], "abc").await.expect(202);
        stand.delete(&location).await.expect(204);
        for method in [Method::GET, Method::DELETE, Method::PATCH] {
            let gone = stand.send(method, &location, &[], "x").await;
            gone.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
        }
        assert_eq!(stand.uploads_under_way(), 0);
    }
}

#[tokio::test]
async fn of_another_digest_than_announced() {
    for stand in stands().await {
        for algorithm in ALGORITHMS {
            let wrong = digest(algorithm, b"something else");
            let refused = |answer: crate::client::Answer| {
                answer.expect_error(400, "DIGEST_INVALID");
            };
            let path = format!("/v2/{REPO}/blobs/uploads/?digest={wrong}");
            refused(stand.send(Method::POST, &path, &[], "this").await);
            let put = format!("{}?digest={wrong}", begin(&stand).await);
            refused(stand.send(Method::PUT, &put, &[], "this").await);
            let location = begin(&stand).await;
            stand
                .chunked(Method::PATCH, &location, &[], "this")
                .await
                .expect(202);
            let put = format!("{location}?digest={wrong}");
            refused(stand.send(Method::PUT, &put, &[], "").await);
            stand.head(&blob_path(&wrong)).await.expect(404);
        }
        for text in [
            "",
            "?digest=",
            "?digest=sha256:x",
            "?digest=md5:00",
            "?digest=%00",
        ] {
            let put = format!("{}{text}", begin(&stand).await);
            let refused = stand.send(Method::PUT, &put, &[], "x").await;
            refused.expect_error(400, "DIGEST_INVALID");
            if !text.is_empty() {
                let path = format!("/v2/{REPO}/blobs/uploads/{text}");
                stand
                    .send(Method::POST, &path, &[], "x")
                    .await
                    .expect_error(400, "DIGEST_INVALID");
            }
        }
    }
}

#[tokio::test]
async fn with_the_algorithm_told_beforehand() {
    for stand in stands().await {
        let content = bytes(14, 5000);
        // A hint is no promise: another digest may come in the end.
        for hint in ["sha512", "sha256"] {
            for algorithm in ALGORITHMS {
                let path = format!("/v2/{REPO}/blobs/uploads/?digest-algorithm={hint}");
                let begun = stand.post(&path).await;
                begun.expect(202);
                let digest = digest(algorithm, &content);
                let put = format!("{}?digest={digest}", begun.header("location"));
                stand
                    .send(Method::PUT, &put, &[], content.clone())
                    .await
                    .expect(201);
                expect_blob(&stand, &blob_path(&digest), &digest, &content).await;
            }
        }
        for unknown in ["md5", "", "SHA512"] {
            let path = format!("/v2/{REPO}/blobs/uploads/?digest-algorithm={unknown}");
            stand.post(&path).await.expect_error(400, "DIGEST_INVALID");
        }
    }
}

/// Nothing can be seen of content that nobody has finished.
#[tokio::test]
async fn unseen_until_finished() {
    for stand in stands().await {
        let content = bytes(15, 5000);
        let digest = digest(Algorithm::Sha256, &content);
        let location = begin(&stand).await;
        stand
            .send(Method::PATCH, &location, &[], content)
            .await
            .expect(202);
        stand.head(&blob_path(&digest)).await.expect(404);
        let mount = format!("/v2/{REPO}/blobs/uploads/?mount={digest}");
        stand.post(&mount).await.expect(202);
    }
}

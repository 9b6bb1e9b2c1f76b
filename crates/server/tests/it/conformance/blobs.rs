//! Blobs as they are read: whole, as headers, unless the reader has them; never in another encoding.

use bytes::Bytes;
use http::Method;
use landfall_hash::digest;
use landfall_oci::Algorithm;
use serde_json::json;

use super::data::Data;
use super::{ALGORITHMS, REPO, REPO2, Stand, blob_path, stands};
use crate::client::{Scene, bytes};

async fn check(scene: &Scene, path: &str, content: &Bytes) {
    for accepted in ["", "zstd;q=1.0,gzip,deflate", "gzip", "*", "identity;q=0"] {
        let headers = [("accept-encoding", accepted)];
        let get = scene.send(Method::GET, path, &headers, "").await;
        let head = scene.send(Method::HEAD, path, &headers, "").await;
        get.expect(200);
        assert_eq!(get.body, content);
        for answer in [&get, &head] {
            answer.expect(200);
            assert_eq!(answer.header("content-length"), content.len().to_string());
            assert_eq!(answer.header("content-type"), "application/octet-stream");
            assert_eq!(answer.header("accept-ranges"), "bytes");
        }
    }
    let etag = scene.get(path).await.header("etag").to_owned();
    for known in [etag.as_str(), "*", "\"other\", W/\"none\"", ""] {
        let headers = [("if-none-match", known), ("range", "bytes=0-")];
        for method in [Method::GET, Method::HEAD] {
            let answer = scene.send(method, path, &headers, "").await;
            let is_known = known == etag || known == "*";
            assert_eq!(answer.status == 304, is_known, "{known}: {answer:?}");
            assert_eq!(answer.header("etag"), etag);
        }
    }
}

#[tokio::test]
async fn read_from_everywhere() {
    for algorithm in ALGORITHMS {
        for content in [bytes(16, 5000), Bytes::from("{}")] {
            let mut data = Data::by(algorithm);
            let layer = data.blob(landfall_oci::MediaType::OCI_LAYER, content.clone());
            let image = data.image(17, 0, json!({"layers": [layer]}));
            data.tag("blobs", &image);
            let path = blob_path(&data.blobs[0].0);
            for stand in stands().await {
                stand.push_blob_as(REPO, &content, algorithm).await;
                check(&stand, &path, &content).await;
            }
            check(&Stand::bundle(data.clone()), &path, &content).await;
            let over = Stand::over(Default::default(), data).await;
            check(&over, &path, &content).await;
        }
    }
}

#[tokio::test]
async fn missing() {
    let nothing = digest(Algorithm::Sha256, b"nothing");
    for stand in stands().await.into_iter().chain([Stand::bundle(Data::default())]) {
        stand
            .get(&blob_path(&nothing))
            .await
            .expect_error(404, "BLOB_UNKNOWN");
        let head = stand.head(&blob_path(&nothing)).await;
        head.expect(404);
        for wrong in ["sha256:x", "md5:d41d8cd98f00b204e9800998ecf8427e", "latest"] {
            let path = format!("/v2/{REPO}/blobs/{wrong}");
            stand.get(&path).await.expect_error(400, "DIGEST_INVALID");
        }
    }
    // Held by another repository is not held by this one.
    for stand in stands().await {
        let digest = stand.push_blob(REPO2, &bytes(18, 100)).await;
        stand
            .get(&blob_path(&digest))
            .await
            .expect_error(404, "BLOB_UNKNOWN");
    }
}

//! Parts of blobs: what was asked for, cut at the end, or nothing that is there.

use http::Method;

use super::data::Data;
use super::{ALGORITHMS, REPO, Stand, blob_path, stands};
use crate::client::{Scene, bytes};

const LEN: usize = 2048;

/// What is asked of 2048 bytes, and which of them come.
const PARTS: [(&str, usize, usize); 9] = [
    ("bytes=500-1499", 500, 1500),
    ("bytes=500-", 500, LEN),
    ("bytes=0-", 0, LEN),
    ("bytes=2047-", 2047, LEN),
    ("bytes=0-0", 0, 1),
    ("bytes=-500", 1548, LEN),
    ("bytes=-5000", 0, LEN),
    ("bytes=2000-5000", 2000, LEN),
    // The unit's name is no matter of case.
    ("Bytes=1-2", 1, 3),
];
const NONE: [&str; 4] = ["bytes=500-0", "bytes=5000-10000", "bytes=2048-", "bytes=-0"];
/// What may be ignored: several parts, other units, no range at all.
const ALL: [&str; 5] = ["bytes=0-1,5-6", "items=0-1", "bytes=a-b", "bytes=", "0-1"];

async fn check(scene: &Scene, path: &str) {
    let content = bytes(11, LEN);
    let get = async |range: &str| scene.send(Method::GET, path, &[("range", range)], "").await;
    for (range, start, end) in PARTS {
        let part = get(range).await;
        part.expect(206);
        assert_eq!(part.body, content[start..end], "{range}");
        assert_eq!(
            part.header("content-range"),
            format!("bytes {start}-{}/{LEN}", end - 1)
        );
        assert_eq!(part.header("content-length"), (end - start).to_string());
        assert_eq!(part.header("accept-ranges"), "bytes");
    }
    for range in NONE {
        let none = get(range).await;
        none.expect_error(416, "RANGE_INVALID");
        assert_eq!(none.header("content-range"), "bytes */2048");
    }
    for range in ALL {
        let all = get(range).await;
        all.expect(200);
        assert_eq!(all.body, content, "{range}");
        assert_eq!(all.header("content-range"), "");
    }
    // RFC 9110 §14.2: a range is asked of GET alone.
    for range in ["bytes=500-1499", "bytes=5000-10000"] {
        let head = scene.send(Method::HEAD, path, &[("range", range)], "").await;
        head.expect(200);
        assert_eq!(head.header("content-length"), LEN.to_string());
        assert_eq!(head.header("accept-ranges"), "bytes");
    }
}

#[tokio::test]
async fn of_what_was_pushed() {
    for stand in stands().await {
        for algorithm in ALGORITHMS {
            let digest = stand.push_blob_as(REPO, &bytes(11, LEN), algorithm).await;
            check(&stand, &blob_path(&digest)).await;
        }
    }
}

#[tokio::test]
async fn of_what_a_bundle_holds() {
    for algorithm in ALGORITHMS {
        let mut data = Data::by(algorithm);
        let layer = data.blob(landfall_oci::MediaType::OCI_LAYER, bytes(11, LEN));
        let image = data.image(12, 0, serde_json::json!({"layers": [layer]}));
        data.tag("ranges", &image);
        let path = blob_path(&data.blobs[0].0);
        check(&Stand::bundle(data.clone()), &path).await;
        let over = Stand::over(Default::default(), data).await;
        check(&over, &path).await;
    }
}

#[tokio::test]
async fn of_nothing() {
    for stand in stands().await {
        let path = blob_path(&stand.push_blob(REPO, &bytes::Bytes::new()).await);
        for range in ["bytes=0-", "bytes=-1", "bytes=0-0"] {
            let none = stand.send(Method::GET, &path, &[("range", range)], "").await;
            none.expect_error(416, "RANGE_INVALID");
        }
        stand.get(&path).await.expect(200);
    }
}

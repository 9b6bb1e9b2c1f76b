//! Blobs on their way: once for all, in any part, whoever leaves.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use landfall_server::gateway::GatewayOptions;
use landfall_testkit::FakeRegistry;
use landfall_testkit::fake_registry::{Fault, Kind, Rule};

use super::{Front, app, hasty, quay};

const SIZE: u64 = 6 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_clients_and_one_fetch() {
    let (workload, layer) = app(10, SIZE);
    let upstream = FakeRegistry::builder()
        .workload(&workload)
        .bytes_per_second(20 << 20)
        .start();
    let front = Arc::new(Front::new(quay(&[&upstream]), GatewayOptions::default()).await);
    let (digest, bytes) = (layer.digest, layer.bytes);
    let clients: Vec<_> = (0..200)
        .map(|_| {
            let (front, bytes) = (Arc::clone(&front), bytes.clone());
            tokio::spawn(async move {
                let answer = front.blob("org/app", &digest).await;
                answer.expect(200);
                assert!(!answer.broken && answer.body == bytes);
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(upstream.count(Kind::Blob), 1, "{:?}", upstream.requests());
    assert_eq!(upstream.requests().len(), 1, "nothing else was asked either");
    let miss = r#"landfall_gateway_answers_total{upstream="quay.io",answer="miss"}"#;
    assert_eq!(front.metric(miss), 1);
    let by_host = format!(
        r#"landfall_upstream_received_bytes_total{{host="{}"}}"#,
        upstream.address()
    );
    assert_eq!(front.metric(&by_host), SIZE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_waited_for_and_no_more_than_it() {
    let (workload, layer) = app(11, SIZE);
    let upstream = FakeRegistry::with(&workload);
    // The rest comes when somebody lets it.
    let stall = Fault::Stall {
        after: 3 << 20,
        pause: Duration::from_secs(600),
    };
    upstream.rule(Rule::on(Kind::Blob, stall).times(1));
    let front = Front::new(hasty(&upstream), GatewayOptions::default()).await;
    let path = format!("/v2/org/app/blobs/{}?ns=quay.io", layer.digest);
    let part = async |range: &str| {
        front
            .scene
            .send(Method::GET, &path, &[("range", range)], "")
            .await
    };
    let begin = part("bytes=1000000-1999999").await;
    begin.expect(206);
    assert_eq!(
        begin.header("content-range"),
        format!("bytes 1000000-1999999/{SIZE}")
    );
    assert!(begin.body == layer.bytes.slice(1_000_000..2_000_000));
    // Beyond the stall: the connection is given up, and the rest asked for.
    let end = part("bytes=-100").await;
    end.expect(206);
    assert!(end.body == layer.bytes.slice(layer.bytes.len() - 100..));
    let resumed = upstream
        .requests()
        .into_iter()
        .filter(|request| request.range().is_some());
    assert_eq!(resumed.count(), 1);
    part(&format!("bytes={SIZE}-"))
        .await
        .expect_error(416, "RANGE_INVALID");
    assert_eq!(upstream.count(Kind::Blob), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_ends_nothing() {
    let (workload, layer) = app(12, SIZE);
    let upstream = FakeRegistry::builder()
        .workload(&workload)
        .bytes_per_second(30 << 20)
        .start();
    let front = Arc::new(Front::new(quay(&[&upstream]), GatewayOptions::default()).await);
    let digest = layer.digest;
    let leaver = {
        let front = Arc::clone(&front);
        tokio::spawn(async move { front.blob("org/app", &digest).await })
    };
    while upstream.count(Kind::Blob) == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    leaver.abort();
    while front.metric("landfall_gateway_fetches_under_way") > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    front
        .blob("org/app", &digest)
        .await
        .is_exactly(&layer.bytes, "cache");
    assert_eq!(upstream.count(Kind::Blob), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_on_a_miss_asks_the_upstream_and_fetches_nothing() {
    let (workload, layer) = app(13, SIZE);
    let upstream = FakeRegistry::with(&workload);
    let front = Front::new(quay(&[&upstream]), GatewayOptions::default()).await;
    let path = format!("/v2/org/app/blobs/{}?ns=quay.io", layer.digest);
    let head = front.scene.head(&path).await;
    head.expect(200);
    assert_eq!(head.header("content-length"), SIZE.to_string());
    assert_eq!(head.header("x-landfall-served-from"), upstream.address());
    assert_eq!(
        (upstream.count(Kind::BlobHead), upstream.count(Kind::Blob)),
        (1, 0)
    );
    let etag = format!("\"{}\"", layer.digest);
    let known = front
        .scene
        .send(Method::GET, &path, &[("if-none-match", &etag)], "")
        .await;
    known.expect(304);
    assert_eq!(upstream.count(Kind::Blob), 0);
}

/// What one repository has is nobody else's, unless its own upstream says so (CVE-2026-35172).
#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_given_only_for_repositories_whose_upstream_has_it() {
    let (mut workload, layer) = app(14, SIZE);
    let root = workload.images[0].root;
    workload.tag("org/other:1", root);
    let upstream = FakeRegistry::builder()
        .workload(&workload)
        .bytes_per_second(30 << 20)
        .start();
    let front = Arc::new(Front::new(quay(&[&upstream]), GatewayOptions::default()).await);
    let digest = layer.digest;
    let fetching = {
        let front = Arc::clone(&front);
        tokio::spawn(async move { front.blob("org/app", &digest).await })
    };
    while upstream.count(Kind::Blob) == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // While it comes, and when it is here.
    for _ in 0..2 {
        front
            .blob("org/secret", &digest)
            .await
            .expect_error(404, "BLOB_UNKNOWN");
    }
    let other = front.blob("org/other", &digest).await;
    assert!(other.body == layer.bytes && !other.broken);
    let own = fetching.await.unwrap();
    assert!(own.body == layer.bytes && !own.broken);
    front.blob("org/secret", &digest).await.expect(404);
    assert_eq!(upstream.blob_fetches(&digest).len(), 1, "once for both");
    while front.metric("landfall_gateway_fetches_under_way") > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for name in ["org/other", "org/app"] {
        front.blob(name, &digest).await.is_exactly(&layer.bytes, "cache");
    }
}

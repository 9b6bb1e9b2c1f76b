//! A cache with a bound.

use std::time::Duration;

use landfall_oci::Platform;
use landfall_server::gateway::GatewayOptions;
use landfall_testkit::workload::Family;
use landfall_testkit::{FakeRegistry, Workload};

use super::{Front, quay};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_cache_lets_go_and_what_is_asked_for_again_comes_again() {
    let mut workload = Workload::new();
    let mut layers = Vec::new();
    for number in 0..6 {
        let layer = workload.add_big_layer(80 + number, 300_000);
        layers.push((layer.digest, workload.blobs[&layer.digest].bytes()));
        let image = workload.add_image(Family::Oci, &Platform::new("linux", "amd64"), &[layer]);
        workload.tag(&format!("org/app{number}:1"), image.digest);
    }
    let upstream = FakeRegistry::with(&workload);
    let options = GatewayOptions {
        cache_bytes: Some(1_000_000),
        spare_used_within: Duration::ZERO,
        ..GatewayOptions::default()
    };
    let front = Front::new(quay(&[&upstream]), options).await;
    for _ in 0..2 {
        for (number, (digest, bytes)) in layers.iter().enumerate() {
            front
                .get(&format!("/v2/quay.io/org/app{number}/manifests/1"))
                .await
                .expect(200);
            let answer = front.blob(&format!("org/app{number}"), digest).await;
            answer.expect(200);
            assert!(!answer.broken && answer.body == *bytes);
        }
    }
    while front.metric("landfall_gateway_fetches_under_way") > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    front.gateway.trim().await.unwrap();
    assert!(front.gateway.cache().used_bytes().await.unwrap() <= 1_000_000);
    assert!(front.metric("landfall_gateway_cache_bytes") <= 1_000_000);
    assert!(front.metric("landfall_gateway_evicted_bytes_total") >= 800_000);
}

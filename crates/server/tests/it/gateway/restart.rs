//! A fetch that was stopped goes on, and what is wrong in it is found.

use std::time::Duration;

use landfall_server::RegistryOptions;
use landfall_server::gateway::GatewayOptions;
use landfall_testkit::FakeRegistry;
use landfall_testkit::fake_registry::{Fault, Kind, Rule};

use super::{Front, app, quay};

const SIZE: u64 = 5 << 20;

/// A cache in which a fetch was stopped in the middle.
fn stopped(upstream: &FakeRegistry, digest: landfall_oci::Digest) -> tempfile::TempDir {
    // With a runtime of its own, which takes all that runs with it.
    let (upstreams, runtime) = (quay(&[upstream]), tokio::runtime::Runtime::new().unwrap());
    let root = runtime.block_on(async move {
        let front = Front::new(upstreams, GatewayOptions::default()).await;
        let path = format!("/v2/org/app/blobs/{digest}?ns=quay.io");
        let range = [("range", "bytes=0-1999999")];
        let begin = front.scene.send(http::Method::GET, &path, &range, "").await;
        begin.expect(206);
        front.stop()
    });
    runtime.shutdown_timeout(Duration::from_secs(10));
    root
}

#[test]
fn a_fetch_goes_on_after_a_restart() {
    let (workload, layer) = app(60, SIZE);
    let upstream = FakeRegistry::with(&workload);
    let pause = Duration::from_secs(60);
    upstream.rule(
        Rule::on(
            Kind::Blob,
            Fault::Stall {
                after: 3 << 20,
                pause,
            },
        )
        .times(1),
    );
    let root = stopped(&upstream, layer.digest);
    upstream.clear_rules();
    upstream.clear_requests();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let registry = RegistryOptions::default();
        let front = Front::over(root, quay(&[&upstream]), GatewayOptions::default(), registry).await;
        front
            .blob("org/app", &layer.digest)
            .await
            .is_exactly(&layer.bytes, &upstream.address());
        let requests = upstream.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        let first: u64 = requests[0].range().unwrap()[6..]
            .trim_end_matches('-')
            .parse()
            .unwrap();
        assert!(first >= 1_999_999, "{first}");
        assert_eq!(front.metric("landfall_gateway_resumed_total"), 1);
    });
}

/// What lies there from before is not believed, but proven like everything else.
#[test]
fn what_a_crash_has_spoiled_is_fetched_anew() {
    let (workload, layer) = app(61, SIZE);
    let upstream = FakeRegistry::with(&workload);
    let pause = Duration::from_secs(60);
    upstream.rule(
        Rule::on(
            Kind::Blob,
            Fault::Stall {
                after: 3 << 20,
                pause,
            },
        )
        .times(1),
    );
    let root = stopped(&upstream, layer.digest);
    upstream.clear_rules();
    let uploads = std::fs::read_dir(root.path().join("uploads")).unwrap();
    let file = uploads
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_none())
        .unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let registry = RegistryOptions::default();
        let front = Front::over(root, quay(&[&upstream]), GatewayOptions::default(), registry).await;
        // Who reads along is cut off; who comes again has it right.
        let first = front.blob("org/app", &layer.digest).await;
        assert!(first.broken || first.body == layer.bytes);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let again = front.blob("org/app", &layer.digest).await;
            if !again.broken {
                assert!(again.body == layer.bytes);
                break;
            }
            assert!(tokio::time::Instant::now() < deadline);
        }
    });
}

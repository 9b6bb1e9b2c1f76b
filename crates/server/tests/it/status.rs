//! Metrics, health, and the bounds that keep a registry upright.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::{Method, Request};
use http_body_util::Full;
use landfall_net::server::{Limits, Security, Server};
use landfall_oci::{Descriptor, Digest, RawManifest, Repository, Tag, Target};
use landfall_server::{Access, Htpasswd, Metrics, Registry, RegistryOptions, Wanted, serve, serve_status};
use landfall_store::{Allowed, Content, Listing, Page, Store, StoreError, suite};
use tokio::sync::oneshot;

use crate::client::{PEER, Scene};
use crate::socket::{get, start_with};

pub(crate) fn metered(metrics: &Arc<Metrics>) -> RegistryOptions {
    RegistryOptions {
        metrics: Arc::clone(metrics),
        metrics_endpoint: true,
        ..RegistryOptions::default()
    }
}

/// The value of a sample.
fn value(text: &str, sample: &str) -> Option<f64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

pub(crate) async fn push(scene: &Scene, name: &str, tag: &str) -> RawManifest {
    let blob = suite::blob("{}");
    scene.push_blob(name, &blob.1).await;
    let image = suite::image(&[blob], None, None);
    scene.put_manifest(name, tag, &image).await.expect(201);
    image
}

#[tokio::test]
async fn everything_is_counted_and_no_name_is_in_it() {
    let metrics = Arc::new(Metrics::default());
    let wanted = Arc::new(Wanted::in_memory());
    let scene = Scene::with(RegistryOptions {
        wanted: Some(wanted),
        ..metered(&metrics)
    })
    .await;
    let image = push(&scene, "team/some-name", "some-tag").await;
    for _ in 0..3 {
        scene
            .get("/v2/team/some-name/manifests/some-tag")
            .await
            .expect(200);
    }
    scene.get("/v2/team/some-name/manifests/absent").await.expect(404);
    scene
        .send("BREW".parse().unwrap(), "/v2/", &[], "")
        .await
        .expect(405);
    metrics.register(|text| {
        text.gauges("landfall_disk_bytes", "Of the disk.")
            .sample(&[("kind", "free")], 42);
    });
    let answer = scene.get("/metrics").await;
    assert_eq!(
        answer.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let expect =
        |sample: &str, expected: f64| assert_eq!(value(&text, sample), Some(expected), "{sample} in\n{text}");
    expect(
        "landfall_requests_total{endpoint=\"manifest\",method=\"GET\",status=\"2xx\"}",
        3.0,
    );
    expect(
        "landfall_requests_total{endpoint=\"manifest\",method=\"GET\",status=\"4xx\"}",
        1.0,
    );
    expect(
        "landfall_requests_total{endpoint=\"manifest\",method=\"PUT\",status=\"2xx\"}",
        1.0,
    );
    expect(
        "landfall_requests_total{endpoint=\"base\",method=\"other\",status=\"4xx\"}",
        1.0,
    );
    expect(
        "landfall_request_duration_seconds_count{endpoint=\"manifest\"}",
        5.0,
    );
    expect(
        "landfall_request_duration_seconds_bucket{endpoint=\"manifest\",le=\"+Inf\"}",
        5.0,
    );
    expect("landfall_requests_under_way{endpoint=\"manifest\"}", 0.0);
    expect("landfall_requests_under_way{endpoint=\"status\"}", 1.0);
    expect("landfall_uploads_total{event=\"begun\"}", 1.0);
    expect("landfall_uploads_total{event=\"finished\"}", 1.0);
    expect("landfall_received_bytes_total", (2 + image.bytes.len()) as f64);
    expect("landfall_wanted", 1.0);
    expect("landfall_disk_bytes{kind=\"free\"}", 42.0);
    assert!(value(&text, "process_resident_memory_bytes").unwrap() > 1e6);
    assert!(value(&text, "process_start_time_seconds").unwrap() > 1.7e9);
    assert!(value(&text, "landfall_sent_bytes_total").unwrap() >= 3.0 * image.bytes.len() as f64);
    for name in ["some-name", "some-tag", "team", "absent", "127.0.0.1"] {
        assert!(!text.contains(name), "{name}");
    }
    expect_format(&text);
}

/// Each family is introduced once, before its samples, and each sample is one.
fn expect_format(text: &str) {
    let mut families = std::collections::HashSet::new();
    let mut samples = std::collections::HashSet::new();
    let mut current = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(families.insert(name), "{line}");
            current = name;
        } else if !line.starts_with("# HELP ") {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(
                value.parse::<f64>().is_ok() && sample.starts_with(current),
                "{line}"
            );
            assert!(samples.insert(sample), "{line}");
        }
    }
    assert!(text.ends_with('\n') && families.len() > 20);
}

#[tokio::test]
async fn metrics_are_shown_only_where_asked_for_and_to_whom_is_let_in() {
    let scene = Scene::new().await;
    scene.get("/metrics").await.expect(404);
    let file = format!("ann:{}\n", bcrypt::hash("x", 4).unwrap());
    let metrics = Arc::new(Metrics::default());
    let scene = Scene::with(RegistryOptions {
        access: Access::Users(Htpasswd::parse(&file, Path::new("users")).unwrap()),
        ..metered(&metrics)
    })
    .await;
    scene.get("/metrics").await.expect_error(401, "UNAUTHORIZED");
    // Asked with a wrong credential: that is counted, a question without one is not.
    let wrong = [("authorization", "Basic YW5uOnk=")];
    scene.send(Method::GET, "/v2/", &wrong, "").await.expect(401);
    let right = [("authorization", "Basic YW5uOng=")];
    let answer = scene.send(Method::GET, "/metrics", &right, "").await;
    let text = String::from_utf8(answer.expect(200).body.to_vec()).unwrap();
    assert_eq!(value(&text, "landfall_credentials_refused_total"), Some(1.0));
    for path in ["/healthz", "/readyz"] {
        scene.get(path).await.expect(200);
        scene.head(path).await.expect(200);
        scene.post(path).await.expect(405);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_for_those_who_look_after_it_shows_the_draining() {
    let metrics = Arc::new(Metrics::default());
    let options = RegistryOptions {
        metrics: Arc::clone(&metrics),
        drain_delay: Duration::from_millis(300),
        ..RegistryOptions::default()
    };
    let running = start_with(Security::Plain, options).await;
    let bind = Server::bind("127.0.0.1:0".parse().unwrap(), Security::Plain, Limits::default());
    let server = bind.await.unwrap();
    let status = server.local_addr();
    tokio::spawn(serve_status(
        server,
        Arc::clone(&running.scene.registry),
        std::future::pending(),
    ));
    assert_eq!(get(status, "/readyz").await, (200, "ready\n".to_owned()));
    assert_eq!(get(status, "/v2/").await.0, 404);
    let (code, text) = get(status, "/metrics").await;
    assert_eq!(
        (code, value(&text, "landfall_connections_total")),
        (200, Some(0.0))
    );
    assert_eq!(get(running.address, "/metrics").await.0, 404);
    let address = running.address;
    let stopping = tokio::spawn(running.stop());
    // Not ready first; still answering; alive all along.
    let mut ready = get(status, "/readyz").await;
    for _ in 0..100 {
        if ready.0 == 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        ready = get(status, "/readyz").await;
    }
    assert_eq!(ready.0, 503);
    assert!(ready.1.contains("about to stop"), "{}", ready.1);
    assert_eq!(get(address, "/v2/").await.0, 200);
    assert_eq!(get(status, "/healthz").await, (200, "ok\n".to_owned()));
    stopping.await.unwrap();
}

/// A store that counts how often it is asked, and does not work.
#[derive(Default)]
struct Broken {
    asked: AtomicUsize,
    works: bool,
}

#[async_trait]
impl Store for Broken {
    async fn stat_blob(&self, _: &Repository, _: &Digest) -> Result<u64, StoreError> {
        Err(StoreError::Stopped)
    }
    async fn open_blob(&self, _: &Repository, _: &Digest) -> Result<Content, StoreError> {
        Err(StoreError::Stopped)
    }
    async fn find_holder(&self, _: &Digest, _: &Allowed<'_>) -> Result<Option<Repository>, StoreError> {
        Err(StoreError::Stopped)
    }
    async fn stat_manifest(&self, _: &Repository, target: &Target) -> Result<Descriptor, StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.works {
            true => Err(StoreError::NotFound(landfall_store::What::Manifest(
                target.clone(),
            ))),
            false => Err(StoreError::Stopped),
        }
    }
    async fn manifest(&self, _: &Repository, _: &Target) -> Result<RawManifest, StoreError> {
        Err(StoreError::Stopped)
    }
    async fn tags(&self, _: &Repository, _: Page<'_>) -> Result<Listing<Tag>, StoreError> {
        Err(StoreError::Stopped)
    }
    async fn repositories(&self, _: Page<'_>) -> Result<Listing<Repository>, StoreError> {
        Err(StoreError::Stopped)
    }
    async fn referrers(
        &self,
        _: &Repository,
        _: &Digest,
        _: Option<&str>,
        _: Page<'_>,
    ) -> Result<Listing<Descriptor>, StoreError> {
        Err(StoreError::Stopped)
    }
}

#[tokio::test]
async fn a_store_that_does_not_work_is_not_ready_and_is_not_asked_each_time() {
    for works in [false, true] {
        let store = Arc::new(Broken {
            works,
            ..Broken::default()
        });
        let registry = Registry::new(Arc::clone(&store) as Arc<dyn Store>, RegistryOptions::default());
        let ask = async |path: &str| {
            let request = Request::builder()
                .uri(path)
                .body(Full::new(bytes::Bytes::new()))
                .unwrap();
            registry.handle(request, PEER).await.status().as_u16()
        };
        for _ in 0..50 {
            assert_eq!(ask("/readyz").await, if works { 200 } else { 503 });
            assert_eq!(ask("/healthz").await, 200);
        }
        let asked = store.asked.load(Ordering::Relaxed);
        // A machine that stands still for seconds may ask again.
        assert!((1..10).contains(&asked), "{asked}");
        registry.drain();
        assert_eq!((ask("/readyz").await, ask("/healthz").await), (503, 200));
    }
}

#[tokio::test]
async fn requests_of_one_client_are_so_many_a_second_where_asked_for() {
    let scene = Scene::with(RegistryOptions {
        requests_per_second: NonZeroU32::new(1),
        ..RegistryOptions::default()
    })
    .await;
    let mut refused = None;
    for _ in 0..1000 {
        let answer = scene.get("/v2/").await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a bound");
    refused.expect_error(429, "TOOMANYREQUESTS");
    assert!(refused.header("retry-after").parse::<u32>().unwrap() >= 1);
    scene.get("/healthz").await.expect(200);
    let free = Scene::new().await;
    for _ in 0..200 {
        free.get("/v2/").await.expect(200);
    }
}

/// A manifest of about so many bytes.
pub(crate) fn large(number: usize, bytes: usize) -> RawManifest {
    let blob = suite::blob("{}");
    suite::raw(&serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob.0, "size": 2},
        "layers": [],
        "annotations": {"number": number.to_string(), "filling": "x".repeat(bytes)},
    }))
}

#[tokio::test]
async fn memory_for_manifests_is_bounded_whoever_holds_them() {
    let metrics = Arc::new(Metrics::default());
    let scene = Scene::with(RegistryOptions {
        manifest_memory: 2 << 20,
        ..metered(&metrics)
    })
    .await;
    push(&scene, "a", "small").await;
    let mut all = Vec::new();
    for number in 0..6 {
        let manifest = large(number, 500_000);
        scene
            .put_manifest("a", &number.to_string(), &manifest)
            .await
            .expect(201);
        all.push(manifest);
    }
    let claimed = || value(&metrics.render(), "landfall_manifest_memory_bytes").unwrap();
    let request = |path: &str| {
        Request::builder()
            .uri(path)
            .body(Full::new(bytes::Bytes::new()))
            .unwrap()
    };
    // Clients that do not take what they asked for: of one manifest any number…
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(scene.registry.handle(request("/v2/a/manifests/0"), PEER).await);
    }
    assert!(held.iter().all(|reply| reply.status() == 200));
    // …and of different ones as many as there is room for.
    let mut refused = None;
    for number in 1..6 {
        let reply = scene
            .registry
            .handle(request(&format!("/v2/a/manifests/{number}")), PEER)
            .await;
        if reply.status() != 200 {
            refused = Some(reply);
            break;
        }
        held.push(reply);
    }
    let refused = refused.expect("a bound");
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    assert!(claimed() <= f64::from(2 << 20));
    held.clear();
    for manifest in &all {
        let found = scene.get(&format!("/v2/a/manifests/{}", manifest.digest)).await;
        assert_eq!(found.expect(200).body, manifest.bytes);
    }
    assert!(
        claimed() <= f64::from(1 << 19),
        "what is kept is a quarter at most"
    );
}

#[tokio::test]
async fn what_was_read_is_not_found_after_it_was_deleted_or_elsewhere() {
    let scene = Scene::new().await;
    let image = push(&scene, "a", "1").await;
    let path = format!("/v2/a/manifests/{}", image.digest);
    for _ in 0..2 {
        assert_eq!(scene.get(&path).await.expect(200).body, image.bytes);
    }
    scene
        .get(&format!("/v2/b/manifests/{}", image.digest))
        .await
        .expect(404);
    scene.delete(&path).await.expect(202);
    scene.get(&path).await.expect(404);
    scene.get("/v2/a/manifests/1").await.expect(404);
    scene.put_manifest("a", "1", &image).await.expect(201);
    assert_eq!(scene.get(&path).await.expect(200).body, image.bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_of_wanted_images_is_written_when_serving_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wanted.json");
    let scene = Scene::with(RegistryOptions {
        wanted: Some(Arc::new(Wanted::open(&path).await.unwrap())),
        ..RegistryOptions::default()
    })
    .await;
    let bind = Server::bind("127.0.0.1:0".parse().unwrap(), Security::Plain, Limits::default());
    let server = bind.await.unwrap();
    let address = server.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let registry = Arc::clone(&scene.registry);
    let ended = tokio::spawn(serve(server, registry, async { drop(stopped.await) }));
    assert_eq!(get(address, "/v2/a/manifests/1?ns=quay.io").await.0, 404);
    stop.send(()).unwrap();
    ended.await.unwrap().unwrap();
    assert_eq!(
        Wanted::open(&path).await.unwrap().list()[0].written,
        "quay.io/a:1"
    );
}

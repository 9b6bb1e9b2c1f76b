//! Whole images, by each way of saying whose they are.

use http::Method;
use landfall_oci::{Repository, Target};
use landfall_server::gateway::{GatewayOptions, Upstreams};
use landfall_store::{Store as _, suite};
use landfall_testkit::fake_registry::Kind;
use landfall_testkit::{FakeRegistry, Workload};

use super::{Front, app, endpoint, forgetful, host, quay};

/// All images of a workload, as a runtime pulls them.
async fn pull(front: &Front, workload: &Workload, url: impl Fn(&Repository, &str) -> String, from: &str) {
    for image in &workload.images {
        let at = |below: String| url(&image.repository, &below);
        let by_tag = at(format!("manifests/{}", image.tag));
        let head = front.scene.head(&by_tag).await;
        head.expect(200);
        assert_eq!(head.header("docker-content-digest"), image.root.to_string());
        assert_eq!(head.header("etag"), format!("\"{}\"", image.root));
        for manifest in workload.closure(image.root) {
            let answer = front.get(&at(format!("manifests/{}", manifest.digest))).await;
            answer.expect(200);
            assert_eq!(answer.body, manifest.bytes);
            assert_eq!(answer.header("content-type"), manifest.media_type.as_str());
        }
        for digest in workload.blobs_of(image.root) {
            let path = at(format!("blobs/{digest}"));
            let answer = front.get(&path).await;
            answer.expect(200);
            assert!(answer.body == workload.blobs[&digest].bytes());
            assert_eq!(answer.header("docker-content-digest"), digest.to_string());
            if !from.is_empty() {
                assert_eq!(answer.header("x-landfall-served-from"), from);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_images_by_namespace_header_and_path_and_again_when_the_upstream_is_away() {
    let workload = Workload::small(41);
    let upstream = FakeRegistry::with(&workload);
    let front = Front::new(quay(&[&upstream]), GatewayOptions::default()).await;
    let by_query = |name: &Repository, below: &str| format!("/v2/{name}/{below}?ns=quay.io");
    let by_path = |name: &Repository, below: &str| format!("/v2/quay.io/{name}/{below}");
    pull(&front, &workload, by_query, "").await;
    let asked = upstream.requests().len();
    assert_eq!(
        upstream.count(Kind::Blob),
        upstream.count_where(|r| r.kind == Kind::Blob && r.status() == 200)
    );
    // Once each, however many images share a blob: a HEAD shows that the other repository has it too.
    for digest in workload.blobs.keys() {
        assert!(upstream.blob_fetches(digest).len() <= 1, "{digest}");
    }
    pull(&front, &workload, by_path, "cache").await;
    assert_eq!(upstream.requests().len(), asked, "all of it is here");
    let image = &workload.images[0];
    let path = format!("/v2/{}/manifests/{}", image.repository, image.tag);
    let by_header = front
        .scene
        .send(Method::GET, &path, &[("oci-namespace", "quay.io")], "")
        .await;
    by_header.expect(200);
    assert_eq!(by_header.header("oci-namespace"), "quay.io");
    // Without saying whose it is, it is nobody's.
    front.get(&path).await.expect(404);
    drop(upstream);
    pull(&front, &workload, by_query, "cache").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_is_a_store_like_any_other() {
    let (workload, layer) = app(1, 300_000);
    let upstream = FakeRegistry::with(&workload);
    let front = Front::new(quay(&[&upstream]), GatewayOptions::default()).await;
    front.get("/v2/org/app/manifests/1?ns=quay.io").await.expect(200);
    front
        .blob("org/app", &layer.digest)
        .await
        .is_exactly(&layer.bytes, &upstream.address());
    let kept = suite::repository("quay.io/org/app");
    let cache = front.gateway.cache();
    // It is published when the fetch has ended, a moment after its last byte was given out.
    while cache.stat_blob(&kept, &layer.digest).await.is_err() {
        tokio::task::yield_now().await;
    }
    let tag = Target::Tag(suite::tag("1"));
    assert_eq!(
        cache.stat_manifest(&kept, &tag).await.unwrap().digest,
        workload.images[0].root
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_here_on_purpose_stands_before_any_upstream() {
    let (workload, _) = app(2, 1000);
    let upstream = FakeRegistry::with(&workload);
    let front = Front::new(quay(&[&upstream]), forgetful()).await;
    let blobs = [suite::blob("config")];
    let scene = &front.scene;
    let own = suite::image(&blobs, None, None);
    for name in ["quay.io/org/app", "org/app"] {
        scene.push_blob(name, &blobs[0].1).await;
    }
    scene.put_manifest("quay.io/org/app", "1", &own).await.expect(201);
    let answer = front.get("/v2/org/app/manifests/1?ns=quay.io").await;
    assert_eq!(answer.body, own.bytes);
    assert_eq!(answer.header("x-landfall-served-from"), "local");
    assert!(upstream.requests().is_empty());
    // An image of this name that may be anybody's comes after the one that was meant.
    scene.delete("/v2/quay.io/org/app/manifests/1").await.expect(202);
    let (digest, other) = (own.digest, suite::image(&blobs, None, Some("other")));
    scene.put_manifest("org/app", "1", &other).await.expect(201);
    scene
        .put_manifest("org/app", "only-here", &other)
        .await
        .expect(201);
    let answer = front.get("/v2/org/app/manifests/1?ns=quay.io").await;
    assert_eq!(answer.header("x-landfall-served-from"), upstream.address());
    assert_ne!(answer.header("docker-content-digest"), digest.to_string());
    let answer = front.get("/v2/org/app/manifests/only-here?ns=quay.io").await;
    assert_eq!(answer.body, other.bytes);
    assert_eq!(answer.header("x-landfall-served-from"), "local");
    assert_eq!(
        answer.header("oci-namespace"),
        "",
        "the namespace did not lead here"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_is_asked_below_its_path_under_its_names_and_told_whose_they_are() {
    let (mut workload, layer) = app(3, 200_000);
    let root = workload.images[0].root;
    workload.tag("mirrors/quay/proxy/org/app:1", root);
    let upstream = FakeRegistry::with(&workload);
    let mut mirror = endpoint(&upstream);
    mirror.prefix = "/v2/mirrors/quay".to_owned();
    mirror.rewrite = Some(std::sync::Arc::new(|name| format!("proxy/{name}").parse().ok()));
    let mut upstreams = Upstreams::new();
    upstreams.insert_wildcard(vec![mirror]);
    let front = Front::new(upstreams, GatewayOptions::default()).await;
    front.get("/v2/quay.io/org/app/manifests/1").await.expect(200);
    front
        .blob("org/app", &layer.digest)
        .await
        .is_exactly(&layer.bytes, &upstream.address());
    for request in upstream.requests() {
        assert!(
            request.path.starts_with("/v2/mirrors/quay/proxy/org/app/"),
            "{}",
            request.path
        );
        assert_eq!(request.query, "ns=quay.io");
    }
    // The wildcard stands for every registry, and each is told.
    front
        .get("/v2/org/app/manifests/1?ns=reg.example%3A5000")
        .await
        .expect(200);
    assert_eq!(upstream.requests().last().unwrap().query, "ns=reg.example%3A5000");
    let here = front.get("/v2/reg.example__5000/org/app/manifests/1").await;
    assert_eq!(here.header("x-landfall-served-from"), "cache");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_names_nobody_is_somebodys_only_where_that_was_said() {
    let (mut workload, _) = app(4, 1000);
    let root = workload.images[0].root;
    workload.tag("library/app:1", root);
    let upstream = FakeRegistry::with(&workload);
    let hub = "docker.io".parse().unwrap();
    let mut upstreams = Upstreams::new();
    upstreams.insert(&hub, vec![endpoint(&upstream)]);
    let closed = Front::new(upstreams.clone(), GatewayOptions::default()).await;
    closed.get("/v2/library/app/manifests/1").await.expect(404);
    assert!(upstream.requests().is_empty());
    closed
        .get("/v2/library/app/manifests/1?ns=docker.io")
        .await
        .expect(200);
    let options = GatewayOptions {
        bare: Some(hub),
        ..GatewayOptions::default()
    };
    let open = Front::new(upstreams, options).await;
    for path in ["library/app", "app", "docker.io/library/app", "docker.io/app"] {
        open.get(&format!("/v2/{path}/manifests/1")).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_agent_and_one_login_for_all_that_is_asked() {
    use landfall_testkit::fake_registry::{Auth, Bearer};
    let (workload, layer) = app(5, 100_000);
    let bearer = Bearer::account("user", "secret");
    let upstream = FakeRegistry::builder()
        .workload(&workload)
        .auth(Auth::Bearer(bearer))
        .start();
    let mut known = host(&upstream);
    super::log_in(&mut known, "user", "secret");
    let mut upstreams = Upstreams::new();
    let endpoint = landfall_server::gateway::Endpoint::new(known.connect().unwrap());
    upstreams.insert(&"quay.io".parse().unwrap(), vec![endpoint]);
    let front = Front::new(upstreams, GatewayOptions::default()).await;
    front.get("/v2/org/app/manifests/1?ns=quay.io").await.expect(200);
    front
        .blob("org/app", &layer.digest)
        .await
        .is_exactly(&layer.bytes, &upstream.address());
    assert_eq!(upstream.count(Kind::Token), 1);
    for request in upstream.requests() {
        assert!(request.header("user-agent").starts_with("landfall/"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_the_upstreams_and_what_is_kept_where_it_is_away() {
    let (mut workload, _) = app(6, 1000);
    let root = workload.images[0].root;
    for tag in ["2", "latest"] {
        workload.tag(&format!("org/app:{tag}"), root);
    }
    let subject = landfall_oci::Descriptor::new(
        landfall_oci::MediaType::OCI_INDEX,
        root,
        workload.manifests[&root].bytes.len() as u64,
    );
    let signature = workload.add_manifest(
        landfall_oci::MediaType::OCI_MANIFEST,
        &serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": "application/x.sig",
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2,
                "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},
            "layers": [],
            "subject": subject,
        }),
    );
    workload.tag("org/app:sig", signature.digest);
    let upstream = FakeRegistry::with(&workload);
    let front = Front::new(quay(&[&upstream]), forgetful()).await;
    let first = front.get("/v2/org/app/tags/list?ns=quay.io&n=2").await;
    first.expect(200);
    assert_eq!(first.json()["tags"], serde_json::json!(["1", "2"]));
    assert_eq!(first.header("x-landfall-served-from"), upstream.address());
    assert!(first.header("link").contains("last=2"));
    let second = front.get("/v2/quay.io/org/app/tags/list?n=9&last=2").await;
    assert_eq!(second.json()["tags"], serde_json::json!(["latest", "sig"]));
    let referrers = format!("/v2/org/app/referrers/{root}?ns=quay.io");
    let found = front.get(&referrers).await;
    assert_eq!(
        found.json()["manifests"][0]["digest"],
        signature.digest.to_string()
    );
    for tag in ["1", "sig"] {
        front
            .get(&format!("/v2/org/app/manifests/{tag}?ns=quay.io"))
            .await
            .expect(200);
    }
    drop(upstream);
    let kept = front.get("/v2/org/app/tags/list?ns=quay.io").await;
    assert_eq!(kept.json()["tags"], serde_json::json!(["1", "sig"]));
    let found = front.get(&referrers).await;
    assert_eq!(
        found.json()["manifests"][0]["digest"],
        signature.digest.to_string()
    );
    front.get("/v2/org/none/tags/list?ns=quay.io").await.expect(404);
}

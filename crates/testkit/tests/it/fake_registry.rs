//! The fake registry: what it serves, what it takes, how it misbehaves, what it writes down.

use std::time::{Duration, Instant};

use bytes::Bytes;
use landfall_oci::MediaType;
use landfall_testkit::digest::sha256;
use landfall_testkit::fake_registry::{Auth, Bearer, FakeRegistry, Fault, Kind, Rule};
use landfall_testkit::workload::{Family, Workload};
use landfall_testkit::{Authority, certs};

use crate::http_client::{Answer, get, send};

/// A registry with one blob of 300 000 bytes in `a/b`, and the blob's path.
fn with_blob() -> (FakeRegistry, Bytes, String) {
    let registry = FakeRegistry::empty();
    let bytes = Bytes::from((0..300_000_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>());
    let digest = registry.put_blob("a/b", bytes.clone());
    (registry, bytes, format!("/v2/a/b/blobs/{digest}"))
}

#[tokio::test]
async fn serves_a_workload() {
    let workload = Workload::small(1);
    let registry = FakeRegistry::with(&workload);
    for image in &workload.images {
        let answer = get(
            &registry,
            &format!("/v2/{}/manifests/{}", image.repository, image.tag),
        )
        .await;
        let manifest = &workload.manifests[&image.root];
        assert_eq!(answer.body, manifest.bytes);
        assert_eq!(answer.header("content-type"), manifest.media_type.as_str());
        assert_eq!(answer.header("docker-content-digest"), image.root.to_string());
        for digest in workload.blobs_of(image.root) {
            let answer = get(&registry, &format!("/v2/{}/blobs/{digest}", image.repository)).await;
            assert_eq!(sha256(&answer.body), digest);
        }
    }
    registry.assert_holds(&workload, |name| name.to_string());
    assert_eq!(get(&registry, "/v2/no/such/manifests/1").await.status, 404);
    let other = workload.blobs_of(workload.images[0].root);
    let other = other.first().unwrap();
    assert_eq!(
        get(&registry, &format!("/v2/no/such/blobs/{other}")).await.status,
        404
    );
}

#[tokio::test]
async fn answers_ranges_and_writes_them_down() {
    let (registry, bytes, path) = with_blob();
    let answer = send(&registry, "GET", &path, &[("range", "bytes=100000-")], "")
        .await
        .unwrap();
    assert_eq!(
        (answer.status.as_u16(), &answer.body[..]),
        (206, &bytes[100_000..])
    );
    assert_eq!(answer.header("content-range"), "bytes 100000-299999/300000");
    let answer = send(&registry, "GET", &path, &[("range", "bytes=5-7")], "")
        .await
        .unwrap();
    assert_eq!(&answer.body[..], &bytes[5..8]);
    let answer = send(&registry, "GET", &path, &[("range", "bytes=300000-")], "")
        .await
        .unwrap();
    assert_eq!(answer.status, 416);
    let requests = registry.requests();
    assert_eq!(requests[0].range(), Some("bytes=100000-"));
    assert_eq!((requests[0].status(), requests[0].sent()), (206, 200_000));
    assert_eq!(registry.blob_bytes_sent(), 200_003);
}

#[tokio::test]
async fn misbehaves_as_told_and_as_often() {
    let (registry, bytes, path) = with_blob();
    registry.rule(Rule::on(Kind::Blob, Fault::too_many(7)).times(2));
    for _ in 0..2 {
        let answer = get(&registry, &path).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "7"));
        assert_eq!(answer.json()["errors"][0]["code"], "TOOMANYREQUESTS");
    }
    assert_eq!(get(&registry, &path).await.body, bytes);

    let one = async |fault: Fault| -> Answer {
        registry.clear_rules();
        registry.rule(Rule::on(Kind::Blob, fault));
        get(&registry, &path).await
    };
    let answer = one(Fault::Reset { after: 100_000 }).await;
    assert!(answer.broken.is_some() && answer.body.len() <= 100_000);
    let answer = one(Fault::Cut { after: 100_000 }).await;
    assert!(answer.broken.is_some(), "{answer:?}");
    assert_eq!(answer.body, bytes[..100_000]);
    let answer = one(Fault::Short { len: 10 }).await;
    assert_eq!((answer.broken, &answer.body[..]), (None, &bytes[..10]));
    let answer = one(Fault::Flip { at: 70_000 }).await;
    let differing = answer.body.iter().zip(&bytes).filter(|(one, two)| one != two);
    assert_eq!((answer.body.len(), differing.count()), (bytes.len(), 1));
    let answer = one(Fault::WrongDigestHeader).await;
    assert_ne!(answer.header("docker-content-digest"), sha256(&bytes).to_string());
    let started = Instant::now();
    let pause = Duration::from_millis(300);
    let answer = one(Fault::Stall { after: 10, pause }).await;
    assert!(answer.broken.is_some() && answer.body.len() == 10 && started.elapsed() >= pause);
    registry.clear_rules();
    registry.rule(Rule::on(Kind::Blob, Fault::NoAnswer).after(1));
    assert_eq!(get(&registry, &path).await.status, 200);
    assert!(send(&registry, "GET", &path, &[], "").await.is_err());
}

#[tokio::test]
async fn keeps_to_a_speed_over_all_connections() {
    let (registry, _, path) = with_blob();
    registry.set_speed(Some(1_500_000));
    let started = Instant::now();
    let (one, two) = tokio::join!(get(&registry, &path), get(&registry, &path));
    assert_eq!(one.body.len() + two.body.len(), 600_000);
    let took = started.elapsed();
    assert!((350..2000).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test]
async fn gives_tokens_for_scopes_and_lets_them_expire() {
    let workload = Workload::hello("a/b:1", "x\n");
    let bearer = Bearer {
        lifetime: Duration::from_millis(200),
        stated_seconds: Some(300),
        ..Bearer::account("ann", "secret")
    };
    let registry = FakeRegistry::builder()
        .workload(&workload)
        .auth(Auth::Bearer(bearer))
        .start();
    let path = "/v2/a/b/manifests/1";
    let answer = get(&registry, path).await;
    assert_eq!(answer.status, 401);
    let challenge = answer.header("www-authenticate").to_owned();
    assert!(
        challenge.contains("/token\"") && challenge.contains("repository:a/b:pull"),
        "{challenge}"
    );

    let form = "grant_type=password&service=test&client_id=x&scope=repository%3Aa%2Fb%3Apull&username=ann&password=secret";
    let answer = send(&registry, "POST", "/token", &[], form).await.unwrap();
    let token = format!("Bearer {}", answer.json()["access_token"].as_str().unwrap());
    let headers = [("authorization", token.as_str())];
    assert_eq!(
        send(&registry, "GET", path, &headers, "").await.unwrap().status,
        200
    );
    let answer = send(&registry, "POST", "/v2/a/b/blobs/uploads/", &headers, "")
        .await
        .unwrap();
    assert!(answer.header("www-authenticate").contains("insufficient_scope"));
    tokio::time::sleep(Duration::from_millis(250)).await;
    let answer = send(&registry, "GET", path, &headers, "").await.unwrap();
    assert!(answer.header("www-authenticate").contains("invalid_token"));

    let wrong = form.replace("secret", "wrong");
    assert_eq!(
        send(&registry, "POST", "/token", &[], wrong)
            .await
            .unwrap()
            .status,
        401
    );
    assert_eq!(
        get(&registry, "/token?scope=repository:a/b:pull").await.status,
        401
    );
    assert_eq!(registry.count(Kind::Token), 3);
}

#[tokio::test]
async fn takes_uploads_whole_in_chunks_and_by_mount() {
    let registry = FakeRegistry::builder().chunked(10, 1000).start();
    let blob = vec![3; 1500];
    let digest = sha256(&blob);
    let answer = send(&registry, "POST", "/v2/a/b/blobs/uploads/", &[], "")
        .await
        .unwrap();
    assert_eq!(
        (answer.status.as_u16(), answer.header("oci-chunk-min-length")),
        (202, "10")
    );
    let place = answer.header("location").to_owned();
    let whole = send(
        &registry,
        "PUT",
        &format!("{place}&digest={digest}"),
        &[],
        blob.clone(),
    )
    .await
    .unwrap();
    assert_eq!(whole.status, 413);

    let answer = send(&registry, "POST", "/v2/a/b/blobs/uploads/", &[], "")
        .await
        .unwrap();
    let place = answer.header("location").to_owned();
    let first = send(
        &registry,
        "PATCH",
        &place,
        &[("content-range", "0-999")],
        blob[..1000].to_vec(),
    )
    .await
    .unwrap();
    assert_eq!((first.status.as_u16(), first.header("range")), (202, "0-999"));
    let again = send(
        &registry,
        "PATCH",
        &place,
        &[("content-range", "0-999")],
        blob[..1000].to_vec(),
    )
    .await
    .unwrap();
    assert_eq!(again.status, 416);
    let state = get(&registry, &place).await;
    assert_eq!((state.status.as_u16(), state.header("range")), (204, "0-999"));
    let end = format!("{place}&digest={digest}");
    let answer = send(&registry, "PUT", &end, &[], blob[1000..].to_vec())
        .await
        .unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");

    let mount = format!("/v2/c/d/blobs/uploads/?mount={digest}&from=a/b");
    assert_eq!(
        send(&registry, "POST", &mount, &[], "").await.unwrap().status,
        201
    );
    assert_eq!(
        get(&registry, &format!("/v2/c/d/blobs/{digest}")).await.body,
        blob
    );
    let strange = format!("/v2/e/f/blobs/uploads/?mount={digest}&from=x/y");
    assert_eq!(
        send(&registry, "POST", &strange, &[], "").await.unwrap().status,
        202
    );
}

#[tokio::test]
async fn refuses_wrong_digests_and_parents_before_children() {
    let registry = FakeRegistry::empty();
    let answer = send(&registry, "POST", "/v2/a/b/blobs/uploads/", &[], "")
        .await
        .unwrap();
    let end = format!("{}&digest={}", answer.header("location"), sha256(b"other"));
    assert_eq!(
        send(&registry, "PUT", &end, &[], "this").await.unwrap().status,
        400
    );
    let workload = Workload::hello("a/b:1", "x\n");
    let manifest = &workload.manifests[&workload.images[0].root];
    let headers = [("content-type", manifest.media_type.as_str())];
    let answer = send(
        &registry,
        "PUT",
        "/v2/a/b/manifests/1",
        &headers,
        manifest.bytes.clone(),
    )
    .await
    .unwrap();
    assert_eq!(answer.json()["errors"][0]["code"], "MANIFEST_BLOB_UNKNOWN");
    for content in workload.blobs.values() {
        registry.put_blob("a/b", content.clone());
    }
    let answer = send(
        &registry,
        "PUT",
        "/v2/a/b/manifests/1",
        &headers,
        manifest.bytes.clone(),
    )
    .await
    .unwrap();
    assert_eq!(answer.status, 201);
    registry.assert_holds(&workload, |name| name.to_string());
}

#[tokio::test]
async fn drops_uploads_in_the_middle_and_keeps_what_came() {
    let registry = FakeRegistry::empty();
    registry.rule(Rule::on(Kind::UploadChunk, Fault::DropUpload { after: 50_000 }).times(1));
    let answer = send(&registry, "POST", "/v2/a/b/blobs/uploads/", &[], "")
        .await
        .unwrap();
    let place = answer.header("location").to_owned();
    assert!(
        send(&registry, "PATCH", &place, &[], vec![1; 200_000])
            .await
            .is_err()
    );
    assert_eq!(get(&registry, &place).await.header("range"), "0-49999");
    assert_eq!(registry.open_uploads(), 1);
    let full = FakeRegistry::empty();
    full.rule(Rule::on(Kind::UploadEnd, Fault::status(507, "UNKNOWN")));
    let answer = send(&full, "POST", "/v2/a/b/blobs/uploads/", &[], "")
        .await
        .unwrap();
    let answer = send(&full, "PUT", answer.header("location"), &[], "x")
        .await
        .unwrap();
    assert_eq!(answer.status, 507);
    let read_only = FakeRegistry::builder().read_only().start();
    let answer = send(&read_only, "POST", "/v2/a/b/blobs/uploads/", &[], "")
        .await
        .unwrap();
    assert_eq!(answer.status, 405);
}

#[tokio::test]
async fn redirects_blobs_to_another_host() {
    let workload = Workload::hello("a/b:1", "x\n");
    let other = FakeRegistry::with(&workload);
    let registry = FakeRegistry::builder()
        .workload(&workload)
        .redirect_blobs(other.url())
        .start();
    let digest = *workload.blobs.keys().next().unwrap();
    let answer = get(&registry, &format!("/v2/a/b/blobs/{digest}")).await;
    assert_eq!(answer.status, 307);
    let path = answer
        .header("location")
        .strip_prefix(&other.url())
        .unwrap()
        .to_owned();
    assert_eq!(sha256(&get(&other, &path).await.body), digest);
    assert!(!other.requests()[0].is_authorized());
}

#[tokio::test]
async fn holds_what_no_honest_registry_would() {
    let mut workload = Workload::hello("a/b:1", "x\n");
    let member = workload.images[0].root;
    let member = workload.manifests[&member].descriptor();
    let index = workload.add_index(Family::Oci, std::slice::from_ref(&member));
    workload.tag("a/b:all", index.digest);
    let registry = FakeRegistry::with(&workload);
    registry.forget(&member.digest);
    assert_eq!(get(&registry, "/v2/a/b/manifests/all").await.status, 200);
    assert_eq!(
        get(&registry, &format!("/v2/a/b/manifests/{}", member.digest))
            .await
            .status,
        404
    );
    registry.put_manifest("a/b", "huge", MediaType::OCI_MANIFEST, vec![b' '; 5 << 20]);
    assert_eq!(get(&registry, "/v2/a/b/manifests/huge").await.body.len(), 5 << 20);
    let page = get(&registry, "/v2/a/b/tags/list?n=1").await;
    assert_eq!(page.json()["tags"], serde_json::json!(["1"]));
    assert!(page.header("link").contains("last=1"));
}

#[test]
fn works_from_tests_without_a_runtime_and_with_tls() {
    let authority = Authority::new();
    let registry = FakeRegistry::builder()
        .tls(authority.issue(&certs::LOOPBACK))
        .start();
    assert!(registry.url().starts_with("https://127.0.0.1:"));
    let expired = FakeRegistry::builder()
        .tls(authority.issue_expired(&certs::LOOPBACK))
        .start();
    assert_ne!(registry.port(), expired.port());
    assert_eq!(registry.requests().len(), 0);
}

//! Upstreams that break, lie, refuse and limit: right bytes or a clear failure, never anything else.

use std::time::Duration;

use http::Method;
use landfall_server::gateway::{GatewayOptions, Upstreams};
use landfall_testkit::FakeRegistry;
use landfall_testkit::fake_registry::{Auth, Fault, Kind, Rule};

use super::{Front, app, endpoint, forgetful, hasty, host, log_in, quay};

const SIZE: u64 = 5 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_breaks_off_goes_on_where_it_was() {
    let (workload, layer) = app(20, SIZE);
    for fault in [
        Fault::Reset { after: 2 << 20 },
        Fault::Cut { after: 2 << 20 },
        Fault::Stall {
            after: 2 << 20,
            pause: Duration::from_secs(60),
        },
    ] {
        let upstream = FakeRegistry::with(&workload);
        upstream.rule(Rule::on(Kind::Blob, fault.clone()).times(1));
        let front = Front::new(hasty(&upstream), GatewayOptions::default()).await;
        front
            .blob("org/app", &layer.digest)
            .await
            .is_exactly(&layer.bytes, &upstream.address());
        let ranges: Vec<_> = upstream
            .requests()
            .iter()
            .map(|request| request.range().map(str::to_owned))
            .collect();
        assert_eq!(ranges.len(), 2, "{fault:?} {ranges:?}");
        assert!(ranges[1].is_some(), "{fault:?} {ranges:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_dies_in_the_middle_is_followed_by_the_next() {
    let (workload, layer) = app(21, SIZE);
    let [first, second] = [(); 2].map(|()| FakeRegistry::with(&workload));
    first.rule(Rule::on(Kind::Blob, Fault::Reset { after: 2 << 20 }).times(1));
    first.rule(Rule::always(Fault::status(503, "UNAVAILABLE")));
    let front = Front::new(quay(&[&first, &second]), GatewayOptions::default()).await;
    front
        .blob("org/app", &layer.digest)
        .await
        .is_exactly(&layer.bytes, &first.address());
    let range = second.requests()[0].range().unwrap().to_owned();
    assert!(range.starts_with("bytes=") && range != "bytes=0-", "{range}");
    assert_eq!(second.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_are_given_to_nobody_and_the_next_endpoint_has_the_right_ones() {
    for (len, at) in [(300_000, 7), (SIZE, SIZE - 5), (SIZE, 3)] {
        let (workload, layer) = app(22, len);
        let [liar, honest] = [(); 2].map(|()| FakeRegistry::with(&workload));
        liar.rule(Rule::on(Kind::Blob, Fault::Flip { at }));
        let front = Front::new(quay(&[&liar, &honest]), GatewayOptions::default()).await;
        let first = front.blob("org/app", &layer.digest).await;
        if len < 1 << 20 {
            // Small ones are looked at before they are given out.
            first.is_exactly(&layer.bytes, &honest.address());
        } else {
            assert!(first.broken, "the promise of so many bytes is not kept");
            assert!((first.body.len() as u64) < SIZE);
            let second = front.blob("org/app", &layer.digest).await;
            second.expect(200);
            assert!(!second.broken && second.body == layer.bytes);
        }
        assert_eq!(liar.count(Kind::Blob), 1, "it is not asked for this again");
        assert_eq!(front.metric("landfall_gateway_corrupt_total"), 1);
        front.blob("org/app", &layer.digest).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_lie_there_is_an_error_and_nothing_is_kept() {
    let (workload, layer) = app(23, 300_000);
    let [one, other] = [(); 2].map(|()| FakeRegistry::with(&workload));
    for liar in [&one, &other] {
        liar.rule(Rule::on(Kind::Blob, Fault::Flip { at: 100 }));
        liar.rule(Rule::on(Kind::Manifest, Fault::Flip { at: 10 }));
    }
    let front = Front::new(quay(&[&one, &other]), forgetful()).await;
    for _ in 0..2 {
        front.blob("org/app", &layer.digest).await.expect(502);
        let by_digest = format!("/v2/org/app/manifests/{}?ns=quay.io", workload.images[0].root);
        front.get(&by_digest).await.expect(502);
    }
    assert_eq!((one.count(Kind::Blob), other.count(Kind::Blob)), (1, 1));
    one.clear_rules();
    // Of this digest it has lied; what else it has is taken.
    front.get("/v2/org/app/manifests/1?ns=quay.io").await.expect(200);
}

/// Of two that gave a part each, one was wrong: each alone shows which, and the third has it right.
#[tokio::test(flavor = "multi_thread")]
async fn who_lied_of_two_that_gave_a_part_is_found_out() {
    let (workload, layer) = app(24, 900_000);
    let [broken, liar, honest] = [(); 3].map(|()| FakeRegistry::with(&workload));
    // Too little each time for it to be asked on and on.
    broken.rule(Rule::on(Kind::Blob, Fault::Cut { after: 30_000 }));
    liar.rule(Rule::on(Kind::Blob, Fault::Flip { at: 10 }));
    let front = Front::new(quay(&[&broken, &liar, &honest]), GatewayOptions::default()).await;
    front
        .blob("org/app", &layer.digest)
        .await
        .is_exactly(&layer.bytes, &honest.address());
    assert_eq!(honest.requests().len(), 1);
    assert_eq!(
        honest.requests()[0].range(),
        None,
        "nothing is put behind bytes of others"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_header_that_lies_and_a_body_that_is_too_short() {
    let (workload, layer) = app(25, 300_000);
    let [liar, honest] = [(); 2].map(|()| FakeRegistry::with(&workload));
    liar.rule(Rule::on(Kind::Manifest, Fault::WrongDigestHeader));
    liar.rule(Rule::on(Kind::Blob, Fault::Short { len: 1000 }));
    let front = Front::new(quay(&[&liar, &honest]), GatewayOptions::default()).await;
    let answer = front.get("/v2/org/app/manifests/1?ns=quay.io").await;
    answer.expect(200);
    assert_eq!(answer.header("x-landfall-served-from"), honest.address());
    front
        .blob("org/app", &layer.digest)
        .await
        .is_exactly(&layer.bytes, &honest.address());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_endpoint_is_asked_by_the_rules_of_containerd() {
    let (workload, layer) = app(26, 100_000);
    for fault in [
        Fault::status(404, "NAME_UNKNOWN"),
        Fault::status(403, "DENIED"),
        Fault::status(401, "UNAUTHORIZED"),
        Fault::status(500, "UNKNOWN"),
        Fault::status(503, "UNKNOWN"),
        Fault::status(400, "UNSUPPORTED"),
        Fault::too_many(100),
        Fault::NoAnswer,
        Fault::Replace {
            content_type: "text/html",
            body: "<html>log in</html>".into(),
        },
    ] {
        let [first, second] = [(); 2].map(|()| FakeRegistry::with(&workload));
        first.rule(Rule::always(fault.clone()));
        let front = Front::new(quay(&[&first, &second]), forgetful()).await;
        let answer = front.get("/v2/org/app/manifests/1?ns=quay.io").await;
        answer.expect(200);
        assert_eq!(
            answer.header("x-landfall-served-from"),
            second.address(),
            "{fault:?}"
        );
        let blob = front.blob("org/app", &layer.digest).await;
        blob.expect(200);
        assert!(!blob.broken && blob.body == layer.bytes, "{fault:?}");
    }
    // And one where nobody listens.
    let second = FakeRegistry::with(&workload);
    let gone = FakeRegistry::empty();
    let nobody = endpoint(&gone);
    drop(gone);
    let mut upstreams = Upstreams::new();
    upstreams.insert(&"quay.io".parse().unwrap(), vec![nobody, endpoint(&second)]);
    let front = Front::new(upstreams, forgetful()).await;
    front.get("/v2/org/app/manifests/1?ns=quay.io").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_client_hears_when_nobody_helps() {
    let (workload, layer) = app(27, 100_000);
    for (fault, status) in [
        (Fault::status(404, "NAME_UNKNOWN"), 404),
        (Fault::status(403, "DENIED"), 403),
        // That we are not let in is not the client's to mend by logging in here.
        (Fault::status(401, "UNAUTHORIZED"), 403),
        (Fault::status(500, "UNKNOWN"), 502),
        (Fault::too_many(100), 429),
        (Fault::NoAnswer, 502),
    ] {
        let upstream = FakeRegistry::with(&workload);
        upstream.rule(Rule::always(fault.clone()));
        let front = Front::new(quay(&[&upstream]), forgetful()).await;
        let manifest = front.get("/v2/org/app/manifests/1?ns=quay.io").await;
        manifest.expect(status);
        let blob = front.blob("org/app", &layer.digest).await;
        assert!(blob.status == status || blob.status == 503, "{fault:?} {blob:?}");
        assert_eq!(manifest.header("www-authenticate"), "");
        for answer in [manifest, blob] {
            let message = answer.json()["errors"][0]["message"].as_str().unwrap().to_owned();
            assert!(
                message.contains(&upstream.address()) || answer.status == 404,
                "{message}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_rest_gets_it() {
    let (workload, layer) = app(28, 100_000);
    let upstream = FakeRegistry::with(&workload);
    let front = Front::new(quay(&[&upstream]), forgetful()).await;
    front.get("/v2/org/app/manifests/1?ns=quay.io").await.expect(200);
    upstream.clear_requests();
    upstream.rule(Rule::always(Fault::too_many(3600)));
    let limited = front.blob("org/app", &layer.digest).await;
    limited.expect_error(429, "TOOMANYREQUESTS");
    let asked = upstream.requests().len();
    assert_eq!(asked, 1);
    for _ in 0..20 {
        let again = front.blob("org/app", &layer.digest).await;
        again.expect(429);
        assert!(again.header("retry-after").parse::<u64>().unwrap() > 3000);
        front.get("/v2/org/new/manifests/1?ns=quay.io").await.expect(429);
        // What is here is given, with a word that it is old.
        let stale = front.get("/v2/org/app/manifests/1?ns=quay.io").await;
        stale.expect(200);
        assert!(stale.header("warning").starts_with("110 "), "{stale:?}");
    }
    assert_eq!(upstream.requests().len(), asked, "it has its rest");
    let up = format!(r#"landfall_upstream_up{{host="{}"}}"#, upstream.address());
    assert_eq!(front.metric(&up), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_answer_is_left_alone_and_nothing_is_begun_with_it() {
    let (workload, layer) = app(29, 100_000);
    let upstream = FakeRegistry::with(&workload);
    let front = Front::new(quay(&[&upstream]), forgetful()).await;
    upstream.rule(Rule::always(Fault::status(502, "UNKNOWN")));
    let begun = tokio::time::Instant::now();
    for _ in 0..3 {
        front.blob("org/app", &layer.digest).await.expect(502);
    }
    upstream.clear_requests();
    let mut tried = 0;
    for _ in 0..20 {
        let answer = front.blob("org/app", &layer.digest).await;
        // On a slow machine the pause may end within these: one request is let through then, to see.
        if answer.status == 502 {
            tried += 1;
            continue;
        }
        answer.expect(503);
        assert!(!answer.header("retry-after").is_empty());
    }
    assert!(
        tried <= begun.elapsed().as_secs(),
        "no more often than each second"
    );
    if tried == 0 {
        assert!(upstream.requests().is_empty());
    }
    // It comes back, and is found out.
    upstream.clear_rules();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while front.blob("org/app", &layer.digest).await.status != 200 {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_wrong_is_not_tried_for_ever() {
    let (workload, layer) = app(30, 1000);
    let upstream = FakeRegistry::builder()
        .workload(&workload)
        .auth(Auth::basic("user", "secret"))
        .start();
    let front_with = async |password: &str| {
        let mut known = host(&upstream);
        log_in(&mut known, "user", password);
        let mut upstreams = Upstreams::new();
        let endpoint = landfall_server::gateway::Endpoint::new(known.connect().unwrap());
        upstreams.insert(&"quay.io".parse().unwrap(), vec![endpoint]);
        Front::new(upstreams, GatewayOptions::default()).await
    };
    let wrong = front_with("wrong").await;
    let refused = wrong.blob("org/app", &layer.digest).await;
    refused.expect_error(403, "DENIED");
    assert!(!refused.body.windows(5).any(|bytes| bytes == b"wrong"));
    assert!(upstream.requests().len() <= 2, "{:?}", upstream.requests());
    let right = front_with("secret").await;
    right
        .blob("org/app", &layer.digest)
        .await
        .is_exactly(&layer.bytes, &upstream.address());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_larger_than_allowed_is_not_begun() {
    let (workload, layer) = app(31, SIZE);
    let upstream = FakeRegistry::with(&workload);
    let options = GatewayOptions {
        largest_blob: Some(1 << 20),
        ..GatewayOptions::default()
    };
    let front = Front::new(quay(&[&upstream]), options).await;
    let path = format!("/v2/org/app/blobs/{}?ns=quay.io", layer.digest);
    let answer = front.scene.send(Method::GET, &path, &[], "").await;
    assert!(answer.status.is_server_error(), "{answer:?}");
}

//! Tags: taken at their word for a while, looked at again, and what holds when nobody can be asked.

use std::time::Duration;

use landfall_server::gateway::GatewayOptions;
use landfall_testkit::FakeRegistry;
use landfall_testkit::fake_registry::{Fault, Kind, Rule};

use super::{Front, app, forgetful, quay};

const TAG: &str = "/v2/org/app/manifests/1?ns=quay.io";

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_is_asked_once_while_it_is_fresh() {
    let (workload, _) = app(40, 1000);
    let upstream = FakeRegistry::with(&workload);
    let front = Front::new(quay(&[&upstream]), GatewayOptions::default()).await;
    for _ in 0..5 {
        front.get(TAG).await.expect(200);
        front.scene.head(TAG).await.expect(200);
    }
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_is_old_is_asked_for_its_head_alone() {
    let (workload, _) = app(41, 1000);
    let upstream = FakeRegistry::with(&workload);
    let front = Front::new(quay(&[&upstream]), forgetful()).await;
    let first = front.get(TAG).await;
    let second = front.get(TAG).await;
    assert_eq!(second.body, first.body);
    assert_eq!(second.header("x-landfall-served-from"), "cache");
    assert_eq!(
        (upstream.count(Kind::Manifest), upstream.count(Kind::ManifestHead)),
        (1, 1)
    );
    let known = format!("\"{}\"", workload.images[0].root);
    let head = upstream.requests().pop().unwrap();
    assert_eq!(head.header("if-none-match"), known);
    let revalidated = r#"landfall_gateway_answers_total{upstream="quay.io",answer="revalidated"}"#;
    assert_eq!(front.metric(revalidated), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_has_moved_is_followed_and_the_old_digest_stays() {
    let (old, _) = app(42, 1000);
    let (new, _) = app(43, 1000);
    let [first, second] = [FakeRegistry::with(&old), FakeRegistry::with(&new)];
    let front = Front::new(quay(&[&first, &second]), forgetful()).await;
    let before = front.get(TAG).await;
    assert_eq!(
        before.header("docker-content-digest"),
        old.images[0].root.to_string()
    );
    first.rule(Rule::always(Fault::status(404, "NAME_UNKNOWN")));
    let after = front.get(TAG).await;
    assert_eq!(
        after.header("docker-content-digest"),
        new.images[0].root.to_string()
    );
    assert_eq!(after.header("x-landfall-served-from"), second.address());
    drop((first, second));
    let by_digest = format!("/v2/org/app/manifests/{}?ns=quay.io", old.images[0].root);
    front.get(&by_digest).await.expect(200);
    let stale = front.get(TAG).await;
    assert_eq!(
        stale.header("docker-content-digest"),
        new.images[0].root.to_string()
    );
    let warnings: Vec<_> = stale.headers.get_all("warning").iter().collect();
    assert_eq!(warnings.len(), 2, "{stale:?}");
    assert!(warnings[0].to_str().unwrap().starts_with("110 "));
    assert!(warnings[1].to_str().unwrap().starts_with("111 "));
}

/// A tag that has moved to something that cannot be had: what is whole is given, not a beginning without an end.
#[tokio::test(flavor = "multi_thread")]
async fn the_old_word_stands_where_the_new_one_cannot_be_had() {
    let (old, _) = app(44, 1000);
    let (new, _) = app(45, 1000);
    let [first, second] = [FakeRegistry::with(&old), FakeRegistry::with(&new)];
    let front = Front::new(quay(&[&first, &second]), forgetful()).await;
    front.get(TAG).await.expect(200);
    first.rule(Rule::always(Fault::status(404, "NAME_UNKNOWN")));
    second.rule(Rule::on(Kind::Manifest, Fault::status(500, "UNKNOWN")));
    let stale = front.get(TAG).await;
    assert_eq!(
        stale.header("docker-content-digest"),
        old.images[0].root.to_string()
    );
    assert!(stale.header("warning").starts_with("110 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_is_gone_is_gone_and_its_digest_is_not() {
    let (workload, _) = app(46, 1000);
    let upstream = FakeRegistry::with(&workload);
    let front = Front::new(quay(&[&upstream]), forgetful()).await;
    front.get(TAG).await.expect(200);
    upstream.rule(Rule::always(Fault::status(404, "MANIFEST_UNKNOWN")));
    front.get(TAG).await.expect_error(404, "MANIFEST_UNKNOWN");
    drop(upstream);
    assert_ne!(front.get(TAG).await.status, 200, "it is not remembered either");
    let by_digest = format!("/v2/org/app/manifests/{}?ns=quay.io", workload.images[0].root);
    front.get(&by_digest).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_not_asked_for_again_at_once() {
    let (workload, layer) = app(47, 1000);
    let upstream = FakeRegistry::with(&workload);
    let options = GatewayOptions {
        missing_ttl: Duration::from_secs(600),
        ..GatewayOptions::default()
    };
    let front = Front::new(quay(&[&upstream]), options).await;
    for _ in 0..5 {
        front
            .get("/v2/org/none/manifests/1?ns=quay.io")
            .await
            .expect_error(404, "MANIFEST_UNKNOWN");
        front
            .blob("org/none", &layer.digest)
            .await
            .expect_error(404, "BLOB_UNKNOWN");
    }
    assert_eq!(upstream.requests().len(), 2);
    let remembered = r#"landfall_gateway_answers_total{upstream="quay.io",answer="remembered"}"#;
    assert_eq!(front.metric(remembered), 8);
    // What could not be asked is not missing.
    let away = FakeRegistry::with(&workload);
    away.rule(Rule::always(Fault::status(500, "UNKNOWN")).times(2));
    let front = Front::new(quay(&[&away]), GatewayOptions::default()).await;
    front.get(TAG).await.expect(502);
    front.get(TAG).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_want_one_tag_ask_once() {
    let (workload, _) = app(48, 1000);
    let upstream = FakeRegistry::with(&workload);
    upstream.rule(Rule::always(Fault::Delay {
        pause: Duration::from_millis(200),
    }));
    let front = Front::new(quay(&[&upstream]), forgetful()).await;
    for round in 1..=2 {
        let all = futures_util::future::join_all((0..100).map(|_| front.get(TAG))).await;
        assert!(all.iter().all(|answer| answer.status == 200));
        assert_eq!(upstream.requests().len(), round);
    }
}

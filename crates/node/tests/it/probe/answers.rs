//! What a registry, or something else, answers.

use bytes::Bytes;
use landfall_node::probe::{Cause, Next, StepKind};
use landfall_testkit::FakeRegistry;
use landfall_testkit::fake_registry::{Fault, Kind, Rule};

use super::{answering, ask, assert_no_layer, attempt, finding, http, image, kinds};

#[tokio::test]
async fn a_missing_image_a_missing_repository_a_wrong_path() {
    let (workload, repository, _) = image();
    let registry = FakeRegistry::with(&workload);
    let found = ask(attempt(&registry.url(), &repository, "never-pushed")).await;
    let cause = found.finding.as_ref().unwrap().cause;
    assert!(matches!(cause, Cause::ManifestMissing | Cause::RepositoryMissing));
    assert!(
        finding(&found, StepKind::Manifest, cause)
            .message
            .contains(&repository)
    );

    let unknown = answering(|head| {
        let body = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no such project"}]}"#;
        http(head, "404 Not Found", &["content-type: application/json"], body)
    })
    .await;
    let found = ask(attempt(&unknown, "a/b", "1")).await;
    let message = &finding(&found, StepKind::Manifest, Cause::RepositoryMissing).message;
    assert!(
        message.contains("a/b") && message.contains("no such project"),
        "{message}"
    );

    // `/prefix/a/manifests/1` instead of `/v2/prefix/a/manifests/1`.
    let below = answering(|head| match head.contains(" /v2/ ") {
        true => http(
            head,
            "401 Unauthorized",
            &["www-authenticate: Basic realm=\"r\""],
            "",
        ),
        false => http(
            head,
            "404 Not Found",
            &["content-type: text/plain"],
            "404 page not found",
        ),
    })
    .await;
    let mut prefixed = attempt(&below, "a", "1");
    prefixed.url = prefixed.url.replace("/v2/", "/prefix/");
    let found = ask(prefixed).await;
    let advice = &finding(&found, StepKind::Manifest, Cause::WrongPath).advice;
    assert!(advice[0].contains("/v2/PREFIX"), "{advice:?}");

    let other = answering(|head| {
        http(
            head,
            "404 Not Found",
            &["content-type: text/html"],
            "<html>nginx</html>",
        )
    })
    .await;
    let found = ask(attempt(&other, "a", "1")).await;
    finding(&found, StepKind::Manifest, Cause::NotARegistry);
    assert!(kinds(&found).contains(&StepKind::Inquiry));
}

#[tokio::test]
async fn refused_throttled_broken() {
    let (workload, repository, tag) = image();
    let cases = [
        (Fault::status(403, "DENIED"), Cause::Forbidden, "403"),
        (Fault::too_many(17), Cause::RateLimited, "17 s"),
        (Fault::status(500, "UNKNOWN"), Cause::ServerError, "500"),
        (Fault::status(503, ""), Cause::ServerError, "503"),
        (Fault::status(418, ""), Cause::UnexpectedStatus, "418"),
    ];
    for (fault, cause, text) in cases {
        let registry = FakeRegistry::with(&workload);
        registry.rule(Rule::on(Kind::ManifestHead, fault.clone()).or(Kind::Manifest));
        let found = ask(attempt(&registry.url(), &repository, &tag)).await;
        let message = &finding(&found, StepKind::Manifest, cause).message;
        assert!(message.contains(text), "{message}");
        let asked = if cause == Cause::RateLimited { 1 } else { 2 };
        assert_eq!(registry.requests().len(), asked, "{cause:?}");
        assert_no_layer(&registry);
    }
}

#[tokio::test]
async fn pages_for_people() {
    let page = answering(|head| {
        http(
            head,
            "200 OK",
            &["content-type: text/html"],
            "<html>Welcome! Accept?</html>",
        )
    })
    .await;
    let found = ask(attempt(&page, "a", "1")).await;
    finding(&found, StepKind::Manifest, Cause::Intercepted);
    let login = answering(|head| match head.contains("/login") {
        true => http(
            head,
            "200 OK",
            &["content-type: text/html"],
            "<html>log in</html>",
        ),
        false => http(head, "302 Found", &["location: /login"], ""),
    })
    .await;
    let found = ask(attempt(&login, "a", "1")).await;
    finding(&found, StepKind::Manifest, Cause::Intercepted);
    assert!(kinds(&found).contains(&StepKind::Redirect));
    // An nginx that knows nothing of a registry says 403 with a page.
    let forbidden = answering(|head| {
        http(
            head,
            "403 Forbidden",
            &["content-type: text/html"],
            "<html>403</html>",
        )
    })
    .await;
    let found = ask(attempt(&forbidden, "a", "1")).await;
    finding(&found, StepKind::Manifest, Cause::Intercepted);
    let text = answering(|head| http(head, "200 OK", &[], "OK")).await;
    finding(
        &ask(attempt(&text, "a", "1")).await,
        StepKind::Manifest,
        Cause::Intercepted,
    );
}

#[tokio::test]
async fn registries_that_answer_a_head_badly() {
    let (workload, repository, tag) = image();
    let registry = FakeRegistry::with(&workload);
    registry.rule(Rule::on(Kind::ManifestHead, Fault::status(405, "UNSUPPORTED")));
    let found = ask(attempt(&registry.url(), &repository, &tag)).await;
    assert_eq!(found.next, Next::Served, "{found:#?}");
    assert_eq!(
        found.manifest.unwrap().digest.unwrap(),
        workload.images[0].root.to_string()
    );

    let registry = FakeRegistry::with(&workload);
    let body = Bytes::from_static(b"{}");
    registry.rule(
        Rule::on(
            Kind::ManifestHead,
            Fault::Replace {
                content_type: "application/json",
                body: body.clone(),
            },
        )
        .or(Kind::Manifest),
    );
    let found = ask(attempt(&registry.url(), &repository, &tag)).await;
    assert_eq!(
        found.next,
        Next::Served,
        "without a digest the manifest itself is read: {found:#?}"
    );
    assert!(
        found
            .manifest
            .unwrap()
            .digest
            .unwrap()
            .starts_with("sha256:44136fa3"),
        "of two brackets"
    );
}

#[tokio::test]
async fn redirects_that_lead_nowhere() {
    let inward = answering(|head| http(head, "302 Found", &["location: https://169.254.169.254/"], "")).await;
    // From loopback to loopback's neighbours everything goes; around in circles it does not.
    let circle = answering(|head| http(head, "302 Found", &["location: /again"], "")).await;
    let found = ask(attempt(&circle, "a", "1")).await;
    finding(&found, StepKind::Redirect, Cause::RedirectRefused);
    let nowhere = answering(|head| http(head, "302 Found", &[], "")).await;
    let found = ask(attempt(&nowhere, "a", "1")).await;
    finding(&found, StepKind::Redirect, Cause::RedirectRefused);
    drop(inward);
}

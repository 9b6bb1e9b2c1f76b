//! Credentials of every kind, right and wrong, and token servers.

use landfall_node::probe::{Cause, Endpoint, Next, StepKind};
use landfall_registries::{Attempt, Presented};
use landfall_testkit::FakeRegistry;
use landfall_testkit::fake_registry::{Auth, Bearer, Kind};

use super::{PASSWORD, answering, ask, attempt, finding, http, image, kinds, with_password};

fn registry(auth: Auth) -> (FakeRegistry, Attempt) {
    let (workload, repository, tag) = image();
    let registry = FakeRegistry::builder().workload(&workload).auth(auth).start();
    let attempt = attempt(&registry.url(), &repository, &tag);
    (registry, attempt)
}

fn identity(mut attempt: Attempt, token: &str) -> Attempt {
    attempt.presented = Presented::IdentityToken(token.to_owned().into());
    attempt
}

fn token_requests(registry: &FakeRegistry) -> Vec<String> {
    let requests = registry
        .requests()
        .into_iter()
        .filter(|request| request.kind == Kind::Token);
    requests
        .map(|request| format!("{} {}", request.method, request.status()))
        .collect()
}

#[track_caller]
fn serves(found: &Endpoint) {
    assert_eq!(found.next, Next::Served, "{found:#?}");
    assert!(found.steps.iter().all(|step| step.ok), "{found:#?}");
}

#[tokio::test]
async fn basic() {
    let (registry, anonymous) = registry(Auth::basic("robot", PASSWORD));
    let found = ask(anonymous.clone()).await;
    let advice = &finding(&found, StepKind::Challenge, Cause::CredentialMissing).advice;
    assert!(advice[0].contains(&registry.address()), "{advice:?}");

    registry.clear_requests();
    let found = ask(with_password(anonymous.clone(), "another password")).await;
    let message = &finding(&found, StepKind::Manifest, Cause::CredentialRefused).message;
    assert!(message.contains("robot"), "{message}");
    assert_eq!(
        registry.requests().len(),
        2,
        "a wrong password is shown once, not five times"
    );

    let found = ask(identity(anonymous.clone(), "a refresh token")).await;
    finding(&found, StepKind::Challenge, Cause::CredentialKind);
    let found = ask(with_password(anonymous.clone(), "")).await;
    finding(&found, StepKind::Challenge, Cause::CredentialMissing);
    let found = ask(with_password(anonymous, PASSWORD)).await;
    serves(&found);
    assert_eq!(
        kinds(&found),
        [
            StepKind::Connect,
            StepKind::Manifest,
            StepKind::Challenge,
            StepKind::Manifest
        ]
    );
}

#[tokio::test]
async fn bearer_by_the_form_and_by_get() {
    let (registry, anonymous) = registry(Auth::Bearer(Bearer::account("robot", PASSWORD)));
    let found = ask(with_password(anonymous.clone(), PASSWORD)).await;
    serves(&found);
    assert_eq!(token_requests(&registry), ["POST 200"]);
    assert_eq!(
        kinds(&found)[1..],
        [
            StepKind::Manifest,
            StepKind::Challenge,
            StepKind::Token,
            StepKind::Manifest
        ]
    );

    registry.clear_requests();
    let found = ask(with_password(anonymous.clone(), "another password")).await;
    let message = &finding(&found, StepKind::Token, Cause::CredentialRefused).message;
    assert!(message.contains("robot") && message.contains("401"), "{message}");
    assert_eq!(token_requests(&registry), ["POST 401", "GET 401"]);

    let found = ask(anonymous).await;
    finding(&found, StepKind::Token, Cause::CredentialMissing);
}

#[tokio::test]
async fn a_token_server_without_the_form() {
    let bearer = Bearer {
        accepts_post: false,
        ..Bearer::account("robot", PASSWORD)
    };
    let (registry, anonymous) = registry(Auth::Bearer(bearer));
    serves(&ask(with_password(anonymous.clone(), PASSWORD)).await);
    assert_eq!(token_requests(&registry), ["POST 405", "GET 200"]);
    registry.clear_requests();
    // As containerd: with a refresh token there is no way back from 405.
    let found = ask(identity(anonymous, "a refresh token")).await;
    finding(&found, StepKind::Token, Cause::CredentialRefused);
    assert_eq!(token_requests(&registry), ["POST 405"]);
}

#[tokio::test]
async fn refresh_tokens_and_anonymous_ones() {
    let bearer = Bearer {
        identity_token: Some("the refresh token".to_owned()),
        anonymous_pull: true,
        ..Bearer::account("robot", PASSWORD)
    };
    let (registry, anonymous) = registry(Auth::Bearer(bearer));
    serves(&ask(identity(anonymous.clone(), "the refresh token")).await);
    assert_eq!(token_requests(&registry), ["POST 200"]);
    registry.clear_requests();
    serves(&ask(anonymous.clone()).await);
    assert_eq!(token_requests(&registry), ["GET 200"]);
    registry.clear_requests();
    let found = ask(identity(anonymous, "an old refresh token")).await;
    finding(&found, StepKind::Token, Cause::CredentialRefused);
    assert_eq!(token_requests(&registry), ["POST 401", "GET 401"]);
}

/// A registry that names this realm and lets nobody in.
async fn sending_to(realm: &'static str) -> Endpoint {
    let challenge = format!("www-authenticate: Bearer realm=\"{realm}\",service=\"s\"");
    let server = answering(move |head| match head.contains("/v2/") {
        true => http(head, "401 Unauthorized", &[&challenge], ""),
        false => http(head, "200 OK", &[], "{\"token\":\"the issued token\"}"),
    })
    .await;
    let found = ask(with_password(attempt(&server, "a", "1"), PASSWORD)).await;
    assert!(!format!("{found:?}").contains("the issued token"));
    found
}

#[tokio::test]
async fn token_servers_that_are_of_no_use() {
    let found = sending_to("http://token.invalid/token").await;
    finding(&found, StepKind::Token, Cause::RealmRefused);
    let found = sending_to("https://token.invalid/token").await;
    let cause = found.finding.as_ref().unwrap().cause;
    assert!(matches!(cause, Cause::NameUnknown | Cause::ResolverSilent));
    assert!(
        finding(&found, StepKind::Dns, cause)
            .message
            .contains("token.invalid")
    );
    let found = sending_to("/token").await;
    finding(&found, StepKind::Manifest, Cause::TokenRefused);

    let server = answering(|head| match head.contains("/v2/") {
        true => http(
            head,
            "401 Unauthorized",
            &["www-authenticate: Bearer realm=\"/token\""],
            "",
        ),
        false => http(
            head,
            "200 OK",
            &["content-type: text/html"],
            "<html>log in</html>",
        ),
    })
    .await;
    let found = ask(attempt(&server, "a", "1")).await;
    finding(&found, StepKind::Token, Cause::TokenServer);
    let server = answering(|head| match head.contains("/v2/") {
        true => http(
            head,
            "401 Unauthorized",
            &["www-authenticate: Bearer realm=\"/token\""],
            "",
        ),
        false => http(head, "503 Service Unavailable", &[], ""),
    })
    .await;
    let found = ask(attempt(&server, "a", "1")).await;
    finding(&found, StepKind::Token, Cause::TokenServer);
}

#[tokio::test]
async fn challenges_that_nobody_can_answer() {
    let server = answering(|head| http(head, "401 Unauthorized", &[], "")).await;
    let found = ask(with_password(attempt(&server, "a", "1"), PASSWORD)).await;
    finding(&found, StepKind::Challenge, Cause::NoChallenge);
    let server = answering(|head| http(head, "401 Unauthorized", &["www-authenticate: Negotiate"], "")).await;
    let found = ask(with_password(attempt(&server, "a", "1"), PASSWORD)).await;
    finding(&found, StepKind::Challenge, Cause::CredentialKind);
}

#[tokio::test]
async fn a_server_that_sends_back_what_it_was_sent_shows_nothing() {
    let server = answering(
        |head| match head.to_ascii_lowercase().split("authorization: ").nth(1) {
            None => http(
                head,
                "401 Unauthorized",
                &["www-authenticate: Basic realm=\"r\""],
                "",
            ),
            Some(_) => {
                let sent = head
                    .split("uthorization: ")
                    .nth(1)
                    .unwrap()
                    .lines()
                    .next()
                    .unwrap();
                let body = format!(
                    "{{\"errors\":[{{\"code\":\"DENIED\",\"message\":\"you sent {sent} {PASSWORD}\"}}]}}"
                );
                http(head, "403 Forbidden", &["content-type: application/json"], &body)
            }
        },
    )
    .await;
    let found = ask(with_password(attempt(&server, "a", "1"), PASSWORD)).await;
    let message = &finding(&found, StepKind::Manifest, Cause::Forbidden).message;
    assert!(message.contains("you sent Basic *** ***"), "{message}");
}

//! ECR's own calls: the token, its life, the clock, and every refusal.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use landfall_auth::{AuthError, Clock, Created, EcrKeys, NewRepository, Secret};
use landfall_testkit::cloud::{AwsFault, Detour, FakeAws};
use landfall_testkit::{Authority, Identity};

use super::{Machine, is_anonymous, pair, says, transport};

pub(super) const PRIVATE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
pub(super) const PUBLIC: &str = "public.ecr.aws";

/// A machine whose environment holds the keys that `aws` knows, and which asks it.
pub(super) fn machine(aws: &FakeAws) -> Machine {
    let keys = FakeAws::keys();
    Machine::new()
        .set("AWS_ENDPOINT_URL", aws.url())
        .set("AWS_ACCESS_KEY_ID", keys.id)
        .set("AWS_SECRET_ACCESS_KEY", keys.secret)
}

#[tokio::test]
async fn a_token_is_asked_for_once() {
    let aws = FakeAws::start();
    let machine = machine(&aws);
    let keyring = machine.keyring();
    for _ in 0..3 {
        let found = keyring.lookup(&PRIVATE.parse().unwrap(), None).await.unwrap();
        assert_eq!(pair(&found), ("AWS", "password-1"));
        assert_eq!(
            &*found.provenance,
            "ECR token for account 123456789012 in eu-west-1, by the keys in the environment"
        );
    }
    assert_eq!(aws.tokens(), 1);
    let asked = &aws.service().asked()[0];
    assert_eq!(asked.body, "{}");
    assert_eq!(asked.header("content-type"), "application/x-amz-json-1.1");
}

#[tokio::test]
async fn many_who_wait_share_one_call_good_or_bad() {
    for fault in [None, Some(AwsFault::Denied)] {
        let aws = FakeAws::start();
        aws.fault(fault.clone());
        let keyring = Arc::new(machine(&aws).keyring());
        let waiters: Vec<_> = (0..64)
            .map(|_| {
                let keyring = Arc::clone(&keyring);
                tokio::spawn(async move { keyring.lookup(&PRIVATE.parse().unwrap(), None).await.is_ok() })
            })
            .collect();
        for waiter in waiters {
            assert_eq!(waiter.await.unwrap(), fault.is_none());
        }
        // Whoever comes after a failure asks again; whoever waited does not.
        assert!(aws.tokens() <= if fault.is_none() { 1 } else { 64 });
    }
}

#[tokio::test]
async fn the_public_registry() {
    let aws = FakeAws::start();
    let machine = machine(&aws);
    for name in [PUBLIC, "ecr-public.aws.com"] {
        let found = machine.login(name).await.unwrap();
        assert_eq!(pair(&found), ("AWS", "password-1"));
    }
    let asked = &aws.service().asked()[0];
    assert_eq!(
        asked.header("x-amz-target"),
        "SpencerFrontendService.GetAuthorizationToken"
    );
    says(
        asked.header("authorization"),
        &["/us-east-1/ecr-public/aws4_request"],
    );
    // Who has keys that do not suffice can still pull.
    aws.fault(AwsFault::Denied);
    is_anonymous(
        &machine.login(PUBLIC).await.unwrap(),
        "ecr-public:GetAuthorizationToken",
    );
    aws.fault(AwsFault::Empty);
    is_anonymous(&machine.login(PUBLIC).await.unwrap(), "no authorization data");
}

#[tokio::test]
async fn every_refusal_says_what_and_why() {
    let aws = FakeAws::start();
    let machine = machine(&aws);
    let cases: [(AwsFault, &[&str]); 10] = [
        (
            AwsFault::Denied,
            &[
                "ecr:GetAuthorizationToken for account 123456789012 in eu-west-1 was refused to the keys in the environment",
                "AccessDeniedException",
                "arn:aws:iam::123456789012:user/mover",
                "policy",
            ],
        ),
        (AwsFault::KeysOver, &["ExpiredTokenException", "get new ones"]),
        (AwsFault::Empty, &["no authorization data"]),
        (AwsFault::NoColon, &["no user and password"]),
        (AwsFault::NotBase64, &["no user and password"]),
        (AwsFault::Expired, &["expired already", "clock"]),
        (
            AwsFault::OtherRegion,
            &["eu-west-1", "ap-south-1", "AWS_ENDPOINT_URL"],
        ),
        (AwsFault::Html, &["not JSON"]),
        (AwsFault::Redirect, &["307"]),
        (AwsFault::Unavailable(100), &["503", "try again later"]),
    ];
    for (fault, parts) in cases {
        aws.fault(fault.clone());
        let text = machine.refused(PRIVATE).await;
        says(&text, parts);
        says(&text, &[PRIVATE]);
    }
    aws.fault(AwsFault::NoEnd);
    assert!(machine.login(PRIVATE).await.is_ok());
    aws.fault(AwsFault::Throttled(1));
    assert!(machine.login(PRIVATE).await.is_ok(), "later is not never");
}

#[tokio::test]
async fn an_endpoint_of_another_region() {
    let aws = FakeAws::start();
    aws.region("us-west-2");
    says(
        &machine(&aws).refused(PRIVATE).await,
        &["scoped to a valid region", "AWS_ENDPOINT_URL"],
    );
}

#[tokio::test]
async fn keys_that_nobody_knows_and_a_secret_that_is_wrong() {
    let aws = FakeAws::start();
    let unknown = machine(&aws).set("AWS_ACCESS_KEY_ID", "AKIAOTHER");
    says(
        &unknown.refused(PRIVATE).await,
        &["UnrecognizedClientException", "partition"],
    );
    let wrong = machine(&aws).set("AWS_SECRET_ACCESS_KEY", "wrong-secret");
    says(
        &wrong.refused(PRIVATE).await,
        &["InvalidSignatureException", "secret does not belong"],
    );
    let half = machine(&aws).unset("AWS_SECRET_ACCESS_KEY");
    says(&half.refused(PRIVATE).await, &["AWS_SECRET_ACCESS_KEY is not"]);
    let broken = machine(&aws).set("AWS_ACCESS_KEY_ID", "AK\nIA");
    says(
        &broken.refused(PRIVATE).await,
        &["characters that no request may"],
    );
    assert_eq!(aws.tokens(), 2);
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_once() {
    let aws = FakeAws::start();
    for ahead in [86_400, -86_400] {
        aws.ahead(ahead);
        let machine = machine(&aws);
        let keyring = machine.keyring();
        let found = keyring.lookup(&PRIVATE.parse().unwrap(), None).await.unwrap();
        assert_eq!(pair(&found), ("AWS", "password-1"));
        // The next call knows.
        let before = aws.tokens();
        let other = "123456789012.dkr.ecr.eu-west-2.amazonaws.com".parse().unwrap();
        keyring.lookup(&other, None).await.unwrap();
        assert_eq!(aws.tokens(), before + 1);
    }
    assert_eq!(aws.tokens(), 6);
    // A signature that is wrong at the right time is not tried again and again.
    aws.ahead(0);
    let wrong = machine(&aws).set("AWS_SECRET_ACCESS_KEY", "wrong-secret");
    wrong.refused(PRIVATE).await;
    assert_eq!(aws.tokens(), 7);
}

#[tokio::test]
async fn a_clock_of_our_own_that_is_wrong() {
    let aws = FakeAws::start();
    let mut machine = machine(&aws);
    machine.options.clock = Clock::new(|| SystemTime::now() + Duration::from_secs(50_000));
    assert!(machine.login(PRIVATE).await.is_ok());
}

#[tokio::test]
async fn a_cloud_that_is_slow_is_not_waited_for_for_ever() {
    let aws = FakeAws::start();
    aws.fault(AwsFault::Slow(Duration::from_secs(20)));
    let mut machine = machine(&aws);
    machine.options.limit = Duration::from_millis(50);
    says(
        &machine.refused(PRIVATE).await,
        &["no answer within 50ms", "try again later"],
    );
}

#[tokio::test]
async fn keys_that_were_given_win_over_the_machines() {
    let aws = FakeAws::start();
    let machine = machine(&aws).set("AWS_ACCESS_KEY_ID", "AKIAOTHER");
    let keys = FakeAws::keys();
    let keys = EcrKeys {
        id: keys.id,
        secret: Secret::new(keys.secret),
        session: None,
    };
    let registry = PRIVATE.parse().unwrap();
    let keyring = machine.keyring().with_ecr(
        "123456789012.dkr.ecr.EU-west-1.amazonaws.com".parse().unwrap(),
        Some(keys.clone()),
    );
    let found = keyring.lookup(&registry, None).await.unwrap();
    says(&found.provenance, &["the keys that were given for this registry"]);
    // A file is not asked then, and others still use the machine's.
    machine.write(
        ".docker/config.json",
        &format!(r#"{{"auths":{{"{PRIVATE}":{{"username":"u","password":"p"}}}}}}"#),
    );
    let keyring = machine.keyring();
    assert_eq!(pair(&keyring.lookup(&registry, None).await.unwrap()), ("u", "p"));
    let keyring = keyring.with_ecr(registry.clone(), Some(keys));
    assert_eq!(pair(&keyring.lookup(&registry, None).await.unwrap()).0, "AWS");
    let other = "123456789012.dkr.ecr.eu-west-2.amazonaws.com".parse().unwrap();
    assert!(keyring.lookup(&other, None).await.is_err());
    // Another registry than ECR's has no such keys.
    let error = keyring.with_ecr("registry.example".parse().unwrap(), None);
    let error = error
        .lookup(&"registry.example".parse().unwrap(), None)
        .await
        .unwrap_err();
    says(&error.to_string(), &["registry.example", "no registry of ECR"]);
}

#[tokio::test]
async fn switched_off_nobody_is_asked() {
    let aws = FakeAws::start();
    let mut machine = machine(&aws);
    machine.options.automatic = false;
    is_anonymous(&machine.login(PRIVATE).await.unwrap(), "no credential");
    let keyring = machine.keyring();
    let (registry, name) = (PRIVATE.parse().unwrap(), "a".parse().unwrap());
    let made = keyring
        .create_repository(&registry, &name, NewRepository::default())
        .await;
    assert!(made.is_err());
    assert!(aws.service().asked().is_empty());
    // What was asked for by name is done all the same: with this machine's keys.
    let keyring = keyring.with_ecr(PRIVATE.parse().unwrap(), None);
    assert_eq!(
        pair(&keyring.lookup(&PRIVATE.parse().unwrap(), None).await.unwrap()).0,
        "AWS"
    );
}

#[tokio::test]
async fn the_helper_of_a_cloud_need_not_be_installed() {
    let aws = FakeAws::start();
    let machine = machine(&aws);
    let helpers = format!(r#"{{"credHelpers":{{"{PRIVATE}":"ecr-login","other.example":"ecr-login"}}}}"#);
    machine.write(".docker/config.json", &helpers);
    assert_eq!(pair(&machine.login(PRIVATE).await.unwrap()).0, "AWS");
    let error = machine.login("other.example").await.unwrap_err();
    assert!(matches!(error, AuthError::HelperMissing { .. }), "{error}");
}

#[tokio::test]
async fn repositories_are_made_with_the_same_keys() {
    let aws = FakeAws::start();
    let keyring = machine(&aws).keyring();
    let (registry, name) = (PRIVATE.parse().unwrap(), "rancher/rancher".parse().unwrap());
    let settings = NewRepository {
        immutable_tags: true,
        scan_on_push: true,
    };
    let make = async || {
        keyring
            .create_repository(&registry, &name, settings)
            .await
            .unwrap()
    };
    assert_eq!(make().await, Created::New);
    assert_eq!(make().await, Created::Existed);
    let body: serde_json::Value = serde_json::from_slice(&aws.service().asked()[0].body).unwrap();
    let expected = serde_json::json!({
        "registryId": "123456789012",
        "repositoryName": "rancher/rancher",
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": true},
    });
    assert_eq!(body, expected);
    let public = PUBLIC.parse().unwrap();
    let name = "alias/team/app".parse().unwrap();
    let made = keyring
        .create_repository(&public, &name, NewRepository::default())
        .await;
    assert_eq!(made.unwrap(), Created::New);
    assert_eq!(aws.repositories(), ["rancher/rancher", "team/app"]);
    aws.fault(AwsFault::Denied);
    let error = keyring
        .create_repository(&registry, &"b".parse().unwrap(), settings)
        .await
        .unwrap_err();
    says(
        &error.to_string(),
        &["ecr:CreateRepository `b`", "AccessDeniedException", "arn:aws"],
    );
    let elsewhere = "registry.example".parse().unwrap();
    let other = keyring.create_repository(&elsewhere, &name, settings).await;
    says(&other.unwrap_err().to_string(), &["no registry of ECR"]);
}

#[tokio::test]
async fn the_real_names_are_asked_over_tls_through_the_proxy() {
    let authority = Authority::new();
    let hosts = [
        "api.ecr.cn-north-1.amazonaws.com.cn",
        "ecr-fips.us-gov-east-1.api.aws",
    ];
    let tls: Identity = authority.issue(&hosts);
    let aws = FakeAws::with(Some(&tls));
    let detour = Detour::new(&[("", aws.service().port())]);
    let mut machine = machine(&aws).unset("AWS_ENDPOINT_URL");
    let ca = machine.write("ca.pem", &authority.certificate());
    machine.transport = transport(Some(ca.as_ref()), Some(detour.url()));
    for (registry, host) in [
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", hosts[0]),
        ("123456789012.dkr-ecr-fips.us-gov-east-1.on.aws", hosts[1]),
    ] {
        machine.login(registry).await.unwrap();
        assert_eq!(detour.targets().pop().unwrap(), format!("{host}:443"));
        assert_eq!(aws.service().asked().pop().unwrap().header("host"), host);
    }
    // A name that the certificate does not hold is not trusted.
    let text = machine.refused(PRIVATE).await;
    says(&text, &["api.ecr.eu-west-1.amazonaws.com", "another name"]);
    // Where nobody checks the registry's certificate, no token is asked for; keys that were given are.
    let asked = detour.targets().len();
    machine.transport.default_host.skip_verify = true;
    is_anonymous(&machine.login(PRIVATE).await.unwrap(), "--insecure");
    machine.transport.default_host = landfall_net::client::HostOptions::default();
    machine.transport.default_host.plain_http = landfall_net::client::PlainHttp::Always;
    is_anonymous(&machine.login(PRIVATE).await.unwrap(), "--plain-http");
    assert_eq!(detour.targets().len(), asked);
    let keyring = machine.keyring().with_ecr(PRIVATE.parse().unwrap(), None);
    let error = keyring.lookup(&PRIVATE.parse().unwrap(), None).await.unwrap_err();
    says(&error.to_string(), &["another name"]);
}

//! Whose keys are used: environment, web identity, profiles, container, instance, and the end of them.

use std::net::TcpListener;
use std::time::Duration;

use landfall_testkit::cloud::{AwsFault, AwsKeys, FakeAws};

use super::aws::{PRIVATE, PUBLIC, machine};
use super::{Machine, is_anonymous, pair, says};

/// A machine without keys that asks `aws`.
fn bare(aws: &FakeAws) -> Machine {
    Machine::new().set("AWS_ENDPOINT_URL", aws.url())
}

/// What the credential says of its origin.
async fn origin(machine: &Machine) -> String {
    let found = machine.login(PRIVATE).await.unwrap();
    assert_eq!(pair(&found).0, "AWS");
    let (_, by) = found.provenance.split_once(", by ").unwrap();
    by.to_owned()
}

#[tokio::test]
async fn a_session_token_is_signed_and_sent() {
    let aws = FakeAws::start();
    aws.add(AwsKeys {
        id: "ASIASESSION".into(),
        secret: "s".into(),
        session: Some("session/token+==".into()),
    });
    let machine = bare(&aws)
        .set("AWS_ACCESS_KEY_ID", "ASIASESSION")
        .set("AWS_SECRET_ACCESS_KEY", "s")
        .set("AWS_SESSION_TOKEN", "session/token+==");
    assert_eq!(origin(&machine).await, "the keys in the environment");
    says(
        &machine.unset("AWS_SESSION_TOKEN").refused(PRIVATE).await,
        &["session whose token is missing"],
    );
}

#[tokio::test]
async fn profiles() {
    let aws = FakeAws::start();
    let keys = FakeAws::keys();
    let machine = bare(&aws);
    let (id, secret) = (&keys.id, &keys.secret);
    machine.write(
        ".aws/credentials",
        &format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n[half]\naws_access_key_id=x\n"),
    );
    machine.write(
        ".aws/config",
        "[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = default\nexternal_id = e\nregion = eu-central-1\n\
         [profile second]\nrole_arn = arn:aws:iam::1:role/s\nsource_profile = role\n\
         [profile loop]\nrole_arn = x\nsource_profile = pool\n[profile pool]\nrole_arn = x\nsource_profile = loop\n\
         [profile nowhere]\nrole_arn = x\nsource_profile = gone\n\
         [profile mfa]\nrole_arn = x\nsource_profile = default\nmfa_serial = y\n\
         [profile sso]\nsso_session = s\nsso_account_id = 1\n\
         [profile process]\ncredential_process = ./print-keys\n",
    );
    assert_eq!(origin(&machine).await, "the profile `default`");
    let machine = machine.set("AWS_PROFILE", "role");
    assert_eq!(
        origin(&machine).await,
        "the profile `role` (arn:aws:iam::1:role/r)"
    );
    let assumed = aws
        .service()
        .asked()
        .into_iter()
        .find(|asked| asked.field("Action").is_some())
        .unwrap();
    assert_eq!(assumed.field("ExternalId").as_deref(), Some("e"));
    says(assumed.header("authorization"), &["/eu-central-1/sts/"]);
    let machine = machine.set("AWS_PROFILE", "second");
    assert_eq!(
        origin(&machine).await,
        "the profile `second` (arn:aws:iam::1:role/s)"
    );
    assert_eq!(aws.roles("AssumeRole"), 3);
    let mut machine = machine;
    for (profile, parts) in [
        ("half", "not both"),
        ("loop", "circle"),
        ("nowhere", "`gone` does not exist"),
        ("mfa", "MFA"),
        ("sso", "export-credentials"),
        ("unknown", "AWS_PROFILE names the profile `unknown`"),
    ] {
        machine = machine.set("AWS_PROFILE", profile);
        says(&machine.refused(PRIVATE).await, &[parts, profile]);
    }
    let json = format!(r#"{{"Version":1,"AccessKeyId":"{id}","SecretAccessKey":"{secret}"}}"#);
    let script = machine.home.path().join("keys.json");
    std::fs::write(&script, json).unwrap();
    let config = format!(
        "[profile process]\ncredential_process = cat '{}'\n[profile fails]\ncredential_process = false\n",
        script.display()
    );
    let machine = machine.set("AWS_PROFILE", "process");
    let config = machine.write("other-config", &config);
    let machine = machine.set("AWS_CONFIG_FILE", config);
    assert_eq!(origin(&machine).await, "the profile `process`");
    let machine = machine.set("AWS_PROFILE", "fails");
    says(
        &machine.refused(PRIVATE).await,
        &["credential_process of the profile `fails` failed"],
    );
}

#[tokio::test]
async fn a_profile_may_take_a_role_by_its_own_keys() {
    let aws = FakeAws::start();
    let keys = FakeAws::keys();
    let machine = bare(&aws).set("AWS_PROFILE", "own");
    let text = format!(
        "[own]\nrole_arn = arn:r\nsource_profile = own\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        keys.id, keys.secret
    );
    machine.write(".aws/credentials", &text);
    assert_eq!(origin(&machine).await, "the profile `own` (arn:r)");
    assert_eq!(aws.roles("AssumeRole"), 1);
    // A role may also be taken with what the environment holds.
    let machine = machine.set("AWS_PROFILE", "env").set(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        format!("{}/container", aws.url()),
    );
    machine.write(
        ".aws/config",
        "[profile env]\nrole_arn = arn:e\ncredential_source = EcsContainer\n",
    );
    assert_eq!(origin(&machine).await, "the profile `env` (arn:e)");
}

#[tokio::test]
async fn a_web_identity() {
    let aws = FakeAws::start();
    let machine = bare(&aws).set("AWS_ROLE_ARN", "arn:aws:iam::1:role/pod");
    let file = machine.write("token", "web-identity-token\n");
    let machine = machine.set("AWS_WEB_IDENTITY_TOKEN_FILE", file);
    assert_eq!(
        origin(&machine).await,
        "the web identity of arn:aws:iam::1:role/pod"
    );
    let asked = &aws.service().asked()[0];
    assert!(asked.header("authorization").is_empty(), "the token is the proof");
    assert_eq!(asked.field("RoleSessionName").as_deref(), Some("landfall"));
    machine.write("token", "another token");
    let text = machine.refused(PRIVATE).await;
    says(
        &text,
        &[
            "sts:AssumeRoleWithWebIdentity for arn:aws:iam::1:role/pod",
            "InvalidIdentityToken",
            "issuer",
        ],
    );
    assert!(!text.contains("another token"), "{text}");
    machine.write("token", "web-identity-token");
    aws.fault(AwsFault::Denied);
    says(
        &machine.refused(PRIVATE).await,
        &[
            "AccessDenied",
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        ],
    );
    let machine = machine.set("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token");
    says(
        &machine.refused(PRIVATE).await,
        &["AWS_WEB_IDENTITY_TOKEN_FILE names /nowhere/token, which does not exist"],
    );
    says(
        &machine.unset("AWS_ROLE_ARN").refused(PRIVATE).await,
        &["AWS_ROLE_ARN is not"],
    );
}

#[tokio::test]
async fn a_container() {
    let aws = FakeAws::start();
    let machine = bare(&aws).set(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        format!("{}/container", aws.url()),
    );
    assert_eq!(origin(&machine).await, "the container's role");
    aws.container_token("agent-token-1");
    says(&machine.refused(PRIVATE).await, &["AccessDenied", "wrong token"]);
    let machine = machine.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "agent-token-1");
    assert_eq!(origin(&machine).await, "the container's role");
    let file = machine.write("agent", "agent-token-1\n");
    let machine = machine
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "old")
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file);
    assert_eq!(origin(&machine).await, "the container's role", "the file wins");
    let machine = machine.set(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "http://evil.example/container",
    );
    says(&machine.refused(PRIVATE).await, &["evil.example", "without TLS"]);
}

#[tokio::test]
async fn an_instance() {
    let aws = FakeAws::start();
    let machine = bare(&aws)
        .unset("AWS_EC2_METADATA_DISABLED")
        .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", aws.url());
    assert_eq!(origin(&machine).await, "the instance's role `node-role`");
    let paths: Vec<_> = aws
        .service()
        .asked()
        .iter()
        .map(|asked| asked.uri.path().to_owned())
        .collect();
    assert_eq!(
        paths,
        [
            "/latest/api/token",
            "/latest/meta-data/iam/security-credentials/",
            "/latest/meta-data/iam/security-credentials/node-role",
            "/"
        ]
    );
    aws.fault(AwsFault::NoRole);
    is_anonymous(&machine.login(PRIVATE).await.unwrap(), "the instance has no role");
    aws.fault(AwsFault::Redirect);
    is_anonymous(&machine.login(PRIVATE).await.unwrap(), "gives no token (307");
    aws.fault(AwsFault::Unavailable(1));
    assert_eq!(origin(&machine).await, "the instance's role `node-role`");
}

#[tokio::test]
async fn keys_that_are_over_are_fetched_anew() {
    let aws = FakeAws::start();
    let machine = bare(&aws).set(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        format!("{}/container", aws.url()),
    );
    let keyring = machine.keyring();
    keyring.lookup(&PRIVATE.parse().unwrap(), None).await.unwrap();
    aws.end_sessions();
    // The same keys serve all registries of a region; that they are over shows with the next one.
    let other = "210987654321.dkr.ecr.eu-west-1.amazonaws.com".parse().unwrap();
    keyring.lookup(&other, None).await.unwrap();
    assert_eq!(aws.service().count(|asked| asked.uri.path() == "/container"), 2);
    assert_eq!(aws.tokens(), 3);
}

#[tokio::test]
async fn the_order_is_that_of_awss_own_clients() {
    let aws = FakeAws::start();
    let machine = machine(&aws)
        .set(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            format!("{}/container", aws.url()),
        )
        .set("AWS_ROLE_ARN", "arn:r");
    let file = machine.write("token", "web-identity-token");
    let keys = FakeAws::keys();
    let text = format!(
        "[default]\naws_access_key_id={}\naws_secret_access_key={}",
        keys.id, keys.secret
    );
    machine.write(".aws/credentials", &text);
    let machine = machine.set("AWS_WEB_IDENTITY_TOKEN_FILE", file);
    assert_eq!(origin(&machine).await, "the keys in the environment");
    let machine = machine.unset("AWS_ACCESS_KEY_ID").unset("AWS_SECRET_ACCESS_KEY");
    assert_eq!(origin(&machine).await, "the web identity of arn:r");
    let machine = machine.unset("AWS_WEB_IDENTITY_TOKEN_FILE");
    assert_eq!(origin(&machine).await, "the profile `default`");
    machine.write(".aws/credentials", "");
    assert_eq!(origin(&machine).await, "the container's role");
}

/// Time is virtual: it passes when nothing else can happen, so a wait is as long as its limit and costs nothing.
#[tokio::test(start_paused = true)]
async fn a_machine_outside_of_every_cloud_waits_for_a_second_and_once() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let machine = Machine::new()
        .unset("AWS_EC2_METADATA_DISABLED")
        .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{address}"))
        .unset("NO_GCE_CHECK")
        .set("GCE_METADATA_HOST", address.to_string())
        .set("AZURE_POD_IDENTITY_AUTHORITY_HOST", format!("http://{address}"));
    let keyring = machine.keyring();
    for registry in [PRIVATE, PUBLIC, "gcr.io", "name.azurecr.io"] {
        let begun = tokio::time::Instant::now();
        let lookup = async || keyring.lookup(&registry.parse().unwrap(), None).await.unwrap();
        is_anonymous(&lookup().await, "no answer");
        assert!(
            begun.elapsed() <= Duration::from_millis(1500),
            "{registry}: {:?}",
            begun.elapsed()
        );
        let begun = tokio::time::Instant::now();
        is_anonymous(&lookup().await, "no answer");
        assert_eq!(begun.elapsed(), Duration::ZERO, "it is remembered");
    }
}

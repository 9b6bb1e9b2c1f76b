//! Certificates, and HTTP where HTTPS is meant.

use landfall_node::probe::{Cause, Endpoint, Next, StepKind};
use landfall_registries::{Attempt, Presented};
use landfall_testkit::certs::LOOPBACK;
use landfall_testkit::{Authority, FakeRegistry, Identity, Scratch};

use super::{PASSWORD, answering, ask, attempt, finding, http, image, with_password};

struct World {
    scratch: Scratch,
    authority: Authority,
}

impl World {
    fn new() -> Self {
        let world = Self {
            scratch: Scratch::new(),
            authority: Authority::new(),
        };
        world.scratch.write("ca.pem", world.authority.certificate());
        world
    }

    fn ca(&self) -> Vec<String> {
        vec![self.scratch.join("ca.pem").to_str().unwrap().to_owned()]
    }

    fn files(&self, identity: &Identity, name: &str) -> (String, String) {
        let (certificate, key) = identity.write(self.scratch.path(), name);
        (
            certificate.to_str().unwrap().to_owned(),
            key.to_str().unwrap().to_owned(),
        )
    }
}

fn serving(identity: Identity) -> (FakeRegistry, Attempt) {
    let (workload, repository, tag) = image();
    let registry = FakeRegistry::builder().workload(&workload).tls(identity).start();
    let attempt = attempt(&registry.url(), &repository, &tag);
    (registry, attempt)
}

async fn ask_trusting(world: &World, identity: Identity) -> Endpoint {
    let (_registry, mut attempt) = serving(identity);
    attempt.tls.ca = world.ca();
    ask(attempt).await
}

/// An identity of the authority's with other dates: the testkit's knows only 2020.
fn dated(names: &[&str], from: i32, to: i32) -> Identity {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    Identity {
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

#[tokio::test]
async fn trusted() {
    let world = World::new();
    let found = ask_trusting(&world, world.authority.issue(&LOOPBACK)).await;
    assert_eq!(found.next, Next::Served, "{found:#?}");
    let tls = found
        .steps
        .iter()
        .find(|step| step.kind == StepKind::Tls)
        .unwrap();
    assert!(
        tls.detail.contains("TLSv1_3") && tls.detail.contains("ca.pem"),
        "{tls}"
    );
    assert_eq!(found.certificates[0].names, LOOPBACK);
    assert_eq!(found.certificates[0].not_after, "2100-01-01 00:00 UTC");
    assert!(found.notes.is_empty(), "{:?}", found.notes);
}

#[tokio::test]
async fn signed_by_nobody_we_know() {
    let world = World::new();
    let (registry, mut attempt) = serving(world.authority.issue(&LOOPBACK));
    let found = ask(attempt.clone()).await;
    let finding_alone = finding(&found, StepKind::Tls, Cause::UnknownAuthority);
    assert!(
        finding_alone.message.contains("Landfall test authority"),
        "{}",
        finding_alone.message
    );
    let place = format!("configs.\"{}\".tls.ca_file", registry.address());
    assert!(
        finding_alone.advice[0].contains(&place),
        "{:?}",
        finding_alone.advice
    );
    assert_eq!(found.certificates.len(), 1, "shown though it was refused");

    // An authority that was made anew has the same name and another key.
    let scratch = Scratch::new();
    let other = scratch.write("other.pem", Authority::new().certificate());
    attempt.tls.ca = vec![other.to_str().unwrap().to_owned()];
    let found = ask(attempt).await;
    let message = &finding(&found, StepKind::Tls, Cause::UnknownAuthority).message;
    assert!(
        message.contains("other.pem") && message.contains("made anew"),
        "{message}"
    );
    assert!(
        registry.requests().is_empty(),
        "nothing was sent to an unproven server"
    );
}

#[tokio::test]
async fn self_signed() {
    let identity = Identity::self_signed(&LOOPBACK);
    let scratch = Scratch::new();
    let own = scratch.write("own.pem", &identity.certificate);
    let (_registry, mut attempt) = serving(identity);
    let found = ask(attempt.clone()).await;
    let message = &finding(&found, StepKind::Tls, Cause::SelfSigned).message;
    assert!(message.contains(&found.certificates[0].fingerprint), "{message}");
    attempt.tls.ca = vec![own.to_str().unwrap().to_owned()];
    assert_eq!(ask(attempt.clone()).await.next, Next::Served);
    attempt.tls.ca.clear();
    attempt.tls.skip_verify = true;
    let found = ask(attempt).await;
    assert_eq!(found.next, Next::Served);
    assert!(found.notes[0].contains("not verified"), "{:?}", found.notes);
}

#[tokio::test]
async fn names_and_dates() {
    let world = World::new();
    let found = ask_trusting(&world, world.authority.issue(&["registry.example", "10.9.8.7"])).await;
    let message = &finding(&found, StepKind::Tls, Cause::WrongName).message;
    assert!(message.contains("registry.example, 10.9.8.7"), "{message}");

    let found = ask_trusting(&world, world.authority.issue_expired(&LOOPBACK)).await;
    let message = &finding(&found, StepKind::Tls, Cause::Expired).message;
    assert!(message.contains("2021-01-01"), "{message}");

    let to_come = dated(&LOOPBACK, 3000, 3001);
    let own = world.scratch.write("own.pem", &to_come.certificate);
    let (_registry, mut attempt) = serving(to_come);
    attempt.tls.ca = vec![own.to_str().unwrap().to_owned()];
    let found = ask(attempt).await;
    let message = &finding(&found, StepKind::Tls, Cause::NotYetValid).message;
    assert!(message.contains("3000-01-01"), "{message}");
}

#[tokio::test]
async fn an_end_that_is_near_is_mentioned() {
    let world = World::new();
    let (_registry, mut attempt) = serving(world.authority.issue(&LOOPBACK));
    attempt.tls.ca = world.ca();
    let mut options = super::options();
    // Ten days before the end of 2099. Only what is said depends on it, not what is accepted.
    options.now = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(4_101_580_800);
    let found = super::ask_with(attempt, &options).await;
    assert_eq!(found.next, Next::Served);
    assert!(found.notes[0].contains("2100-01-01"), "{:?}", found.notes);
}

#[tokio::test]
async fn client_certificates() {
    let world = World::new();
    let (workload, repository, tag) = image();
    let registry = FakeRegistry::builder()
        .workload(&workload)
        .tls(world.authority.issue(&LOOPBACK))
        .client_authority(world.authority.certificate())
        .start();
    let mut without = attempt(&registry.url(), &repository, &tag);
    without.tls.ca = world.ca();
    let found = ask(without.clone()).await;
    let advice = &finding(&found, StepKind::Tls, Cause::ClientCertificateWanted).advice;
    assert!(advice[0].contains("cert_file"), "{advice:?}");

    let mut stranger = without.clone();
    stranger.tls.client = vec![world.files(&Authority::new().issue_client("stranger"), "stranger")];
    let found = ask(stranger).await;
    let message = &finding(&found, StepKind::Tls, Cause::ClientCertificateRefused).message;
    assert!(message.contains("stranger.crt"), "{message}");

    let known = world.authority.issue_client("node");
    let mut with = without.clone();
    with.tls.client = vec![world.files(&known, "node")];
    assert_eq!(ask(with).await.next, Next::Served);

    let both = world
        .scratch
        .write("both.pem", known.certificate.clone() + &known.key);
    let mut in_one_file = without.clone();
    in_one_file.tls.client = vec![(both.to_str().unwrap().to_owned(), String::new())];
    assert_eq!(ask(in_one_file).await.next, Next::Served);

    let mut keyless = without;
    keyless.tls.client = vec![(
        world.files(&known, "node").0,
        world.scratch.path().to_str().unwrap().to_owned(),
    )];
    let found = ask(keyless).await;
    finding(&found, StepKind::Configuration, Cause::UnusableFile);
    assert_eq!(found.next, Next::PullFails);
}

#[tokio::test]
async fn https_to_a_port_that_speaks_http() {
    let (workload, repository, tag) = image();
    let registry = FakeRegistry::with(&workload);
    let url = format!("https://{}", registry.address());
    let mut tls = with_password(attempt(&url, &repository, &tag), PASSWORD);
    let found = ask(tls.clone()).await;
    let advice = &finding(&found, StepKind::Tls, Cause::PlainHttpPort).advice;
    assert!(advice[0].contains("http://"), "{advice:?}");
    assert!(
        registry
            .requests()
            .iter()
            .all(|request| request.header("authorization").is_empty())
    );

    tls.http_fallback = true;
    let found = ask(tls).await;
    assert_eq!(found.next, Next::Served, "{found:#?}");
}

#[tokio::test]
async fn http_to_a_port_that_speaks_https() {
    let world = World::new();
    let (_registry, mut plain) = serving(world.authority.issue(&LOOPBACK));
    plain.url = plain.url.replace("https://", "http://");
    plain.plain_http = true;
    let found = ask(plain).await;
    let advice = &finding(&found, StepKind::Manifest, Cause::TlsPort).advice;
    assert!(advice[0].contains("https://"), "{advice:?}");
}

#[tokio::test]
async fn a_bad_request_that_is_not_about_tls() {
    let server = answering(|head| match head.contains("ns=") {
        true => http(head, "400 Bad Request", &[], "unknown query"),
        false => http(
            head,
            "404 Not Found",
            &["docker-distribution-api-version: registry/2.0"],
            "",
        ),
    })
    .await;
    let found = ask(attempt(&server, "a", "1")).await;
    finding(&found, StepKind::Manifest, Cause::NamespaceRefused);
    let server = answering(|head| http(head, "400 Bad Request", &[], "no")).await;
    let found = ask(attempt(&server, "a", "1")).await;
    finding(&found, StepKind::Manifest, Cause::UnexpectedStatus);
}

#[tokio::test]
async fn a_password_without_tls_is_mentioned() {
    let (workload, repository, tag) = image();
    let registry = FakeRegistry::with(&workload);
    let found = ask(with_password(
        attempt(&registry.url(), &repository, &tag),
        PASSWORD,
    ))
    .await;
    assert!(found.notes[0].contains("in the clear"), "{:?}", found.notes);
    let mut anonymous = attempt(&registry.url(), &repository, &tag);
    anonymous.presented = Presented::Anonymous;
    assert!(ask(anonymous).await.notes.is_empty());
}

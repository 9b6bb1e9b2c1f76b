//! Registries of clouds, under their real names: one login for many, passwords that are over in the middle of a run.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use landfall_auth::{Cloud, CloudOptions, Environment, Keyring};
use landfall_client::{Client, ClientError, Kind};
use landfall_oci::{Registry, Repository};
use landfall_testkit::Authority;
use landfall_testkit::cloud::{Detour, FakeAws, FakeAzure, FakeGoogle};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use crate::fake::{Reply, Seen, Server, reply};
use crate::{client, descriptor};

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const ACR: &str = "name.azurecr.io";
const GAR: &str = "europe-docker.pkg.dev";
const REFUSAL: &str = r#"{"errors":[{"code":"DENIED","message":"Your authorization token has expired. Reauthenticate and try again."}]}"#;

/// A registry with a cloud's name, and a client on a machine that this cloud knows.
struct Case {
    server: Server,
    client: Client,
    registry: Registry,
    _detour: Detour,
    _scratch: TempDir,
}

/// What the machine's environment holds.
type Variables = Vec<(&'static str, String)>;

impl Case {
    async fn new(
        registry: &str,
        authority: &Authority,
        variables: Variables,
        ways: &[(&str, u16)],
        answer: impl Fn(Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let tls = authority.issue(&[registry]);
        let acceptor = TlsAcceptor::from(tls.server_config(None));
        let answer = Arc::new(answer);
        let server = Server::start(Some(acceptor), move |seen| std::future::ready(answer(seen))).await;
        let mut all = ways.to_vec();
        all.push((registry, server.address.port()));
        let detour = Detour::new(&all);
        let scratch = tempfile::tempdir().unwrap();
        let ca = scratch.path().join("ca.pem");
        std::fs::write(&ca, authority.certificate()).unwrap();
        Self {
            client: machine(&ca, &detour, &variables),
            server,
            registry: registry.parse().unwrap(),
            _detour: detour,
            _scratch: scratch,
        }
    }

    async fn has_blob(&self) -> Result<bool, ClientError> {
        let name: Repository = "team/app".parse().unwrap();
        self.client
            .has_blob(&self.registry, &name, &descriptor(b"abc").digest)
            .await
    }
}

fn machine(ca: &Path, detour: &Detour, variables: &Variables) -> Client {
    let environment = Environment::from_lookup(|name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.into())
    });
    client(|options| {
        options.transport.tls.ca_files = vec![ca.to_owned()];
        options.transport.proxies.https = Some(detour.url());
        let cloud = Cloud::new(options.transport.clone(), &environment, CloudOptions::default());
        options.keyring = Keyring::default().with_cloud(cloud);
    })
}

fn keys(aws: &FakeAws) -> Variables {
    let keys = FakeAws::keys();
    vec![
        ("AWS_ENDPOINT_URL", aws.url()),
        ("AWS_ACCESS_KEY_ID", keys.id),
        ("AWS_SECRET_ACCESS_KEY", keys.secret),
    ]
}

/// A registry as ECR is one: Basic with the password of now, and `status` for those that are over.
async fn ecr(aws: &Arc<FakeAws>, status: u16) -> Case {
    let known = Arc::clone(aws);
    let answer = move |seen: Seen| {
        let right = STANDARD.encode(format!("AWS:{}", known.password()));
        match seen.header("authorization") {
            None => reply(401, &[("www-authenticate", "Basic realm=\"ecr\"")], REFUSAL),
            Some(given) if given == format!("Basic {right}") => reply(200, &[], "abc"),
            Some(_) if status == 401 => reply(401, &[("www-authenticate", "Basic realm=\"ecr\"")], REFUSAL),
            Some(_) => reply(status, &[], REFUSAL),
        }
    };
    Case::new(ECR, &Authority::new(), keys(aws), &[], answer).await
}

async fn pull_in_parallel(case: &Arc<Case>) {
    let pulls: Vec<_> = (0..64)
        .map(|_| {
            let case = Arc::clone(case);
            tokio::spawn(async move { case.has_blob().await })
        })
        .collect();
    for pull in pulls {
        assert!(pull.await.unwrap().unwrap());
    }
}

#[tokio::test]
async fn sixty_four_pulls_log_in_once_and_renew_once_together() {
    // ECR answers 403 for a password that is over; others would say 401.
    for status in [401, 403] {
        let aws = Arc::new(FakeAws::start());
        let case = Arc::new(ecr(&aws, status).await);
        pull_in_parallel(&case).await;
        assert_eq!(aws.tokens(), 1);
        aws.rotate();
        pull_in_parallel(&case).await;
        assert_eq!(aws.tokens(), 2, "{status}");
    }
}

#[tokio::test]
async fn a_registry_that_accepts_nothing_is_not_asked_for_ever() {
    let aws = Arc::new(FakeAws::start());
    let answer = |_| reply(401, &[("www-authenticate", "Basic realm=\"ecr\"")], REFUSAL);
    let case = Case::new(ECR, &Authority::new(), keys(&aws), &[], answer).await;
    for _ in 0..5 {
        let error = case.has_blob().await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unauthorized, "{error}");
        let text = error.to_string();
        assert!(text.contains("by the keys in the environment"), "{text}");
    }
    assert_eq!(aws.tokens(), 2);
}

#[tokio::test]
async fn a_right_that_is_missing_stays_missing() {
    let aws = Arc::new(FakeAws::start());
    let answer = |seen: Seen| match seen.header("authorization") {
        None => reply(401, &[("www-authenticate", "Basic realm=\"ecr\"")], ""),
        Some(_) => reply(403, &[], r#"{"errors":[{"code":"DENIED","message":"no"}]}"#),
    };
    let case = Case::new(ECR, &Authority::new(), keys(&aws), &[], answer).await;
    for _ in 0..5 {
        assert_eq!(case.has_blob().await.unwrap_err().kind(), Kind::Denied);
    }
    assert_eq!(aws.tokens(), 2);
    assert_eq!(case.server.count(|_| true), 1 + 2 + 4);
}

#[tokio::test]
async fn no_token_is_a_failure_of_the_login_with_its_reason() {
    let aws = Arc::new(FakeAws::start());
    aws.fault(landfall_testkit::cloud::AwsFault::Denied);
    let case = ecr(&aws, 401).await;
    let error = case.has_blob().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthorized);
    let text = error.to_string();
    assert!(
        text.contains("AccessDeniedException") && text.contains("team/app"),
        "{text}"
    );
    assert!(case.server.seen().is_empty());
}

/// Google's registry: a token server of its own, which wants the access token of now.
#[tokio::test]
async fn googles_token_that_is_over_is_renewed_at_the_registrys_token_server() {
    let google = Arc::new(FakeGoogle::start());
    let known = Arc::clone(&google);
    let round = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let now = Arc::clone(&round);
    let answer = move |seen: Seen| {
        let bearer = format!("registry-{}", now.load(std::sync::atomic::Ordering::SeqCst));
        let basic = STANDARD.encode(format!("oauth2accesstoken:{}", known.token()));
        let sent = seen.header("authorization").unwrap_or_default();
        match seen.path() {
            "/v2/token" if seen.method == Method::POST => reply(404, &[], ""),
            "/v2/token" if sent == format!("Basic {basic}") => {
                reply(200, &[], format!(r#"{{"token":"{bearer}"}}"#))
            }
            "/v2/token" => reply(401, &[], ""),
            _ if sent == format!("Bearer {bearer}") => reply(200, &[], "abc"),
            _ => {
                let value = format!(
                    r#"Bearer realm="https://{GAR}/v2/token",service="{GAR}",scope="repository:team/app:pull""#
                );
                reply(401, &[("www-authenticate", &value)], "")
            }
        }
    };
    let variables = vec![("GCE_METADATA_HOST", google.host())];
    let case = Arc::new(Case::new(GAR, &Authority::new(), variables, &[], answer).await);
    pull_in_parallel(&case).await;
    assert_eq!(google.metadata_tokens(), 1);
    google.rotate();
    round.store(1, std::sync::atomic::Ordering::SeqCst);
    pull_in_parallel(&case).await;
    assert_eq!(google.metadata_tokens(), 2);
}

/// Azure's registry: the challenge serves both the exchange and the pull.
#[tokio::test]
async fn azures_refresh_token_is_exchanged_once() {
    let authority = Authority::new();
    let tls = authority.issue(&[ACR, "login.microsoftonline.com"]);
    let azure = FakeAzure::start(&tls);
    let detour = Detour::new(&[("", azure.port())]);
    let scratch = tempfile::tempdir().unwrap();
    let ca = scratch.path().join("ca.pem");
    std::fs::write(&ca, authority.certificate()).unwrap();
    let variables = vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", azure.metadata_url())];
    let client = machine(&ca, &detour, &variables);
    let name: Repository = "team/app".parse().unwrap();
    let digest = descriptor(b"content").digest;
    for _ in 0..3 {
        assert!(
            client
                .has_blob(&ACR.parse().unwrap(), &name, &digest)
                .await
                .unwrap()
        );
    }
    assert_eq!(azure.exchanges(), 1);
    let basic = STANDARD.encode(format!(
        "00000000-0000-0000-0000-000000000000:{}",
        azure.refresh_token()
    ));
    let logins = azure.service().count(|asked| {
        asked.uri.path() == "/oauth2/token" && asked.header("authorization") == format!("Basic {basic}")
    });
    assert_eq!(logins, 1);
}

#[tokio::test]
async fn a_public_registry_works_without_any_cloud() {
    let variables = vec![("GCE_METADATA_HOST", "127.0.0.1:1".to_owned())];
    let answer = |seen: Seen| match seen.header("authorization") {
        None => reply(200, &[], "abc"),
        Some(_) => reply(500, &[], ""),
    };
    let case = Case::new("gcr.io", &Authority::new(), variables, &[], answer).await;
    assert!(case.has_blob().await.unwrap());
}

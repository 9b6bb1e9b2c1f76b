//! Endpoints with every fault that we know.

mod answers;
mod auth;
mod tls;
mod way;

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use landfall_node::probe::{Cause, Endpoint, Finding, Next, ProbeOptions, Report, StepKind, probe};
use landfall_registries::{Attempt, Because, Presented, TlsUse};
use landfall_testkit::{FakeRegistry, Workload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const PASSWORD: &str = "hunter2hunter2";

pub fn options() -> ProbeOptions {
    let mut options = ProbeOptions::at(SystemTime::now());
    options.system_roots = false;
    options.timeouts.connect = Duration::from_secs(5);
    options.timeouts.response = Duration::from_secs(5);
    options
}

/// What the explanation of a pull of `repository:tag` gives for an endpoint.
pub fn attempt(base: &str, repository: &str, tag: &str) -> Attempt {
    let (scheme, host) = base.split_once("://").unwrap();
    Attempt {
        url: format!("{base}/v2/{repository}/manifests/{tag}?ns=docker.io"),
        host: host.to_owned(),
        repository: repository.to_owned(),
        plain_http: scheme == "http",
        http_fallback: false,
        tls: TlsUse::default(),
        presented: Presented::Anonymous,
        token_scope: format!("repository:{repository}:pull"),
        error: None,
        because: Because::default(),
    }
}

pub fn with_password(mut attempt: Attempt, password: &str) -> Attempt {
    attempt.presented = Presented::Basic {
        username: "robot".to_owned(),
        password: password.to_owned().into(),
    };
    attempt
}

pub async fn ask(attempt: Attempt) -> Endpoint {
    ask_with(attempt, &options()).await
}

pub async fn ask_with(attempt: Attempt, options: &ProbeOptions) -> Endpoint {
    let secrets: Vec<String> = match &attempt.presented {
        Presented::Basic { password, .. } => vec![password.expose().to_owned()],
        Presented::IdentityToken(token) => vec![token.expose().to_owned()],
        _ => Vec::new(),
    };
    let report: Report = probe(&[attempt], options).await;
    let text = serde_json::to_string(&report).unwrap() + &format!("{report:?}");
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        assert!(!text.contains(secret), "a secret is shown: {text}");
    }
    report.endpoints.into_iter().next().unwrap()
}

#[track_caller]
pub fn finding(endpoint: &Endpoint, step: StepKind, cause: Cause) -> &Finding {
    let Some(finding) = &endpoint.finding else {
        panic!("nothing was found: {endpoint:#?}")
    };
    assert_eq!((finding.step, finding.cause), (step, cause), "{endpoint:#?}");
    assert!(!finding.advice.is_empty(), "{finding:?}");
    assert_ne!(endpoint.next, Next::Served);
    assert!(
        endpoint.steps.iter().any(|step| !step.ok),
        "no step failed: {endpoint:#?}"
    );
    finding
}

#[track_caller]
pub fn kinds(endpoint: &Endpoint) -> Vec<StepKind> {
    endpoint.steps.iter().map(|step| step.kind).collect()
}

/// A workload with one image that is there, and its names.
pub fn image() -> (Workload, String, String) {
    let workload = Workload::small(1);
    let image = &workload.images[0];
    let names = (image.repository.to_string(), image.tag.to_string());
    (workload, names.0, names.1)
}

/// Only manifests, tokens and questions: never a layer.
#[track_caller]
pub fn assert_no_layer(registry: &FakeRegistry) {
    let blobs = registry.count_where(|request| request.path.contains("/blobs/"));
    assert_eq!(blobs, 0);
}

/// A server that is given each raw connection.
pub async fn raw<F, R>(handler: F) -> SocketAddr
where
    F: Fn(TcpStream) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(handler(tcp));
        }
    });
    address
}

/// A server that answers each request by its first line: `METHOD PATH`.
pub async fn answering(answer: impl Fn(&str) -> String + Clone + Send + Sync + 'static) -> String {
    let address = raw(move |mut tcp| {
        let answer = answer.clone();
        async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match tcp.read_u8().await {
                    // The first byte of a TLS handshake.
                    Ok(22) | Err(_) => return,
                    Ok(byte) => head.push(byte),
                }
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let _ = tcp.write_all(answer(&head).as_bytes()).await;
            let _ = tcp.shutdown().await;
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        }
    })
    .await;
    format!("http://{address}")
}

/// One answer; a HEAD's body is left out.
pub fn http(head: &str, status: &str, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let shown = if head.starts_with("HEAD") { "" } else { body };
    let len = body.len();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {len}\r\n{headers}\r\n{shown}")
}

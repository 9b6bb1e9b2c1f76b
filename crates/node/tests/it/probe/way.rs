//! The way to an endpoint: names, connections, silence, proxies; and several endpoints together.

use std::time::{Duration, Instant};

use landfall_node::probe::{Cause, Next, StepKind, probe};
use landfall_registries::{Attempt, Presented};
use landfall_testkit::FakeRegistry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    PASSWORD, answering, ask, ask_with, assert_no_layer, attempt, finding, http, image, kinds, options, raw,
};

#[tokio::test]
async fn an_endpoint_that_serves() {
    let (workload, repository, tag) = image();
    let registry = FakeRegistry::with(&workload);
    let found = ask(attempt(&registry.url(), &repository, &tag)).await;
    assert!(found.finding.is_none(), "{found:#?}");
    assert_eq!(found.next, Next::Served);
    assert_eq!(kinds(&found), [StepKind::Connect, StepKind::Manifest]);
    let manifest = found.manifest.unwrap();
    assert_eq!(manifest.digest.unwrap(), workload.images[0].root.to_string());
    let requests = registry.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].method, "HEAD");
    assert_eq!(requests[0].query, "ns=docker.io");
    assert!(found.steps[0].micros > 0);
    assert!(found.steps[1].to_string().contains("HEAD"), "{}", found.steps[1]);
}

#[tokio::test]
async fn a_name_is_looked_up() {
    let (workload, repository, tag) = image();
    let registry = FakeRegistry::with(&workload);
    let found = ask(attempt(
        &format!("http://localhost:{}", registry.port()),
        &repository,
        &tag,
    ))
    .await;
    assert!(found.finding.is_none(), "{found:#?}");
    assert_eq!(
        kinds(&found),
        [StepKind::Dns, StepKind::Connect, StepKind::Manifest]
    );
    assert!(found.steps[0].detail.contains("127.0.0.1"));

    let found = ask(attempt("https://registry.invalid", "a", "1")).await;
    // Where there is no name server at all, that is what is said.
    let cause = found.finding.as_ref().unwrap().cause;
    assert!(
        matches!(cause, Cause::NameUnknown | Cause::ResolverSilent),
        "{found:#?}"
    );
    assert!(
        finding(&found, StepKind::Dns, cause)
            .message
            .contains("registry.invalid")
    );
    assert_eq!(kinds(&found), [StepKind::Dns]);
}

#[tokio::test]
async fn nothing_listens() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let found = ask(attempt(&format!("https://{gone}"), "a", "1")).await;
    let finding = finding(&found, StepKind::Connect, Cause::Refused);
    assert!(finding.message.contains(&gone.to_string()));
    assert_eq!(kinds(&found), [StepKind::Connect]);
}

#[tokio::test]
async fn packets_vanish() {
    // A full queue of connections that nobody accepts: further ones get no answer.
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        None,
    )
    .unwrap();
    rustix::net::bind(
        &socket,
        &std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0),
    )
    .unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let listener = std::net::TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    let waiting: Vec<_> = (0..4)
        .map(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)))
        .collect();
    assert!(waiting.iter().any(Result::is_err), "the queue is full");
    let mut options = options();
    options.timeouts.connect = Duration::from_millis(300);
    let found = ask_with(attempt(&format!("https://{address}"), "a", "1"), &options).await;
    finding(&found, StepKind::Connect, Cause::ConnectTimeout);
}

#[tokio::test]
async fn silence_after_the_connection() {
    let silent = raw(|tcp| async move {
        let _held = tcp;
        std::future::pending::<()>().await;
    })
    .await;
    let mut options = options();
    // Long enough for a connection on a machine with much to do.
    options.timeouts.connect = Duration::from_secs(2);
    options.timeouts.response = Duration::from_millis(300);
    let found = ask_with(attempt(&format!("https://{silent}"), "a", "1"), &options).await;
    finding(&found, StepKind::Tls, Cause::AnswerTimeout);
    let found = ask_with(attempt(&format!("http://{silent}"), "a", "1"), &options).await;
    finding(&found, StepKind::Manifest, Cause::AnswerTimeout);

    // With all the patience in the world the whole still ends, and keeps what was done.
    options.timeouts.response = Duration::from_secs(3600);
    options.total = Duration::from_secs(3);
    let begun = Instant::now();
    let mut found = probe(
        &vec![attempt(&format!("http://{silent}"), "a", "1"); 20],
        &options,
    )
    .await;
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert_eq!(found.endpoints.len(), 20);
    let first = found.endpoints.remove(0);
    assert_eq!(first.finding.unwrap().cause, Cause::OutOfTime);
    assert_eq!(first.steps[0].kind, StepKind::Connect);
}

#[tokio::test]
async fn the_connection_breaks() {
    let cut = raw(|mut tcp| async move {
        let _ = tcp.read(&mut [0; 16]).await;
    })
    .await;
    let found = ask(attempt(&format!("https://{cut}"), "a", "1")).await;
    finding(&found, StepKind::Tls, Cause::TlsCut);
    let found = ask(attempt(&format!("http://{cut}"), "a", "1")).await;
    finding(&found, StepKind::Manifest, Cause::Interrupted);
}

#[tokio::test]
async fn endpoints_that_cannot_be_asked() {
    let mut dead = attempt("https://h", "a", "1");
    dead.url = "https:///v2/a/manifests/1".to_owned();
    dead.error = Some("no Host in request URL".to_owned());
    let found = ask(dead.clone()).await;
    let message = &finding(&found, StepKind::Configuration, Cause::InvalidEndpoint).message;
    assert!(message.contains("no Host"));
    dead.error = None;
    finding(&ask(dead).await, StepKind::Configuration, Cause::InvalidEndpoint);

    let mut broken = attempt("https://h", "a", "1");
    broken.presented = Presented::Broken("illegal base64 data at input byte 4".to_owned());
    finding(
        &ask(broken).await,
        StepKind::Configuration,
        Cause::BrokenCredential,
    );

    let mut file = attempt("https://h", "a", "1");
    file.tls.ca = vec!["/nonexistent/ca.pem".to_owned()];
    let found = ask(file).await;
    let found_finding = finding(&found, StepKind::Configuration, Cause::UnusableFile);
    assert!(found_finding.message.contains("/nonexistent/ca.pem"));
    assert_eq!(found.next, Next::PullFails);
}

#[tokio::test]
async fn the_endpoint_that_the_pull_takes_is_named() {
    let (workload, repository, tag) = image();
    let registry = FakeRegistry::with(&workload);
    let empty = FakeRegistry::empty();
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let at = |url: &str| attempt(url, &repository, &tag);
    let mut unusable: Attempt = at(&registry.url());
    unusable.tls.ca = vec!["/nonexistent".to_owned()];
    let attempts = [
        at(&format!("http://{gone}")),
        at(&empty.url()),
        at(&registry.url()),
        at(&registry.url()),
    ];
    let report = probe(&attempts, &options()).await;
    assert_eq!(report.served_by, Some(2), "{report:#?}");
    assert_eq!(report.endpoints.len(), 4, "those behind are asked, too");
    let hosts: Vec<_> = report
        .endpoints
        .iter()
        .map(|endpoint| endpoint.host.clone())
        .collect();
    assert_eq!(hosts, attempts.map(|attempt| attempt.host));
    let report = probe(&[unusable, at(&registry.url())], &options()).await;
    assert_eq!(report.served_by, None, "an unusable file ends the pull");
    assert_no_layer(&registry);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["endpoints"][0]["finding"]["cause"], "unusable-file");
    assert_eq!(json["endpoints"][0]["next"], "pull-fails");
}

#[tokio::test]
async fn proxies_that_do_not_let_us_through() {
    let refusing = raw(|mut tcp| async move {
        let mut head = vec![0; 4096];
        let _ = tcp.read(&mut head).await;
        let _ = tcp
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            .await;
    })
    .await;
    let mut options = options();
    let proxy = format!("http://someone:{PASSWORD}@{refusing}");
    options.proxies.https = Some(proxy.clone());
    let found = ask_with(attempt("https://registry.invalid", "a", "1"), &options).await;
    let text = &finding(&found, StepKind::Proxy, Cause::Proxy).message;
    assert!(
        text.contains("407") && text.contains("registry.invalid"),
        "{text}"
    );
    assert!(!format!("{found:?}").contains(PASSWORD));

    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    options.proxies.https = Some(format!("http://{gone}"));
    let found = ask_with(attempt("https://registry.invalid", "a", "1"), &options).await;
    finding(&found, StepKind::Proxy, Cause::Proxy);

    let page = answering(|head| {
        http(
            head,
            "503 Service Unavailable",
            &["x-squid-error: ERR_DNS_FAIL 0"],
            "<html>no",
        )
    })
    .await;
    options.proxies.http = Some(page);
    let found = ask_with(attempt("http://registry.invalid", "a", "1"), &options).await;
    finding(&found, StepKind::Manifest, Cause::ServerError);
    let page = answering(|head| http(head, "403 Forbidden", &["via: 1.1 squid"], "denied")).await;
    options.proxies.http = Some(page);
    let found = ask_with(attempt("http://registry.invalid", "a", "1"), &options).await;
    assert!(
        finding(&found, StepKind::Manifest, Cause::Intercepted)
            .message
            .contains("squid")
    );
}

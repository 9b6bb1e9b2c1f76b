//! Trying again, pacing, connection reuse.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use landfall_net::client::{NetError, Request, RequestBody};

use super::fake::{Server, raw, reply};
use super::{body, get, transport};

/// A server that answers these statuses one after another, then 200.
async fn moody(statuses: &'static [(u16, &'static [(&'static str, &'static str)])]) -> Server {
    let next = AtomicUsize::new(0);
    Server::plain(move |_| match statuses.get(next.fetch_add(1, Ordering::SeqCst)) {
        Some((status, headers)) => reply(*status, headers, "no"),
        None => reply(200, &[], "yes"),
    })
    .await
}

#[tokio::test]
async fn what_may_be_better_the_next_time_is_tried_again_on_the_same_connection() {
    let server = moody(&[(503, &[]), (408, &[])]).await;
    let response = get(&transport(|_| ()), &server.url("/x")).await.unwrap();
    assert_eq!((response.status().as_u16(), response.attempts()), (200, 3));
    assert_eq!(body(response).await.unwrap(), "yes");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn the_last_answer_is_given_when_tries_are_used_up() {
    let server = moody(&[(500, &[]), (502, &[]), (504, &[])]).await;
    let response = get(&transport(|_| ()), &server.url("/x")).await.unwrap();
    assert_eq!((response.status().as_u16(), response.attempts()), (504, 3));
}

#[tokio::test]
async fn what_stays_so_is_asked_once() {
    for status in [400, 401, 403, 404, 413] {
        let server = Server::plain(move |_| reply(status, &[], "")).await;
        assert_eq!(
            get(&transport(|_| ()), &server.url("/")).await.unwrap().status(),
            status
        );
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_request_that_may_not_be_repeated_is_not() {
    let server = moody(&[(503, &[])]).await;
    let body = Bytes::from_static(b"once");
    let request = Request::new(Method::POST, server.url("/")).body(RequestBody::Bytes(&body));
    let transport = transport(|_| ());
    assert_eq!(transport.send(&request).await.unwrap().status(), 503);
    assert_eq!(transport.send(&request.repeatable()).await.unwrap().status(), 200);
    assert_eq!(server.seen()[1].body, "once");
}

#[tokio::test]
async fn retry_after_is_honoured_and_holds_the_whole_host() {
    let server = moody(&[(429, &[("retry-after", "1")])]).await;
    let transport = transport(|_| ());
    let begun = Instant::now();
    let (url, other) = (server.url("/a"), server.url("/b"));
    let (first, second) = tokio::join!(get(&transport, &url), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        get(&transport, &other).await
    });
    assert_eq!(first.unwrap().attempts(), 2);
    assert_eq!(second.unwrap().attempts(), 1);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn who_asks_for_an_hour_is_not_waited_for() {
    let server = moody(&[(429, &[("retry-after", "3600")])]).await;
    let transport = transport(|_| ());
    let response = get(&transport, &server.url("/")).await.unwrap();
    assert_eq!((response.status().as_u16(), response.attempts()), (429, 1));
    assert_eq!(response.header("retry-after"), Some("3600"));
    drop(response);
    assert_eq!(get(&transport, &server.url("/")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn nobody_there() {
    let (address, task) = raw(|_, _| std::future::ready(())).await;
    task.abort();
    let _ = task.await;
    let error = get(&transport(|_| ()), &format!("http://{address}/").parse().unwrap())
        .await
        .unwrap_err();
    assert!(matches!(error.root(), NetError::Connect { .. }), "{error}");
    assert!(error.to_string().contains("(tried 3 times)"), "{error}");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_not_tried_again() {
    let url = "https://no-such-host.invalid/v2/".parse().unwrap();
    let error = get(&transport(|options| options.retry.attempts = 2), &url)
        .await
        .unwrap_err();
    assert!(matches!(error.root(), NetError::Dns { .. }), "{error}");
    assert!(error.to_string().contains("no-such-host.invalid"));
}

#[tokio::test]
async fn no_more_requests_at_once_than_allowed() {
    let now = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (running, peak) = (Arc::clone(&now), Arc::clone(&most));
    let server = Server::start(None, move |_| {
        let (running, peak) = (Arc::clone(&running), Arc::clone(&peak));
        async move {
            let at_once = running.fetch_add(1, Ordering::SeqCst) + 1;
            peak.fetch_max(at_once, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(10)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            reply(200, &[], "")
        }
    })
    .await;
    let transport = transport(|options| options.default_host.concurrency = 3);
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (transport, url) = (transport.clone(), server.url("/"));
            tokio::spawn(async move { get(&transport, &url).await.unwrap().discard().await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), 3);
    assert!(server.connections() <= 4, "{} connections", server.connections());
}

#[tokio::test]
async fn silence_instead_of_an_answer() {
    let (address, task) = raw(|tcp, _| async move {
        tokio::time::sleep(Duration::from_secs(30)).await;
        drop(tcp);
    })
    .await;
    let transport = transport(|options| {
        options.timeouts.response = Duration::from_millis(50);
        options.retry.attempts = 1;
    });
    let error = get(
        &transport,
        &format!("http://{address}/x?sig=hunter2").parse().unwrap(),
    )
    .await
    .unwrap_err();
    assert!(matches!(error, NetError::Timeout { .. }), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    task.abort();
}

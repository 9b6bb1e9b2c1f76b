//! Bodies in both directions: cut, stalled, dripping, too large, refused half-way, unreadable at their source.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};
use http::Method;
use landfall_net::client::{BodyStream, NetError, OpenBody, Request, RequestBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::fake::{Server, cut, drip, raw, reply, stall};
use super::{body, get, transport};

#[tokio::test]
async fn cut_and_stalled_bodies_are_told_apart() {
    let server = Server::plain(|seen| match seen.path() {
        "/cut" => cut(200, &[], "abc", Some(10)),
        "/cut-chunked" => cut(200, &[], "abc", None),
        _ => stall(200, &[], "abc", Some(10)),
    })
    .await;
    let transport = transport(|options| options.timeouts.stall = Duration::from_millis(50));
    for (path, is_stall) in [("/cut", false), ("/cut-chunked", false), ("/stall", true)] {
        let mut response = get(&transport, &server.url(path)).await.unwrap();
        assert_eq!(response.chunk().await.unwrap().unwrap(), "abc");
        let error = response.chunk().await.unwrap_err();
        assert_eq!(matches!(error, NetError::Stalled { .. }), is_stall, "{error}");
        assert_eq!(
            matches!(error, NetError::Interrupted { .. }),
            !is_stall,
            "{error}"
        );
        assert!(error.is_transient());
    }
}

#[tokio::test]
async fn a_reset_is_an_interruption() {
    let (address, task) = raw(|mut tcp, _| async move {
        let mut head = vec![0; 4096];
        let _ = tcp.read(&mut head).await;
        tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
        tcp.set_zero_linger().unwrap();
    })
    .await;
    let url = format!("http://{address}/").parse().unwrap();
    let mut response = get(&transport(|_| ()), &url).await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "abc");
    let error = response.chunk().await.unwrap_err();
    assert!(matches!(error, NetError::Interrupted { .. }), "{error}");
    assert!(error.to_string().contains("reset"), "{error}");
    task.abort();
}

#[tokio::test]
async fn a_byte_now_and_then_is_a_stall_too() {
    let server = Server::plain(|_| drip(1000, Duration::from_millis(10))).await;
    let transport = transport(|options| options.timeouts.stall = Duration::from_millis(100));
    let begun = Instant::now();
    let error = body(get(&transport, &server.url("/")).await.unwrap())
        .await
        .unwrap_err();
    assert!(matches!(error, NetError::Stalled { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_slow_reader_is_not_a_stalled_server() {
    let server = Server::plain(|_| reply(200, &[], vec![7; 3 << 20])).await;
    let transport = transport(|options| options.timeouts.stall = Duration::from_millis(50));
    let mut response = get(&transport, &server.url("/")).await.unwrap();
    let (mut total, mut largest, mut pieces) = (0, 0, 0);
    while let Some(chunk) = response.chunk().await.unwrap() {
        if pieces < 3 {
            tokio::time::sleep(Duration::from_millis(80)).await;
        }
        total += chunk.len();
        largest = largest.max(chunk.len());
        pieces += 1;
    }
    assert_eq!(total, 3 << 20);
    assert!(largest >= 64 * 1024, "pieces are large: {largest}");
    assert!(largest <= 512 * 1024, "and bounded: {largest}");
}

#[tokio::test]
async fn bodies_have_limits() {
    let server = Server::plain(|seen| match seen.path() {
        "/stated" => reply(200, &[], vec![b'x'; 2000]),
        _ => super::fake::chunked(500, &[], vec![b'x'; 200_000]),
    })
    .await;
    let transport = transport(|options| options.retry.attempts = 1);
    let stated = get(&transport, &server.url("/stated"))
        .await
        .unwrap()
        .bytes(1999)
        .await;
    assert!(matches!(stated, Err(NetError::BodyTooLarge { limit: 1999, .. })));
    let unstated = get(&transport, &server.url("/"))
        .await
        .unwrap()
        .bytes(199_999)
        .await;
    assert!(matches!(unstated, Err(NetError::BodyTooLarge { .. })));
    assert_eq!(
        get(&transport, &server.url("/"))
            .await
            .unwrap()
            .error_body()
            .await
            .len(),
        64 * 1024
    );
}

struct Source {
    piece: usize,
    pieces: usize,
    fails: bool,
}

impl OpenBody for Source {
    fn open(&self) -> BoxFuture<'_, io::Result<BodyStream>> {
        let piece = Bytes::from(vec![1; self.piece]);
        let good = stream::repeat(piece).take(self.pieces).map(Ok);
        let bad = stream::iter(self.fails.then(|| Err(io::Error::other("bad sector"))));
        Box::pin(std::future::ready(Ok(good.chain(bad).boxed())))
    }
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_an_upload_is_read() {
    let (address, task) = raw(|mut tcp, _| async move {
        let mut head = vec![0; 100];
        let _ = tcp.read(&mut head).await;
        let answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge";
        tcp.write_all(answer).await.unwrap();
        // Closing with unread bytes resets the connection.
        tokio::time::sleep(Duration::from_millis(100)).await;
    })
    .await;
    let source = Source {
        piece: 64 * 1024,
        pieces: 4096,
        fails: false,
    };
    let url = format!("http://{address}/").parse().unwrap();
    let request = Request::new(Method::PUT, url).body(RequestBody::Stream {
        len: 64 * 1024 * 4096,
        source: &source,
    });
    let begun = Instant::now();
    let response = transport(|_| ()).send(&request).await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(response.error_body().await, "large");
    assert!(begun.elapsed() < Duration::from_secs(5), "the rest was not sent");
    task.abort();
}

#[tokio::test]
async fn what_is_not_wanted_any_more_is_not_sent() {
    let (sent, received) = tokio::sync::oneshot::channel();
    let sent = std::sync::Mutex::new(Some(sent));
    let (address, task) = raw(move |mut tcp, _| {
        let sent = sent.lock().unwrap().take();
        async move {
            let mut buffer = vec![0; 64 * 1024];
            let mut total = tcp.read(&mut buffer).await.unwrap();
            tcp.write_all(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
                .await
                .unwrap();
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                match tcp.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(n) => total += n,
                }
            }
            let _ = sent.unwrap().send(total);
        }
    })
    .await;
    let source = Source {
        piece: 64 * 1024,
        pieces: 16 * 1024,
        fails: false,
    };
    let request =
        Request::new(Method::PUT, format!("http://{address}/").parse().unwrap()).body(RequestBody::Stream {
            len: 1 << 30,
            source: &source,
        });
    let response = transport(|_| ()).send(&request).await.unwrap();
    assert_eq!(response.status(), 401);
    response.discard().await;
    let total = received.await.unwrap();
    assert!(
        total < 64 << 20,
        "{total} bytes were sent to a server that had refused"
    );
    task.abort();
}

#[tokio::test]
async fn a_source_that_fails_or_lies_is_named() {
    let server = Server::plain(|_| reply(201, &[], "")).await;
    let send = async |pieces: usize, len: u64, fails: bool| {
        let source = Source {
            piece: 1000,
            pieces,
            fails,
        };
        let body = RequestBody::Stream { len, source: &source };
        let request = Request::new(Method::PUT, server.url("/")).body(body).repeatable();
        transport(|_| ())
            .send(&request)
            .await
            .map(|response| response.status().as_u16())
    };
    assert_eq!(send(3, 3000, false).await.unwrap(), 201);
    for (pieces, len, fails) in [(2, 3000, true), (2, 3000, false), (4, 3500, false)] {
        let error = send(pieces, len, fails).await.unwrap_err();
        assert!(matches!(error, NetError::Source { .. }), "{pieces}: {error}");
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn every_try_reads_the_source_anew() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::plain(move |seen| {
        assert_eq!(seen.body.len(), 5000);
        match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => reply(503, &[], ""),
            _ => reply(201, &[], ""),
        }
    })
    .await;
    let source = Source {
        piece: 1000,
        pieces: 5,
        fails: false,
    };
    let body = RequestBody::Stream {
        len: 5000,
        source: &source,
    };
    let request = Request::new(Method::PUT, server.url("/")).body(body).repeatable();
    assert_eq!(transport(|_| ()).send(&request).await.unwrap().status(), 201);
}

#[tokio::test]
async fn an_empty_post_says_so() {
    let server = Server::plain(|_| reply(202, &[], "")).await;
    transport(|_| ())
        .send(&Request::new(Method::POST, server.url("/")))
        .await
        .unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.header("content-length"), Some("0"));
    assert!(seen.header("user-agent").unwrap().starts_with("landfall/"));
}

//! Clients that are slow, rude or many.

use std::time::{Duration, Instant};

use landfall_net::server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::tools::{Running, bytes, file_of, soon};

const MIB: usize = 1 << 20;

fn milliseconds(number: u64) -> Duration {
    Duration::from_millis(number)
}

#[tokio::test]
async fn a_slow_client_gets_every_byte_however_short_the_time_between_requests() {
    let expected = bytes(24 * MIB);
    let limits = Limits {
        idle_timeout: milliseconds(500),
        header_timeout: milliseconds(400),
        ..Limits::default()
    };
    for path in ["/file", "/secure"] {
        let server = Running::plain(limits.clone(), file_of(&expected)).await;
        let mut client = server.connect_narrow().await;
        client.ask("GET", path, None).await;
        soon(client.head()).await.unwrap();
        let mut body = vec![0; expected.len()];
        let start = Instant::now();
        for piece in body.chunks_mut(MIB) {
            tokio::time::sleep(milliseconds(50)).await;
            soon(client.0.read_exact(piece)).await.unwrap();
        }
        assert!(
            start.elapsed() > limits.idle_timeout * 2,
            "it took much longer than the timeouts"
        );
        assert!(body == expected);
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_let_go() {
    let limits = Limits {
        stall_timeout: milliseconds(100),
        ..Limits::default()
    };
    for path in ["/file", "/secure"] {
        let server = Running::plain(limits.clone(), file_of(&bytes(32 * MIB))).await;
        let mut client = server.connect_narrow().await;
        client.ask("GET", path, None).await;
        soon(server.all_ended()).await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_costs_nothing() {
    let server = Running::plain(Limits::default(), file_of(&bytes(32 * MIB))).await;
    for _ in 0..10 {
        let mut client = server.connect_narrow().await;
        client.ask("GET", "/file", None).await;
        soon(client.head()).await.unwrap();
        drop(client);
    }
    soon(server.all_ended()).await;
    assert_eq!(soon(server.connect().await.get("/hello")).await.body, b"hello");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_at_once() {
    let expected = std::sync::Arc::new(bytes(2 * MIB));
    let server = Running::plain(Limits::default(), file_of(&expected)).await;
    let mut tasks = Vec::new();
    for i in 0..100_u64 {
        let mut client = server.connect().await;
        let expected = std::sync::Arc::clone(&expected);
        tasks.push(tokio::spawn(async move {
            for round in 0..3 {
                let from = (i * 7919 + round * 104_729) % (1 << 20);
                let answer = client.get_range("/file", from..expected.len() as u64).await;
                assert!(answer.body == expected[from as usize..]);
            }
        }));
    }
    for task in tasks {
        soon(task).await.unwrap();
    }
    assert_eq!(server.stats.accepted(), 100);
    assert_eq!(server.stats.copied_bytes(), 0);
}

#[tokio::test]
async fn more_connections_than_allowed_wait_their_turn() {
    let limits = Limits {
        max_connections: 2,
        ..Limits::default()
    };
    let server = Running::plain(limits, file_of(b"x")).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    let mut third = server.connect().await;
    soon(first.get("/hello")).await;
    soon(second.get("/hello")).await;
    third.ask("GET", "/hello", None).await;
    let early = tokio::time::timeout(milliseconds(50), third.head()).await;
    assert!(early.is_err(), "no room yet");
    drop(first);
    assert_eq!(soon(third.head()).await.unwrap().0, 200);
    assert_eq!(server.stats.accepted(), 3);
}

#[tokio::test]
async fn a_head_that_trickles_in_is_not_waited_for() {
    let limits = Limits {
        header_timeout: milliseconds(200),
        ..Limits::default()
    };
    let server = Running::plain(limits, file_of(b"x")).await;
    for before in ["", "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut client = server.connect().await;
        if !before.is_empty() {
            client.send(before).await;
            soon(client.answer()).await.unwrap();
        }
        let start = Instant::now();
        let trickle = async {
            for byte in b"GET /hello HTTP/1.1\r\nHost: x\r\n".iter().cycle() {
                if client.0.write_all(&[*byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(milliseconds(20)).await;
            }
        };
        soon(trickle).await;
        assert!(start.elapsed() >= milliseconds(200));
    }
    soon(server.all_ended()).await;
}

#[tokio::test]
async fn a_connection_without_a_first_request_is_closed() {
    let limits = Limits {
        header_timeout: milliseconds(100),
        ..Limits::default()
    };
    let server = Running::plain(limits, file_of(b"x")).await;
    let mut client = server.connect().await;
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn an_idle_connection_is_closed_but_not_before_its_time() {
    let limits = Limits {
        header_timeout: milliseconds(200),
        idle_timeout: milliseconds(1000),
        ..Limits::default()
    };
    let server = Running::plain(limits, file_of(b"x")).await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        assert_eq!(soon(client.get("/hello")).await.body, b"hello");
        tokio::time::sleep(milliseconds(400)).await;
    }
    // A handler that takes longer than the header timeout is no slow head.
    assert_eq!(soon(client.get("/slow")).await.body, b"late");
    let start = Instant::now();
    assert_eq!(client.rest().await, b"");
    assert!(start.elapsed() >= milliseconds(800), "{:?}", start.elapsed());
}

#[tokio::test]
async fn uploads_are_read_while_their_handler_wants_them() {
    let limits = Limits {
        header_timeout: milliseconds(400),
        idle_timeout: milliseconds(400),
        ..Limits::default()
    };
    let server = Running::plain(limits, file_of(b"x")).await;
    let mut client = server.connect().await;
    client
        .send("POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n")
        .await;
    for _ in 0..5 {
        tokio::time::sleep(milliseconds(150)).await;
        client.0.write_all(&vec![7; 1_000_000]).await.unwrap();
    }
    assert_eq!(soon(client.answer()).await.unwrap().body, b"5000000");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let limits = Limits {
        max_header_bytes: 4096,
        ..Limits::default()
    };
    let server = Running::plain(limits, file_of(b"x")).await;
    let mut client = server.connect().await;
    client
        .send(&format!(
            "GET /hello HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
            "y".repeat(9000)
        ))
        .await;
    assert_eq!(soon(client.head()).await.unwrap().0, 431);
}

#[tokio::test]
async fn a_panic_in_a_handler_closes_its_connection_only() {
    let server = Running::plain(Limits::default(), file_of(b"x")).await;
    let mut bystander = server.connect().await;
    soon(bystander.get("/hello")).await;
    let mut client = server.connect().await;
    client.ask("GET", "/panic", None).await;
    assert_eq!(client.rest().await, b"");
    assert_eq!(soon(bystander.get("/hello")).await.body, b"hello");
    soon(async {
        while server.stats.ended() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

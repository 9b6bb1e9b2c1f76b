//! Stopping: what is under way ends well, up to a bound.

use std::time::{Duration, Instant};

use landfall_net::server::{Limits, Security, ServeError, Server};
use tokio::io::AsyncReadExt;

use super::tools::{Running, bytes, file_of, soon};

#[tokio::test]
async fn requests_under_way_end_and_idle_connections_close() {
    let expected = bytes(8 << 20);
    let server = Running::plain(Limits::default(), file_of(&expected)).await;
    let addr = server.addr;
    let mut idle = server.connect().await;
    soon(idle.get("/hello")).await;
    let mut busy = server.connect_narrow().await;
    busy.ask("GET", "/file", None).await;
    soon(busy.head()).await.unwrap();
    let mut slow = server.connect().await;
    slow.ask("GET", "/slow", None).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let stopped = server.stop();
    assert_eq!(idle.rest().await, b"");
    assert!(!stopped.is_finished());
    assert!(tokio::net::TcpStream::connect(addr).await.is_err(), "nobody new");
    assert_eq!(soon(slow.answer()).await.unwrap().body, b"late");
    let mut body = vec![0; expected.len()];
    soon(busy.0.read_exact(&mut body)).await.unwrap();
    assert!(body == expected);
    soon(stopped).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_end_is_cut_off() {
    let limits = Limits {
        drain_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = Running::plain(limits, file_of(&bytes(32 << 20))).await;
    let mut client = server.connect_narrow().await;
    client.ask("GET", "/file", None).await;
    soon(client.head()).await.unwrap();
    let start = Instant::now();
    soon(server.stop()).await.unwrap().unwrap();
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert!(client.rest().await.len() < 32 << 20);
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_that_names_it() {
    let server = Running::plain(Limits::default(), file_of(b"x")).await;
    let error = Server::bind(server.addr, Security::Plain, Limits::default())
        .await
        .err()
        .unwrap();
    assert!(matches!(&error, ServeError::Bind { address, .. } if *address == server.addr));
    assert!(error.to_string().contains(&server.addr.to_string()), "{error}");
}

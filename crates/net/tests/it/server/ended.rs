//! How a response ended, as its sender is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use landfall_net::server::{Limits, ResponseBody, Security, Sent, Server};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;

use super::tls::Issued;
use super::tools::{ANY, Client, bytes, file_of, soon};

const MIB: usize = 1 << 20;

/// Answers everything with bodies made by `make`, and hears how they end.
async fn start(
    security: Security,
    make: impl Fn() -> ResponseBody + Send + Sync + 'static,
) -> (SocketAddr, mpsc::UnboundedReceiver<Sent>) {
    let limits = Limits {
        stall_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Server::bind(ANY, security, limits).await.unwrap();
    let address = server.local_addr();
    let (tell, told) = mpsc::unbounded_channel();
    let service = move |_, _| {
        let tell = tell.clone();
        let body = make().on_end(move |sent| tell.send(sent).unwrap_or_default());
        async { Response::new(body) }
    };
    tokio::spawn(server.run(service, std::future::pending()));
    (address, told)
}

fn kinds(len: usize) -> Vec<Box<dyn Fn() -> ResponseBody + Send + Sync>> {
    let content = bytes(len);
    let file = Arc::new(file_of(&content));
    let (mapped, pieces, full) = (Arc::clone(&file), file, bytes::Bytes::from(content));
    let parts = full.clone();
    let stream = move || {
        let parts: Vec<_> = parts
            .chunks(10_000)
            .map(|part| Ok(parts.slice_ref(part)))
            .collect();
        futures_util::stream::iter(parts)
    };
    let len = len as u64;
    let chunked = stream.clone();
    vec![
        Box::new(move || ResponseBody::file(Arc::clone(&mapped), 0, len, false)),
        Box::new(move || ResponseBody::file(Arc::clone(&pieces), 0, len, true)),
        Box::new(move || ResponseBody::full(full.clone())),
        Box::new(move || ResponseBody::stream(stream(), Some(len))),
        Box::new(move || ResponseBody::stream(chunked(), None)),
    ]
}

#[tokio::test]
async fn what_was_sent_whole_is_complete() {
    for len in [0, 1000, 3 * MIB] {
        for make in kinds(len) {
            let (address, mut told) = start(Security::Plain, make).await;
            let mut client = Client(TcpStream::connect(address).await.unwrap());
            for _ in 0..2 {
                client.ask("GET", "/", None).await;
                let (_, head, length) = soon(client.head()).await.unwrap();
                if !head.contains("chunked") {
                    let mut body = vec![0; length];
                    soon(client.0.read_exact(&mut body)).await.unwrap();
                } else {
                    while soon(client.line()).await != b"0" {}
                    soon(client.line()).await;
                }
                let sent = soon(told.recv()).await.unwrap();
                assert_eq!(
                    sent,
                    Sent {
                        bytes: len as u64,
                        complete: true
                    }
                );
            }
        }
    }
}

#[tokio::test]
async fn what_broke_off_is_not_and_counts_what_went() {
    for make in kinds(64 * MIB) {
        let (address, mut told) = start(Security::Plain, make).await;
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(8 << 10).unwrap();
        let mut client = Client(socket.connect(address).await.unwrap());
        client.ask("GET", "/", None).await;
        let mut some = vec![0; 100_000];
        soon(client.0.read_exact(&mut some)).await.unwrap();
        drop(client);
        let sent = soon(told.recv()).await.unwrap();
        assert!(!sent.complete);
        assert!((90_000..60 * MIB as u64).contains(&sent.bytes), "{sent:?}");
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_has_not_been_sent_it() {
    let content = bytes(32 * MIB);
    let full = bytes::Bytes::from(content);
    let (address, mut told) = start(Security::Plain, move || ResponseBody::full(full.clone())).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 << 10).unwrap();
    let mut client = Client(socket.connect(address).await.unwrap());
    client.ask("GET", "/", None).await;
    let sent = soon(told.recv()).await.unwrap();
    assert!(!sent.complete && sent.bytes < 32 * MIB as u64, "{sent:?}");
}

#[tokio::test]
async fn over_tls_it_is_the_same() {
    let issued = Issued::new();
    for make in kinds(2 * MIB) {
        let (address, mut told) = start(Security::Tls(issued.files()), make).await;
        let mut client = issued.connect_to(address, "localhost").await.unwrap();
        client
            .send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await;
        let rest = client.rest().await;
        assert!(rest.len() > 2 * MIB);
        let sent = soon(told.recv()).await.unwrap();
        assert_eq!(
            sent,
            Sent {
                bytes: 2 * MIB as u64,
                complete: true
            }
        );
    }
}

//! The same over real connections: a file that grows is sent by the kernel, and what cannot be finished is broken off.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use landfall_net::server::{Limits, Security, Server};
use landfall_server::gateway::{GatewayOptions, Upstreams};
use landfall_server::serve;
use landfall_testkit::FakeRegistry;
use landfall_testkit::fake_registry::{Fault, Kind, Rule};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::{Front, app, quay};

struct Running {
    front: Front,
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

async fn start(upstreams: Upstreams) -> Running {
    let front = Front::new(upstreams, GatewayOptions::default()).await;
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let server = Server::bind(any, Security::Plain, Limits::default())
        .await
        .unwrap();
    let address = server.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let registry = Arc::clone(&front.scene.registry);
    tokio::spawn(async move { serve(server, registry, async { drop(stopped.await) }).await });
    Running {
        front,
        address,
        _stop: stop,
    }
}

/// The head and whatever came of the body.
async fn get(address: SocketAddr, path: &str) -> (String, Vec<u8>) {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    // A connection that is broken off may end in an error.
    let _ = connection.read_to_end(&mut all).await;
    let end = all.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let body = all.split_off(end);
    (String::from_utf8(all).unwrap().to_ascii_lowercase(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn many_connections_read_one_file_while_it_grows() {
    const SIZE: u64 = 8 << 20;
    let (workload, layer) = app(90, SIZE);
    let upstream = FakeRegistry::builder()
        .workload(&workload)
        .bytes_per_second(16 << 20)
        .start();
    let running = start(quay(&[&upstream])).await;
    let path = format!("/v2/org/app/blobs/{}?ns=quay.io", layer.digest);
    let clients: Vec<_> = (0..24)
        .map(|_| {
            let (path, address) = (path.clone(), running.address);
            tokio::spawn(async move { get(address, &path).await })
        })
        .collect();
    for client in clients {
        let (head, body) = client.await.unwrap();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(head.contains(&format!("content-length: {SIZE}\r\n")), "{head}");
        assert!(body == layer.bytes);
    }
    assert_eq!(upstream.count(Kind::Blob), 1);
    let by_kernel = running.front.metric("landfall_sendfile_bytes_total");
    assert!(by_kernel > 12 * SIZE, "{by_kernel}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_end_in_a_broken_connection_and_never_in_a_whole_answer() {
    const SIZE: u64 = 4 << 20;
    let (workload, layer) = app(91, SIZE);
    let upstream = FakeRegistry::with(&workload);
    upstream.rule(Rule::on(Kind::Blob, Fault::Flip { at: SIZE - 1 }));
    let running = start(quay(&[&upstream])).await;
    let path = format!("/v2/org/app/blobs/{}?ns=quay.io", layer.digest);
    let (head, body) = get(running.address, &path).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!((body.len() as u64) < SIZE, "{} bytes", body.len());
    assert!(body[..] == layer.bytes[..body.len()]);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while running.front.metric("landfall_answers_broken_total") == 0 {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (head, _) = get(running.address, &path).await;
    assert!(head.starts_with("http/1.1 502"), "{head}");
}

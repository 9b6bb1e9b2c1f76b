//! How a cold blob comes to many clients at once: `gateway_miss [MIB [CLIENTS [MB_PER_SECOND]]]`. Compares with one
//! client that asks the upstream itself, at the same speed of the upstream; says how often that was asked, when the first
//! byte came, and what it cost in memory.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss)]

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use landfall_hash::HashService;
use landfall_net::server::{Limits, Security, Server};
use landfall_server::gateway::{Endpoint, Gateway, GatewayOptions, UpstreamHost, Upstreams};
use landfall_server::{Registry, RegistryOptions, serve};
use landfall_store::{DirectoryOptions, DirectoryStore, Overlay};
use landfall_testkit::workload::Family;
use landfall_testkit::{FakeRegistry, Workload};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// When the first byte of the body came, when the last one, and how many they were.
async fn get(address: SocketAddr, path: &str) -> (Duration, Duration, u64) {
    let begun = Instant::now();
    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 64 * 1024];
    let (mut head, mut first, mut bytes) = (Vec::new(), None, 0);
    loop {
        let read = connection.read(&mut buffer).await.unwrap();
        if read == 0 {
            return (first.unwrap_or_default(), begun.elapsed(), bytes);
        }
        if first.is_some() {
            bytes += read as u64;
            continue;
        }
        head.extend_from_slice(&buffer[..read]);
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            assert!(head.starts_with(b"HTTP/1.1 200"), "{}", head.escape_ascii());
            if head.len() > end + 4 {
                first = Some(begun.elapsed());
                bytes = (head.len() - end - 4) as u64;
            }
        }
    }
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>().unwrap());
    let mut next = |usual| args.next().unwrap_or(usual);
    let (mib, clients, speed) = (next(256), next(200), next(100));
    let mut workload = Workload::new();
    let layer = workload.add_big_layer(1, mib << 20);
    let digest = layer.digest;
    let image = workload.add_image(Family::Oci, &"linux/amd64".parse().unwrap(), &[layer]);
    workload.tag("org/app:1", image.digest);
    let upstream = FakeRegistry::builder()
        .workload(&workload)
        .bytes_per_second(speed * 1_000_000)
        .start();
    let path = format!("/v2/org/app/blobs/{digest}");
    let (first, direct, _) = get(upstream.address().parse().unwrap(), &path).await;
    println!("direct: first byte {first:?}, all {direct:?}");
    upstream.clear_requests();

    let root = tempfile::tempdir().unwrap();
    let hash = HashService::new(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN));
    let cache = DirectoryStore::open(root.path(), hash, DirectoryOptions::default())
        .await
        .unwrap();
    let mut host = UpstreamHost::new(upstream.registry());
    host.plain_http = true;
    host.tls.system_roots = false;
    let mut upstreams = Upstreams::new();
    upstreams.insert(
        &"quay.io".parse().unwrap(),
        vec![Endpoint::new(host.connect().unwrap())],
    );
    let gateway = Gateway::new(upstreams, Arc::new(cache), GatewayOptions::default());
    let options = RegistryOptions {
        gateway: Some(gateway),
        ..RegistryOptions::default()
    };
    let registry = Arc::new(Registry::new(
        Arc::new(Overlay::new(Vec::new()).unwrap()),
        options,
    ));
    let any = "127.0.0.1:0".parse().unwrap();
    let server = Server::bind(any, Security::Plain, Limits::default())
        .await
        .unwrap();
    let address = server.local_addr();
    tokio::spawn(serve(server, registry, std::future::pending()));

    let (before, begun) = (peak_kib(), Instant::now());
    let path = format!("{path}?ns=quay.io");
    let waiting: Vec<_> = (0..clients)
        .map(|_| {
            let path = path.clone();
            tokio::spawn(async move { get(address, &path).await })
        })
        .collect();
    let (mut slowest_first, mut bytes) = (Duration::ZERO, 0);
    for client in waiting {
        let (first, _, got) = client.await.unwrap();
        slowest_first = slowest_first.max(first);
        bytes += got;
    }
    let all = begun.elapsed();
    assert_eq!(bytes, clients * (mib << 20), "every byte for everybody");
    println!(
        "gateway: {clients} clients, first byte for the last of them {slowest_first:?}, all {all:?} = {:.2} x direct, \
         {} GETs upstream, {} KiB more memory (clients and upstream included)",
        all.as_secs_f64() / direct.as_secs_f64(),
        upstream.blob_fetches(&digest).len(),
        peak_kib() - before,
    );
}

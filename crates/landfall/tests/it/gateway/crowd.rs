//! Many clients at once for one blob that is not here: one request upstream, and no memory for each of them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;

use landfall_oci::{Digest, Platform};
use landfall_testkit::digest::sha256_of;
use landfall_testkit::fake_registry::Kind;
use landfall_testkit::workload::Family;
use landfall_testkit::{FakeRegistry, Workload};

use super::{all_at, gateway};
use crate::place::Place;

const CLIENTS: usize = 200;
const SIZE: u64 = 32 << 20;
/// A third of it is what the program takes: half a megabyte for each client, or a few copies of the blob, would show.
const MEMORY: u64 = 128 << 20;

/// Reads a blob and throws it away; its digest.
fn fetch(address: &str, path: &str) -> std::io::Result<(Digest, u64)> {
    let mut stream = TcpStream::connect(address)?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    assert!(
        head.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&head)
    );
    sha256_of(stream)
}

#[test]
fn two_hundred_clients_cost_one_request_and_little_memory() {
    let mut workload = Workload::new();
    let layer = workload.add_big_layer(32, SIZE);
    let digest = layer.digest;
    let image = workload.add_image(Family::Oci, &Platform::new("linux", "amd64"), &[layer]);
    workload.tag("org/app:1", image.digest);
    let upstream = FakeRegistry::with(&workload);
    let place = Place::new();
    let serving = gateway(&place, &all_at(&upstream), &[]);
    let path = format!("/v2/quay.test/org/app/blobs/{digest}");
    let begin = Barrier::new(CLIENTS);
    std::thread::scope(|scope| {
        let client = || {
            begin.wait();
            fetch(&serving.address, &path)
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        for client in clients {
            assert_eq!(client.join().unwrap().unwrap(), (digest, SIZE));
        }
    });
    let fetches = upstream.count(Kind::Blob);
    assert_eq!(fetches, 1, "{:?}", upstream.requests());
    let peak = serving.peak_memory();
    assert!(peak < MEMORY, "{peak} bytes");
}

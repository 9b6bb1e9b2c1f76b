//! GB/s of one connection over loopback, for a file that is sent and for one that is read and written:
//! `cargo run --release -p landfall-net --example blob_throughput`. The client throws the bytes away in the kernel.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Response;
use landfall_net::server::{Limits, ResponseBody, Security, Server};
use rustix::net::RecvFlags;

const LEN: u64 = 1 << 30;

fn main() {
    let mut file = tempfile::tempfile().unwrap();
    for _ in 0..LEN >> 20 {
        file.write_all(&vec![7; 1 << 20]).unwrap();
    }
    let file = Arc::new(file);
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let any = "127.0.0.1:0".parse().unwrap();
            let server = Server::bind(any, Security::Plain, Limits::default())
                .await
                .unwrap();
            tell.send(server.local_addr()).unwrap();
            let service = move |request: http::Request<_>, _| {
                let body = ResponseBody::file(Arc::clone(&file), 0, LEN, request.uri().path() == "/read");
                async { Response::new(body) }
            };
            server.run(service, std::future::pending()).await.unwrap();
        });
    });
    let addr = told.recv().unwrap();
    for _ in 0..5 {
        for path in ["/sendfile", "/read"] {
            let took = download(addr, path);
            println!("{path}: {:.2} GB/s", LEN as f64 / took.as_secs_f64() / 1e9);
        }
    }
}

fn download(addr: SocketAddr, path: &str) -> Duration {
    let mut tcp = TcpStream::connect(addr).unwrap();
    write!(tcp, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        tcp.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let start = Instant::now();
    let mut left = LEN;
    let mut scratch = vec![0; 1 << 20];
    while left > 0 {
        let (_, taken) = rustix::net::recv(&tcp, &mut scratch, RecvFlags::TRUNC).unwrap();
        assert!(taken > 0);
        left -= taken as u64;
    }
    start.elapsed()
}

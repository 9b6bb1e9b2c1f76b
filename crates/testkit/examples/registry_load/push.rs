//! Blobs of one size, each with content of its own: POST, then one PUT with all of it.
//!
//! Only the last bytes of a blob are its own, so that its digest costs nothing while the clock runs.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::digest::{Context, SHA256};
use landfall_oci::Digest;
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::http::Connection;
use crate::measure::Tally;

const PIECE: usize = 1 << 20;

#[derive(Deserialize)]
pub(crate) struct Push {
    repository: String,
    /// Bytes of a blob, at least 16.
    size: usize,
    connections: usize,
    seconds: f64,
}

struct Source {
    push: Push,
    /// What all blobs begin with, again and again.
    piece: Vec<u8>,
    /// The hash of everything but the tail.
    begun: Context,
    /// Of this run, so that no two runs send the same.
    run: u64,
    next: AtomicU64,
}

impl Source {
    fn new(push: Push) -> Self {
        let piece: Vec<u8> = (0..PIECE as u64)
            .map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
            .collect();
        let mut begun = Context::new(&SHA256);
        pieces(push.size, &piece).for_each(|piece| begun.update(piece));
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            push,
            piece,
            begun,
            run: since.as_nanos() as u64,
            next: AtomicU64::new(0),
        }
    }

    /// The tail of another blob, and the digest of all of it.
    fn another(&self) -> ([u8; 16], Digest) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut tail = [0; 16];
        tail[..8].copy_from_slice(&self.run.to_le_bytes());
        tail[8..].copy_from_slice(&number.to_le_bytes());
        let mut sum = self.begun.clone();
        sum.update(&tail);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(sum.finish().as_ref());
        (tail, Digest::Sha256(bytes))
    }
}

/// Everything of a blob but its tail.
fn pieces(size: usize, piece: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut left = size - 16;
    std::iter::from_fn(move || {
        let take = left.min(piece.len());
        left -= take;
        (take > 0).then(|| &piece[..take])
    })
}

pub(crate) async fn run(address: SocketAddr, push: Push) -> io::Result<serde_json::Value> {
    let source = Arc::new(Source::new(push));
    let mut connections = Vec::new();
    for _ in 0..source.push.connections {
        connections.push(Connection::open(address, None).await?);
    }
    let started = Instant::now();
    let end = started + Duration::from_secs_f64(source.push.seconds);
    let mut tasks = JoinSet::new();
    for mut connection in connections {
        let source = Arc::clone(&source);
        tasks.spawn(async move {
            let mut tally = Tally::default();
            while Instant::now() < end {
                let started = Instant::now();
                one_blob(&mut connection, address, &source).await?;
                tally.add(started, source.push.size as u64);
            }
            Ok::<_, io::Error>(tally)
        });
    }
    let mut all = Tally::default();
    while let Some(done) = tasks.join_next().await {
        all.merge(done??);
    }
    Ok(all.report(started.elapsed()))
}

async fn one_blob(connection: &mut Connection, address: SocketAddr, source: &Source) -> io::Result<()> {
    let (tail, digest) = source.another();
    let (repository, size) = (&source.push.repository, source.push.size);
    let head = format!(
        "POST /v2/{repository}/blobs/uploads/ HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n"
    );
    connection.send(head.as_bytes()).await?;
    let answer = connection.answer(false).await?.expect(202, "POST")?;
    connection.finish(&answer).await?;
    let location = answer.location.unwrap_or_default();
    let path = path_of(&location);
    let joint = if path.contains('?') { '&' } else { '?' };
    let head = format!(
        "PUT {path}{joint}digest={digest} HTTP/1.1\r\nHost: {address}\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n"
    );
    connection.send(head.as_bytes()).await?;
    for piece in pieces(size, &source.piece) {
        connection.send(piece).await?;
    }
    connection.send(&tail).await?;
    let answer = connection.answer(false).await?.expect(201, "PUT")?;
    connection.finish(&answer).await.map(|_| ())
}

/// What follows the authority, where there is one.
fn path_of(location: &str) -> &str {
    match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => location,
    }
}

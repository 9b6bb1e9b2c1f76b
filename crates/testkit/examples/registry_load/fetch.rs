//! One path, over and over.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::http::Connection;
use crate::measure::Tally;

#[derive(Deserialize)]
pub(crate) struct Fetch {
    #[serde(default)]
    head: bool,
    /// `{}` in it becomes a number below `random`, of seven digits.
    path: String,
    #[serde(default)]
    random: u64,
    #[serde(default = "one")]
    connections: usize,
    #[serde(default = "second")]
    seconds: f64,
    /// One request for each connection, all at once; it counts although the server does it for the first time.
    #[serde(default)]
    once: bool,
}

fn one() -> usize {
    1
}

fn second() -> f64 {
    1.0
}

pub(crate) async fn run(address: SocketAddr, fetch: Fetch) -> io::Result<serde_json::Value> {
    let ready = Arc::new(Barrier::new(fetch.connections + 1));
    let fetch = Arc::new(fetch);
    let mut tasks = JoinSet::new();
    for number in 0..fetch.connections {
        tasks.spawn(one_connection(
            address,
            number,
            Arc::clone(&fetch),
            Arc::clone(&ready),
        ));
    }
    let mut all = Tally::default();
    // One that fails before it is ready would be waited for until the end of time.
    tokio::select! {
        _ = ready.wait() => {}
        Some(failed) = tasks.join_next() => {
            failed??;
        }
    }
    let started = Instant::now();
    while let Some(done) = tasks.join_next().await {
        all.merge(done??);
    }
    Ok(all.report(started.elapsed()))
}

async fn one_connection(
    address: SocketAddr,
    number: usize,
    fetch: Arc<Fetch>,
    ready: Arc<Barrier>,
) -> io::Result<Tally> {
    let mut connection = Connection::open(address, None).await?;
    let mut random = Random(number as u64 + 1);
    let mut tally = Tally::default();
    if fetch.once {
        ready.wait().await;
        let started = Instant::now();
        tally.add(
            started,
            request(&mut connection, address, &fetch, &mut random).await?,
        );
        return Ok(tally);
    }
    // Connecting, and what a server does only the first time, is not counted.
    request(&mut connection, address, &fetch, &mut random).await?;
    ready.wait().await;
    let end = Instant::now() + Duration::from_secs_f64(fetch.seconds);
    while Instant::now() < end {
        let started = Instant::now();
        let bytes = request(&mut connection, address, &fetch, &mut random).await?;
        tally.add(started, bytes);
    }
    Ok(tally)
}

async fn request(
    connection: &mut Connection,
    address: SocketAddr,
    fetch: &Fetch,
    random: &mut Random,
) -> io::Result<u64> {
    let method = if fetch.head { "HEAD" } else { "GET" };
    let path = match fetch.random {
        0 => fetch.path.clone(),
        below => fetch.path.replace("{}", &format!("{:07}", random.next() % below)),
    };
    let head = get(method, &path, address);
    connection.send(head.as_bytes()).await?;
    let answer = connection.answer(fetch.head).await?.expect(200, &path)?;
    connection.finish(&answer).await
}

/// The head of a request as a container runtime sends it.
pub(crate) fn get(method: &str, path: &str, address: SocketAddr) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: registry-load\r\nAccept: \
         application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, */*\r\n\r\n"
    )
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

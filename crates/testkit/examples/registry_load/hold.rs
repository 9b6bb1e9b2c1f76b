//! Many pulls that are all open at one moment: each fetches the manifest, begins with a blob, waits until all others
//! have begun too, and only then takes the rest.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use serde::Deserialize;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::fetch::get;
use crate::http::Connection;
use crate::measure::Tally;

/// Small, so that what is not taken stays with the server.
const RECEIVE_BUFFER: u32 = 16 << 10;

#[derive(Deserialize)]
pub(crate) struct Hold {
    connections: usize,
    manifest: String,
    blob: String,
}

pub(crate) async fn run(address: SocketAddr, hold: Hold) -> io::Result<serde_json::Value> {
    let begun = Arc::new(Barrier::new(hold.connections));
    let hold = Arc::new(hold);
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..hold.connections {
        tasks.spawn(one_pull(address, Arc::clone(&hold), Arc::clone(&begun)));
    }
    let mut all = Tally::default();
    while let Some(done) = tasks.join_next().await {
        all.merge(done??);
    }
    Ok(all.report(started.elapsed()))
}

async fn one_pull(address: SocketAddr, hold: Arc<Hold>, begun: Arc<Barrier>) -> io::Result<Tally> {
    let mut tally = Tally::default();
    let mut connection = Connection::open(address, Some(RECEIVE_BUFFER)).await?;
    let started = Instant::now();
    let head = get("GET", &hold.manifest, address);
    connection.send(head.as_bytes()).await?;
    let answer = connection.answer(false).await?.expect(200, &hold.manifest)?;
    let manifest = connection.finish(&answer).await?;
    let head = get("GET", &hold.blob, address);
    connection.send(head.as_bytes()).await?;
    let answer = connection.answer(false).await?.expect(200, &hold.blob)?;
    begun.wait().await;
    let blob = connection.finish(&answer).await?;
    tally.add(started, manifest + blob);
    Ok(tally)
}

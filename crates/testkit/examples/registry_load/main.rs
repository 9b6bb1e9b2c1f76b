//! Loads a registry, cheaply enough to share two cores with it, and says how fast it answered.
//!
//! ```text
//! registry_load '{"scenario":"fetch","address":"127.0.0.1:5000","path":"/v2/app/manifests/latest"}'
//! ```
//! prints one line of JSON: requests, seconds, p50 and p99 in microseconds, bytes. Raw HTTP/1.1 on one thread; bodies
//! are thrown away inside the kernel, so that what is measured is the server and not this program.
//!
//! * `fetch`: GET or HEAD of one path, over and over, on some connections. `{}` in the path becomes a random number.
//! * `push`: blobs of one size, each with content of its own, by POST and PUT as containerd does.
//! * `hold`: many pulls that are all open at one moment, for the memory of a server.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fetch;
mod hold;
mod http;
mod measure;
mod push;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

/// No scenario takes longer, whatever the server does.
const LONGEST: Duration = Duration::from_secs(600);

/// What to do, to whom.
#[derive(Deserialize)]
struct Order {
    address: SocketAddr,
    #[serde(flatten)]
    scenario: Scenario,
}

#[derive(Deserialize)]
#[serde(tag = "scenario", rename_all = "kebab-case")]
enum Scenario {
    Fetch(fetch::Fetch),
    Push(push::Push),
    Hold(hold::Hold),
}

fn main() {
    let order = std::env::args().nth(1).expect("usage: registry_load ORDER");
    let order: Order = serde_json::from_str(&order).expect("an order as the head of this file shows");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let report = runtime.block_on(async { tokio::time::timeout(LONGEST, run(order)).await });
    match report {
        Ok(Ok(report)) => println!("{report}"),
        Ok(Err(error)) => panic!("{error}"),
        Err(_) => panic!("not done after {LONGEST:?}"),
    }
}

async fn run(order: Order) -> io::Result<serde_json::Value> {
    let at = order.address;
    match order.scenario {
        Scenario::Fetch(fetch) => fetch::run(at, fetch).await,
        Scenario::Push(push) => push::run(at, push).await,
        Scenario::Hold(hold) => hold::run(at, hold).await,
    }
}

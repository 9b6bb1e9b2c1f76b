//! What is counted, and how it is told.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The answers of one connection, or of all.
#[derive(Default)]
pub(crate) struct Tally {
    took: Vec<Duration>,
    bytes: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, started: Instant, bytes: u64) {
        self.took.push(started.elapsed());
        self.bytes += bytes;
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.took.extend(other.took);
        self.bytes += other.bytes;
    }

    pub(crate) fn report(mut self, elapsed: Duration) -> Value {
        self.took.sort_unstable();
        let at = |share: f64| {
            let rank = (self.took.len() as f64 * share).ceil() as usize;
            let took = self.took.get(rank.saturating_sub(1));
            took.map_or(0.0, |took| took.as_secs_f64() * 1e6)
        };
        json!({
            "requests": self.took.len(),
            "seconds": elapsed.as_secs_f64(),
            "p50": at(0.50),
            "p99": at(0.99),
            "bytes": self.bytes,
        })
    }
}

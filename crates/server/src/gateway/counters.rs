//! What a gateway counts. Labels are names from the configuration, never of a client's making.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Gateway;
use crate::metrics::Exposition;

/// What was asked of one host.
#[derive(Debug, Default)]
pub(super) struct HostCounters {
    pub(super) requests: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) bytes: AtomicU64,
}

/// How questions of clients were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answered {
    /// From the cache, as it is.
    Hit,
    /// From the cache, after the upstream was asked whether it still holds.
    Revalidated,
    /// From the cache, though the upstream could not be asked whether it still holds.
    Stale,
    /// From the upstream.
    Miss,
    /// With what somebody else was waiting for already.
    Shared,
    /// Not at all: it was found missing a moment ago.
    Remembered,
    /// Not at all.
    Failed,
}

impl Answered {
    const ALL: [Self; 7] = [
        Self::Hit,
        Self::Revalidated,
        Self::Stale,
        Self::Miss,
        Self::Shared,
        Self::Remembered,
        Self::Failed,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Revalidated => "revalidated",
            Self::Stale => "stale",
            Self::Miss => "miss",
            Self::Shared => "shared",
            Self::Remembered => "remembered",
            Self::Failed => "failed",
        }
    }
}

/// Answers by upstream.
#[derive(Debug, Default)]
pub(super) struct Counters {
    answers: BTreeMap<Arc<str>, [AtomicU64; Answered::ALL.len()]>,
    pub(super) fetching: AtomicU64,
    pub(super) resumed: AtomicU64,
    pub(super) corrupt: AtomicU64,
    pub(super) evicted_bytes: AtomicU64,
    pub(super) cached_bytes: AtomicU64,
}

pub(super) fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Counters {
    pub(super) fn new(labels: Vec<Arc<str>>) -> Self {
        Self {
            answers: labels
                .into_iter()
                .map(|label| (label, Default::default()))
                .collect(),
            ..Self::default()
        }
    }

    pub(super) fn answered(&self, upstream: &str, how: Answered) {
        if let Some(counts) = self.answers.get(upstream) {
            add(&counts[how as usize], 1);
        }
    }

    pub(super) fn count(&self, upstream: &str, how: Answered) -> u64 {
        self.answers
            .get(upstream)
            .map_or(0, |counts| get(&counts[how as usize]))
    }
}

impl Gateway {
    /// Everything, for a scrape.
    pub(crate) fn render(&self, text: &mut Exposition) {
        let counters = &self.counters;
        let mut family = text.counters(
            "landfall_gateway_answers_total",
            "Manifests and blobs of other registries that were asked for, by how they were answered.",
        );
        for label in counters.answers.keys() {
            for how in Answered::ALL {
                let labels = [("upstream", &**label), ("answer", how.label())];
                family.sample(&labels, counters.count(label, how));
            }
        }
        type Count = fn(&HostCounters) -> &AtomicU64;
        let by_host: [(&str, &str, Count); 3] = [
            (
                "landfall_upstream_requests_total",
                "Requests to hosts of upstreams, those for tokens and repetitions left out.",
                |host| &host.requests,
            ),
            (
                "landfall_upstream_errors_total",
                "Such requests that were not answered as they should be; 404 is an answer.",
                |host| &host.errors,
            ),
            (
                "landfall_upstream_received_bytes_total",
                "Bytes of manifests and blobs that came from hosts of upstreams.",
                |host| &host.bytes,
            ),
        ];
        for (name, help, of) in by_host {
            let mut family = text.counters(name, help);
            for host in &self.hosts {
                family.sample(&[("host", &host.label)], get(of(&host.counters)));
            }
        }
        let mut family = text.gauges(
            "landfall_upstream_up",
            "Whether a host of an upstream may be asked now: 0 while it rests or is left alone.",
        );
        let now = tokio::time::Instant::now();
        for host in &self.hosts {
            family.sample(&[("host", &host.label)], u8::from(host.health.is_fit(now)));
        }
        text.gauge(
            "landfall_gateway_fetches_under_way",
            "Blobs that are being fetched from upstreams.",
            get(&counters.fetching),
        );
        text.gauge(
            "landfall_gateway_cache_bytes",
            "Bytes in the cache, when it was last looked at.",
            get(&counters.cached_bytes),
        );
        for (name, help, counter) in [
            (
                "landfall_gateway_resumed_total",
                "Fetches that went on behind bytes that were here already.",
                &counters.resumed,
            ),
            (
                "landfall_gateway_corrupt_total",
                "Blobs that came with other bytes than their digest says; none was kept.",
                &counters.corrupt,
            ),
            (
                "landfall_gateway_evicted_bytes_total",
                "Bytes that went from the cache because it was full.",
                &counters.evicted_bytes,
            ),
        ] {
            text.counter(name, help, get(counter));
        }
    }
}

//! What the registry counts, for Prometheus. Every counter is an atomic of its own and is known from the start: no
//! lock in the path of a request, and no label whose values a client could make up.

mod process;
mod text;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use landfall_net::server::Stats;

use crate::clock::unix_ms;
use crate::path::{PathError, Route};

pub(crate) use self::text::CONTENT_TYPE;
pub use self::text::{Exposition, Family};

/// Upper bounds of the histograms' buckets, in microseconds, and as they are shown.
const BUCKETS: [(u64, &str); 15] = [
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (10_000_000, "10"),
    (30_000_000, "30"),
    (120_000_000, "120"),
    (600_000_000, "600"),
];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "other"];
const ENDPOINTS: [&str; 10] = [
    "base",
    "status",
    "catalog",
    "tags",
    "manifest",
    "blob",
    "upload",
    "referrers",
    "token",
    "other",
];

/// Which kind of endpoint a request is for: its place in [`ENDPOINTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint(usize);

impl Endpoint {
    pub(crate) fn of(route: &Result<Route, PathError>) -> Self {
        Self(match route {
            Ok(Route::Base) => 0,
            Ok(Route::Health | Route::Ready | Route::Metrics) => 1,
            Ok(Route::Catalog) => 2,
            Ok(Route::Tags(..)) => 3,
            Ok(Route::Manifest(..)) => 4,
            Ok(Route::Blob(..)) => 5,
            Ok(Route::Uploads(..) | Route::Upload(..)) => 6,
            Ok(Route::Referrers(..)) => 7,
            Ok(Route::Token) => 8,
            Err(_) => 9,
        })
    }
}

/// A request that has ended.
pub(crate) struct Observation<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) method: &'a Method,
    /// `None` for a client that left before it was answered.
    pub(crate) status: Option<StatusCode>,
    pub(crate) took: Duration,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) complete: bool,
    /// Whether the client had shown a credential.
    pub(crate) credential: bool,
}

/// Something of the program's own that is asked at each scrape.
type Source = Box<dyn Fn(&mut Exposition) + Send + Sync>;

/// One of the counters of a server.
type Count = fn(&Stats) -> u64;

/// The registry's counters.
pub struct Metrics {
    requests: [[[AtomicU64; CLASSES.len()]; METHODS.len()]; ENDPOINTS.len()],
    under_way: [AtomicU64; ENDPOINTS.len()],
    durations: [Histogram; ENDPOINTS.len()],
    received: AtomicU64,
    sent: AtomicU64,
    broken: AtomicU64,
    abandoned: AtomicU64,
    refused_credentials: AtomicU64,
    uploads_begun: AtomicU64,
    uploads_finished: AtomicU64,
    uploads_cancelled: AtomicU64,
    started_ms: u64,
    servers: Mutex<Vec<Arc<Stats>>>,
    sources: Mutex<Vec<Source>>,
}

#[derive(Default)]
struct Histogram {
    /// One more than there are bounds.
    buckets: [AtomicU64; BUCKETS.len() + 1],
    sum_us: AtomicU64,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Default::default(),
            under_way: Default::default(),
            durations: Default::default(),
            received: AtomicU64::default(),
            sent: AtomicU64::default(),
            broken: AtomicU64::default(),
            abandoned: AtomicU64::default(),
            refused_credentials: AtomicU64::default(),
            uploads_begun: AtomicU64::default(),
            uploads_finished: AtomicU64::default(),
            uploads_cancelled: AtomicU64::default(),
            started_ms: unix_ms(),
            servers: Mutex::default(),
            sources: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Shows a server's connections too. Of several servers the sum is shown.
    pub fn watch(&self, stats: Arc<Stats>) {
        self.servers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(stats);
    }

    /// Asks `source` at each scrape, on a thread that may block for a little while. A family must come from one
    /// source only.
    pub fn register(&self, source: impl Fn(&mut Exposition) + Send + Sync + 'static) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.push(Box::new(source));
    }

    /// Everything, as text. Blocks: it reads `/proc` and asks the sources.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = Exposition::default();
        let version = env!("CARGO_PKG_VERSION");
        text.gauges("landfall_build_info", "Always 1; the version is in the label.")
            .sample(&[("version", version)], 1);
        self.render_requests(&mut text);
        self.render_connections(&mut text);
        for source in self.sources.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            source(&mut text);
        }
        text.gauge(
            "process_start_time_seconds",
            "When the registry was started, in seconds since 1970.",
            seconds(self.started_ms.saturating_mul(1000)),
        );
        process::collect(&mut text);
        text.into_text()
    }

    pub(crate) fn begin(&self, endpoint: Endpoint) {
        add(&self.under_way[endpoint.0], 1);
    }

    pub(crate) fn end(&self, seen: &Observation<'_>) {
        let Endpoint(endpoint) = seen.endpoint;
        self.under_way[endpoint].fetch_sub(1, Ordering::Relaxed);
        add(&self.received, seen.received);
        add(&self.sent, seen.sent);
        self.durations[endpoint].observe(seen.took);
        let Some(status) = seen.status else {
            return add(&self.abandoned, 1);
        };
        if !seen.complete {
            add(&self.broken, 1);
        }
        let method = METHODS.iter().position(|name| *name == seen.method.as_str());
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        add(
            &self.requests[endpoint][method.unwrap_or(METHODS.len() - 1)][class],
            1,
        );
        if seen.credential && matches!(status.as_u16(), 401 | 403) {
            add(&self.refused_credentials, 1);
        }
        if ENDPOINTS[endpoint] == "upload" {
            match (seen.method.as_str(), status.as_u16()) {
                ("POST", 202) => add(&self.uploads_begun, 1),
                ("POST" | "PUT", 201) => add(&self.uploads_finished, 1),
                ("DELETE", 204) => add(&self.uploads_cancelled, 1),
                _ => {}
            }
        }
    }

    fn render_requests(&self, text: &mut Exposition) {
        let mut family = text.counters("landfall_requests_total", "Requests answered.");
        for (endpoint, by_method) in ENDPOINTS.iter().zip(&self.requests) {
            for (method, by_class) in METHODS.iter().zip(by_method) {
                for (class, count) in CLASSES.iter().zip(by_class) {
                    let labels = [("endpoint", *endpoint), ("method", *method), ("status", *class)];
                    // What has never been is left out: most of these cannot be.
                    if get(count) > 0 {
                        family.sample(&labels, get(count));
                    }
                }
            }
        }
        let mut family = text.gauges("landfall_requests_under_way", "Requests being answered.");
        for (endpoint, count) in ENDPOINTS.iter().zip(&self.under_way) {
            family.sample(&[("endpoint", endpoint)], get(count));
        }
        let help = "Time from a request's head to the last byte of its answer.";
        let mut family = text.histograms("landfall_request_duration_seconds", help);
        for (endpoint, histogram) in ENDPOINTS.iter().zip(&self.durations) {
            histogram.render(endpoint, &mut family);
        }
        for (name, help, counter) in [
            (
                "landfall_received_bytes_total",
                "Bytes of requests' bodies.",
                &self.received,
            ),
            (
                "landfall_sent_bytes_total",
                "Bytes of answers' bodies.",
                &self.sent,
            ),
            (
                "landfall_answers_broken_total",
                "Answers that broke off on their way.",
                &self.broken,
            ),
            (
                "landfall_requests_abandoned_total",
                "Requests whose client left before it was answered.",
                &self.abandoned,
            ),
            (
                "landfall_credentials_refused_total",
                "Requests with a credential that were answered 401 or 403.",
                &self.refused_credentials,
            ),
        ] {
            text.counter(name, help, get(counter));
        }
        text.counters(
            "landfall_uploads_total",
            "Uploads of blobs by what became of them.",
        )
        .sample(&[("event", "begun")], get(&self.uploads_begun))
        .sample(&[("event", "finished")], get(&self.uploads_finished))
        .sample(&[("event", "cancelled")], get(&self.uploads_cancelled));
    }

    fn render_connections(&self, text: &mut Exposition) {
        let servers = self
            .servers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let sum = |of: Count| servers.iter().map(|stats| of(stats)).sum::<u64>();
        let (accepted, ended) = (sum(Stats::accepted), sum(Stats::ended));
        text.gauge(
            "landfall_connections_open",
            "Connections open.",
            accepted.saturating_sub(ended),
        );
        let counters: [(&str, &str, Count); 8] = [
            (
                "landfall_connections_total",
                "Connections accepted.",
                Stats::accepted,
            ),
            (
                "landfall_connections_refused_total",
                "Connections closed at once because their client had too many.",
                Stats::refused,
            ),
            (
                "landfall_accept_errors_total",
                "Times that the system had no room for a connection.",
                Stats::accept_errors,
            ),
            (
                "landfall_tls_handshake_errors_total",
                "TLS handshakes failed.",
                Stats::handshake_errors,
            ),
            (
                "landfall_certificate_reloads_total",
                "Changed certificates taken into use.",
                Stats::certificate_reloads,
            ),
            (
                "landfall_sendfile_bytes_total",
                "Bytes of files sent by the kernel.",
                Stats::sendfile_bytes,
            ),
            (
                "landfall_network_received_bytes_total",
                "Bytes received over sockets.",
                Stats::received_bytes,
            ),
            (
                "landfall_network_sent_bytes_total",
                "Bytes sent over sockets.",
                Stats::sent_bytes,
            ),
        ];
        for (name, help, of) in counters {
            text.counter(name, help, sum(of));
        }
    }
}

impl Histogram {
    fn observe(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.partition_point(|(bound, _)| *bound < us);
        add(&self.buckets[bucket], 1);
        add(&self.sum_us, us);
    }

    fn render(&self, endpoint: &str, family: &mut Family<'_>) {
        let bounds = BUCKETS.iter().map(|(_, text)| *text).chain(["+Inf"]);
        let mut count = 0;
        for (bound, bucket) in bounds.zip(&self.buckets) {
            count += get(bucket);
            family.suffixed("_bucket", &[("endpoint", endpoint), ("le", bound)], count);
        }
        let labels = [("endpoint", endpoint)];
        family.suffixed("_sum", &labels, seconds(get(&self.sum_us)));
        family.suffixed("_count", &labels, count);
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a sum of times is shown, not reckoned with"
)]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_falls_into_its_bucket() {
        let histogram = Histogram::default();
        for us in [0, 500, 501, 600_000_001] {
            histogram.observe(Duration::from_micros(us));
        }
        let mut text = Exposition::default();
        histogram.render("x", &mut text.histograms("h", "help"));
        let text = text.into_text();
        for line in [
            "h_bucket{endpoint=\"x\",le=\"0.0005\"} 2",
            "h_bucket{endpoint=\"x\",le=\"0.001\"} 3",
            "h_bucket{endpoint=\"x\",le=\"600\"} 3",
            "h_bucket{endpoint=\"x\",le=\"+Inf\"} 4",
            "h_sum{endpoint=\"x\"} 600.001002",
            "h_count{endpoint=\"x\"} 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}

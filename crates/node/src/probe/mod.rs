//! Asking the endpoints of a pull for real, as containerd would, and saying for each that fails which step failed,
//! the likely cause, and what to do.
//!
//! Name, connection, TLS, `HEAD` of the manifest with its `ns`, challenge, token, and the `HEAD` again. No layer is
//! pulled. Nothing secret is in what comes out.

mod certificate;
mod diagnose;
mod endpoint;
mod recorder;
mod redact;
mod report;
mod talk;
mod verdict;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use landfall_net::client::{Proxies, Timeouts};
use landfall_registries::Attempt;
use tokio::time::Instant;

pub use certificate::Certificate;
pub use report::{Cause, Endpoint, Finding, Manifest, Next, Report, Step, StepKind};

/// How to ask.
#[derive(Clone, Debug)]
pub struct ProbeOptions {
    /// The proxies of the runtime's service. None by default.
    pub proxies: Proxies,
    /// How long to wait for what. The answer's time begins after that for connecting.
    pub timeouts: Timeouts,
    /// How long the whole probe may take.
    pub total: Duration,
    /// Endpoints that are asked at once.
    pub concurrency: usize,
    /// Trust the machine's own authorities, as the runtime does.
    pub system_roots: bool,
    /// What we call ourselves: a proxy may let only some pass.
    pub user_agent: String,
    /// The time, for what is said of certificates.
    pub now: SystemTime,
}

impl ProbeOptions {
    /// The usual ones.
    #[must_use]
    pub fn at(now: SystemTime) -> Self {
        Self {
            proxies: Proxies::default(),
            timeouts: Timeouts {
                response: Duration::from_secs(10),
                ..Timeouts::default()
            },
            total: Duration::from_secs(60),
            concurrency: 8,
            system_roots: true,
            user_agent: concat!("landfall/", env!("CARGO_PKG_VERSION")).to_owned(),
            now,
        }
    }
}

/// Asks every endpoint, several at once, and all of them: also those behind one that answers.
pub async fn probe(attempts: &[Attempt], options: &ProbeOptions) -> Report {
    let deadline = Instant::now() + options.total;
    let options = Arc::new(options.clone());
    let asked = attempts
        .iter()
        .map(|attempt| endpoint::ask(attempt, &options, deadline));
    let endpoints = futures_util::stream::iter(asked).buffered(options.concurrency.max(1));
    Report::new(endpoints.collect().await)
}

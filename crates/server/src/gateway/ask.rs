//! Asking the endpoints of a registry, one after the other, by containerd's rules: whoever has it not, does not let us
//! have it, or does not answer is followed by the next.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use landfall_client::{ClientError, Kind};
use tokio::time::Instant;

use super::counters::add;
use super::host::{Endpoint, Host, Way};
use super::verdict::{Trouble, Verdict};
use super::{Gateway, Source};

/// An endpoint that may be asked now.
pub(super) struct Open {
    pub(super) host: Arc<Host>,
    pub(super) way: Way,
}

impl Gateway {
    /// The first answer that is one, and whose it is.
    pub(super) async fn ask<T>(
        &self,
        source: &Source,
        question: impl Fn(Open) -> BoxFuture<'static, Result<T, ClientError>> + Send,
    ) -> Result<(T, Arc<Host>), Verdict> {
        let mut verdict = Verdict::default();
        for endpoint in &source.route.endpoints {
            let Some(open) = self.open(source, endpoint, &mut verdict) else {
                continue;
            };
            let host = Arc::clone(&open.host);
            match question(open).await {
                Ok(answer) => {
                    host.health.succeeded();
                    return Ok((answer, host));
                }
                Err(error) => self.failed(source, &host, &error, &mut verdict),
            }
        }
        Err(verdict)
    }

    /// What is needed to ask an endpoint, unless it is of no use now.
    pub(super) fn open(&self, source: &Source, endpoint: &Endpoint, verdict: &mut Verdict) -> Option<Open> {
        let host = &endpoint.host;
        let Some(way) = endpoint.way(&source.registry, &source.repository) else {
            tracing::debug!(host = %host.label, image = source.name(), "a rewritten name is no name; passed over");
            return None;
        };
        if let Err(unfit) = host.health.admit(Instant::now()) {
            verdict.note(&host.label, unfit.into());
            return None;
        }
        add(&host.counters.requests, 1);
        Some(Open {
            host: Arc::clone(host),
            way,
        })
    }

    /// Notes what an endpoint said instead of an answer.
    pub(super) fn failed(&self, source: &Source, host: &Host, error: &ClientError, verdict: &mut Verdict) {
        let trouble = Trouble::of(error);
        let now = Instant::now();
        match &trouble {
            Trouble::Missing | Trouble::Refused => host.health.succeeded(),
            Trouble::Limited(_) => {
                let asked = match error {
                    ClientError::RateLimited { retry_after, .. } => *retry_after,
                    _ => None,
                };
                host.health.limited(now, asked);
            }
            // What it sends is no sign that the next thing will not come.
            Trouble::Corrupt => {}
            _ if error.kind() == Kind::Invalid => {}
            _ => host.health.failed(now),
        }
        if !matches!(trouble, Trouble::Missing) {
            add(&host.counters.errors, 1);
            tracing::warn!(host = %host.label, image = source.name(), %error, "an upstream did not help");
        }
        verdict.note(&host.label, trouble);
    }
}

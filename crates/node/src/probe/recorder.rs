//! From the transport's events to the steps of a report.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use landfall_net::client::{Listener, NetError, ShownUrl, TlsAgreed, TraceEvent};
use rustls_pki_types::CertificateDer;

use super::certificate::{Authorities, Certificate};
use super::report::{Step, StepKind};

/// Keeps the steps while they happen, so that those before a timeout are not lost.
#[derive(Default)]
pub(super) struct Recorder {
    state: Mutex<State>,
}

struct State {
    steps: Vec<Step>,
    /// Of the first server, and of the last.
    certificates: (Vec<Certificate>, Vec<Certificate>),
    /// What a request is for.
    phase: StepKind,
    authorities: Authorities,
    skip_verify: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            steps: Vec::new(),
            certificates: Default::default(),
            phase: StepKind::Manifest,
            authorities: Authorities::default(),
            skip_verify: false,
        }
    }
}

impl Recorder {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What may be trusted.
    pub(super) fn trusts(&self, authorities: Authorities, skip_verify: bool) {
        let mut state = self.state();
        state.authorities = authorities;
        state.skip_verify = skip_verify;
    }

    /// What the next requests are for.
    pub(super) fn phase(&self, phase: StepKind) {
        self.state().phase = phase;
    }

    pub(super) fn push(&self, step: Step) {
        self.state().steps.push(step);
    }

    /// Judges the last request: a status that the transport cannot know to be bad.
    pub(super) fn last_is_bad(&self, why: &str) {
        let mut state = self.state();
        if let Some(step) = state.steps.last_mut() {
            step.ok = false;
            if !why.is_empty() {
                step.detail.push_str(": ");
                step.detail.push_str(why);
            }
        }
    }

    /// The last step of the runtime's own.
    pub(super) fn last(&self) -> Option<StepKind> {
        let state = self.state();
        let mut own = state
            .steps
            .iter()
            .rev()
            .filter(|step| step.kind != StepKind::Inquiry);
        own.next().map(|step| step.kind)
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        self.state().steps.clone()
    }

    /// The certificates of the first server, and of the last.
    pub(super) fn certificates(&self) -> (Vec<Certificate>, Vec<Certificate>) {
        self.state().certificates.clone()
    }
}

/// The recorder as the transport's listener.
pub(super) struct Ear(pub(super) Arc<Recorder>);

impl Listener for Ear {
    fn event(&self, event: TraceEvent) {
        let mut state = self.0.state();
        match event {
            // An address is no name: nothing was asked.
            TraceEvent::Dns { host, .. } if host.parse::<std::net::IpAddr>().is_ok() => {}
            TraceEvent::Dns {
                host,
                elapsed,
                outcome,
            } => {
                let found = |found: Vec<std::net::SocketAddr>| {
                    let found: Vec<_> = found.iter().map(|address| address.ip().to_string()).collect();
                    found.join(", ")
                };
                state.note(StepKind::Dns, host, elapsed, outcome.map(found));
            }
            TraceEvent::Connect {
                target,
                elapsed,
                outcome,
            } => state.note(
                StepKind::Connect,
                target,
                elapsed,
                outcome.map(|to| to.to_string()),
            ),
            TraceEvent::Proxy {
                proxy,
                target,
                elapsed,
                outcome,
            } => {
                let outcome = outcome.map(|()| format!("opened a tunnel to {target}"));
                state.note(StepKind::Proxy, proxy, elapsed, outcome);
            }
            TraceEvent::Tls {
                host,
                elapsed,
                chain,
                outcome,
            } => state.tls(host, elapsed, &chain, outcome),
            TraceEvent::Response {
                method,
                url,
                elapsed,
                outcome,
            } => state.answer(&method, &url, elapsed, outcome),
            TraceEvent::Redirect { from, to } => {
                state.note(
                    StepKind::Redirect,
                    from.to_string(),
                    Duration::ZERO,
                    Ok(to.to_string()),
                );
            }
            _ => {}
        }
    }
}

impl State {
    fn note(&mut self, kind: StepKind, target: String, elapsed: Duration, outcome: Result<String, NetError>) {
        let ok = outcome.is_ok();
        // Whatever an inquiry needs is part of it.
        let kind = match self.phase {
            StepKind::Inquiry => StepKind::Inquiry,
            _ => kind,
        };
        self.steps.push(Step {
            kind,
            target,
            micros: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            ok,
            detail: outcome.unwrap_or_else(|error| short(&error)),
        });
    }

    fn tls(
        &mut self,
        host: String,
        elapsed: Duration,
        chain: &[CertificateDer<'static>],
        outcome: Result<TlsAgreed, NetError>,
    ) {
        let chain: Vec<_> = chain.iter().filter_map(|der| Certificate::read(der)).collect();
        let trusted = match (self.skip_verify, self.authorities.source_of(&chain)) {
            (true, _) => "not verified, as configured".to_owned(),
            (false, Some(file)) => format!("trusted because of {}", file.display()),
            (false, None) => "trusted because of this machine's own authorities".to_owned(),
        };
        let outcome = outcome.map(|agreed| match chain.first() {
            Some(leaf) => format!(
                "{}, {}; `{}` by `{}`, valid until {}; {trusted}",
                agreed.version, agreed.cipher, leaf.subject, leaf.issuer, leaf.not_after
            ),
            None => format!("{}, {}", agreed.version, agreed.cipher),
        });
        self.note(StepKind::Tls, host, elapsed, outcome);
        if self.certificates.0.is_empty() {
            self.certificates.0 = chain.clone();
        }
        self.certificates.1 = chain;
    }

    fn answer(
        &mut self,
        method: &Method,
        url: &ShownUrl,
        elapsed: Duration,
        outcome: Result<StatusCode, NetError>,
    ) {
        // Why there was no connection has been said already.
        if outcome.is_err() && self.steps.last().is_some_and(|step| !step.ok) {
            return;
        }
        let phase = self.phase;
        let outcome = outcome.map(|status| status.to_string());
        self.note(phase, format!("{method} {url}"), elapsed, outcome);
    }
}

/// An error for one line; what to do stands in the finding.
fn short(error: &NetError) -> String {
    match error.root() {
        NetError::Dns { source, .. } | NetError::Connect { source, .. } => source.to_string(),
        NetError::TlsUnknownCa { .. } => "signed by an unknown authority".to_owned(),
        NetError::TlsExpired { .. } => "not valid now".to_owned(),
        NetError::TlsWrongName { .. } => "for another name".to_owned(),
        NetError::NotTls { .. } => "it does not speak TLS".to_owned(),
        NetError::TlsCut { .. } => "the connection was closed".to_owned(),
        NetError::TlsClientCertificate { reason, .. }
        | NetError::Tls { reason, .. }
        | NetError::Interrupted { reason, .. }
        | NetError::Proxy { reason, .. } => reason.clone(),
        NetError::Timeout { what, after, .. } => format!("nothing within {after:?} ({what})"),
        other => other.to_string(),
    }
}

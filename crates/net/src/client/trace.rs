//! What happens on the way of a request, told step by step to whoever wants to know: the probe of an endpoint.
//!
//! A transport without a listener does nothing for it. Events hold no secrets: URLs are the shown ones, and no header
//! or body is part of one.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use rustls::pki_types::CertificateDer;

use super::error::NetError;
use super::shown::ShownUrl;

/// One step of a request, when it has ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TraceEvent {
    /// A name was looked up.
    Dns {
        /// The name.
        host: String,
        /// How long it took.
        elapsed: Duration,
        /// Its addresses.
        outcome: Result<Vec<SocketAddr>, NetError>,
    },
    /// A TCP connection.
    Connect {
        /// `host:port`.
        target: String,
        /// How long it took.
        elapsed: Duration,
        /// The address that answered.
        outcome: Result<SocketAddr, NetError>,
    },
    /// A proxy was asked for a tunnel.
    Proxy {
        /// The proxy, `host:port`.
        proxy: String,
        /// The host behind.
        target: String,
        /// How long it took.
        elapsed: Duration,
        /// Whether it opened one.
        outcome: Result<(), NetError>,
    },
    /// A TLS handshake.
    Tls {
        /// `host:port`.
        host: String,
        /// How long it took.
        elapsed: Duration,
        /// What the server showed, its own certificate first; also when it was not accepted.
        chain: Vec<CertificateDer<'static>>,
        /// What was agreed upon.
        outcome: Result<TlsAgreed, NetError>,
    },
    /// A request and the head of its answer, with whatever had to be connected for it.
    Response {
        /// The method.
        method: Method,
        /// Where.
        url: ShownUrl,
        /// How long it took.
        elapsed: Duration,
        /// The status.
        outcome: Result<StatusCode, NetError>,
    },
    /// The answer leads elsewhere, and is followed.
    Redirect {
        /// Who redirects.
        from: ShownUrl,
        /// Where to.
        to: ShownUrl,
    },
}

/// What a handshake agreed upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsAgreed {
    /// `TLSv1_3`, as the library calls it.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
}

/// Is told what happens. Called on the request's own task, so it must not block.
pub trait Listener: Send + Sync {
    /// One more step has ended.
    fn event(&self, event: TraceEvent);
}

/// Whoever listens, if anybody does.
#[derive(Clone, Default)]
pub struct Trace(Option<Arc<dyn Listener>>);

impl Trace {
    /// Tells a listener.
    #[must_use]
    pub fn to(listener: Arc<dyn Listener>) -> Self {
        Self(Some(listener))
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn tell(&self, event: impl FnOnce() -> TraceEvent) {
        if let Some(listener) = &self.0 {
            listener.event(event());
        }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({})", if self.is_on() { "on" } else { "off" })
    }
}

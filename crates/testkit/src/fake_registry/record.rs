//! What was asked of the registry: every request, in order, with how much was answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::request::Parts;
use http::{HeaderMap, Method, header};

use super::route::{Kind, Route};

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it is.
    pub kind: Kind,
    /// The method.
    pub method: Method,
    /// The path, without the query.
    pub path: String,
    /// The query, raw.
    pub query: String,
    /// All headers.
    pub headers: HeaderMap,
    /// Time since the registry was started.
    pub at: Duration,
    answer: Arc<Answer>,
}

#[derive(Debug, Default)]
struct Answer {
    status: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Request {
    pub(super) fn new(parts: &Parts, route: &Route, started: Instant) -> Self {
        Self {
            kind: route.kind(&parts.method),
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers.clone(),
            at: started.elapsed(),
            answer: Arc::default(),
        }
    }

    /// A header's text, empty when it is not there.
    pub fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// `Range`, where one was asked for.
    pub fn range(&self) -> Option<&str> {
        Some(self.header(header::RANGE)).filter(|range| !range.is_empty())
    }

    /// Whether the request carried `Authorization`.
    pub fn is_authorized(&self) -> bool {
        self.headers.contains_key(header::AUTHORIZATION)
    }

    /// The status that was answered; 0 when there was no answer (yet).
    pub fn status(&self) -> u16 {
        u16::try_from(self.answer.status.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// Bytes of the answer's body that were handed to the connection.
    pub fn sent(&self) -> u64 {
        self.answer.sent.load(Ordering::Relaxed)
    }

    /// Bytes of the request's body that were read.
    pub fn received(&self) -> u64 {
        self.answer.received.load(Ordering::Relaxed)
    }

    pub(super) fn answered(&self, status: u16) {
        self.answer.status.store(status.into(), Ordering::Relaxed);
    }

    pub(super) fn add_sent(&self, bytes: u64) {
        self.answer.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn add_received(&self, bytes: u64) {
        self.answer.received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// One line: method, path, range, status, bytes.
    pub fn line(&self) -> String {
        let range = self
            .range()
            .map(|range| format!(" [{range}]"))
            .unwrap_or_default();
        let (status, sent) = (self.status(), self.sent());
        format!("{} {}{range} -> {status} ({sent} bytes)", self.method, self.path)
    }
}

/// All requests so far.
#[derive(Debug, Default)]
pub(super) struct Log {
    requests: Mutex<Vec<Request>>,
}

impl Log {
    pub(super) fn push(&self, request: Request) {
        self.requests.lock().unwrap().push(request);
    }

    pub(super) fn clear(&self) {
        self.requests.lock().unwrap().clear();
    }

    pub(super) fn all(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

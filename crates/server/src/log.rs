//! The access log: one line per request, when its answer has been sent or has broken off, through `tracing` under
//! the target `landfall::access`; what has changed something stands under `landfall::audit` too.
//!
//! Never a query, never a header that could hold a secret, and of an upload's name only the beginning: whoever knows
//! the whole can write. What clients make up (paths, agents, names of users) is shown in printable ASCII, cut.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::header::HeaderName;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use landfall_oci::Repository;

use crate::access::Identity;
use crate::gateway::SERVED_FROM;
use crate::metrics::{Endpoint, Metrics, Observation};
use crate::path::{PathError, Route};
use crate::query::Query;
use crate::registry::Peer;
use crate::reply::{Body, CONTENT_DIGEST, OCI_TAG, Reply};

/// Characters of an upload's name that are shown.
const SHOWN: usize = 8;
/// Bytes of a path, an agent or a user's name that are shown.
const MAX_SHOWN: usize = 512;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What is logged for a client that left before it was answered; nginx's number.
const LEFT: u16 = 499;

/// A request, from its head to the end of its answer. When it is dropped, it is counted and logged.
pub(crate) struct Exchange {
    metrics: Arc<Metrics>,
    endpoint: Endpoint,
    id: RequestId,
    started: Instant,
    method: Method,
    credential: bool,
    received: Arc<AtomicU64>,
    status: Option<StatusCode>,
    /// Bytes of the body, and whether these are all.
    sent: (u64, bool),
    /// What only the log wants to know: gathered where there is one when the request begins.
    told: Option<Box<Told>>,
}

/// Tells a request from all others, of other runs too.
#[derive(Clone, Copy)]
pub(crate) struct RequestId {
    pub(crate) run: u32,
    pub(crate) number: u64,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:x}", self.run, self.number)
    }
}

struct Told {
    peer: Peer,
    uri: Uri,
    agent: Option<HeaderValue>,
    sent_type: Option<HeaderValue>,
    subject: Subject,
    identity: Identity,
    answer: Option<Answer>,
}

/// What a request is about, and what it does to it.
#[derive(Default)]
struct Subject {
    action: &'static str,
    repository: Option<Repository>,
    reference: Option<String>,
}

/// What is known of an answer once its head is made.
struct Answer {
    digest: Option<HeaderValue>,
    media_type: Option<HeaderValue>,
    /// Who had it.
    from: Option<HeaderValue>,
    tags: Vec<HeaderValue>,
}

/// The part of an answer that waits for its end. Whoever sends a [`Reply`] can [take](Ending::take) it and say how it
/// ended; one that is not taken counts as sent whole when the reply is dropped.
#[derive(Clone)]
pub struct Ending(Arc<Mutex<Option<Exchange>>>);

impl Ending {
    /// Takes it out of a reply.
    pub fn take(reply: &mut Reply) -> Option<Self> {
        reply.extensions_mut().remove()
    }

    /// The answer's body ended after so many bytes; `complete` where those are all.
    pub fn ended(self, bytes: u64, complete: bool) {
        let mut exchange = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(exchange) = exchange.take() {
            exchange.ended(bytes, complete);
        }
    }
}

impl Exchange {
    pub(crate) fn begin<B>(
        request: &Request<B>,
        route: &Result<Route, PathError>,
        peer: &Peer,
        id: RequestId,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let endpoint = Endpoint::of(route);
        metrics.begin(endpoint);
        Self {
            metrics: Arc::clone(metrics),
            endpoint,
            id,
            started: Instant::now(),
            method: request.method().clone(),
            credential: request.headers().contains_key(header::AUTHORIZATION),
            received: Arc::default(),
            status: None,
            sent: (0, false),
            told: is_logged().then(|| Box::new(Told::begin(request, route, peer))),
        }
    }

    /// What the bytes of the request's body are to be added to.
    pub(crate) fn received(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.received)
    }

    /// The answer is made: this goes along with it until it has been sent.
    pub(crate) fn answered(&mut self, identity: Identity, reply: &mut Reply) {
        self.status = Some(reply.status());
        if let Some(told) = &mut self.told {
            let header = |name| reply.headers().get(name).cloned();
            told.identity = identity;
            told.answer = Some(Answer {
                digest: header(CONTENT_DIGEST),
                media_type: header(header::CONTENT_TYPE),
                from: header(SERVED_FROM),
                tags: reply.headers().get_all(OCI_TAG).iter().cloned().collect(),
            });
        }
        let length = match reply.body() {
            Body::Empty => 0,
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Extent(extent) => extent.len,
            Body::Growing(growing) => growing.len(),
        };
        self.sent = (length, true);
        if let Ok(id) = HeaderValue::try_from(self.id.to_string()) {
            reply.headers_mut().insert(REQUEST_ID, id);
        }
    }

    /// Puts it into the reply, for who sends that.
    pub(crate) fn attach(self, reply: &mut Reply) {
        let ending = Ending(Arc::new(Mutex::new(Some(self))));
        reply.extensions_mut().insert(ending);
    }

    /// The answer's body ended after so many bytes; `complete` where those are all.
    pub(crate) fn ended(mut self, bytes: u64, complete: bool) {
        self.sent = (bytes, complete);
    }

    fn status(&self) -> u16 {
        self.status.map_or(LEFT, |status| status.as_u16())
    }

    /// What was done in the end: a mount that could not be had became an upload.
    fn action(&self, subject: &Subject) -> &'static str {
        match subject.action {
            "mount" if self.status() != 201 => "push",
            action => action,
        }
    }

    /// Whether something is other than it was. A chunk, and an upload begun or thrown away, change nothing that
    /// anybody could pull.
    fn has_changed(&self, subject: &Subject) -> bool {
        match self.action(subject) {
            "push" | "mount" => self.status() == 201,
            "delete" => self.status() == 202,
            _ => false,
        }
    }

    fn log(&self, told: &Told) {
        let answer = told.answer.as_ref();
        let shown_header = |value: Option<&HeaderValue>| value.map(|value| shown(value.as_bytes()));
        let digest = shown_header(answer.and_then(|answer| answer.digest.as_ref()));
        let media_type = match self.method {
            Method::GET | Method::HEAD => answer.and_then(|answer| answer.media_type.as_ref()),
            _ => told.sent_type.as_ref(),
        };
        let media_type = shown_header(media_type);
        let from = shown_header(answer.and_then(|answer| answer.from.as_ref()));
        let user = shown(told.identity.name().unwrap_or("-").as_bytes());
        let tags: Vec<String> = answer.map_or_else(Vec::new, |answer| {
            answer.tags.iter().map(|tag| shown(tag.as_bytes())).collect()
        });
        let tags = (!tags.is_empty()).then(|| tags.join(" "));
        macro_rules! line {
            ($target:literal) => {
                tracing::info!(
                    target: $target,
                    id = %self.id,
                    client = %told.peer.addr,
                    user = %user,
                    method = %self.method,
                    path = %path(&told.uri),
                    action = self.action(&told.subject),
                    repository = told.subject.repository.as_ref().map(Repository::as_str),
                    reference = told.subject.reference.as_deref(),
                    tags = tags.as_deref(),
                    digest = digest.as_deref(),
                    media_type = media_type.as_deref(),
                    from = from.as_deref(),
                    status = self.status(),
                    bytes = self.sent.0,
                    complete = self.sent.1,
                    received = self.received.load(Ordering::Relaxed),
                    ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
                    agent = %told.agent.as_ref().map_or_else(String::new, |agent| shown(agent.as_bytes())),
                );
            };
        }
        line!("landfall::access");
        if self.has_changed(&told.subject) {
            line!("landfall::audit");
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.metrics.end(&Observation {
            endpoint: self.endpoint,
            method: &self.method,
            status: self.status,
            took: self.started.elapsed(),
            received: self.received.load(Ordering::Relaxed),
            sent: self.sent.0,
            complete: self.sent.1,
            credential: self.credential,
        });
        if let Some(told) = self.told.take() {
            self.log(&told);
        }
    }
}

impl Told {
    fn begin<B>(request: &Request<B>, route: &Result<Route, PathError>, peer: &Peer) -> Self {
        let header = |name| request.headers().get(name).cloned();
        Self {
            peer: peer.clone(),
            uri: request.uri().clone(),
            agent: header(header::USER_AGENT),
            sent_type: header(header::CONTENT_TYPE),
            subject: subject(route, request.method(), request.uri()),
            identity: Identity::anonymous(),
            answer: None,
        }
    }
}

/// Whether anybody reads what is logged: an atomic load where nobody does.
fn is_logged() -> bool {
    tracing::enabled!(target: "landfall::access", tracing::Level::INFO)
        || tracing::enabled!(target: "landfall::audit", tracing::Level::INFO)
}

fn subject(route: &Result<Route, PathError>, method: &Method, uri: &Uri) -> Subject {
    let Ok(route) = route else {
        return Subject {
            action: "other",
            ..Subject::default()
        };
    };
    let change = |otherwise| match *method {
        Method::GET | Method::HEAD => otherwise,
        Method::DELETE => "delete",
        _ => "push",
    };
    let of = |action, repository: &Repository, reference: Option<String>| Subject {
        action,
        repository: Some(repository.clone()),
        reference,
    };
    match route {
        Route::Base | Route::Token => Subject {
            action: "login",
            ..Subject::default()
        },
        Route::Catalog => Subject {
            action: "list",
            ..Subject::default()
        },
        Route::Tags(name) => of("list", name, None),
        Route::Referrers(name, subject) => of("list", name, Some(subject.to_string())),
        Route::Manifest(name, target) => of(change("pull"), name, Some(target.to_string())),
        Route::Blob(name, digest) => of(change("pull"), name, Some(digest.to_string())),
        Route::Uploads(name) => {
            let query = Query::parse(uri.query());
            // Only what is a digest: anything else in a query is nobody's business.
            let digest = |key| {
                query
                    .get(key)
                    .and_then(|text| text.parse::<landfall_oci::Digest>().ok())
            };
            match digest("mount") {
                Some(digest) => of("mount", name, Some(digest.to_string())),
                None => of("push", name, digest("digest").map(|digest| digest.to_string())),
            }
        }
        // Throwing an upload away deletes nothing.
        Route::Upload(name, _) => of("push", name, None),
        _ => Subject {
            action: "other",
            ..Subject::default()
        },
    }
}

/// The path without its query, and without the name of an upload.
fn path(uri: &Uri) -> String {
    let path = uri.path();
    match path.rsplit_once("/blobs/uploads/") {
        Some((before, id)) => {
            let id: String = id.chars().take(SHOWN).collect();
            shown(format!("{before}/blobs/uploads/{id}").as_bytes())
        }
        None => shown(path.as_bytes()),
    }
}

/// Printable ASCII and nothing else, so that no client can write a line of its own or move a terminal's cursor.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().min(MAX_SHOWN));
    for byte in bytes.iter().take(MAX_SHOWN) {
        match byte {
            b' '..=b'~' if *byte != b'\\' => text.push(char::from(*byte)),
            _ => text.extend(byte.escape_ascii().map(char::from)),
        }
    }
    if bytes.len() > MAX_SHOWN {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_upload_is_a_secret() {
        let path = |text: &str| path(&text.parse().unwrap());
        let whole = "/v2/a/blobs/uploads/0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f0";
        assert_eq!(path(whole), "/v2/a/blobs/uploads/0f1e2d3c");
        assert_eq!(
            path(&format!("{whole}?digest=x&_state=y")),
            "/v2/a/blobs/uploads/0f1e2d3c"
        );
        assert_eq!(path(&format!("{whole}/")), "/v2/a/blobs/uploads/0f1e2d3c");
        assert_eq!(path("/v2/a/manifests/x?token=y"), "/v2/a/manifests/x");
    }

    #[test]
    fn what_clients_make_up_stays_on_its_line() {
        assert_eq!(shown(b"docker/1 (\"x\" 'y')"), "docker/1 (\"x\" 'y')");
        assert_eq!(shown(b"a\nb\r\x1b[2J\x7f\\n"), r"a\nb\r\x1b[2J\x7f\\n");
        assert_eq!(shown("\u{202e}ü".as_bytes()), r"\xe2\x80\xae\xc3\xbc");
        assert_eq!(shown(&[b'x'; 600]), "x".repeat(512) + "...");
    }
}

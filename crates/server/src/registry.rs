//! From a request to an answer: who asks, which endpoint, and what every answer has in common.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, Request, StatusCode, header};
use landfall_oci::{Digest, ErrorCode, Repository};
use landfall_store::Store;

use crate::access::{Access, AccessControl, Asked, Caller, Identity};
use crate::body::{self, Counted, RequestBody};
use crate::budget::Budget;
use crate::gate::{Action, Gate};
use crate::gateway::{Gateway, Source};
use crate::health::Health;
use crate::log::{Exchange, RequestId};
use crate::metrics::{Exposition, Metrics};
use crate::ns::{Candidate, candidates, namespace};
use crate::path::{PathError, Route};
use crate::query::Query;
use crate::rate::Rate;
use crate::recent::Recent;
use crate::reply::{Body, Builder, Failure, OCI_NAMESPACE, Reply, common_headers, etag};
use crate::wanted::{RecentIndexes, Wanted};

/// How long a request waits for memory.
const BUDGET_PATIENCE: Duration = Duration::from_secs(3);
/// For the forms of those who ask for tokens, together. Anybody can send one, so manifests have no part in it.
const FORM_MEMORY: usize = 4 << 20;

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub addr: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// The name in the client's certificate, if it showed one that was issued by whom we trust.
    pub certificate: Option<Arc<str>>,
}

/// How a registry behaves.
#[derive(Debug)]
pub struct RegistryOptions {
    /// Who is let in.
    pub access: Access,
    /// Refuse every change, even where the store could be written.
    pub read_only: bool,
    /// Whether tags, manifests and blobs can be deleted.
    pub deletes: bool,
    /// Accept image manifests whose layers are not here (a mirror that is filled in part, on purpose).
    pub sparse: bool,
    /// How long the sender of a body may be silent.
    pub patience: Duration,
    /// Where images that are asked for and not here are remembered, if they are.
    pub wanted: Option<Arc<Wanted>>,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// Whether `/metrics` is answered beside the registry itself, to whoever is let in.
    pub metrics_endpoint: bool,
    /// How long requests are still taken after [`serve`](crate::serve) was told to stop, while `/readyz` says that
    /// no more should come.
    pub drain_delay: Duration,
    /// Memory for manifests under way, together; requests beyond wait a little, then are told to come again.
    pub manifest_memory: usize,
    /// Requests a second that one client may make.
    pub requests_per_second: Option<NonZeroU32>,
    /// What fetches from other registries what is not here, if anything does.
    pub gateway: Option<Arc<Gateway>>,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            access: Access::Anyone,
            read_only: false,
            deletes: true,
            sparse: false,
            patience: Duration::from_secs(60),
            wanted: None,
            metrics: Arc::default(),
            metrics_endpoint: false,
            drain_delay: Duration::ZERO,
            manifest_memory: 64 << 20,
            requests_per_second: None,
            gateway: None,
        }
    }
}

/// The distribution API over a store.
pub struct Registry {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) gate: Gate,
    pub(crate) sparse: bool,
    pub(crate) patience: Duration,
    pub(crate) wanted: Option<Arc<Wanted>>,
    pub(crate) indexes: RecentIndexes,
    pub(crate) budget: Budget,
    forms: Budget,
    pub(crate) recent: Recent,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) health: Health,
    pub(crate) drain_delay: Duration,
    pub(crate) gateway: Option<Arc<Gateway>>,
    metrics_endpoint: bool,
    rate: Option<Rate>,
    /// Tells requests of this process from those of others.
    run: u32,
    next: AtomicU64,
    access: Arc<AccessControl>,
}

/// What a handler knows of its request, beside the body.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: &'a Query,
    pub(crate) caller: &'a Caller<'a>,
    pub(crate) peer: &'a Peer,
}

impl Call<'_> {
    pub(crate) fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// The beginning of an answer from this repository: where a namespace led to it, the answer says so.
    pub(crate) fn from(&self, candidate: &Candidate, status: StatusCode) -> Builder {
        let builder = Builder::new(status);
        match namespace(self.query, self.headers).filter(|_| candidate.honoured) {
            Some(namespace) => builder.header(OCI_NAMESPACE, namespace.as_str()),
            None => builder,
        }
    }

    /// The same for content with a digest.
    pub(crate) fn found(&self, candidate: &Candidate, status: StatusCode, digest: &Digest) -> Builder {
        self.from(candidate, status).content(digest)
    }

    /// Whether the client has this content already (`If-None-Match`).
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.header(header::IF_NONE_MATCH).is_some_and(|known| {
            let etag = etag(digest);
            let plain = |tag: &str| tag.trim().trim_start_matches("W/") == etag;
            known.trim() == "*" || known.split(',').any(plain)
        })
    }
}

impl Registry {
    /// A registry over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, options: RegistryOptions) -> Self {
        if let Some(wanted) = options.wanted.clone() {
            let help = "Images that were asked for and are not here.";
            let count = move |text: &mut Exposition| text.gauge("landfall_wanted", help, wanted.len());
            options.metrics.register(count);
        }
        let budget = Budget::new(options.manifest_memory, BUDGET_PATIENCE);
        let watched = budget.clone();
        options.metrics.register(move |text| {
            let help = "Memory that manifests take which are under way or were read lately.";
            text.gauge("landfall_manifest_memory_bytes", help, watched.claimed());
        });
        if let Some(gateway) = options.gateway.clone() {
            options.metrics.register(move |text| gateway.render(text));
        }
        let mut run = [0; 4];
        // Without randomness, the numbers of two runs look alike in the log: no reason not to run.
        let _ = getrandom::fill(&mut run);
        Self {
            gate: Gate {
                writable: store.writable() && !options.read_only,
                deletes: options.deletes,
            },
            sparse: options.sparse,
            patience: options.patience,
            wanted: options.wanted,
            indexes: RecentIndexes::default(),
            recent: Recent::new(options.manifest_memory / 4),
            budget,
            forms: Budget::new(FORM_MEMORY, BUDGET_PATIENCE),
            metrics: options.metrics,
            health: Health::default(),
            drain_delay: options.drain_delay,
            gateway: options.gateway,
            metrics_endpoint: options.metrics_endpoint,
            rate: options.requests_per_second.map(Rate::new),
            run: u32::from_le_bytes(run),
            next: AtomicU64::new(1),
            access: options.access.into(),
            store,
        }
    }

    /// Answers one request.
    pub async fn handle<B: RequestBody>(&self, request: Request<B>, peer: Peer) -> Reply {
        let (mut reply, exchange) = self.exchange(request, peer).await;
        exchange.attach(&mut reply);
        reply
    }

    /// Answers one request; the answer's sender says how it ended.
    pub(crate) async fn exchange<B: RequestBody>(
        &self,
        request: Request<B>,
        peer: Peer,
    ) -> (Reply, Exchange) {
        let peer = self.access.origin(request.headers(), peer);
        let route = Route::parse(request.uri().path());
        let id = RequestId {
            run: self.run,
            number: self.next.fetch_add(1, Ordering::Relaxed),
        };
        // However this ends, also with a client that leaves: it is counted and logged.
        let mut exchange = Exchange::begin(&request, &route, &peer, id, &self.metrics);
        let (parts, body) = request.into_parts();
        let mut body = Counted::new(body, exchange.received());
        let mut identity = Identity::anonymous();
        let answer = self.answer(&parts, route, &peer, &mut body, &mut identity).await;
        let mut reply = answer.unwrap_or_else(Failure::into_reply);
        common_headers(&mut reply);
        if parts.method == Method::HEAD {
            *reply.body_mut() = Body::Empty;
        }
        // A sender that is still sending hears a refusal only once its bytes are taken. One that asked first, and
        // was not told to go on, is not sending.
        let refused = reply.status().is_client_error() || reply.status().is_server_error();
        if refused && !parts.headers.contains_key(header::EXPECT) {
            body::drain(&mut body).await;
        }
        exchange.answered(identity, &mut reply);
        (reply, exchange)
    }

    async fn answer<B: RequestBody>(
        &self,
        parts: &http::request::Parts,
        route: Result<Route, PathError>,
        peer: &Peer,
        body: &mut B,
        identity: &mut Identity,
    ) -> Result<Reply, Failure> {
        let reading = parts.method == Method::GET || parts.method == Method::HEAD;
        if let Ok(route @ (Route::Health | Route::Ready)) = &route {
            return self.look(&parts.method, route).await;
        }
        if let Some(rate) = &self.rate {
            let wait = rate.take(peer.addr.ip(), Instant::now());
            wait.map_err(|seconds| Failure::too_many("too many requests", seconds))?;
        }
        let query = Query::parse(parts.uri.query());
        let asked = Asked {
            peer,
            headers: &parts.headers,
            uri: &parts.uri,
            method: &parts.method,
            route: &route,
            query: &query,
        };
        if route == Ok(Route::Token) && self.access.gives_tokens() {
            return match parts.method.as_str() {
                "GET" | "POST" => {
                    self.access
                        .give_token(asked, body, self.patience, &mut self.forms.claim(), identity)
                        .await
                }
                method => Err(not_allowed(&Route::Token, method)),
            };
        }
        let caller = self.access.identify(asked).await?;
        *identity = caller.identity().clone();
        let call = Call {
            method: &parts.method,
            headers: &parts.headers,
            query: &query,
            caller: &caller,
            peer,
        };
        let route = route.clone().map_err(|error| error.into_failure(reading))?;
        if route == Route::Metrics && self.metrics_endpoint {
            call.caller.check_base()?;
            return self.look(&parts.method, &route).await;
        }
        self.dispatch(&call, route, body).await
    }

    async fn dispatch<B: RequestBody>(
        &self,
        call: &Call<'_>,
        route: Route,
        body: &mut B,
    ) -> Result<Reply, Failure> {
        match (route, call.method.as_str()) {
            (Route::Token, _) => Err(PathError::Unknown.into_failure(true)),
            (Route::Base, "GET" | "HEAD") => {
                call.caller.check_base()?;
                Ok(Builder::new(StatusCode::OK).json(&serde_json::json!({}), "application/json"))
            }
            (Route::Catalog, "GET" | "HEAD") => self.catalog(call).await,
            (Route::Tags(name), "GET" | "HEAD") => {
                let answer = self.list_tags(call, &name).await;
                answer.map_err(|failure| self.or_log_in(call, &name, failure))
            }
            (Route::Referrers(name, subject), "GET" | "HEAD") => {
                self.list_referrers(call, &name, &subject).await
            }
            (Route::Blob(name, digest), "GET" | "HEAD") => {
                let answer = self.get_blob(call, &name, &digest).await;
                answer.map_err(|failure| self.or_log_in(call, &name, failure))
            }
            (Route::Blob(name, digest), "DELETE") => self.delete_blob(call, &name, &digest).await,
            (Route::Manifest(name, target), "GET" | "HEAD") => {
                let answer = self.get_manifest(call, &name, &target).await;
                answer.map_err(|failure| self.or_log_in(call, &name, failure))
            }
            (Route::Manifest(name, target), "PUT") => self.put_manifest(call, &name, &target, body).await,
            (Route::Manifest(name, target), "DELETE") => self.delete_manifest(call, &name, &target).await,
            (Route::Uploads(name), "POST") => self.start_upload(call, &name, body).await,
            (Route::Upload(name, id), "GET" | "HEAD") => self.upload_state(call, &name, &id).await,
            (Route::Upload(name, id), "PATCH") => self.patch_upload(call, &name, &id, body).await,
            (Route::Upload(name, id), "PUT") => self.finish_upload(call, &name, &id, body).await,
            (Route::Upload(name, id), "DELETE") => self.cancel_upload(call, &name, &id).await,
            (Route::Metrics, _) => Err(PathError::Unknown.into_failure(true)),
            (route, method) => Err(not_allowed(&route, method)),
        }
    }

    /// From now on `/readyz` says that no requests should come; those that do are still answered.
    pub fn drain(&self) {
        self.health.drain();
    }

    /// Asks the gate.
    pub(crate) fn permit(&self, call: &Call<'_>, action: Action, name: &Repository) -> Result<(), Failure> {
        self.gate.check(call.caller, action, name)
    }

    /// Instead of "not there" to somebody who showed nothing: "log in", where another repository that the path can mean
    /// is closed to it. containerd asks without its password first, and takes a 404 for the last word.
    fn or_log_in(&self, call: &Call<'_>, name: &Repository, failure: Failure) -> Failure {
        if failure.status != StatusCode::NOT_FOUND || !call.caller.showed_nothing() {
            return failure;
        }
        let is_closed = |candidate: &Candidate| !call.caller.is_allowed(Action::Pull, &candidate.repository);
        match self.meant(call, name).0.iter().any(is_closed) {
            true => call.caller.refusal(Action::Pull, name),
            false => failure,
        }
    }

    /// The repositories that a reading request may mean, and where else it may be had, as far as its sender may read
    /// them.
    pub(crate) fn sources(&self, call: &Call<'_>, name: &Repository) -> Result<Sources, Failure> {
        let (found, source) = self.meant(call, name);
        let readable = self.gate.readable(call.caller, name, found)?;
        let is_readable = |source: &Source| {
            readable
                .iter()
                .any(|candidate| candidate.repository == *source.kept())
        };
        let source = source.filter(is_readable);
        Ok((readable, source))
    }

    /// All that a reading request may mean. What an upstream has is among it under the name that it is kept by.
    fn meant(&self, call: &Call<'_>, name: &Repository) -> Sources {
        let namespace = namespace(call.query, call.headers);
        let mut found = candidates(name, namespace.as_ref());
        let gateway = self.gateway.as_ref();
        let source = gateway.and_then(|gateway| gateway.source(name, call.query, call.headers));
        if let Some(source) = &source
            && !found
                .iter()
                .any(|candidate| candidate.repository == *source.kept())
        {
            found.push(Candidate {
                repository: source.kept().clone(),
                honoured: namespace.is_some(),
                guess: false,
            });
        }
        (found, source)
    }
}

/// Repositories that are here, and the upstream that may have what is not.
pub(crate) type Sources = (Vec<Candidate>, Option<Source>);

/// Asks the store about each candidate in turn; gives the candidate and the answer.
macro_rules! first_found {
    ($candidates:expr, $name:ident => $ask:expr, $otherwise:expr) => {{
        let mut found = None;
        let mut missing = None;
        for candidate in $candidates {
            let $name = &candidate.repository;
            match $ask {
                Ok(answer) => {
                    found = Some((candidate.clone(), answer));
                    break;
                }
                Err(error) if error.is_not_found() => missing = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        found.ok_or_else(|| missing.map_or_else(|| $otherwise, Failure::from))
    }};
}
pub(crate) use first_found;

pub(crate) fn not_allowed(route: &Route, method: &str) -> Failure {
    let allowed = match route {
        Route::Manifest(..) => "GET, HEAD, PUT, DELETE",
        Route::Blob(..) => "GET, HEAD, DELETE",
        Route::Uploads(_) => "POST",
        Route::Token => "GET, POST",
        Route::Upload(..) => "GET, HEAD, PATCH, PUT, DELETE",
        _ => "GET, HEAD",
    };
    Failure::new(
        StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::Unsupported,
        format!("{method} is not done here; {allowed} are"),
    )
    .with(header::ALLOW, allowed)
}

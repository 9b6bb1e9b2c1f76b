//! From a socket to an answer: accept, TLS where wanted, one call per request, the fault that fits it.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use http::{Request as HttpRequest, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::fd::AsFd;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::answer::{empty, error, sized, with};
use super::body::{Body, Connection, Pace, Sending, full};
use super::builder::Options;
use super::ecr::Ecr;
use super::harbor::Harbor;
use super::record::{Log, Request};
use super::route::Route;
use super::rules::{Fault, Rules};
use super::state::State;
use super::token::{self, Auth, Tokens};
use super::{pull, push};
use crate::Scratch;
use crate::workload::Content;

/// The product that it is.
#[derive(Debug, Default)]
pub(super) enum Face {
    /// None in particular.
    #[default]
    Plain,
    /// Harbor.
    Harbor(Harbor),
    /// Amazon ECR.
    Ecr(Ecr),
}

/// What all connections share.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) url: String,
    pub(super) pace: Arc<Pace>,
    pub(super) rules: Mutex<Rules>,
    pub(super) log: Log,
    pub(super) tokens: Tokens,
    pub(super) connections: AtomicUsize,
    pub(super) running: AtomicUsize,
    pub(super) most_running: AtomicUsize,
    pub(super) bytes_received: AtomicU64,
    pub(super) started: Instant,
    pub(super) scratch: Scratch,
    pub(super) state: Mutex<State>,
    pub(super) face: Mutex<Face>,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Where uploads go.
    pub(super) fn folder(&self) -> std::path::PathBuf {
        self.scratch.path().to_owned()
    }
}

/// One request with all that its answer depends on.
pub(super) struct Call {
    pub(super) shared: Arc<Shared>,
    pub(super) connection: Arc<Connection>,
    pub(super) request: Request,
    pub(super) fault: Option<Fault>,
}

impl Call {
    /// Makes the connection end with RST.
    pub(super) fn reset(&self) -> io::Error {
        self.connection.reset();
        io::Error::other("a fault of the test registry")
    }

    pub(super) fn sending(&self, content: Content, offset: u64, len: u64, fault: Option<Fault>) -> Sending {
        Sending {
            content,
            offset,
            len,
            fault,
            request: self.request.clone(),
            pace: Arc::clone(&self.shared.pace),
            connection: Arc::clone(&self.connection),
        }
    }
}

/// Accepts connections for ever.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let tls = shared.options.tls.clone().map(|identity| {
        TlsAcceptor::from(identity.server_config(shared.options.client_authority.as_deref()))
    });
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        let tls = tls.clone();
        tokio::spawn(async move {
            shared.connections.fetch_add(1, Ordering::Relaxed);
            // Broken connections are this server's trade.
            let _ = serve(stream, tls, shared).await;
        });
    }
}

async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let connection = Arc::new(Connection::new(stream.as_fd().try_clone_to_owned()?));
    let service = service_fn(move |request| {
        let (shared, connection) = (Arc::clone(&shared), Arc::clone(&connection));
        async move {
            let now = shared.running.fetch_add(1, Ordering::Relaxed) + 1;
            shared.most_running.fetch_max(now, Ordering::Relaxed);
            let answer = answer(Arc::clone(&shared), connection, request).await;
            shared.running.fetch_sub(1, Ordering::Relaxed);
            answer
        }
    });
    let http = http1::Builder::new();
    let served = match tls {
        None => http.serve_connection(TokioIo::new(stream), service).await,
        Some(tls) => {
            let stream = tls.accept(stream).await?;
            http.serve_connection(TokioIo::new(stream), service).await
        }
    };
    served.map_err(io::Error::other)
}

async fn answer(
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    request: HttpRequest<Incoming>,
) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let route = Route::parse(parts.uri.path());
    let request = Request::new(&parts, &route, shared.started);
    shared.log.push(request.clone());
    let mut call = Call {
        shared,
        connection,
        request,
        fault: None,
    };
    let shared = &call.shared;
    let refusal = refusal(shared, &route, &call.request);
    let response = match refusal {
        Some(refusal) => refusal,
        None => {
            call.fault = shared.rules.lock().unwrap().take(&call.request);
            act(&call, &route, body).await?
        }
    };
    call.shared
        .bytes_received
        .fetch_add(call.request.received(), Ordering::Relaxed);
    call.request.answered(response.status().as_u16());
    if matches!(call.fault, Some(Fault::NoAnswer)) {
        return Err(call.reset());
    }
    Ok(response)
}

fn refusal(shared: &Shared, route: &Route, request: &Request) -> Option<Response<Body>> {
    let refusal = match &*shared.face.lock().unwrap() {
        Face::Harbor(harbor) => return harbor.check(&shared.url, route, request),
        Face::Ecr(ecr) => route.repository().and_then(|repository| ecr.check(repository)),
        Face::Plain => None,
    };
    let options = &shared.options;
    token::check(&options.auth, &shared.tokens, &shared.url, route, request).or(refusal)
}

/// The fault's answer where it has one, else the right one.
async fn act(call: &Call, route: &Route, body: Incoming) -> io::Result<Response<Body>> {
    match &call.fault {
        Some(Fault::Status {
            status,
            retry_after,
            code,
        }) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let response = error(status, code, "a fault of the test registry");
            Ok(match retry_after {
                Some(seconds) => with(response, "retry-after", seconds),
                None => response,
            })
        }
        Some(Fault::Redirect { location }) => {
            Ok(with(empty(StatusCode::TEMPORARY_REDIRECT), "location", location))
        }
        Some(Fault::Replace { content_type, body }) => {
            let response = sized(Response::new(full(body.clone())), body.len() as u64);
            Ok(with(response, "content-type", content_type))
        }
        Some(Fault::Delay { pause }) => {
            tokio::time::sleep(*pause).await;
            dispatch(call, route, body).await
        }
        _ => dispatch(call, route, body).await,
    }
}

async fn dispatch(call: &Call, route: &Route, body: Incoming) -> io::Result<Response<Body>> {
    let method = call.request.method.as_str();
    let is_write = !matches!(method, "GET" | "HEAD");
    if is_write && call.shared.options.read_only && !matches!(route, Route::Token | Route::Service(_)) {
        return Ok(error(
            StatusCode::METHOD_NOT_ALLOWED,
            "UNSUPPORTED",
            "this registry is read-only",
        ));
    }
    match (method, route) {
        (_, Route::Token) => token_server(call, body).await,
        (_, Route::Service(_)) => service(call, body).await,
        ("DELETE", route) => Ok(push::delete(call, route)),
        ("POST", Route::Uploads(name)) => push::start(call, name, body).await,
        ("PATCH", Route::Upload(name, id)) => push::chunk(call, name, id, body).await,
        ("PUT", Route::Upload(name, id)) => push::end(call, name, id, body).await,
        ("PUT", Route::Manifest(name, target)) => push::manifest(call, name, target, body).await,
        ("GET" | "HEAD", route) => read(call, route),
        _ => Ok(error(
            StatusCode::METHOD_NOT_ALLOWED,
            "UNSUPPORTED",
            "not in this API",
        )),
    }
}

fn read(call: &Call, route: &Route) -> io::Result<Response<Body>> {
    match route {
        Route::Ping => Ok(with(
            empty(StatusCode::OK),
            "docker-distribution-api-version",
            "registry/2.0",
        )),
        Route::Cdn(digest) => pull::cdn(call, digest),
        Route::Manifest(name, target) => pull::manifest(call, name, target),
        Route::Blob(name, digest) => pull::blob(call, name, digest),
        Route::Upload(name, id) => Ok(push::state(call, name, id)),
        Route::Tags(name) => Ok(pull::tags(call, name)),
        Route::Catalog => Ok(pull::catalog(call)),
        Route::Referrers(name, digest) if call.shared.options.referrers => {
            Ok(pull::referrers(call, name, digest))
        }
        _ => Ok(empty(StatusCode::NOT_FOUND)),
    }
}

/// What only some products have.
async fn service(call: &Call, body: Incoming) -> io::Result<Response<Body>> {
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    Ok(match &mut *call.shared.face.lock().unwrap() {
        Face::Harbor(harbor) => harbor.answer(&call.request, &body),
        Face::Ecr(ecr) => ecr.answer(&call.request, &body),
        Face::Plain => empty(StatusCode::NOT_FOUND),
    })
}

async fn token_server(call: &Call, body: Incoming) -> io::Result<Response<Body>> {
    let form = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let form = String::from_utf8_lossy(&form);
    Ok(match &call.shared.options.auth {
        Auth::Bearer(bearer) => token::answer(bearer, &call.shared.tokens, &call.request, &form),
        _ => empty(StatusCode::NOT_FOUND),
    })
}

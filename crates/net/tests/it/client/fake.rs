//! A small HTTP server for tests: one closure answers, every request is kept.
//! The tests of `auth` and `client` use this file too, each a part of it.
#![allow(dead_code)]

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    pub fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn is(&self, method: Method, path: &str) -> bool {
        self.method == method && self.path() == path
    }
}

pub type Reply = Response<Script>;
type Handler = Arc<dyn Fn(Seen) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync>;

/// A running server; it ends when this is dropped.
pub struct Server {
    pub address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start<F, R>(tls: Option<TlsAcceptor>, handler: F) -> Self
    where
        F: Fn(Seen) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let handler: Handler = Arc::new(move |seen| Box::pin(handler(seen)));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let task = tokio::spawn(accept(listener, tls, handler, Arc::clone(&shared)));
        Self {
            address,
            scheme,
            shared,
            task,
        }
    }

    /// A plain HTTP server whose answers need no waiting.
    pub async fn plain(handler: impl Fn(Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(None, move |seen| std::future::ready(handler(seen))).await
    }

    pub fn host(&self) -> String {
        self.address.to_string()
    }

    pub fn url(&self, path: &str) -> Uri {
        format!("{}://{}{path}", self.scheme, self.address)
            .parse()
            .unwrap()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub fn count(&self, what: impl Fn(&Seen) -> bool) -> usize {
        self.seen().iter().filter(|seen| what(seen)).count()
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, handler: Handler, shared: Arc<Shared>) {
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let (tls, handler, shared) = (tls.clone(), Arc::clone(&handler), Arc::clone(&shared));
        tokio::spawn(async move {
            match tls {
                None => serve(tcp, handler, shared).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(tcp).await {
                        serve(stream, handler, shared).await;
                    }
                }
            }
        });
    }
}

async fn serve<S>(stream: S, handler: Handler, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let (handler, shared) = (Arc::clone(&handler), Arc::clone(&shared));
        async move {
            let (head, body) = request.into_parts();
            let seen = Seen {
                method: head.method,
                uri: head.uri,
                headers: head.headers,
                body: body.collect().await.map_err(io::Error::other)?.to_bytes(),
            };
            shared.seen.lock().unwrap().push(seen.clone());
            let reply = handler(seen).await;
            match reply.extensions().get::<HungUp>() {
                Some(HungUp) => Err(io::Error::other("hung up by the test")),
                None => Ok(reply),
            }
        }
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

#[derive(Clone)]
struct HungUp;

/// No answer at all: the connection is closed once the request was read.
pub fn hang_up() -> Reply {
    let mut reply = reply(200, &[], "");
    reply.extensions_mut().insert(HungUp);
    reply
}

/// A server that is given each raw connection.
pub async fn raw<F, R>(handler: F) -> (SocketAddr, JoinHandle<()>)
where
    F: Fn(TcpStream, usize) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        for number in 0.. {
            let (tcp, _) = listener.accept().await.unwrap();
            tokio::spawn(handler(tcp, number));
        }
    });
    (address, task)
}

/// A body that follows a script: pieces, and how it ends.
pub struct Script {
    pieces: std::collections::VecDeque<Bytes>,
    end: End,
    pause: Option<(Duration, Pin<Box<tokio::time::Sleep>>)>,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Clean,
    Cut,
    Never,
}

impl http_body::Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some((every, sleep)) = &mut self.pause {
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let next = tokio::time::Instant::now() + *every;
            sleep.as_mut().reset(next);
        }
        match (self.pieces.pop_front(), self.end) {
            (Some(piece), _) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            (None, End::Clean) => Poll::Ready(None),
            (None, End::Cut) if self.pause.is_none() => {
                // What was sent so far must be on its way before the connection breaks.
                self.pause = Some((
                    Duration::ZERO,
                    Box::pin(tokio::time::sleep(Duration::from_millis(20))),
                ));
                self.poll_frame(cx)
            }
            (None, End::Cut) => Poll::Ready(Some(Err(io::Error::other("cut by the test")))),
            (None, End::Never) => Poll::Pending,
        }
    }
}

fn script(bytes: impl Into<Bytes>, end: End) -> Script {
    Script {
        pieces: [bytes.into()]
            .into_iter()
            .filter(|piece: &Bytes| !piece.is_empty())
            .collect(),
        end,
        pause: None,
    }
}

pub fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
    let body = body.into();
    let mut builder = Response::builder().status(StatusCode::from_u16(status).unwrap());
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-length"))
    {
        builder = builder.header("content-length", body.len());
    }
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(script(body, End::Clean)).unwrap()
}

/// Announces `length` bytes (nothing is announced with `None`), sends these, and then breaks the connection.
pub fn cut(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>, length: Option<usize>) -> Reply {
    scripted(status, headers, body, length, End::Cut)
}

/// The same, but then sends nothing any more.
pub fn stall(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>, length: Option<usize>) -> Reply {
    scripted(status, headers, body, length, End::Never)
}

/// A body without `Content-Length`.
pub fn chunked(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
    scripted(status, headers, body, None, End::Clean)
}

fn scripted(
    status: u16,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
    length: Option<usize>,
    end: End,
) -> Reply {
    let mut builder = Response::builder().status(StatusCode::from_u16(status).unwrap());
    if let Some(length) = length {
        builder = builder.header("content-length", length);
    }
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(script(body, end)).unwrap()
}

/// One byte every `every`.
pub fn drip(length: usize, every: Duration) -> Reply {
    let mut reply = scripted(200, &[], Bytes::new(), Some(length), End::Clean);
    let body = reply.body_mut();
    body.pieces = (0..length).map(|_| Bytes::from_static(b"x")).collect();
    body.pause = Some((every, Box::pin(tokio::time::sleep(every))));
    reply
}

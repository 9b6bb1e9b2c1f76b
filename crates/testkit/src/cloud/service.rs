//! A small HTTP server on a thread of its own: one closure answers, every request is kept.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::Identity;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Bytes,
}

impl Asked {
    /// A header's text; nothing when there is none.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    /// A field of the body as a form, or of the query.
    pub fn field(&self, name: &str) -> Option<String> {
        let body = String::from_utf8_lossy(&self.body).into_owned();
        let query = self.uri.query().unwrap_or_default().to_owned();
        let pairs = body.split('&').chain(query.split('&'));
        let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(key, _)| *key == name)?;
        let value = value.replace('+', " ");
        Some(percent_decode_str(&value).decode_utf8_lossy().into_owned())
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    delay: Duration,
}

impl Reply {
    /// An answer in text.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            delay: Duration::ZERO,
        }
    }

    /// An answer in JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, body.to_string()).header("content-type", "application/json")
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// After this time.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

type Handler = Arc<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// A running server; it ends with this handle.
pub struct Service {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Service({})", self.address)
    }
}

impl Service {
    /// Starts one; with an identity it speaks TLS.
    #[track_caller]
    pub fn start(tls: Option<&Identity>, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        listener
            .set_nonblocking(true)
            .expect("a socket can be made not to block");
        let address = listener.local_addr().expect("a bound socket has an address");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime for the service");
        let tls = tls.map(|identity| TlsAcceptor::from(identity.server_config(None)));
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (stop, stopped) = oneshot::channel::<()>();
        let seen = Arc::clone(&asked);
        let handler: Handler = Arc::new(answer);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let listener = listener.try_into().expect("a listening socket");
                tokio::select! {
                    () = accept(listener, tls, handler, seen) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            asked,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How many requests fit.
    pub fn count(&self, what: impl Fn(&Asked) -> bool) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|asked| what(asked))
            .count()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(
    listener: tokio::net::TcpListener,
    tls: Option<TlsAcceptor>,
    handler: Handler,
    seen: Arc<Mutex<Vec<Asked>>>,
) {
    while let Ok((tcp, _)) = listener.accept().await {
        let (tls, handler, seen) = (tls.clone(), Arc::clone(&handler), Arc::clone(&seen));
        tokio::spawn(async move {
            match tls {
                None => serve(tcp, handler, seen).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(tcp).await {
                        serve(stream, handler, seen).await;
                    }
                }
            }
        });
    }
}

async fn serve<S>(stream: S, handler: Handler, seen: Arc<Mutex<Vec<Asked>>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let (handler, seen) = (Arc::clone(&handler), Arc::clone(&seen));
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(http_body_util::Collected::to_bytes);
            let asked = Asked {
                method: head.method,
                uri: head.uri,
                headers: head.headers,
                body: body.unwrap_or_default(),
            };
            seen.lock().unwrap().push(asked.clone());
            let reply = handler(&asked);
            tokio::time::sleep(reply.delay).await;
            let mut response = Response::new(Full::new(Bytes::from(reply.body)));
            *response.status_mut() = StatusCode::from_u16(reply.status).expect("a status");
            for (name, value) in reply.headers {
                response
                    .headers_mut()
                    .insert(name, value.parse().expect("a header's value"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

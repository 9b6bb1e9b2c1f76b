//! One connection: directly or through a proxy, plain or TLS. This is what the pool calls when it needs a new one.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use super::dial::{Whom, dial};
use super::error::NetError;
use super::options::{Proxies, TransportOptions};
use super::reach::Reach;
use super::scheme::is_loopback;
use super::socket::Socket;
use super::tls::{Tls, agreed};
use super::trace::TraceEvent;
use super::tunnel;
use super::verify::SeenChain;

/// Makes connections for the pool.
#[derive(Clone)]
pub(crate) struct Connector {
    inner: Arc<Inner>,
}

struct Inner {
    options: Arc<TransportOptions>,
    tls: Tls,
    proxies: Matcher,
}

/// A connection of any kind.
pub(crate) enum Link {
    Plain {
        socket: Socket,
        proxied: bool,
    },
    Tls(Box<TlsStream<Socket>>),
    /// TLS to the server within TLS to the proxy.
    Nested(Box<TlsStream<TlsStream<Socket>>>),
    /// Plain HTTP through a proxy that itself wants TLS.
    TlsToProxy(Box<TlsStream<Socket>>),
}

impl Connector {
    pub(crate) fn new(options: Arc<TransportOptions>) -> Result<Self, NetError> {
        let tls = Tls::new(&options.tls)?;
        let proxies = matcher(&options.proxies);
        Ok(Self {
            inner: Arc::new(Inner {
                options,
                tls,
                proxies,
            }),
        })
    }

    /// `Proxy-Authorization` for a plain HTTP request, which the proxy itself reads.
    pub(crate) fn proxy_authorization(&self, url: &Uri) -> Option<HeaderValue> {
        if url.scheme_str() != Some("http") {
            return None;
        }
        let mut value = self.inner.intercept(url)?.basic_auth()?.clone();
        value.set_sensitive(true);
        Some(value)
    }
}

fn matcher(proxies: &Proxies) -> Matcher {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    Matcher::builder()
        .http(text(&proxies.http))
        .https(text(&proxies.https))
        .all(text(&proxies.all))
        .no(text(&proxies.no))
        .build()
}

impl Inner {
    fn intercept(&self, url: &Uri) -> Option<Intercept> {
        if url.host().is_none_or(is_loopback) {
            return None;
        }
        self.proxies.intercept(url)
    }

    async fn connect(&self, url: &Uri) -> Result<Link, NetError> {
        let target = Target::of(url)?;
        match self.intercept(url) {
            None => self.direct(&target).await,
            Some(proxy) => self.proxied(&target, &proxy).await,
        }
    }

    async fn direct(&self, target: &Target<'_>) -> Result<Link, NetError> {
        let socket = self.dial(target, &self.options.reach).await?;
        match target.tls {
            false => Ok(Link::Plain {
                socket,
                proxied: false,
            }),
            true => Ok(Link::Tls(Box::new(self.handshake(socket, target).await?))),
        }
    }

    async fn dial(&self, target: &Target<'_>, reach: &Reach) -> Result<Socket, NetError> {
        let whom = Whom {
            host: target.host,
            port: target.port,
            authority: target.authority,
            reach,
        };
        dial(&whom, self.options.timeouts.connect, &self.options.trace).await
    }

    /// A proxy looks names up itself; an address in the URL can be judged here.
    fn check_literal(&self, target: &Target<'_>) -> Result<(), NetError> {
        let bare = target.host.trim_start_matches('[').trim_end_matches(']');
        let Ok(address) = bare.parse() else {
            return Ok(());
        };
        let checked = self.options.reach.check(target.authority, target.host, address);
        checked.map_err(|kind| NetError::AddressRefused {
            host: target.authority.to_owned(),
            address,
            kind,
        })
    }

    async fn proxied(&self, target: &Target<'_>, proxy: &Intercept) -> Result<Link, NetError> {
        let via = Target::of(proxy.uri())?;
        if !matches!(proxy.uri().scheme_str(), Some("http" | "https")) {
            return Err(NetError::Proxy {
                proxy: via.authority.to_owned(),
                target: target.authority.to_owned(),
                reason: "only HTTP proxies are supported, not SOCKS".to_owned(),
                transient: false,
            });
        }
        self.check_literal(target)?;
        let socket = self
            .dial(&via, &Reach::Anywhere)
            .await
            .map_err(|error| NetError::Proxy {
                proxy: via.authority.to_owned(),
                target: target.authority.to_owned(),
                reason: error.to_string(),
                transient: error.is_transient(),
            })?;
        if !via.tls {
            return self.through(socket, target, &via, proxy).await;
        }
        let socket = self.handshake(socket, &via).await?;
        if !target.tls {
            return Ok(Link::TlsToProxy(Box::new(socket)));
        }
        let stream = self.tunnel(socket, target, &via, proxy).await?;
        Ok(Link::Nested(Box::new(self.handshake(stream, target).await?)))
    }

    async fn through(
        &self,
        socket: Socket,
        target: &Target<'_>,
        via: &Target<'_>,
        proxy: &Intercept,
    ) -> Result<Link, NetError> {
        if !target.tls {
            return Ok(Link::Plain {
                socket,
                proxied: true,
            });
        }
        let stream = self.tunnel(socket, target, via, proxy).await?;
        Ok(Link::Tls(Box::new(self.handshake(stream, target).await?)))
    }

    async fn tunnel<S>(
        &self,
        mut stream: S,
        target: &Target<'_>,
        via: &Target<'_>,
        proxy: &Intercept,
    ) -> Result<S, NetError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = format!("{}:{}", target.host, target.port);
        let opened = tunnel::open(&mut stream, via.authority, &name, proxy.basic_auth());
        let begun = Instant::now();
        let outcome = self.in_time(opened, via.authority, "waiting for the proxy").await;
        self.options.trace.tell(|| TraceEvent::Proxy {
            proxy: via.authority.to_owned(),
            target: name.clone(),
            elapsed: begun.elapsed(),
            outcome: outcome.clone(),
        });
        outcome.map(|()| stream)
    }

    async fn handshake<S>(&self, stream: S, target: &Target<'_>) -> Result<TlsStream<S>, NetError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let skip_verify = self.options.host(target.authority).skip_verify;
        let trace = &self.options.trace;
        let seen = trace.is_on().then(SeenChain::default);
        let begun = Instant::now();
        let connected = self
            .tls
            .connect(stream, target.host, target.authority, skip_verify, seen.as_ref());
        let outcome = self.in_time(connected, target.authority, "TLS handshake").await;
        trace.tell(|| TraceEvent::Tls {
            host: target.authority.to_owned(),
            elapsed: begun.elapsed(),
            chain: seen.map(|seen| seen.take()).unwrap_or_default(),
            outcome: outcome.as_ref().map(agreed).map_err(NetError::clone),
        });
        outcome
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, NetError>>,
        whom: &str,
        what: &'static str,
    ) -> Result<T, NetError> {
        let after: Duration = self.options.timeouts.connect;
        let outcome = tokio::time::timeout(after, work).await;
        outcome.unwrap_or_else(|_| {
            Err(NetError::Timeout {
                url: whom.to_owned(),
                what,
                after,
            })
        })
    }
}

/// Where a URL points, as far as a connection is concerned.
struct Target<'a> {
    host: &'a str,
    port: u16,
    authority: &'a str,
    tls: bool,
}

impl<'a> Target<'a> {
    fn of(url: &'a Uri) -> Result<Self, NetError> {
        let authority = url.authority().ok_or_else(|| NetError::InvalidUrl {
            url: url.path().to_owned(),
            reason: "it names no host".to_owned(),
        })?;
        let tls = url.scheme_str() == Some("https");
        Ok(Self {
            host: authority.host(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority: authority.as_str(),
            tls,
        })
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Link>;
    type Error = NetError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NetError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NetError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.connect(&url).await.map(TokioIo::new) })
    }
}

// === impl Link ===

impl Connection for Link {
    fn connected(&self) -> Connected {
        // To a proxy, plain HTTP requests carry the whole URL.
        let proxied = matches!(self, Self::Plain { proxied: true, .. } | Self::TlsToProxy(_));
        Connected::new().proxy(proxied)
    }
}

macro_rules! each_kind {
    ($link:expr, $io:ident => $call:expr) => {
        match $link {
            Link::Plain { socket: $io, .. } => $call,
            Link::Tls($io) => $call,
            Link::Nested($io) => $call,
            Link::TlsToProxy($io) => $call,
        }
    };
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each_kind!(&mut *self, io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Link {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each_kind!(&mut *self, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each_kind!(&mut *self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each_kind!(&mut *self, io => Pin::new(io).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each_kind!(&mut *self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        each_kind!(self, io => io.is_write_vectored())
    }
}

//! One connection, from the accepted socket to its end.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::activity::Activity;
use super::body::ResponseBody;
use super::certificate;
use super::limits::Limits;
use super::peer::Peer;
use super::plain::{self, Beginning};
use super::region::Regions;
use super::send::FileSender;
use super::socket::Socket;
use super::stats::Stats;

/// What every connection of a server shares.
pub(super) struct Shared<S> {
    pub(super) service: S,
    pub(super) limits: Limits,
    pub(super) stats: Arc<Stats>,
    pub(super) tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    /// True when the server stops.
    pub(super) stopping: watch::Receiver<bool>,
}

/// What one connection has of its own.
struct Connection {
    peer: Peer,
    activity: Activity,
    /// Where bodies name files; not under TLS.
    regions: Option<Arc<Regions>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.activity.endings().broken();
    }
}

/// Counts the end of a connection, however it ends.
struct Ended(Arc<Stats>);

impl Drop for Ended {
    fn drop(&mut self) {
        Stats::add(&self.0.ended, 1);
    }
}

/// Serves one connection until either side ends it.
pub(super) async fn serve<S, F>(tcp: TcpStream, addr: SocketAddr, shared: Arc<Shared<S>>)
where
    S: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Response<ResponseBody>> + Send,
{
    let _ended = Ended(Arc::clone(&shared.stats));
    prepare(&tcp);
    let limits = &shared.limits;
    if shared.tls.is_some() && !begins_with_tls(&tcp, addr, &shared).await {
        return;
    }
    let activity = Activity::default();
    let socket = Socket::new(tcp, activity.clone(), Arc::clone(&shared.stats), limits);
    let mut connection = Connection {
        peer: Peer {
            addr,
            tls: shared.tls.is_some(),
            client_certificate: None,
            certificate_name: None,
        },
        activity,
        regions: None,
    };
    let Some(tls) = &shared.tls else {
        let regions = Arc::<Regions>::default();
        connection.regions = Some(Arc::clone(&regions));
        let socket = socket.with_files(regions, FileSender::new(Arc::clone(&shared.stats)));
        return converse(socket, connection, &shared).await;
    };
    let config = Arc::clone(&tls.borrow());
    let handshake = tokio::time::timeout(limits.handshake_timeout, TlsAcceptor::from(config).accept(socket));
    let stream = tokio::select! {
        done = handshake => done,
        () = told_to_stop(&shared) => return,
    };
    match stream {
        Ok(Ok(stream)) => {
            let chain = stream.get_ref().1.peer_certificates();
            let certificate = chain.and_then(<[_]>::first).cloned().map(Arc::new);
            connection.peer.certificate_name = certificate.as_deref().and_then(|der| certificate::name(der));
            connection.peer.client_certificate = certificate;
            converse(stream, connection, &shared).await;
        }
        Ok(Err(error)) => {
            Stats::add(&shared.stats.handshake_errors, 1);
            tracing::debug!(%addr, %error, "TLS handshake failed");
        }
        Err(_elapsed) => {
            Stats::add(&shared.stats.handshake_errors, 1);
            tracing::debug!(%addr, "TLS handshake took too long");
        }
    }
}

/// Whether a connection to a TLS port begins as one should. One that begins with plain HTTP has been answered.
async fn begins_with_tls<S>(tcp: &TcpStream, addr: SocketAddr, shared: &Shared<S>) -> bool {
    let looked = tokio::select! {
        looked = tokio::time::timeout(shared.limits.handshake_timeout, plain::beginning(tcp)) => looked,
        () = told_to_stop(shared) => return false,
    };
    match looked {
        Ok(Ok(Beginning::Tls)) => return true,
        // A probe that only connects is no handshake.
        Ok(Ok(Beginning::Closed) | Err(_)) => return false,
        Ok(Ok(Beginning::PlainHttp)) => {
            Stats::add(&shared.stats.handshake_errors, 1);
            tracing::debug!(%addr, "plain HTTP on a TLS port");
            plain::refuse(tcp).await;
        }
        Err(_elapsed) => {
            Stats::add(&shared.stats.handshake_errors, 1);
            tracing::debug!(%addr, "TLS handshake took too long");
        }
    }
    false
}

/// HTTP/1.1 over a stream that is ready for it.
async fn converse<S, F, IO>(io: IO, connection: Connection, shared: &Shared<S>)
where
    S: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Response<ResponseBody>> + Send,
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    let addr = connection.peer.addr;
    let answer = service_fn(|request| {
        let answering = connection.activity.begin();
        let response = (shared.service)(request, connection.peer.clone());
        async {
            let mut response = response.await;
            response.body_mut().attach(connection.regions.as_ref(), answering);
            Ok::<_, Infallible>(response)
        }
    });
    let limits = &shared.limits;
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        // hyper's time runs from when the last response has left; the socket's, for a head that has begun, is shorter.
        .header_read_timeout(limits.idle_timeout)
        .max_header_size(limits.max_header_bytes)
        .max_buf_size(limits.read_buffer_bytes.max(LEAST_READ_BUFFER))
        .serve_connection(TokioIo::new(io), answer);
    let mut http = pin!(http);
    let ended = tokio::select! {
        ended = http.as_mut() => ended,
        () = told_to_stop(shared) => {
            http.as_mut().graceful_shutdown();
            http.await
        }
    };
    if let Err(error) = ended {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        tracing::debug!(%addr, %error, cause, "connection ended early");
    }
}

/// What hyper takes at least.
const LEAST_READ_BUFFER: usize = 8192;

async fn told_to_stop<S>(shared: &Shared<S>) {
    // An error means that the server is gone altogether.
    let _ = shared.stopping.clone().wait_for(|stopping| *stopping).await;
}

/// Options that a socket should have; a socket without them works too.
fn prepare(tcp: &TcpStream) {
    use rustix::net::sockopt;
    let _ = tcp.set_nodelay(true);
    let _ = sockopt::set_socket_keepalive(tcp, true);
    let _ = sockopt::set_tcp_keepidle(tcp, Duration::from_secs(60));
    let _ = sockopt::set_tcp_keepintvl(tcp, Duration::from_secs(15));
}

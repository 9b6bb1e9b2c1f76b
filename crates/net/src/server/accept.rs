//! The accept loop: nothing that a client does, and nothing that the system lacks for a while, ends it.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::body::ResponseBody;
use super::clients::Clients;
use super::connection::{self, Shared};
use super::error::ServeError;
use super::limits::Limits;
use super::listen::Listeners;
use super::peer::Peer;
use super::stats::Stats;
use super::tls::{Security, Tls};

/// How long accepting rests when the system has no room for another connection.
const REST: Duration = Duration::from_millis(100);

/// A server that listens, and will answer when [`run`](Server::run).
pub struct Server {
    listeners: Listeners,
    tls: Option<Tls>,
    limits: Limits,
    stats: Arc<Stats>,
}

impl Server {
    /// Reads the certificates and begins to listen. Port 0 lets the system choose one.
    ///
    /// # Errors
    /// [`ServeError`] when the address is taken or not ours, or the certificates cannot be used.
    pub async fn bind(address: SocketAddr, security: Security, limits: Limits) -> Result<Self, ServeError> {
        Self::bind_all(&[address], security, limits).await
    }

    /// The same for several addresses. Of these, an IPv6 address takes IPv6 only, so that `0.0.0.0` and `[::]` can
    /// have the same port.
    ///
    /// # Errors
    /// As [`Self::bind`], and [`ServeError::Listener`] for no address at all.
    pub async fn bind_all(
        addresses: &[SocketAddr],
        security: Security,
        limits: Limits,
    ) -> Result<Self, ServeError> {
        // The certificates first: what cannot be served is not listened for.
        let tls = tls(security).await?;
        Ok(Self::over(Listeners::bind(addresses)?, tls, limits))
    }

    /// Takes over listeners that somebody else has opened (see [`inherited_listeners`](super::inherited_listeners)).
    ///
    /// # Errors
    /// [`ServeError::Listener`] when there are none or they are none; or the certificates cannot be used.
    pub async fn from_listeners(
        listeners: Vec<std::net::TcpListener>,
        security: Security,
        limits: Limits,
    ) -> Result<Self, ServeError> {
        let tls = tls(security).await?;
        Ok(Self::over(Listeners::adopt(listeners)?, tls, limits))
    }

    fn over(listeners: Listeners, tls: Option<Tls>, limits: Limits) -> Self {
        Self {
            listeners,
            tls,
            limits,
            stats: Arc::default(),
        }
    }

    /// The (first) address listened on, with the port that the system chose.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.listeners.addresses()[0]
    }

    /// All addresses listened on.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        self.listeners.addresses()
    }

    /// Counters, which go on while the server runs.
    #[must_use]
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats)
    }

    /// Answers every request with `service` until `shutdown` is ready. Then no connection is accepted, idle ones are
    /// closed, and requests under way have [`Limits::drain_timeout`] to end. Must run in a tokio runtime with time
    /// and I/O.
    ///
    /// # Errors
    /// None at present: a server that listens runs.
    pub async fn run<S, F>(self, service: S, shutdown: impl Future<Output = ()>) -> Result<(), ServeError>
    where
        S: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
        F: Future<Output = Response<ResponseBody>> + Send + 'static,
    {
        let (stop, stopping) = watch::channel(false);
        let mut background = JoinSet::new();
        let tls = self.tls.map(|tls| {
            let current = tls.current();
            background.spawn(tls.keep_fresh(self.limits.reload_interval, Arc::clone(&self.stats)));
            current
        });
        let drain_timeout = self.limits.drain_timeout;
        let shared = Arc::new(Shared {
            service,
            limits: self.limits,
            stats: self.stats,
            tls,
            stopping,
        });
        let mut connections = accept_until(self.listeners, shared, shutdown).await;
        // Nobody left to tell is fine.
        let _ = stop.send(true);
        drain(&mut connections, drain_timeout).await;
        Ok(())
    }
}

async fn tls(security: Security) -> Result<Option<Tls>, ServeError> {
    match security {
        Security::Plain => Ok(None),
        Security::Tls(files) => Tls::load(files).await.map(Some),
    }
}

/// Accepts connections until `shutdown`, and gives back those that are still open.
async fn accept_until<S, F>(
    mut listeners: Listeners,
    shared: Arc<Shared<S>>,
    shutdown: impl Future<Output = ()>,
) -> JoinSet<()>
where
    S: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Response<ResponseBody>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    let room = Arc::new(Semaphore::new(
        shared.limits.max_connections.clamp(1, Semaphore::MAX_PERMITS),
    ));
    let clients = Clients::new(shared.limits.max_connections_per_client);
    let mut shutdown = pin!(shutdown);
    loop {
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, accept(&mut listeners, &shared.stats).await)
        };
        let (permit, (tcp, addr)) = tokio::select! {
            next = next => next,
            Some(ended) = connections.join_next() => {
                report(ended);
                continue;
            }
            () = shutdown.as_mut() => return connections,
        };
        let Some(admitted) = clients.admit(addr.ip()) else {
            Stats::add(&shared.stats.refused, 1);
            tracing::debug!(%addr, "the client has too many connections; this one is closed");
            continue;
        };
        Stats::add(&shared.stats.accepted, 1);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            connection::serve(tcp, addr, shared).await;
            drop((permit, admitted));
        });
    }
}

/// The next connection, however often the system says no.
async fn accept(listeners: &mut Listeners, stats: &Stats) -> (TcpStream, SocketAddr) {
    let mut resting = false;
    loop {
        match poll_fn(|cx| listeners.poll_accept(cx)).await {
            Ok(accepted) => return accepted,
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                Stats::add(&stats.accept_errors, 1);
                // Once, not ten times a second.
                if !std::mem::replace(&mut resting, true) {
                    tracing::warn!(%error, "cannot accept connections; trying again until it works");
                }
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// Errors that `accept(2)` passes on from a connection that was broken before it was accepted.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

/// Waits for connections to end by themselves, and ends those that do not.
async fn drain(connections: &mut JoinSet<()>, bound: Duration) {
    let all = async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    };
    if tokio::time::timeout(bound, all).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "stopping although requests still run"
        );
        connections.shutdown().await;
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "answering a request panicked; its connection is closed");
    }
}

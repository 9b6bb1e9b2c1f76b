//! The registry behind the accept loop: turns the loop's requests into ours and our answers into its bodies.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use landfall_net::server::{ResponseBody, ServeError, Server};
use tokio::sync::oneshot;

use crate::registry::{Peer, Registry};
use crate::reply::{Body, Growing, Reply};

/// How often the list of wanted images is written, if it has changed.
const WANTED_EVERY: Duration = Duration::from_secs(5);

/// Answers on a bound server until `shutdown`. Then `/readyz` says no, requests are still taken for
/// [`drain_delay`](crate::RegistryOptions::drain_delay), and those under way end.
///
/// # Errors
/// [`ServeError`] of the accept loop.
pub async fn serve(
    server: Server,
    registry: Arc<Registry>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    registry.metrics.watch(server.stats());
    let answering = Arc::clone(&registry);
    let answer = move |request, peer: landfall_net::server::Peer| {
        let registry = Arc::clone(&answering);
        async move {
            let secure = peer.tls;
            let peer = Peer {
                addr: peer.addr,
                tls: peer.tls,
                certificate: peer.certificate_name,
            };
            let (reply, exchange) = registry.exchange(request, peer).await;
            respond(reply, secure)
                .map(|body| body.on_end(move |sent| exchange.ended(sent.bytes, sent.complete)))
        }
    };
    let drained = async {
        shutdown.await;
        registry.drain();
        tokio::time::sleep(registry.drain_delay).await;
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let running = async {
        let ran = server.run(answer, drained).await;
        drop(stop);
        ran
    };
    let keeping = async {
        if let Some(wanted) = &registry.wanted {
            // An error is the end too.
            wanted.keep(WANTED_EVERY, async { drop(stopped.await) }).await;
        }
    };
    let (ran, ()) = tokio::join!(running, keeping);
    ran
}

/// Answers `/healthz`, `/readyz` and `/metrics`, and nothing else, on a listener of their own until `shutdown`: for
/// an address that only those reach who look after the registry. It should outlast [`serve`], so that the draining
/// is seen.
///
/// # Errors
/// [`ServeError`] of the accept loop.
pub async fn serve_status(
    server: Server,
    registry: Arc<Registry>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let answer = move |request: http::Request<_>, peer: landfall_net::server::Peer| {
        let registry = Arc::clone(&registry);
        async move {
            let reply = registry.status(request.method(), request.uri().path()).await;
            respond(reply, peer.tls)
        }
    };
    server.run(answer, shutdown).await
}

fn respond(reply: Reply, secure: bool) -> Response<ResponseBody> {
    reply.map(|body| match body {
        Body::Empty => ResponseBody::empty(),
        Body::Bytes(bytes) => ResponseBody::full(bytes),
        // The same file over plain TCP leaves by sendfile.
        Body::Extent(extent) => ResponseBody::file(extent.file, extent.offset, extent.len, secure),
        Body::Growing(Growing { extent, reader }) => {
            ResponseBody::growing(extent.file, extent.offset, extent.len, secure, reader.grown())
        }
    })
}

//! The registry behind the accept loop: turns the loop's requests into ours and our answers into its bodies.

use std::future::Future;
use std::sync::Arc;

use http::Response;
use landfall_net::server::{ResponseBody, ServeError, Server};

use crate::registry::{Peer, Registry};
use crate::reply::{Body, Reply};

/// Answers on a bound server until `shutdown`, then lets requests under way end.
///
/// # Errors
/// [`ServeError`] of the accept loop.
pub async fn serve(
    server: Server,
    registry: Arc<Registry>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let answer = move |request, peer: landfall_net::server::Peer| {
        let registry = Arc::clone(&registry);
        async move {
            let secure = peer.tls;
            let peer = Peer {
                addr: peer.addr,
                tls: peer.tls,
                certificate: peer.certificate_name,
            };
            respond(registry.handle(request, peer).await, secure)
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
    })
}

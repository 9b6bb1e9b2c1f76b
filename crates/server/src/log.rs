//! The access log: one line per request, through `tracing`, under the target `landfall::access`.
//!
//! Never a header, never a query, and of an upload's name only the beginning: whoever knows the whole can write.

use std::net::SocketAddr;
use std::time::Instant;

use http::{Method, Request, header};

use crate::access::Identity;
use crate::registry::Peer;
use crate::reply::Reply;

/// Characters of an upload's name that are shown.
const SHOWN: usize = 8;

/// What is known of a request while it runs.
pub(crate) struct AccessLine {
    started: Instant,
    client: SocketAddr,
    method: Method,
    path: String,
    received: Option<u64>,
    agent: String,
}

impl AccessLine {
    pub(crate) fn begin<B>(request: &Request<B>, peer: &Peer) -> Self {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        Self {
            started: Instant::now(),
            client: peer.addr,
            method: request.method().clone(),
            path: shown(request.uri().path()),
            received: header(header::CONTENT_LENGTH).and_then(|text| text.parse().ok()),
            agent: header(header::USER_AGENT).unwrap_or_default().to_owned(),
        }
    }

    pub(crate) fn end(&mut self, identity: &Identity, reply: &Reply) {
        let length = reply.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()).unwrap_or("0");
        let bytes = if self.method == Method::HEAD { "0" } else { length };
        tracing::info!(
            target: "landfall::access",
            client = %self.client,
            user = identity.name().unwrap_or("-"),
            method = %self.method,
            path = %self.path,
            status = reply.status().as_u16(),
            bytes,
            received = self.received.unwrap_or_default(),
            ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            agent = %self.agent,
        );
    }
}

fn shown(path: &str) -> String {
    match path.rsplit_once("/blobs/uploads/") {
        Some((before, id)) => {
            let id: String = id.chars().take(SHOWN).collect();
            format!("{before}/blobs/uploads/{id}")
        }
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_upload_is_a_secret() {
        let path = "/v2/a/blobs/uploads/0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f0";
        assert_eq!(shown(path), "/v2/a/blobs/uploads/0f1e2d3c");
        assert_eq!(shown("/v2/a/manifests/x"), "/v2/a/manifests/x");
    }
}

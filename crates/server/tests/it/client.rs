//! A client without sockets: one call is one request, and what must be true of every answer is checked each time.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use landfall_hash::HashService;
use landfall_oci::{Algorithm, Digest, ErrorBody, RawManifest};
use landfall_server::{Body, Growing, Peer, Registry, RegistryOptions, RequestBody};
use landfall_store::{DirectoryOptions, DirectoryStore, Durability, Store};

/// Somebody on the same machine.
pub(crate) const PEER: Peer = Peer {
    addr: SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4711),
    tls: false,
    certificate: None,
};

/// A registry over a fresh directory.
pub(crate) struct Scene {
    pub(crate) registry: Arc<Registry>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) root: tempfile::TempDir,
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the body ended before it was whole.
    pub(crate) broken: bool,
}

/// A body that is on its way, and whether it came to its end.
async fn read(growing: &Growing) -> (Bytes, bool) {
    let mut all = Vec::new();
    loop {
        match growing.read(all.len() as u64, 1 << 20).await {
            Ok(piece) if piece.is_empty() => return (all.into(), true),
            Ok(piece) => all.extend_from_slice(&piece),
            Err(_) => return (all.into(), false),
        }
    }
}

/// Without the whole of a large body.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let begin = &self.body[..self.body.len().min(500)];
        let (begin, len) = (begin.escape_ascii(), self.body.len());
        write!(f, "{} {:?} {len} bytes: {begin}", self.status, self.headers)
    }
}

pub(crate) async fn directory(root: &std::path::Path) -> DirectoryStore {
    let options = DirectoryOptions {
        durability: Durability::None,
        reserve_bytes: 0,
        ..DirectoryOptions::default()
    };
    let hash = HashService::new(NonZeroUsize::MIN);
    DirectoryStore::open(root, hash, options).await.unwrap()
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(RegistryOptions::default()).await
    }

    pub(crate) async fn with(options: RegistryOptions) -> Self {
        let root = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(directory(root.path()).await);
        Self {
            registry: Arc::new(Registry::new(Arc::clone(&store), options)),
            store,
            root,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    pub(crate) async fn head(&self, path: &str) -> Answer {
        self.send(Method::HEAD, path, &[], "").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.send(Method::POST, path, &[], "").await
    }

    /// A request whose body has a Content-Length.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        self.send_from(PEER, method, path, headers, body).await
    }

    /// The same from somebody else.
    pub(crate) async fn send_from(
        &self,
        peer: Peer,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let body = body.into();
        let length = body.len().to_string();
        let mut all = vec![("content-length", length.as_str())];
        all.extend(headers);
        self.raw(peer, method, path, &all, Full::new(body)).await
    }

    /// A request whose body comes in pieces, without a Content-Length.
    pub(crate) async fn chunked(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let body = body.into();
        let pieces: Vec<_> = (0..body.len())
            .step_by(4000)
            .map(|at| Ok::<_, io::Error>(Frame::data(body.slice(at..body.len().min(at + 4000)))))
            .collect();
        let body = StreamBody::new(futures_util::stream::iter(pieces));
        self.raw(PEER, method, path, headers, body).await
    }

    async fn raw<B: RequestBody>(
        &self,
        peer: Peer,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: B,
    ) -> Answer {
        let mut request = Request::builder().method(method.clone()).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let reply = self.registry.handle(request.body(body).unwrap(), peer).await;
        let (parts, body) = reply.into_parts();
        let mut broken = false;
        let body = match body {
            Body::Empty => Bytes::new(),
            Body::Bytes(bytes) => bytes,
            Body::Extent(extent) => extent.read_at(0, usize::try_from(extent.len).unwrap()).unwrap(),
            Body::Growing(growing) => {
                let (body, is_whole) = read(&growing).await;
                broken = !is_whole;
                body
            }
        };
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            body,
            broken,
        };
        answer.check_always(&method);
        answer
    }

    // === pushing ===

    pub(crate) async fn push_blob(&self, name: &str, bytes: &Bytes) -> Digest {
        self.push_blob_as(name, bytes, Algorithm::Sha256).await
    }

    pub(crate) async fn push_blob_as(&self, name: &str, bytes: &Bytes, algorithm: Algorithm) -> Digest {
        let digest = landfall_hash::digest(algorithm, bytes);
        let begun = self.post(&format!("/v2/{name}/blobs/uploads/")).await;
        begun.expect(202);
        let path = format!("{}?digest={digest}", begun.header("location"));
        let done = self.send(Method::PUT, &path, &[], bytes.clone()).await;
        done.expect(201);
        digest
    }

    /// As the conformance suite sends it: chunked, without a Content-Length.
    pub(crate) async fn put_manifest(&self, name: &str, reference: &str, manifest: &RawManifest) -> Answer {
        let headers = [("content-type", manifest.media_type.as_str())];
        let path = format!("/v2/{name}/manifests/{reference}");
        self.chunked(Method::PUT, &path, &headers, manifest.bytes.clone())
            .await
    }
}

impl Answer {
    /// The header's value; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn expect(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The status, and this code in the envelope.
    pub(crate) fn expect_error(&self, status: u16, code: &str) -> &Self {
        self.expect(status);
        let body: ErrorBody = serde_json::from_slice(&self.body).unwrap();
        let codes: Vec<String> = body.errors.iter().map(|entry| entry.code.to_string()).collect();
        assert!(codes.contains(&code.to_owned()), "{code} in {codes:?}");
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn check_always(&self, method: &Method) {
        assert_eq!(self.header("docker-distribution-api-version"), "registry/2.0");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        assert_eq!(self.header("content-encoding"), "");
        if *method == Method::HEAD {
            assert!(self.body.is_empty());
        } else if !self.broken && !matches!(self.status.as_u16(), 204 | 304) {
            assert_eq!(
                self.header("content-length"),
                self.body.len().to_string(),
                "{self:?}"
            );
        }
        if self.status.as_u16() >= 400 && *method != Method::HEAD {
            let body: ErrorBody = serde_json::from_slice(&self.body).expect("the error envelope");
            assert!(!body.errors.is_empty() && body.errors.iter().all(|entry| !entry.message.is_empty()));
        }
        assert_ne!(self.status, 500, "{self:?}");
        for warning in self.headers.get_all("warning") {
            assert!(warning.len() <= 4096);
        }
    }
}

/// Bytes that are the same in every run and differ by their seed.
pub(crate) fn bytes(seed: u64, len: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(len).collect()
}

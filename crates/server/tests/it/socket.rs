//! The same registry over real sockets: what only the wire shows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use landfall_net::server::{Limits, Security, Server, TlsFiles};
use landfall_server::{RegistryOptions, self_signed, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::{Scene, bytes};

pub(crate) struct Running {
    pub(crate) scene: Scene,
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

async fn start(security: Security) -> Running {
    start_with(security, RegistryOptions::default()).await
}

pub(crate) async fn start_with(security: Security, options: RegistryOptions) -> Running {
    let scene = Scene::with(options).await;
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let server = Server::bind(any, security, Limits::default()).await.unwrap();
    let address = server.local_addr();
    let (stop, stopped) = oneshot::channel();
    let registry = Arc::clone(&scene.registry);
    let ended = tokio::spawn(async move {
        let shutdown = async move { drop(stopped.await) };
        serve(server, registry, shutdown).await.unwrap();
    });
    Running {
        scene,
        address,
        stop,
        ended,
    }
}

impl Running {
    async fn send(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(10), self.ended)
            .await
            .unwrap()
            .unwrap();
    }
}

/// The status and the body of an answer.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn request(method: &str, path: &str, body: Bytes) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "registry.test")
        .body(Full::new(body))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_comes_whole_and_in_part() {
    let running = start(Security::Plain).await;
    let content = bytes(1, 3_000_000);
    let digest = running.scene.push_blob("a", &content).await;
    let path = format!("/v2/a/blobs/{digest}");
    let whole = running.send(request("GET", &path, Bytes::new())).await;
    assert_eq!(whole.headers()["content-length"], "3000000");
    assert_eq!(whole.into_body().collect().await.unwrap().to_bytes(), content);
    let mut part = request("GET", &path, Bytes::new());
    part.headers_mut()
        .insert("range", "bytes=1234567-".parse().unwrap());
    let part = running.send(part).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(
        part.into_body().collect().await.unwrap().to_bytes(),
        content[1_234_567..]
    );
    let head = running.send(request("HEAD", &path, Bytes::new())).await;
    assert_eq!(head.headers()["content-length"], "3000000");
    assert!(head.into_body().collect().await.unwrap().to_bytes().is_empty());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_over_the_wire() {
    let running = start(Security::Plain).await;
    let content = bytes(2, 2_000_000);
    let digest = landfall_hash::digest(landfall_oci::Algorithm::Sha256, &content);
    let begun = running
        .send(request("POST", "/v2/a/blobs/uploads/", Bytes::new()))
        .await;
    assert_eq!(begun.status(), StatusCode::ACCEPTED);
    let location = begun.headers()["location"].to_str().unwrap().to_owned();
    let state = running.send(request("GET", &location, Bytes::new())).await;
    assert_eq!(state.status(), StatusCode::NO_CONTENT);
    let path = format!("{location}?digest={digest}");
    let done = running.send(request("PUT", &path, content.clone())).await;
    assert_eq!(done.status(), StatusCode::CREATED);
    let found = running.scene.get(&format!("/v2/a/blobs/{digest}")).await;
    assert_eq!(found.body, content);
    running.stop().await;
}

/// A sender that is refused while it sends can still read why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_arrives_although_bytes_are_on_their_way() {
    let running = start(Security::Plain).await;
    let path = "/v2/a/blobs/uploads/0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f0";
    let refused = running.send(request("PATCH", path, bytes(3, 900_000))).await;
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    running.stop().await;
}

/// Two requests on one connection, the first of which is refused with its body unread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_survives_a_refusal() {
    let running = start(Security::Plain).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let body = "x".repeat(100_000);
    let first = format!(
        "PUT /v2/BAD/manifests/x HTTP/1.1\r\nhost: r\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let second = "GET /v2/ HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n";
    stream.write_all(first.as_bytes()).await.unwrap();
    stream.write_all(second.as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    assert!(answers.starts_with("HTTP/1.1 400 "), "{answers}");
    assert!(answers.contains("HTTP/1.1 200 OK"), "{answers}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_leaves_an_upload_that_can_go_on() {
    let running = start(Security::Plain).await;
    let begun = running.scene.post("/v2/a/blobs/uploads/").await;
    let location = begun.header("location").to_owned();
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let head = format!("PATCH {location} HTTP/1.1\r\nhost: r\r\ncontent-length: 1000000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&bytes(4, 400_000)).await.unwrap();
    drop(stream);
    let content = bytes(4, 400_000);
    let mut have = 0;
    for _ in 0..100 {
        let state = running.scene.get(&location).await;
        have = state
            .header("range")
            .strip_prefix("0-")
            .unwrap()
            .parse::<usize>()
            .unwrap()
            + 1;
        if have == 400_000 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(have, 400_000);
    let digest = landfall_hash::digest(landfall_oci::Algorithm::Sha256, &content);
    let path = format!("{location}?digest={digest}");
    running
        .scene
        .send(http::Method::PUT, &path, &[], "")
        .await
        .expect(201);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_our_own_is_served_and_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let files = self_signed(folder.path(), &names).await.unwrap();
    // Made anew for the same authority: what trusts it still does.
    let files = {
        std::fs::remove_file(folder.path().join("server.names")).unwrap();
        self_signed(folder.path(), &names).await.unwrap_or(files)
    };
    let running = start(Security::Tls(TlsFiles {
        certificate: files.certificate,
        key: files.key,
        client_ca: None,
    }))
    .await;
    let content = bytes(5, 200_000);
    let digest = running.scene.push_blob("a", &content).await;
    for host in ["localhost", "127.0.0.1"] {
        let mut stream = tls(&files.authority, host, running.address).await;
        let request = format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
        assert!(answer.ends_with(&content));
    }
    running.stop().await;
}

async fn tls(
    authority: &std::path::Path,
    host: &str,
    address: SocketAddr,
) -> tokio_rustls::client::TlsStream<TcpStream> {
    use rustls_pki_types::pem::PemObject as _;
    use tokio_rustls::rustls;
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(rustls_pki_types::CertificateDer::from_pem_file(authority).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls_pki_types::ServerName::try_from(host.to_owned()).unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap()
}

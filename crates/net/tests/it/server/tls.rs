//! TLS: files, certificates that change, and clients with certificates.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use landfall_net::server::{ClientAuthority, Limits, Security, ServeError, Server, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ClientConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tools::{ANY, Client, Running, bytes, file_of, soon, until};

/// An authority, and a folder with what it issued.
pub(crate) struct Issued {
    authority: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Issued {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let issued = Self {
            authority,
            folder: TempDir::new().unwrap(),
        };
        std::fs::write(issued.path("ca.pem"), issued.authority.pem()).unwrap();
        issued.issue("server", "localhost");
        issued
    }

    fn issue(&self, file: &str, name: &str) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        std::fs::write(self.path(&format!("{file}.key")), key.serialize_pem()).unwrap();
        std::fs::write(self.path(&format!("{file}.pem")), certificate.pem()).unwrap();
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        self.folder.path().join(file)
    }

    pub(crate) fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.path("server.pem"),
            key: self.path("server.key"),
            client_ca: None,
        }
    }

    /// A client that trusts the authority and offers what it has issued under `identity`.
    fn connector(&self, identity: Option<&str>) -> TlsConnector {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let chain = CertificateDer::from_pem_file(self.path(&format!("{file}.pem"))).unwrap();
                let key = PrivateKeyDer::from_pem_file(self.path(&format!("{file}.key"))).unwrap();
                builder.with_client_auth_cert(vec![chain], key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsConnector::from(Arc::new(config))
    }

    async fn connect(&self, server: &Running, name: &str) -> std::io::Result<Client<TlsStream<TcpStream>>> {
        connect(&self.connector(None), server, name).await
    }

    pub(crate) async fn connect_to(
        &self,
        address: SocketAddr,
        name: &str,
    ) -> std::io::Result<Client<TlsStream<TcpStream>>> {
        let tcp = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        soon(self.connector(None).connect(name, tcp)).await.map(Client)
    }
}

async fn connect(
    connector: &TlsConnector,
    server: &Running,
    name: &str,
) -> std::io::Result<Client<TlsStream<TcpStream>>> {
    let tcp = TcpStream::connect(server.addr).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    soon(connector.connect(name, tcp)).await.map(Client)
}

fn quick() -> Limits {
    Limits {
        reload_interval: Duration::from_millis(20),
        handshake_timeout: Duration::from_millis(300),
        ..Limits::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_over_tls() {
    let issued = Issued::new();
    let expected = bytes(64 << 20);
    let server = Running::start(Security::Tls(issued.files()), quick(), file_of(&expected)).await;
    let mut client = issued.connect(&server, "localhost").await.unwrap();
    assert!(
        soon(client.get("/file")).await.body == expected,
        "the bytes differ"
    );
    let answer = soon(client.get_range("/file", 1_000_001..5_000_000)).await;
    assert!(answer.body == expected[1_000_001..5_000_000]);
    assert_eq!(soon(client.get("/who")).await.body, b"tls=true certificate=false");
    assert_eq!(client.0.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(server.stats.sendfile_bytes(), 0, "never the mapping under TLS");
}

#[tokio::test]
async fn slow_and_vanishing_clients_over_tls() {
    let issued = Issued::new();
    let expected = bytes(8 << 20);
    let limits = Limits {
        idle_timeout: Duration::from_millis(400),
        ..quick()
    };
    let server = Running::start(Security::Tls(issued.files()), limits, file_of(&expected)).await;
    let mut client = issued.connect(&server, "localhost").await.unwrap();
    client.ask("GET", "/file", None).await;
    soon(client.head()).await.unwrap();
    let mut vanishing = issued.connect(&server, "localhost").await.unwrap();
    vanishing.ask("GET", "/file", None).await;
    soon(vanishing.head()).await.unwrap();
    drop(vanishing);
    let mut body = vec![0; expected.len()];
    for piece in body.chunks_mut(1 << 20) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        soon(client.0.read_exact(piece)).await.unwrap();
    }
    assert!(body == expected);
    soon(server.all_ended()).await;
    assert_eq!(
        server.stats.accepted(),
        2,
        "the idle one was closed, the other ended"
    );
}

#[tokio::test]
async fn stopping_ends_connections_over_tls_too() {
    let issued = Issued::new();
    let server = Running::start(Security::Tls(issued.files()), quick(), file_of(b"x")).await;
    let _mute = TcpStream::connect(server.addr).await.unwrap();
    let mut idle = issued.connect(&server, "localhost").await.unwrap();
    soon(idle.get("/hello")).await;
    let mut slow = issued.connect(&server, "localhost").await.unwrap();
    slow.ask("GET", "/slow", None).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let stopped = server.stop();
    assert_eq!(soon(slow.answer()).await.unwrap().body, b"late");
    assert_eq!(idle.rest().await, b"");
    soon(stopped).await.unwrap().unwrap();
}

#[tokio::test]
async fn angos_handshakes_that_hang_hold_up_nobody_and_end() {
    let issued = Issued::new();
    let server = Running::start(Security::Tls(issued.files()), quick(), file_of(b"x")).await;
    let mut mute = Vec::new();
    for _ in 0..20 {
        mute.push(TcpStream::connect(server.addr).await.unwrap());
    }
    let mut client = issued.connect(&server, "localhost").await.unwrap();
    assert_eq!(soon(client.get("/hello")).await.body, b"hello");
    until("handshakes given up", || server.stats.handshake_errors() == 20).await;
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_told_so_in_plain_words() {
    let issued = Issued::new();
    let server = Running::start(Security::Tls(issued.files()), quick(), file_of(b"x")).await;
    let mut client = server.connect().await;
    client.ask("GET", "/hello", None).await;
    let answer = soon(client.answer()).await.unwrap();
    assert_eq!(answer.status, 400);
    assert!(
        String::from_utf8(answer.body)
            .unwrap()
            .contains("This port speaks HTTPS")
    );
    assert_eq!(client.rest().await, b"");
    assert_eq!(server.stats.handshake_errors(), 1);
    // One that connects and leaves is no handshake.
    drop(server.connect().await);
    until("its end", || server.stats.ended() == 2).await;
    assert_eq!(server.stats.handshake_errors(), 1);
    assert!(issued.connect(&server, "localhost").await.is_ok());
}

#[tokio::test]
async fn a_changed_certificate_is_taken_into_use() {
    let issued = Issued::new();
    let server = Running::start(Security::Tls(issued.files()), quick(), file_of(b"x")).await;
    let mut old = issued.connect(&server, "localhost").await.unwrap();
    assert!(issued.connect(&server, "other").await.is_err());
    issued.issue("server", "other");
    until("a reload", || server.stats.certificate_reloads() > 0).await;
    assert!(issued.connect(&server, "other").await.is_ok());
    assert_eq!(
        soon(old.get("/hello")).await.body,
        b"hello",
        "open connections go on"
    );
}

#[tokio::test]
async fn a_bad_certificate_is_not_taken_into_use() {
    let issued = Issued::new();
    let server = Running::start(Security::Tls(issued.files()), quick(), file_of(b"x")).await;
    let good_key = std::fs::read(issued.path("server.key")).unwrap();
    let stranger = KeyPair::generate().unwrap().serialize_pem();
    for bad in ["", "not PEM", &stranger] {
        std::fs::write(issued.path("server.key"), bad).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(
            issued.connect(&server, "localhost").await.is_ok(),
            "the old one stays: {bad:.10}"
        );
    }
    std::fs::remove_file(issued.path("server.key")).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(issued.connect(&server, "localhost").await.is_ok());
    assert_eq!(server.stats.certificate_reloads(), 0);
    std::fs::write(issued.path("server.key"), good_key).unwrap();
    until("a reload", || server.stats.certificate_reloads() > 0).await;
    assert!(issued.connect(&server, "localhost").await.is_ok());
}

// Kubernetes replaces a mounted secret by turning a link to another folder.
#[tokio::test]
async fn a_certificate_behind_links_that_are_swapped() {
    let issued = Issued::new();
    let folder = TempDir::new().unwrap();
    let version = |name: &str, host: &str| {
        issued.issue(name, host);
        let versioned = folder.path().join(name);
        std::fs::create_dir(&versioned).unwrap();
        for kind in ["pem", "key"] {
            let from = issued.path(&format!("{name}.{kind}"));
            std::fs::copy(from, versioned.join(format!("tls.{kind}"))).unwrap();
        }
    };
    let point_to = |name: &str| {
        let (link, data) = (folder.path().join("new"), folder.path().join("data"));
        std::os::unix::fs::symlink(Path::new(name), &link).unwrap();
        std::fs::rename(link, data).unwrap();
    };
    version("one", "one.local");
    version("two", "two.local");
    point_to("one");
    let files = TlsFiles {
        certificate: folder.path().join("data/tls.pem"),
        key: folder.path().join("data/tls.key"),
        client_ca: None,
    };
    let server = Running::start(Security::Tls(files), quick(), file_of(b"x")).await;
    assert!(issued.connect(&server, "one.local").await.is_ok());
    point_to("two");
    until("a reload", || server.stats.certificate_reloads() > 0).await;
    assert!(issued.connect(&server, "two.local").await.is_ok());
}

#[tokio::test]
async fn clients_must_have_a_certificate_when_an_authority_for_them_is_given() {
    let (issued, stranger) = (Issued::new(), Issued::new());
    issued.issue("client", "node-1");
    stranger.issue("client", "node-1");
    let files = TlsFiles {
        client_ca: Some(authority(&issued, "ca.pem", true)),
        ..issued.files()
    };
    let server = Running::start(Security::Tls(files), quick(), file_of(b"x")).await;
    let mut client = connect(&issued.connector(Some("client")), &server, "localhost")
        .await
        .unwrap();
    assert_eq!(
        soon(client.get("/who")).await.body,
        b"tls=true certificate=true name=node-1"
    );
    // With TLS 1.3 the refusal arrives after the client's side of the handshake.
    if let Ok(mut client) = issued.connect(&server, "localhost").await {
        client.ask("GET", "/who", None).await;
        assert!(soon(client.answer()).await.is_err());
    }
    until("the refusal", || server.stats.handshake_errors() == 1).await;
}

fn authority(issued: &Issued, name: &str, required: bool) -> ClientAuthority {
    ClientAuthority {
        file: issued.path(name),
        required,
    }
}

#[tokio::test]
async fn clients_may_have_a_certificate_but_no_false_one() {
    let (issued, stranger) = (Issued::new(), Issued::new());
    issued.issue("client", "node-1");
    stranger.issue("client", "node-1");
    let files = TlsFiles {
        client_ca: Some(authority(&issued, "ca.pem", false)),
        ..issued.files()
    };
    let server = Running::start(Security::Tls(files), quick(), file_of(b"x")).await;
    let with = issued.connector(Some("client"));
    let mut client = connect(&with, &server, "localhost").await.unwrap();
    let who = soon(client.get("/who")).await.body;
    assert_eq!(who, b"tls=true certificate=true name=node-1");
    let mut client = issued.connect(&server, "localhost").await.unwrap();
    assert_eq!(soon(client.get("/who")).await.body, b"tls=true certificate=false");
    // Of another authority, with the same name.
    std::fs::copy(stranger.path("client.pem"), issued.path("false.pem")).unwrap();
    std::fs::copy(stranger.path("client.key"), issued.path("false.key")).unwrap();
    let with = issued.connector(Some("false"));
    if let Ok(mut client) = connect(&with, &server, "localhost").await {
        client.ask("GET", "/who", None).await;
        assert!(soon(client.answer()).await.is_err());
    }
    until("the refusal", || server.stats.handshake_errors() == 1).await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let issued = Issued::new();
    let bind = async |files| {
        Server::bind(ANY, Security::Tls(files), quick())
            .await
            .err()
            .unwrap()
    };
    let missing = TlsFiles {
        certificate: issued.path("nowhere.pem"),
        ..issued.files()
    };
    let error = bind(missing).await;
    assert!(
        matches!(&error, ServeError::Read { path, .. } if path.ends_with("nowhere.pem")),
        "{error}"
    );
    let swapped = TlsFiles {
        certificate: issued.path("server.key"),
        ..issued.files()
    };
    let error = bind(swapped).await;
    assert!(
        matches!(&error, ServeError::Pem { path, .. } if path.ends_with("server.key")),
        "{error}"
    );
    issued.issue("other", "localhost");
    let mismatch = TlsFiles {
        key: issued.path("other.key"),
        ..issued.files()
    };
    assert!(matches!(bind(mismatch).await, ServeError::Certificate { .. }));
    std::fs::write(issued.path("empty.pem"), "").unwrap();
    let nobody = TlsFiles {
        client_ca: Some(authority(&issued, "empty.pem", false)),
        ..issued.files()
    };
    let error = bind(nobody).await;
    assert!(error.to_string().contains("no certificate"), "{error}");
}

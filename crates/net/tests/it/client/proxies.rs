//! Proxies: a tunnel for HTTPS, whole URLs for HTTP, and neither for loopback.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use landfall_net::client::{NetError, PlainHttp, Proxies};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::certs::Authority;
use super::fake::{Server, raw, reply};
use super::{get, transport};

struct Tunnels {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Tunnels {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A proxy that connects everything to `to`, when the password is right.
async fn tunnels(to: SocketAddr) -> Tunnels {
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&heads);
    let (address, task) = raw(move |tcp, _| {
        let seen = Arc::clone(&seen);
        async move {
            let mut tcp = BufReader::new(tcp);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                tcp.read_line(&mut head).await.unwrap();
            }
            let is_allowed = head.contains("Proxy-Authorization: Basic dTpwQHNz\r\n"); // u:p@ss
            seen.lock().unwrap().push(head);
            if !is_allowed {
                let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
                tcp.write_all(refusal).await.unwrap();
                return;
            }
            let mut there = TcpStream::connect(to).await.unwrap();
            tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let _ = copy_bidirectional(&mut tcp, &mut there).await;
        }
    })
    .await;
    Tunnels { address, heads, task }
}

fn through(address: SocketAddr, userinfo: &str) -> Proxies {
    Proxies {
        all: Some(format!("http://{userinfo}{address}")),
        no: Some("direct.test".to_owned()),
        ..Proxies::default()
    }
}

#[tokio::test]
async fn https_goes_through_a_tunnel_and_proves_the_server_behind_it() {
    let authority = Authority::new();
    let pair = authority.issue(&["registry.test"], |_| ());
    let server = Server::start(Some(pair.acceptor()), |_| {
        std::future::ready(reply(200, &[], "ok"))
    })
    .await;
    let proxy = tunnels(server.address).await;
    let with = |userinfo: &str| {
        let proxies = through(proxy.address, userinfo);
        transport(|options| {
            options.tls.ca_files = vec![authority.file()];
            options.proxies = proxies;
        })
    };
    let known = with("u:p%40ss@");
    let url = "https://registry.test/v2/".parse().unwrap();
    assert_eq!(get(&known, &url).await.unwrap().status(), 200);
    assert!(proxy.heads.lock().unwrap()[0].starts_with("CONNECT registry.test:443 HTTP/1.1\r\n"));
    assert!(server.seen()[0].header("proxy-authorization").is_none());

    let wrong_name = get(&known, &"https://other.test/".parse().unwrap())
        .await
        .unwrap_err();
    assert!(
        matches!(wrong_name, NetError::TlsWrongName { .. }),
        "{wrong_name}"
    );

    let error = get(&with(""), &url).await.unwrap_err();
    assert!(matches!(error, NetError::Proxy { .. }), "{error}");
    assert!(error.to_string().contains("407"), "{error}");

    let direct = get(&known, &"https://direct.test/".parse().unwrap())
        .await
        .unwrap_err();
    assert!(
        matches!(direct.root(), NetError::Dns { .. }),
        "not through the proxy: {direct}"
    );
}

#[tokio::test]
async fn plain_http_carries_the_whole_url_and_the_password() {
    let proxy = Server::plain(|_| reply(200, &[], "ok")).await;
    let transport = transport(|options| {
        options.proxies = through(proxy.address, "u:p%40ss@");
        options.default_host.plain_http = PlainHttp::Always;
    });
    let url = "http://registry.test/v2/x?y".parse().unwrap();
    assert_eq!(get(&transport, &url).await.unwrap().status(), 200);
    let seen = &proxy.seen()[0];
    assert_eq!(seen.uri.to_string(), "http://registry.test/v2/x?y");
    assert_eq!(seen.header("proxy-authorization"), Some("Basic dTpwQHNz"));
}

#[tokio::test]
async fn loopback_is_never_proxied() {
    let server = Server::plain(|_| reply(200, &[], "ok")).await;
    let (nowhere, task) = raw(|_, _| async { panic!("the proxy was asked") }).await;
    let transport = transport(|options| options.proxies = through(nowhere, ""));
    assert_eq!(get(&transport, &server.url("/")).await.unwrap().status(), 200);
    let name = format!("http://localhost:{}/", server.address.port())
        .parse()
        .unwrap();
    assert_eq!(get(&transport, &name).await.unwrap().status(), 200);
    task.abort();
}

#[tokio::test]
async fn a_proxy_that_is_not_there_or_not_http() {
    let (gone, task) = raw(|_, _| std::future::ready(())).await;
    task.abort();
    let _ = task.await;
    let url = "https://registry.test/".parse().unwrap();
    for (proxy, is_transient) in [
        (format!("http://{gone}"), true),
        (format!("socks5://{gone}"), false),
    ] {
        let transport = transport(|options| options.proxies.all = Some(proxy));
        let error = get(&transport, &url).await.unwrap_err();
        assert!(matches!(error.root(), NetError::Proxy { .. }), "{error}");
        assert_eq!(
            error.is_transient() || error.root().is_transient(),
            is_transient,
            "{error}"
        );
    }
}

//! Several listeners, listeners that somebody else opened, and how many connections a client may have.

use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use http::Response;
use landfall_net::server::{Limits, ResponseBody, Security, ServeError, Server, inherited_listeners};
use tokio::net::TcpStream;

use super::tools::{ANY, Client, Running, file_of, soon, until};

fn answer(server: Server) {
    let service = |_, _| async { Response::new(ResponseBody::from("hello".to_owned())) };
    tokio::spawn(server.run(service, std::future::pending()));
}

async fn expect_hello(address: SocketAddr) {
    let mut client = Client(TcpStream::connect(address).await.unwrap());
    assert_eq!(soon(client.get("/")).await.body, b"hello");
}

#[tokio::test]
async fn every_address_is_answered() {
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    // A machine without IPv6 has two of the other kind.
    let second = if TcpListener::bind(v6).is_ok() { v6 } else { ANY };
    let server = Server::bind_all(&[ANY, second], Security::Plain, Limits::default())
        .await
        .unwrap();
    let addresses = server.local_addrs().to_vec();
    assert_eq!((addresses.len(), addresses[0]), (2, server.local_addr()));
    answer(server);
    for _ in 0..3 {
        for address in &addresses {
            expect_hello(*address).await;
        }
    }
}

#[tokio::test]
async fn both_kinds_of_any_address_share_a_port() {
    let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    if TcpListener::bind(v6).is_err() {
        return;
    }
    let port = TcpListener::bind("0.0.0.0:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let addresses = [
        SocketAddr::from(([0, 0, 0, 0], port)),
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
    ];
    match Server::bind_all(&addresses, Security::Plain, Limits::default()).await {
        Ok(server) => answer(server),
        // Taken by somebody else in the meantime; what must not be is that the two are in each other's way.
        Err(ServeError::Bind { address, .. }) => return assert_eq!(address, addresses[0]),
        Err(other) => panic!("{other}"),
    }
    expect_hello(SocketAddr::from(([127, 0, 0, 1], port))).await;
    expect_hello(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await;
}

#[tokio::test]
async fn a_listener_that_was_opened_elsewhere_is_taken_over() {
    let listener = TcpListener::bind(ANY).unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::from_listeners(vec![listener], Security::Plain, Limits::default())
        .await
        .unwrap();
    assert_eq!(server.local_addr(), address);
    answer(server);
    expect_hello(address).await;
    let none = Server::from_listeners(Vec::new(), Security::Plain, Limits::default()).await;
    assert!(matches!(none.err(), Some(ServeError::Listener { .. })));
}

/// As systemd does it: the third descriptor is a listener, and the environment says so.
#[test]
fn a_socket_unit_hands_over_its_listener() {
    let listener = TcpListener::bind(ANY).unwrap();
    let address = listener.local_addr().unwrap();
    let child = Command::new("sh")
        .arg("-c")
        .arg("LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" --exact --ignored --nocapture server::listeners::child 3<&0 </dev/null")
        .arg(std::env::current_exe().unwrap())
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(listener)))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(said.contains(&format!("inherited {address}")), "{said}");
}

/// Not a test: the process that the test above starts.
#[test]
#[ignore = "started by another test"]
fn child() {
    for listener in inherited_listeners(|name| std::env::var_os(name)).unwrap() {
        println!("inherited {}", listener.local_addr().unwrap());
    }
}

#[tokio::test]
async fn a_client_has_only_so_many_connections() {
    let limits = Limits {
        max_connections_per_client: 2,
        ..Limits::default()
    };
    let server = Running::plain(limits, file_of(b"x")).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    soon(first.get("/hello")).await;
    soon(second.get("/hello")).await;
    assert_eq!(server.connect().await.rest().await, b"", "closed at once");
    until("the refusal", || server.stats.refused() == 1).await;
    drop(first);
    until("the end of one", || server.stats.ended() == 1).await;
    // The place is given back a moment after the end is counted.
    for _ in 0..100 {
        let mut third = server.connect().await;
        third.ask("GET", "/hello", None).await;
        if soon(third.answer()).await.is_ok() {
            return;
        }
    }
    panic!("the place is not given back");
}

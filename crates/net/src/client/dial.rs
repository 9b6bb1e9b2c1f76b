//! From a name to a TCP connection: every address is tried, the next one starts before the last one gave up.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::Instant;

use super::error::NetError;
use super::reach::Reach;
use super::socket::Socket;
use super::trace::{Trace, TraceEvent};

/// How long one address may be silent before the next one is tried beside it (RFC 8305 says 250 ms).
const HEAD_START: Duration = Duration::from_millis(250);

/// Whom to connect to.
pub(crate) struct Whom<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// Host and port as the URL has them.
    pub(crate) authority: &'a str,
    /// Where that may lead.
    pub(crate) reach: &'a Reach,
}

/// Connects within `limit`.
pub(crate) async fn dial(whom: &Whom<'_>, limit: Duration, trace: &Trace) -> Result<Socket, NetError> {
    let Whom { host, port, .. } = *whom;
    let in_time = |what| {
        move |_| NetError::Timeout {
            url: format!("{host}:{port}"),
            what,
            after: limit,
        }
    };
    let begun = Instant::now();
    let deadline = begun + limit;
    let found = tokio::time::timeout_at(deadline, lookup(host, port)).await;
    let found = found.map_err(in_time("looking up its address")).flatten();
    trace.tell(|| TraceEvent::Dns {
        host: bare(host).to_owned(),
        elapsed: begun.elapsed(),
        outcome: found.clone(),
    });
    let addresses = interleave(reachable(whom, found?)?);
    let begun = Instant::now();
    let connected = tokio::time::timeout_at(deadline, connect(host, port, addresses)).await;
    let connected = connected.map_err(in_time("connecting")).flatten();
    trace.tell(|| TraceEvent::Connect {
        target: format!("{host}:{port}"),
        elapsed: begun.elapsed(),
        outcome: connected.as_ref().map_err(NetError::clone).and_then(|tcp| {
            let unknown = |source| failed(host, port, source);
            tcp.peer_addr().map_err(unknown)
        }),
    });
    let tcp = connected?;
    tcp.set_nodelay(true)
        .map_err(|source| failed(host, port, source))?;
    Ok(Socket::new(tcp))
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn failed(host: &str, port: u16, source: io::Error) -> NetError {
    NetError::Connect {
        target: format!("{host}:{port}"),
        source: Arc::new(source),
    }
}

async fn lookup(host: &str, port: u16) -> Result<Vec<SocketAddr>, NetError> {
    let bare = bare(host);
    let dns = |source: io::Error| NetError::Dns {
        host: bare.to_owned(),
        source: Arc::new(source),
    };
    let addresses: Vec<_> = lookup_host((bare, port)).await.map_err(dns)?.collect();
    if addresses.is_empty() {
        return Err(dns(io::Error::new(
            io::ErrorKind::NotFound,
            "the name has no address",
        )));
    }
    Ok(addresses)
}

async fn connect(host: &str, port: u16, addresses: Vec<SocketAddr>) -> Result<TcpStream, NetError> {
    race(addresses).await.map_err(|source| failed(host, port, source))
}

/// Those of the addresses that may be dialled; an error when there is none.
fn reachable(whom: &Whom<'_>, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, NetError> {
    let mut refused = None;
    let mut kept = addresses;
    kept.retain(
        |address| match whom.reach.check(whom.authority, whom.host, address.ip()) {
            Ok(()) => true,
            Err(kind) => {
                refused = Some((address.ip(), kind));
                false
            }
        },
    );
    match refused.filter(|_| kept.is_empty()) {
        Some((address, kind)) => Err(NetError::AddressRefused {
            host: whom.authority.to_owned(),
            address,
            kind,
        }),
        None => Ok(kept),
    }
}

/// IPv6 and IPv4 in turn, starting with the family that the resolver put first.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut one, mut other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .rev()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut ordered = Vec::with_capacity(one.len() + other.len());
    while !(one.is_empty() && other.is_empty()) {
        ordered.extend(one.pop());
        ordered.extend(other.pop());
    }
    ordered
}

async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        let more = match waiting.next() {
            Some(address) => {
                attempts.push(TcpStream::connect(address));
                true
            }
            None => false,
        };
        let head_start = if more { HEAD_START } else { Duration::MAX };
        match tokio::time::timeout(head_start, attempts.next()).await {
            Ok(Some(Ok(tcp))) => return Ok(tcp),
            Ok(Some(Err(error))) => last = error,
            Ok(None) => return Err(last),
            Err(_still_silent) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let parse = |text: &str| text.parse::<SocketAddr>().unwrap();
        let given: Vec<_> = ["[::1]:1", "[::2]:1", "127.0.0.1:1", "127.0.0.2:1", "127.0.0.3:1"]
            .map(parse)
            .into();
        let expected = ["[::1]:1", "127.0.0.1:1", "[::2]:1", "127.0.0.2:1", "127.0.0.3:1"].map(parse);
        assert_eq!(interleave(given), expected);
    }

    #[tokio::test]
    async fn the_second_address_is_used_when_the_first_refuses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let live = listener.local_addr().unwrap();
        let dead = {
            let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            gone.local_addr().unwrap()
        };
        assert!(race(vec![dead, live]).await.is_ok());
        assert!(race(vec![dead]).await.is_err());
        assert!(race(Vec::new()).await.is_err());
    }
}

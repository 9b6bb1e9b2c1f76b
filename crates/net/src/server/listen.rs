//! Listening: on one address or several, opened here or handed over.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::error::ServeError;

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: u32 = 1024;

/// Listeners that are asked in turn.
pub(super) struct Listeners {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    /// The one to ask first: no listener keeps another waiting.
    next: usize,
}

impl Listeners {
    pub(super) fn bind(addresses: &[SocketAddr]) -> Result<Self, ServeError> {
        // With an IPv4 listener beside it, an IPv6 listener must keep to IPv6, or it would want the same port.
        let apart = addresses.len() > 1;
        let bind = |address: &SocketAddr| {
            bind(*address, apart).map_err(|source| ServeError::Bind {
                address: *address,
                source,
            })
        };
        Self::new(addresses.iter().map(bind).collect::<Result<_, _>>()?)
    }

    pub(super) fn adopt(listeners: Vec<std::net::TcpListener>) -> Result<Self, ServeError> {
        let adopt = |listener: std::net::TcpListener| {
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        };
        let adopted: Result<_, _> = listeners.into_iter().map(adopt).collect();
        Self::new(adopted.map_err(|source| ServeError::Listener { source })?)
    }

    fn new(listeners: Vec<TcpListener>) -> Result<Self, ServeError> {
        if listeners.is_empty() {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "there is none");
            return Err(ServeError::Listener { source });
        }
        let addresses: Result<_, _> = listeners.iter().map(TcpListener::local_addr).collect();
        Ok(Self {
            addresses: addresses.map_err(|source| ServeError::Listener { source })?,
            listeners,
            next: 0,
        })
    }

    /// Never empty.
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    pub(super) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        for _ in 0..self.listeners.len() {
            let at = self.next;
            self.next = (at + 1) % self.listeners.len();
            if let Poll::Ready(accepted) = self.listeners[at].poll_accept(cx) {
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }
}

fn bind(address: SocketAddr, apart: bool) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if apart && address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

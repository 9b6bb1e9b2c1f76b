//! Breaking a TCP connection as a dying peer or a firewall does: with RST instead of an orderly end.

use std::time::Duration;

use rustix::fd::AsFd;
use rustix::net::connect_unspec;
use rustix::net::sockopt::set_socket_linger;

/// Aborts a connection at once, whoever else holds the socket. What was not yet sent is thrown away.
///
/// Connecting to "no address" is how Linux spells it. A kernel that refuses because somebody waits on the socket
/// resets when the socket is closed instead.
pub(crate) fn reset(socket: impl AsFd) {
    if connect_unspec(&socket).is_err() {
        let _ = set_socket_linger(&socket, Some(Duration::ZERO));
    }
}

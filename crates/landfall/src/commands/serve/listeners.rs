//! The sockets: those that a service manager hands over, or our own.

use std::net::{SocketAddr, TcpListener};

use landfall_net::server::{Limits, Security, Server, inherited_listeners, raise_descriptor_limit};

use super::{Settings, setup};
use crate::failure::Failure;

/// Its socket, and the file that it is sent.
const FILES_PER_CONNECTION: usize = 2;

/// What a service manager hands over; to be asked before anything else opens files.
pub(super) fn handed() -> Result<Vec<TcpListener>, Failure> {
    inherited_listeners(|name| std::env::var_os(name)).map_err(setup)
}

/// Where the registry will be reached: on what was handed over, else on what is set.
pub(super) fn addresses(settings: &Settings, handed: &[TcpListener]) -> Result<Vec<SocketAddr>, Failure> {
    match handed {
        [] => Ok(vec![settings.listen()]),
        handed => {
            let addresses: Result<_, _> = handed.iter().map(TcpListener::local_addr).collect();
            addresses.map_err(setup)
        }
    }
}

/// The registry's listener.
pub(super) async fn registry(
    settings: &Settings,
    handed: Vec<TcpListener>,
    security: Security,
) -> Result<Server, Failure> {
    let limits = limits(settings);
    match handed.is_empty() {
        true => Server::bind(settings.listen(), security, limits).await,
        false => Server::from_listeners(handed, security, limits).await,
    }
    .map_err(setup)
}

/// The listener for those who look after the registry, where one is set.
pub(super) async fn status(settings: &Settings) -> Result<Option<Server>, Failure> {
    match settings.status_listen {
        Some(address) => bind_plain(address).await.map(Some),
        None => Ok(None),
    }
}

/// Sees to it that there are file descriptors for the connections, or says that there are not.
pub(super) fn make_room(settings: &Settings) {
    match raise_descriptor_limit() {
        Ok(files) => {
            let connections = limits(settings).max_connections;
            if files.is_some_and(|files| files < (connections * FILES_PER_CONNECTION) as u64) {
                tracing::warn!(
                    files,
                    connections,
                    "not enough open files for all connections (ulimit -Hn)"
                );
            }
        }
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
}

async fn bind_plain(address: SocketAddr) -> Result<Server, Failure> {
    Server::bind(address, Security::Plain, Limits::default())
        .await
        .map_err(setup)
}

fn limits(settings: &Settings) -> Limits {
    let default = Limits::default();
    Limits {
        max_connections: settings.max_connections.unwrap_or(default.max_connections),
        max_connections_per_client: settings
            .max_connections_per_client
            .unwrap_or(default.max_connections_per_client),
        ..default
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_was_handed_over_says_where_it_listens() {
        let settings = Settings::default();
        assert_eq!(addresses(&settings, &[]).unwrap(), [settings.listen()]);
        let handed = TcpListener::bind("127.0.0.2:0").unwrap();
        let at = handed.local_addr().unwrap();
        assert_eq!(addresses(&settings, &[handed]).unwrap(), [at]);
    }
}

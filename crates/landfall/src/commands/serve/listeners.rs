//! The sockets: those that a service manager hands over, or our own.

use std::net::{SocketAddr, TcpListener};

use landfall_net::server::{Limits, Security, Server, inherited_listeners, raise_descriptor_limit};

use super::{Settings, setup};
use crate::failure::Failure;

/// Its socket, and the file that it is sent.
const FILES_PER_CONNECTION: usize = 2;

/// What a service manager hands over. To be asked for once.
pub(super) fn handed() -> Result<Vec<TcpListener>, Failure> {
    inherited_listeners(|name| std::env::var_os(name)).map_err(setup)
}

/// Where the registry will be reached: what was handed over goes before what was set.
pub(super) fn addresses(settings: &Settings, handed: &[TcpListener]) -> Result<Vec<SocketAddr>, Failure> {
    match handed {
        [] => Ok(vec![settings.listen()]),
        handed => handed
            .iter()
            .map(|socket| socket.local_addr().map_err(setup))
            .collect(),
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

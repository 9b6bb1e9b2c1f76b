//! The case as a real containerd meets it.

use std::net::SocketAddr;

use landfall_testkit::Farm;
use landfall_testkit::farm::{Seen, Stub, What};
use landfall_testkit::peers::cri::Refused;
use landfall_testkit::peers::{Cri, Node};

use super::case::Case;
use super::pki::Pki;
use super::tokens;

/// What happened.
#[derive(Debug)]
pub(crate) struct Happened {
    /// The requests that reached a registry or a token server.
    pub(crate) requests: Vec<String>,
    /// The error.
    pub(crate) error: Option<Refused>,
    /// All that was seen, for people.
    pub(crate) story: Vec<String>,
}

/// Opens the registries and lays down the files.
pub(crate) fn open(case: &Case, farm: &Farm, node: &Node, pki: &Pki) {
    for server in &case.servers {
        let stub = Stub {
            group: case.index,
            tls: pki.server(server.security, &server.name, server.at),
            script: server.script.clone(),
        };
        farm.open(server.at, stub);
    }
    for dir in &case.dirs {
        dir.write(node.certs(), pki);
    }
}

/// Closes and removes them.
pub(crate) fn close(case: &Case, farm: &Farm, node: &Node) {
    for server in &case.servers {
        farm.close(server.at);
    }
    for dir in &case.dirs {
        dir.remove(node.certs());
    }
}

/// Pulls, and reads what the registries have seen.
pub(crate) async fn pull(case: &Case, farm: &Farm, cri: &mut Cri) -> Happened {
    let error = cri.pull(&case.image).await.err();
    let seen = farm.seen(case.index);
    Happened {
        requests: seen.iter().filter_map(line).collect(),
        error,
        story: seen.iter().map(ToString::to_string).collect(),
    }
}

/// A request in the words of the simulation.
fn line(seen: &Seen) -> Option<String> {
    match &seen.what {
        What::Request {
            tls,
            method,
            target,
            host,
            form,
            ..
        } if target.starts_with("/token") => {
            let scheme = if *tls { "https" } else { "http" };
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let scopes = tokens::scopes(if query.is_empty() { form } else { query });
            Some(tokens::line(method, &format!("{scheme}://{host}{path}"), &scopes))
        }
        What::Request {
            tls,
            method,
            target,
            host,
            authorization,
            ..
        } => {
            let scheme = if *tls { "https" } else { "http" };
            let kind = authorization
                .as_deref()
                .unwrap_or("-")
                .split(' ')
                .next()
                .unwrap_or_default();
            Some(format!("{method} {scheme}://{host}{target} {kind}"))
        }
        What::PlainToTls => Some(plain_to_tls(seen.to)),
        What::TlsToPlain | What::BrokenHandshake => None,
    }
}

fn plain_to_tls(at: SocketAddr) -> String {
    format!("plain HTTP to {at}, which wants TLS")
}

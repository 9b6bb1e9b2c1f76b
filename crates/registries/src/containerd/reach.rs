//! Which hosts a configuration lets containerd contact: the ground of the air-gap proof. Exhaustive over names: each
//! registry that has a directory or a mirror of its own, and any other.

use std::collections::BTreeSet;

use landfall_diag::Span;
use landfall_oci::Registry;

use super::choose::{Choice, Source};
use super::setup::{Containerd, Hosts};

/// A name that stands for every registry without a directory of its own; no certs.d can have one for it, since its
/// last letter is none that a host's name may end in.
const ANY: &str = "any-other-registry-";

/// The registries that a question is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// This one.
    Registry(String),
    /// Any that no configuration names.
    Other,
}

/// What can be contacted for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// For which registries.
    pub name: Name,
    /// What was read and what was passed over.
    pub choice: Choice,
    /// The hosts, each once per reason.
    pub exits: Vec<Exit>,
    /// Why nothing is contacted although hosts are configured.
    pub blocked: Option<String>,
}

/// A host that can be contacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Where requests go.
    pub to: To,
    /// Why.
    pub why: Why,
    /// The line that says so.
    pub span: Option<Span>,
    /// Also by plain HTTP, if it does not speak TLS (or does not listen on 443).
    pub plain_http: bool,
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum To {
    /// A host.
    Host(String),
    /// Whatever host the image's name begins with: the whole internet.
    AnyNamed,
}

/// Why a host is contacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// A `[host."…"]` table.
    Listed,
    /// `server`.
    Server,
    /// `server` is absent or empty, so the registry itself is asked last.
    NoServer,
    /// The last host has no name in its URL, so the registry itself takes its place.
    Nameless,
    /// The file cannot be decoded, so the registry itself is asked.
    BrokenFile,
    /// The directory has no hosts.toml, or an empty one, so the registry itself is asked.
    NoFile,
    /// There is no directory, so the registry itself is asked.
    NoDirectory,
    /// An `endpoint` of a mirror.
    MirrorEndpoint,
    /// A registry is asked after its mirrors.
    MirrorDefault,
}

/// Ways that no configuration of hosts closes: they are in the hands of the hosts that may be contacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// A challenge names the token server.
    TokenServer,
    /// An answer redirects; ten times at most.
    Redirect,
    /// A layer's descriptor has `urls`, which are tried before any host.
    LayerUrls,
}

impl Beyond {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::TokenServer, Self::Redirect, Self::LayerUrls];

    /// A sentence for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TokenServer => "a host's challenge may send containerd to a token server anywhere",
            Self::Redirect => "a host may redirect containerd anywhere",
            Self::LayerUrls => "a manifest may give `urls` for a layer, which are tried before any host",
        }
    }
}

/// Everything that can be contacted, for every name there is.
#[must_use]
pub fn exits(containerd: &Containerd) -> Vec<Reach> {
    let mut names = named(containerd);
    names.insert(Name::Other);
    names.iter().map(|name| reach(containerd, name)).collect()
}

/// What can be contacted for a name: every host of its list, whatever its capabilities (content that is known by
/// digest is asked of all of them).
#[must_use]
pub fn reach(containerd: &Containerd, name: &Name) -> Reach {
    let registry = match name {
        Name::Registry(registry) => registry.as_str(),
        Name::Other => ANY,
    };
    let hosts = containerd.hosts(registry);
    let mut told = Reach {
        name: name.clone(),
        blocked: hosts.fault.as_ref().map(|fault| fault.text.clone()),
        exits: Vec::new(),
        choice: hosts.choice.clone(),
    };
    if name == &Name::Other {
        "any".clone_into(&mut told.choice.registry);
        told.choice
            .candidates
            .retain(|candidate| candidate.name == "_default");
    }
    if told.blocked.is_none() && hosts.endpoints.iter().any(|endpoint| endpoint.pull) {
        told.exits = all(&hosts, registry);
    }
    told
}

fn all(hosts: &Hosts, registry: &str) -> Vec<Exit> {
    let mut exits: Vec<Exit> = Vec::new();
    for endpoint in &hosts.endpoints {
        let host = &endpoint.target.host;
        if host.is_empty() {
            continue;
        }
        let exit = Exit {
            to: match registry == ANY && host == ANY {
                true => To::AnyNamed,
                false => To::Host(host.clone()),
            },
            why: why(
                hosts.choice.source,
                endpoint.implicit,
                endpoint.server,
                endpoint.span.is_some(),
            ),
            span: endpoint.span,
            plain_http: endpoint.http_fallback || endpoint.target.scheme == "http",
        };
        if !exits.contains(&exit) {
            exits.push(exit);
        }
    }
    exits
}

fn why(source: Source, implicit: bool, server: bool, spelled: bool) -> Why {
    match (source, implicit) {
        (Source::HostsToml(_), false) if server => Why::Server,
        (Source::HostsToml(_), false) => Why::Listed,
        (Source::HostsToml(_), true) if spelled && !server => Why::Nameless,
        (Source::HostsToml(_), true) => Why::NoServer,
        (Source::BrokenHostsToml(_), _) => Why::BrokenFile,
        (Source::EmptyHostsToml(_) | Source::NoHostsToml, _) => Why::NoFile,
        (Source::NoDirectory, _) => Why::NoDirectory,
        (_, false) => Why::MirrorEndpoint,
        (_, true) => Why::MirrorDefault,
    }
}

/// Every registry for which a directory or a mirror is meant.
#[must_use]
pub fn named(containerd: &Containerd) -> BTreeSet<Name> {
    let setup = containerd.setup();
    let mut names = BTreeSet::new();
    let mut add = |name: &str| {
        if name.parse::<Registry>().is_ok() {
            names.insert(Name::Registry(name.to_owned()));
        }
    };
    for root in &setup.roots {
        for dir in root.dirs.keys() {
            let top = dir.split('/').next().unwrap_or_default();
            add(top);
            let port = top.strip_suffix('_').and_then(|name| name.rsplit_once('_'));
            if let Some((host, port)) = port {
                add(&format!("{host}:{port}"));
            }
        }
    }
    for mirror in &setup.legacy.mirrors {
        add(&mirror.name.value);
    }
    names
}

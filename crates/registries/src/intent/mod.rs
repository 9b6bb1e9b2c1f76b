//! The common model: which registries are reached through which endpoints, with which credentials and certificates.
//! Readers of every format end here and writers of every format begin here.
//!
//! Three lists that know nothing of each other's keys: registries say where to go, credentials and trust say what
//! holds for a host, whoever leads there. Each value knows its place in the file that it was read from.

mod endpoint;
mod from_yaml;
mod host;
mod registry;
mod rewriter;
mod rule;

use landfall_diag::Spanned;

use crate::{Auth, Tls};

pub use endpoint::{Asked, Base, Endpoint, Header, Scheme};
pub use from_yaml::from_registries_yaml;
pub use host::{BLOCKED_HOST, DOCKER_HUB, DOCKER_HUB_ENDPOINT, asked_host, canonical_host};
pub use registry::{Match, Registry, Upstream};
pub use rewriter::Rewriter;
pub use rule::{Rule, RuleKind};

/// A node's registries, as one format or another says them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intent {
    /// Where images of a registry come from. The most specific match decides alone, as in every runtime.
    pub registries: Vec<Registry>,
    /// Who we are.
    pub credentials: Vec<Credential>,
    /// How hosts prove who they are.
    pub trust: Vec<Trust>,
}

/// A credential and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The canonical host ([`canonical_host`]) and, in Podman's files, a namespace of it.
    pub scope: Spanned<Scope>,
    /// User, password, token.
    pub auth: Auth,
}

/// A host, or a namespace of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// `host[:port]`, canonical.
    pub host: String,
    /// `org` or `org/team`; empty: all of the host.
    pub namespace: String,
}

impl Scope {
    /// All of a host.
    #[must_use]
    pub fn host(host: &str) -> Self {
        Self {
            host: canonical_host(host).to_owned(),
            namespace: String::new(),
        }
    }

    /// Reads `host[:port][/namespace]`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (host, namespace) = text.split_once('/').unwrap_or((text, ""));
        Self {
            namespace: namespace.to_owned(),
            ..Self::host(host)
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.host)?;
        if !self.namespace.is_empty() {
            write!(f, "/{}", self.namespace)?;
        }
        Ok(())
    }
}

/// What is trusted, and of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Whom it is about.
    pub subject: Spanned<Subject>,
    /// Authorities, our certificate, or no check at all.
    pub tls: Tls,
    /// Plain HTTP is used where the host does not speak TLS.
    pub plain_http: Option<Spanned<bool>>,
}

/// Whom trust is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// One host, `host[:port]`, canonical.
    Host(String),
    /// A network (`10.0.0.0/8`): Docker's `insecure-registries` alone knows this.
    Network(String),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host(text) | Self::Network(text) => f.write_str(text),
        }
    }
}

impl Intent {
    /// What is trusted of a host.
    #[must_use]
    pub fn trust_of(&self, host: &str) -> Option<&Trust> {
        let host = canonical_host(host);
        self.trust
            .iter()
            .find(|trust| matches!(&trust.subject.value, Subject::Host(known) if known == host))
    }

    /// The credential for all of a host.
    #[must_use]
    pub fn credential_of(&self, host: &str) -> Option<&Credential> {
        let scope = Scope::host(host);
        self.credentials
            .iter()
            .find(|credential| credential.scope.value == scope)
    }

    /// The entry for all registries without one of their own.
    #[must_use]
    pub fn wildcard(&self) -> Option<&Registry> {
        self.registries
            .iter()
            .find(|registry| registry.matches.value == Match::Wildcard)
    }

    /// In the containerd family an `http://` endpoint whose host has TLS settings is asked by HTTPS first, but for
    /// port 80: says so.
    pub(crate) fn prefer_tls(&mut self) {
        for endpoint in self
            .registries
            .iter_mut()
            .flat_map(|registry| &mut registry.endpoints)
        {
            if endpoint.scheme != Scheme::Http || endpoint.host.ends_with(":80") {
                continue;
            }
            let host = canonical_host(&endpoint.host);
            let own =
                |trust: &&mut Trust| matches!(&trust.subject.value, Subject::Host(known) if known == host);
            if let Some(trust) = self.trust.iter_mut().find(own) {
                trust.plain_http = Some(Spanned::new(true, endpoint.span));
                endpoint.scheme = Scheme::Https;
            }
        }
    }
}

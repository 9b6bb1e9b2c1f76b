//! One registry: whose images, from where, and what of its own host.

use landfall_diag::Spanned;

use super::Endpoint;

/// Which images an entry is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Match {
    /// A registry, `host[:port]`, as image names have it (`docker.io`).
    Exact(String),
    /// A namespace of a registry: all repositories `namespace` and `namespace/…`. registries.conf only.
    Prefix {
        /// `host[:port]`.
        host: String,
        /// `org` or `org/team`, never empty.
        namespace: String,
    },
    /// All hosts below a domain, written without `*.`. registries.conf only.
    Domain(String),
    /// Every registry without an entry of its own.
    Wildcard,
}

impl Match {
    /// The host that it names, if one.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Exact(host) | Self::Prefix { host, .. } => Some(host),
            Self::Domain(_) | Self::Wildcard => None,
        }
    }

    /// The namespace within the host; empty for all of it.
    #[must_use]
    pub fn namespace(&self) -> &str {
        match self {
            Self::Prefix { namespace, .. } => namespace,
            _ => "",
        }
    }
}

impl std::fmt::Display for Match {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Prefix { host, namespace } => write!(f, "{host}/{namespace}"),
            Self::Domain(domain) => write!(f, "*.{domain}"),
            Self::Wildcard => f.write_str("*"),
        }
    }
}

/// Whether the registry's own host is asked after the endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// After all endpoints.
    Allow,
    /// Never: an image that no endpoint has is not there. Without endpoints it is the same as `Blocked`.
    Deny,
    /// Neither it nor the endpoints: its images cannot be pulled.
    Blocked,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// Which images.
    pub matches: Spanned<Match>,
    /// Whether the registry itself is asked.
    pub upstream: Spanned<Upstream>,
    /// Who is asked before it, in this order.
    pub endpoints: Vec<Endpoint>,
}

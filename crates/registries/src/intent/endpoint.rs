//! One endpoint: a host that has a registry's images, where they are in it, and when it is asked.

use landfall_diag::{Span, Spanned};
use landfall_oci::Secret;

use super::Rule;

/// With TLS or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// TLS.
    Https,
    /// None.
    Http,
}

impl Scheme {
    /// As URLs have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }
}

/// What stands before a repository in the path of a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Base {
    /// `/v2/`, then this prefix (`project`, `a/b`; empty for none). What every runtime can say.
    V2(String),
    /// Any other path (`/mirror`), without `/v2` at its front. The containerd family only.
    Verbatim(String),
}

impl Base {
    /// The path of an API's address: `/v2`, `/v2/project`, `/mirror`.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::V2(prefix) if prefix.is_empty() => "/v2".to_owned(),
            Self::V2(prefix) => format!("/v2/{prefix}"),
            Self::Verbatim(path) => path.clone(),
        }
    }

    /// Reads a path as the containerd family does once `override_path` holds: nothing is added to it.
    #[must_use]
    pub fn parse(path: &str) -> Self {
        let path = path.trim_end_matches('/');
        match path.strip_prefix("/v2") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                Self::V2(rest.trim_start_matches('/').to_owned())
            }
            _ => Self::Verbatim(path.to_owned()),
        }
    }
}

/// For which requests an endpoint is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asked {
    /// For all.
    #[default]
    Always,
    /// Only for what a digest names: containerd's `pull` without `resolve`, Podman's `digest-only`.
    ByDigest,
    /// Only for what a tag names: Podman's `tag-only`.
    ByTag,
}

/// A header that every request to an endpoint carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: Spanned<String>,
    /// Its values; they may be credentials.
    pub values: Vec<Spanned<Secret>>,
}

/// A place to pull from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it was said, as a whole.
    pub span: Span,
    /// With TLS or without.
    pub scheme: Scheme,
    /// `host[:port]`, as credentials and trust are looked up; IPv6 in brackets.
    pub host: String,
    /// What stands before the repository.
    pub base: Base,
    /// What changes the repository: the first rule whose result differs, alone. Before it stands the base.
    pub rewrites: Vec<Rule>,
    /// For which requests.
    pub asked: Spanned<Asked>,
    /// Where pushing to it was allowed in so many words.
    pub push: Option<Span>,
    /// What every request carries.
    pub headers: Vec<Header>,
    /// How long a connection may take, in Go's spelling.
    pub dial_timeout: Option<Spanned<String>>,
}

impl Endpoint {
    /// A plain endpoint: TLS, `/v2`, for all requests.
    #[must_use]
    pub fn new(host: impl Into<String>, span: Span) -> Self {
        Self {
            span,
            scheme: Scheme::Https,
            host: host.into(),
            base: Base::V2(String::new()),
            rewrites: Vec::new(),
            asked: Spanned::new(Asked::Always, span),
            push: None,
            headers: Vec::new(),
            dial_timeout: None,
        }
    }

    /// `https://host/v2/prefix`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme.as_str(), self.host, self.base.path())
    }
}

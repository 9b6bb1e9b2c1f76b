//! What a hosts.toml says.

use landfall_diag::{SourceId, Span, Spanned};

use crate::Rewrite;

/// The place of values that come from no file.
pub const NOWHERE: Span = Span {
    source: SourceId(u32::MAX),
    start: 0,
    end: 0,
};

/// A whole hosts.toml, as containerd decodes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostsToml {
    /// `server`; `Some("")` is not the same as `None` to K3s.
    pub server: Option<Spanned<String>>,
    /// Where requests to `server` go; `None` where the registry itself is meant.
    pub target: Option<Target>,
    /// `server` stands above every table, where K3s' fork looks for it.
    pub server_on_top: bool,
    /// The settings of `server`: those that stand above every table.
    pub root: HostSettings,
    /// `[host."…"]`, in the order in which containerd tries them. One whose tables are interleaved with another's is
    /// tried twice, and is here twice.
    pub hosts: Vec<HostEntry>,
}

/// One `[host."…"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostEntry {
    /// The key.
    pub url: Spanned<String>,
    /// Where requests go.
    pub target: Target,
    /// What is in it.
    pub settings: HostSettings,
}

/// What a URL of hosts.toml comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// `http` or `https`; empty for a text like `httpbin.example`, which containerd takes for a URL with a scheme.
    pub scheme: String,
    /// `host[:port]`, the case kept; empty for a URL without one.
    pub host: String,
    /// What precedes the repository.
    pub path: String,
}

/// What may stand in a host's table and above the tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSettings {
    /// `server` of one host: the URL instead of the key. Only K3s' fork reads it.
    pub server: Option<Spanned<String>>,
    /// `capabilities`; absent or empty means all.
    pub capabilities: Option<Spanned<Vec<Capability>>>,
    /// `ca`, as written.
    pub ca: Option<Spanned<Vec<Spanned<String>>>>,
    /// `client`, as written.
    pub client: Option<Spanned<Vec<ClientPair>>>,
    /// `skip_verify`.
    pub skip_verify: Option<Spanned<bool>>,
    /// `header`.
    pub header: Vec<(Spanned<String>, Vec<Spanned<String>>)>,
    /// `override_path`.
    pub override_path: Option<Spanned<bool>>,
    /// `dial_timeout`; containerd 2.0 and later.
    pub dial_timeout: Option<Spanned<String>>,
    /// `rewrite`. Only K3s' fork reads it.
    pub rewrite: Vec<Rewrite>,
}

/// One of `client`: a certificate, and its key unless both are in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientPair {
    /// The certificate.
    pub cert: Spanned<String>,
    /// The key. An empty one is the directory itself, which cannot be read.
    pub key: Option<Spanned<String>>,
}

/// What a host may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Content by digest.
    Pull,
    /// What a tag points at.
    Resolve,
    /// Writing.
    Push,
    /// Lists of referrers; containerd 2.2 and later.
    Referrers,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pull, Self::Resolve, Self::Push, Self::Referrers];

    /// As the file spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Resolve => "resolve",
            Self::Push => "push",
            Self::Referrers => "referrers",
        }
    }
}

impl HostSettings {
    /// Whether the host may be asked for this.
    #[must_use]
    pub fn can(&self, capability: Capability) -> bool {
        let listed = self.capabilities.as_ref().filter(|all| !all.value.is_empty());
        listed.is_none_or(|all| all.value.contains(&capability))
    }

    /// The first setting that makes containerd set TLS up for this host.
    #[must_use]
    pub fn tls_span(&self) -> Option<Span> {
        let ca = self.ca.as_ref().map(|ca| ca.span);
        // An empty list of pairs is as good as none; an empty list of authorities is not.
        let client = self
            .client
            .as_ref()
            .filter(|client| !client.value.is_empty())
            .map(|c| c.span);
        ca.or(client).or(self.skip_verify.as_ref().map(|skip| skip.span))
    }
}

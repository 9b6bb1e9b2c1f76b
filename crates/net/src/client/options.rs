//! What a run may choose about its transport. Everything has a default that suits a public registry.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::reach::Reach;
use super::retry::RetryOptions;
use super::trace::Trace;

/// All options of a [`super::Transport`].
#[derive(Clone, Debug)]
pub struct TransportOptions {
    /// Sent as `User-Agent`. Never empty by default: Docker Hub's CDN refuses requests without one.
    pub user_agent: String,
    /// What holds for every host that is not in [`Self::hosts`].
    pub default_host: HostOptions,
    /// What holds for one host, by the text before the path: `registry.example:5000`.
    pub hosts: BTreeMap<String, HostOptions>,
    /// Certificates.
    pub tls: TlsOptions,
    /// Proxies. None by default; see [`Proxies::from_lookup`].
    pub proxies: Proxies,
    /// Which addresses may be dialled. A proxy's may always; what it dials for us is its affair.
    pub reach: Reach,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// When and how often to try again.
    pub retry: RetryOptions,
    /// About the most that one read of a body brings (hyper may double it); a stream holds no more than four times this.
    pub read_buffer_bytes: usize,
    /// Who is told what happens on the way; nobody by default.
    pub trace: Trace,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            user_agent: concat!("landfall/", env!("CARGO_PKG_VERSION")).to_owned(),
            default_host: HostOptions::default(),
            hosts: BTreeMap::new(),
            tls: TlsOptions::default(),
            proxies: Proxies::default(),
            reach: Reach::default(),
            timeouts: Timeouts::default(),
            retry: RetryOptions::default(),
            read_buffer_bytes: 256 * 1024,
            trace: Trace::default(),
        }
    }
}

impl TransportOptions {
    /// The options of one host.
    #[must_use]
    pub fn host(&self, authority: &str) -> &HostOptions {
        self.hosts.get(authority).unwrap_or(&self.default_host)
    }
}

/// What may differ from host to host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostOptions {
    /// Whether HTTP without TLS is allowed.
    pub plain_http: PlainHttp,
    /// Accept any certificate. Only for hosts that the user named.
    pub skip_verify: bool,
    /// Requests at once, for reading and for writing each.
    pub concurrency: usize,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            plain_http: PlainHttp::Loopback,
            skip_verify: false,
            concurrency: 8,
        }
    }
}

/// Whether HTTP without TLS is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlainHttp {
    /// HTTPS only.
    Never,
    /// As docker does: a loopback host is tried with HTTPS first, then without when it does not speak TLS.
    #[default]
    Loopback,
    /// As containerd does where it is told so: HTTPS first, then without when the host does not speak TLS (or, where
    /// no port is named, has nothing on HTTPS's), wherever the host is.
    Fallback,
    /// Plain HTTP only.
    Always,
}

/// Certificates, all as PEM files.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// Trust the system's roots (and `SSL_CERT_FILE`, `SSL_CERT_DIR`).
    pub system_roots: bool,
    /// Further authorities to trust, or the very certificate of a server.
    pub ca_files: Vec<PathBuf>,
    /// Certificate chain and private key to show to servers that ask.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            system_roots: true,
            ca_files: Vec::new(),
            client_certificate: None,
        }
    }
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the name and the TCP connection (and a proxy's answer), and again for the TLS handshake.
    pub connect: Duration,
    /// From the last byte that we sent to the head of the answer.
    pub response: Duration,
    /// How long a body may bring less than [`Self::stall_bytes`].
    pub stall: Duration,
    /// See [`Self::stall`]. More than one, so that a server that drips a byte now and then does not hold us.
    pub stall_bytes: usize,
    /// How long an unused connection is kept.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            response: Duration::from_secs(60),
            stall: Duration::from_secs(30),
            stall_bytes: 1024,
            idle: Duration::from_secs(30),
        }
    }
}

/// Proxies, as URLs (`http://user:password@proxy:3128`), in the sense of the usual environment variables.
#[derive(Clone, Default)]
pub struct Proxies {
    /// For `http:` URLs.
    pub http: Option<String>,
    /// For `https:` URLs.
    pub https: Option<String>,
    /// For both, where the specific one is not set.
    pub all: Option<String>,
    /// Hosts, domains, addresses and networks that are reached directly. Loopback always is.
    pub no: Option<String>,
}

impl Proxies {
    /// Reads `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` (then their lower-case spellings) through
    /// `lookup`, which is the process environment or a test's.
    ///
    /// In a CGI program (`REQUEST_METHOD` is set) `HTTP_PROXY` may come from a request header and is not used.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            lookup(name)
                .or_else(|| lookup(&name.to_ascii_lowercase()))
                .filter(|value| !value.is_empty())
        };
        let is_cgi = lookup("REQUEST_METHOD").is_some();
        Self {
            http: either("HTTP_PROXY").filter(|_| !is_cgi),
            https: either("HTTPS_PROXY"),
            all: either("ALL_PROXY"),
            no: either("NO_PROXY"),
        }
    }
}

impl fmt::Debug for Proxies {
    // Proxy URLs hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies")
            .field("http", &self.http.is_some())
            .field("https", &self.https.is_some())
            .field("all", &self.all.is_some())
            .field("no", &self.no)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_come_from_the_given_environment_and_never_show_their_password() {
        let proxies = Proxies::from_lookup(|name| match name {
            "https_proxy" => Some("http://u:hunter2@proxy:3128".to_owned()),
            "HTTP_PROXY" => Some("http://evil".to_owned()),
            "REQUEST_METHOD" => Some("GET".to_owned()),
            _ => None,
        });
        assert!(proxies.https.is_some());
        assert!(proxies.http.is_none());
        assert!(!format!("{proxies:?}").contains("hunter2"));
    }
}

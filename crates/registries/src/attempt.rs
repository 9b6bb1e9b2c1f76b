//! One step of a pull: the first request to one host, with everything that decides it and the lines that caused it.

use landfall_diag::Span;
use landfall_oci::Secret;

/// The first request that a runtime sends to one host for an image's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The request's URL, with `ns=` where the runtime sends it.
    pub url: String,
    /// `host[:port]` of the URL; the key under which credentials are looked up.
    pub host: String,
    /// Repository in the URL, after rewriting.
    pub repository: String,
    /// HTTP without TLS.
    pub plain_http: bool,
    /// HTTPS first, plain HTTP when the host does not speak TLS.
    pub http_fallback: bool,
    /// Certificates.
    pub tls: TlsUse,
    /// What is shown to the token endpoint, or as Basic.
    pub presented: Presented,
    /// The scope that the runtime asks for by itself; empty where no request is ever sent.
    pub token_scope: String,
    /// Why no request is sent at all (`no Host in request URL`).
    pub error: Option<String>,
    /// The places in the user's files that made it so.
    pub because: Because,
}

/// Certificates in use, as the runtime resolves their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsUse {
    /// Authorities besides the system's.
    pub ca: Vec<String>,
    /// Certificate and key.
    pub client: Vec<(String, String)>,
    /// Anything is trusted.
    pub skip_verify: bool,
}

/// What a runtime shows of us to a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Presented {
    /// Nothing.
    #[default]
    Anonymous,
    /// User and password.
    Basic {
        /// The user.
        username: String,
        /// The password; may be empty.
        password: Secret,
    },
    /// A refresh token.
    IdentityToken(Secret),
    /// The credential is there, but unreadable: the host fails with this error.
    Broken(String),
}

/// Which lines made an attempt what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Because {
    /// The endpoint, or the entry whose default this is. `None`: the runtime's own default.
    pub endpoint: Option<Span>,
    /// The rule that rewrote the repository.
    pub rewrite: Option<Span>,
    /// The credential.
    pub credential: Option<Span>,
    /// The TLS section.
    pub tls: Option<Span>,
}

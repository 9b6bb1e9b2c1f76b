//! What a probe found, as plain data: for a person by `Display` of its parts, for a program as JSON.

use std::fmt;

use serde::Serialize;

use super::certificate::Certificate;

/// The answer for all endpoints, in the order in which the runtime tries them.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// One for each attempt that was given.
    pub endpoints: Vec<Endpoint>,
    /// The position of the endpoint that the runtime would take the manifest from.
    pub served_by: Option<usize>,
}

/// The answer for one endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Endpoint {
    /// The first request's URL.
    pub url: String,
    /// `host[:port]`.
    pub host: String,
    /// What was done, in order, each step with its time and outcome.
    pub steps: Vec<Step>,
    /// What the endpoint's server showed in TLS, its own certificate first.
    pub certificates: Vec<Certificate>,
    /// The manifest, where it was found.
    pub manifest: Option<Manifest>,
    /// What is wrong. `None`: this endpoint would serve the image.
    pub finding: Option<Finding>,
    /// What works, but is worth a look.
    pub notes: Vec<String>,
    /// What the runtime does next.
    pub next: Next,
}

/// What the runtime does after an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Next {
    /// It takes the image from here.
    Served,
    /// It tries the next endpoint.
    NextEndpoint,
    /// It gives the whole pull up.
    PullFails,
}

/// A manifest as its registry announces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// Its digest, as stated or computed.
    pub digest: Option<String>,
    /// Its type.
    pub media_type: Option<String>,
    /// Its bytes.
    pub size: Option<u64>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What kind of step.
    pub kind: StepKind,
    /// To whom: a name, `host:port`, or a method and URL.
    pub target: String,
    /// How long it took.
    pub micros: u64,
    /// Whether it went as it should.
    pub ok: bool,
    /// What came out of it.
    pub detail: String,
}

/// Kinds of steps, in the order in which they come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StepKind {
    /// Whether it can be asked at all: its URL, its credential, the certificate files.
    Configuration,
    /// Looking up the name.
    Dns,
    /// The TCP connection.
    Connect,
    /// Asking a proxy for a tunnel.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// Asking for the manifest.
    Manifest,
    /// Reading what the registry wants to be shown.
    Challenge,
    /// Asking for a token.
    Token,
    /// Being sent elsewhere.
    Redirect,
    /// A question of ours to find the cause; the runtime would not ask it.
    Inquiry,
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configuration => "configuration",
            Self::Dns => "name",
            Self::Connect => "connection",
            Self::Proxy => "proxy",
            Self::Tls => "TLS",
            Self::Manifest => "manifest",
            Self::Challenge => "challenge",
            Self::Token => "token",
            Self::Redirect => "redirect",
            Self::Inquiry => "inquiry",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.ok { "ok  " } else { "FAIL" };
        #[allow(clippy::cast_precision_loss)] // for people
        let millis = self.micros as f64 / 1000.0;
        let kind = self.kind.to_string();
        write!(
            f,
            "{sign} {kind:<13} {:<9} {}: {}",
            format!("{millis:.1} ms"),
            self.target,
            self.detail
        )
    }
}

/// What is wrong with an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The step that failed.
    pub step: StepKind,
    /// The likely cause.
    pub cause: Cause,
    /// What happened, with names, dates and numbers.
    pub message: String,
    /// What to do, the likeliest first.
    pub advice: Vec<String>,
}

/// Causes of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Cause {
    /// The endpoint has no host, or its URL cannot be read.
    InvalidEndpoint,
    /// The credential in the configuration cannot be read.
    BrokenCredential,
    /// A certificate or key file cannot be used.
    UnusableFile,
    /// The name does not exist.
    NameUnknown,
    /// The name servers do not answer.
    ResolverSilent,
    /// Nothing listens on that port.
    Refused,
    /// There is no way to that address.
    Unreachable,
    /// Nothing came back when connecting.
    ConnectTimeout,
    /// Connected, and then silence.
    AnswerTimeout,
    /// The connection broke.
    Interrupted,
    /// HTTPS is configured, and the port speaks HTTP.
    PlainHttpPort,
    /// HTTP is configured, and the port speaks TLS.
    TlsPort,
    /// The connection ended within the handshake.
    TlsCut,
    /// No authority that we know signed the certificate.
    UnknownAuthority,
    /// The certificate vouches for itself.
    SelfSigned,
    /// The certificate is for other names.
    WrongName,
    /// The certificate's time is over.
    Expired,
    /// The certificate's time has not come.
    NotYetValid,
    /// The server wants a client certificate, and there is none.
    ClientCertificateWanted,
    /// The server does not accept the client certificate.
    ClientCertificateRefused,
    /// Any other failure of TLS.
    Tls,
    /// The proxy does not let us through, or cannot be reached.
    Proxy,
    /// Something in between answers instead of the registry.
    Intercepted,
    /// It wants a credential, and none is configured for this host.
    CredentialMissing,
    /// The credential is not accepted.
    CredentialRefused,
    /// The credential is of a kind that this registry does not take.
    CredentialKind,
    /// The token server is not one that we talk to.
    RealmRefused,
    /// The token server fails or answers nonsense.
    TokenServer,
    /// A token was given, and the registry does not accept it.
    TokenRefused,
    /// A 401 that does not say what is wanted.
    NoChallenge,
    /// We are known, and may not.
    Forbidden,
    /// There is no such repository.
    RepositoryMissing,
    /// There is no such tag or digest.
    ManifestMissing,
    /// A registry is there, but not below this path.
    WrongPath,
    /// There is no registry.
    NotARegistry,
    /// The registry does not take the `ns` query.
    NamespaceRefused,
    /// Too many requests.
    RateLimited,
    /// The server has a problem.
    ServerError,
    /// It leads elsewhere, where we do not go.
    RedirectRefused,
    /// An answer that means nothing here.
    UnexpectedStatus,
    /// Our own time was over.
    OutOfTime,
}

impl Report {
    pub(super) fn new(endpoints: Vec<Endpoint>) -> Self {
        let stops = |endpoint: &Endpoint| endpoint.next != Next::NextEndpoint;
        let first = endpoints.iter().position(stops);
        let served_by =
            first.filter(|position| endpoints.get(*position).is_some_and(|e| e.next == Next::Served));
        Self { endpoints, served_by }
    }
}

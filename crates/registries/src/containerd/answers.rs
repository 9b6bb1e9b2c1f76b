//! What registries may answer, and what is asked of them: the two sides of a simulated pull.

use std::fmt;

use super::log::LogLine;
use crate::{Presented, TlsUse};

/// A request's method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `HEAD`.
    Head,
    /// `GET`.
    Get,
}

impl Method {
    /// As it is sent.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Head => "HEAD",
            Self::Get => "GET",
        }
    }

    /// As Go's errors show it.
    pub(super) fn in_error(self) -> &'static str {
        match self {
            Self::Head => "Head",
            Self::Get => "Get",
        }
    }
}

/// What a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// Nothing.
    None,
    /// User and password.
    Basic,
    /// A token of the registry's token server.
    Bearer,
}

/// A request, as it would be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: String,
    /// `host[:port]`.
    pub host: String,
    /// What it carries.
    pub authorization: Authorization,
    /// The credential that there is for the host, whether the request carries it or not.
    pub presented: Presented,
    /// Certificates in use.
    pub tls: TlsUse,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A status; 200 with size and digest, 401 without a challenge that containerd knows.
    Status(u16),
    /// 200 without `Docker-Content-Digest`.
    NoDigest,
    /// 200 without `Docker-Content-Digest` and without a size.
    NoSize,
    /// 401 with `WWW-Authenticate: Basic`.
    Basic,
    /// 401 with `WWW-Authenticate: Bearer`.
    Bearer {
        /// Its `error`, which a registry adds when it did not like a token.
        error: Option<String>,
        /// What the token server then says: `Err` with containerd's words for it.
        token: Result<(), String>,
    },
    /// 401 with `WWW-Authenticate: Bearer` that names no realm.
    NoRealm,
    /// Nobody listens there.
    Refused,
    /// There is no such host.
    NoSuchHost,
    /// No answer in time.
    TimedOut,
    /// The connection ends before an answer.
    Cut,
    /// The host's certificate is not trusted; with Go's words for why.
    Untrusted(String),
}

/// The world's side of a pull.
pub trait Answers {
    /// Answers a request.
    fn answer(&mut self, request: &Request) -> Answer;

    /// Told when a token for a host is about to be fetched, which [`Answer::Bearer`] has answered already.
    fn token(&mut self, host: &str) {
        let _ = host;
    }

    /// Whether a host speaks TLS.
    fn speaks_tls(&mut self, host: &str) -> bool {
        let _ = host;
        true
    }
}

impl<F: FnMut(&Request) -> Answer> Answers for F {
    fn answer(&mut self, request: &Request) -> Answer {
        self(request)
    }
}

/// A request and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The request.
    pub request: Request,
    /// The answer.
    pub answer: Answer,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} -> {}",
            self.request.method.as_str(),
            self.request.url,
            self.answer
        )
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connrefused"),
            Self::NoSuchHost => f.write_str("nosuchhost"),
            Self::TimedOut => f.write_str("timeout"),
            Self::Cut => f.write_str("eof"),
            Self::Untrusted(_) => f.write_str("untrusted"),
            answer => answer.status().unwrap_or_default().fmt(f),
        }
    }
}

impl Answer {
    /// The status, if it came to one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status(status) => Some(*status),
            Self::NoDigest | Self::NoSize => Some(200),
            Self::Basic | Self::Bearer { .. } | Self::NoRealm => Some(401),
            _ => None,
        }
    }
}

/// A simulated pull.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Every request to a registry, in order. Requests to token servers are not among them.
    pub requests: Vec<Sent>,
    /// Whether it went well.
    pub resolved: bool,
    /// The host that answered.
    pub served_by: Option<String>,
    /// containerd's error, as the CRI shows it behind `failed to resolve reference …: `.
    pub resolve_error: Option<String>,
    /// What containerd logs from level info on.
    pub log: Vec<LogLine>,
}

/// A status as Go's HTTP client shows it.
pub(super) fn shown(status: u16) -> String {
    let words = match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        417 => "Expectation Failed",
        418 => "I'm a teapot",
        421 => "Misdirected Request",
        422 => "Unprocessable Entity",
        423 => "Locked",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        511 => "Network Authentication Required",
        _ => return format!("{status} "),
    };
    format!("{status} {words}")
}

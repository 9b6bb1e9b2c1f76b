//! What can go wrong between us and a host, told apart by what the person or the caller can do about it.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::shown::ShownUrl;

/// A failure of the transport. Cheap to clone, because one failure is often the answer to several waiters.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The URL cannot be asked at all.
    #[error("`{url}` cannot be fetched: {reason}")]
    InvalidUrl {
        /// The URL, safe to show.
        url: String,
        /// Why.
        reason: String,
    },
    /// The name has no address.
    #[error(
        "cannot find the address of `{host}`: {source}; check the name, and the DNS settings of this machine"
    )]
    Dns {
        /// The name.
        host: String,
        /// What the resolver said.
        source: Arc<io::Error>,
    },
    /// The name leads to where nothing is asked.
    #[error(
        "`{host}` leads to {address}, {kind}: that is not asked; if it is meant, allow the address or its network"
    )]
    AddressRefused {
        /// `host` or `host:port`.
        host: String,
        /// Where it leads.
        address: IpAddr,
        /// What kind of address that is.
        kind: &'static str,
    },
    /// Nobody answers there.
    #[error(
        "cannot connect to {target}: {source}; is the server running, and does a firewall or proxy stand between?"
    )]
    Connect {
        /// `host:port`.
        target: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The certificate's issuer is unknown.
    #[error(
        "the certificate of {host} is signed by an authority that this machine does not know; \
         give its CA with --tls-ca FILE (or, knowing the risk, use --insecure)"
    )]
    TlsUnknownCa {
        /// `host:port`.
        host: String,
    },
    /// The certificate's time is over, or has not come.
    #[error(
        "the certificate of {host} is not valid now: {detail}; renew it, and check the clock of this machine"
    )]
    TlsExpired {
        /// `host:port`.
        host: String,
        /// Since or until when.
        detail: String,
    },
    /// The certificate is for other names.
    #[error(
        "the certificate of {host} is for another name ({detail}); use a name that it holds, or have it \
         issued again with this one as subjectAltName"
    )]
    TlsWrongName {
        /// `host:port`.
        host: String,
        /// The names that it holds.
        detail: String,
    },
    /// Something else than TLS was answered.
    #[error("{host} does not speak TLS (it answered plain text); if it is meant to, use --plain-http")]
    NotTls {
        /// `host:port`.
        host: String,
    },
    /// The connection ended within the handshake.
    #[error("{host} closed the connection during the TLS handshake; is it an HTTPS port?")]
    TlsCut {
        /// `host:port`.
        host: String,
    },
    /// The server wants a client certificate, or does not like ours.
    #[error(
        "{host} refused our client certificate ({reason}); give one that it accepts with --tls-cert and --tls-key"
    )]
    TlsClientCertificate {
        /// `host:port`.
        host: String,
        /// The alert.
        reason: String,
    },
    /// Any other failure of TLS.
    #[error("TLS with {host} failed: {reason}")]
    Tls {
        /// `host:port`.
        host: String,
        /// What the library said.
        reason: String,
    },
    /// A certificate or key file of ours is not usable.
    #[error("the TLS file {} is not usable: {reason}", path.display())]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Nothing came in time.
    #[error("no answer from {url} within {after:?} ({what})")]
    Timeout {
        /// Where.
        url: String,
        /// What was waited for.
        what: &'static str,
        /// How long.
        after: Duration,
    },
    /// A body that stopped coming.
    #[error("{url} stopped sending: almost nothing came for {after:?}")]
    Stalled {
        /// Where.
        url: ShownUrl,
        /// How long.
        after: Duration,
    },
    /// The connection broke in the middle.
    #[error("the connection to {url} broke: {reason}")]
    Interrupted {
        /// Where.
        url: ShownUrl,
        /// What the library or the system said.
        reason: String,
    },
    /// The proxy did not let us through.
    #[error("the proxy {proxy} did not connect us to {target}: {reason}; check HTTPS_PROXY and NO_PROXY")]
    Proxy {
        /// The proxy, `host:port`.
        proxy: String,
        /// The host behind.
        target: String,
        /// What it answered.
        reason: String,
        /// Whether it may be different a moment later.
        transient: bool,
    },
    /// One redirect after another.
    #[error("{url} redirects more than {limit} times")]
    TooManyRedirects {
        /// Where the first request went.
        url: ShownUrl,
        /// The limit.
        limit: usize,
    },
    /// A redirect that is not followed.
    #[error("{from} redirects to {to}, which is not followed: {reason}")]
    RedirectRefused {
        /// Who redirects.
        from: ShownUrl,
        /// Where to.
        to: String,
        /// Why not.
        reason: &'static str,
    },
    /// HTTP without TLS to a host for which it was not allowed.
    #[error("{url} is plain HTTP, which is not allowed for this host; use --plain-http if it is meant")]
    PlainHttpRefused {
        /// Where.
        url: ShownUrl,
    },
    /// A body larger than its reader takes.
    #[error("the answer of {url} is larger than {limit} bytes")]
    BodyTooLarge {
        /// Where.
        url: ShownUrl,
        /// The limit.
        limit: usize,
    },
    /// What we wanted to send could not be read.
    #[error("cannot read what is to be sent to {url}: {source}")]
    Source {
        /// Where it was to go.
        url: ShownUrl,
        /// What the source said.
        source: Arc<io::Error>,
    },
    /// Tried again and again.
    #[error("{source} (tried {attempts} times)")]
    Exhausted {
        /// How often.
        attempts: u32,
        /// The last failure.
        source: Box<NetError>,
    },
}

impl NetError {
    /// Whether the same request may well succeed a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::TlsCut { .. }
            | Self::Timeout { .. }
            | Self::Stalled { .. }
            | Self::Interrupted { .. } => true,
            // EAI_AGAIN: the resolver did not answer. An unknown name stays unknown.
            Self::Dns { source, .. } => source.to_string().contains("Temporary failure"),
            Self::Proxy { transient, .. } => *transient,
            _ => false,
        }
    }

    /// The failure itself, without the count of attempts around it.
    #[must_use]
    pub fn root(&self) -> &Self {
        match self {
            Self::Exhausted { source, .. } => source.root(),
            other => other,
        }
    }

    /// Puts the number of attempts around the failure, when there was more than one.
    #[must_use]
    pub fn after_attempts(self, attempts: u32) -> Self {
        match self {
            exhausted @ Self::Exhausted { .. } => exhausted,
            source if attempts > 1 => Self::Exhausted {
                attempts,
                source: Box::new(source),
            },
            source => source,
        }
    }

    /// Whether the other side did not get as far as speaking TLS: the sign of a plain HTTP server.
    pub(crate) fn is_not_tls(&self) -> bool {
        matches!(self, Self::NotTls { .. } | Self::TlsCut { .. })
    }
}

//! What can go wrong with a registry, by what the caller can do about it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use landfall_auth::AuthError;
use landfall_net::client::NetError;
use landfall_oci::{Digest, ErrorCode, ManifestError};

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It is not there: leave it out, or correct the name.
    NotFound,
    /// Log in.
    Unauthorized,
    /// Ask for the right to do it.
    Denied,
    /// Wait.
    RateLimited,
    /// Try again later: the registry has a problem of its own.
    Unavailable,
    /// The content is not what it should be: never use it.
    Corrupt,
    /// The registry does not accept, or we do not understand: trying again is no use.
    Invalid,
    /// The way there is broken.
    Net,
    /// Something on this machine.
    Local,
}

/// What exactly is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The whole repository.
    Repository,
    /// The tag or manifest.
    Manifest,
    /// The blob.
    Blob,
    /// The registry did not say.
    Unsaid,
}

/// What a registry answered when it refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// Its status.
    pub status: u16,
    /// What was asked for.
    pub what: &'a str,
    /// Its words, with a separator before, or nothing.
    pub words: &'a str,
}

/// A failure of the client. `what` names the content with its registry; `detail` is what the registry said, with a
/// separator before, or nothing.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Not there.
    #[error("{what} does not exist ({}){detail}", missing.as_str())]
    NotFound {
        /// What was asked for.
        what: String,
        /// What is missing.
        missing: Missing,
        /// The registry's words.
        detail: String,
    },
    /// Not without logging in.
    #[error(
        "{registry} wants to know who we are before it gives {what} (we showed: {provenance}){detail}; \
         log in to it, or check the name: registries also answer so for what does not exist"
    )]
    Unauthorized {
        /// What was asked for.
        what: String,
        /// The registry.
        registry: String,
        /// Where the credential came from.
        provenance: String,
        /// The registry's words.
        detail: String,
    },
    /// Not for us.
    #[error(
        "{registry} does not allow us {what} (we showed: {provenance}){detail}; ask for that right, or use another user"
    )]
    Denied {
        /// What was asked for.
        what: String,
        /// The registry.
        registry: String,
        /// Where the credential came from.
        provenance: String,
        /// The registry's words.
        detail: String,
    },
    /// Too fast, or too much for today.
    #[error(
        "{registry} limits how often we may ask ({what}, {attempts} tries{}){detail}; wait, or log in for a higher limit",
        retry_after.map(|after| format!(", it asks for {} s of rest", after.as_secs())).unwrap_or_default()
    )]
    RateLimited {
        /// What was asked for.
        what: String,
        /// The registry.
        registry: String,
        /// Tries.
        attempts: u32,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
        /// The registry's words.
        detail: String,
    },
    /// The registry is in trouble.
    #[error(
        "the registry answers {status} for {what} ({attempts} tries){detail}; try again later, or look into its log"
    )]
    Unavailable {
        /// What was asked for.
        what: String,
        /// Its answer.
        status: u16,
        /// Tries.
        attempts: u32,
        /// The registry's words.
        detail: String,
    },
    /// The registry does not accept it.
    #[error("the registry refuses {what} with {status}{detail}")]
    Refused {
        /// What was asked for.
        what: String,
        /// Its answer.
        status: u16,
        /// The first error code, when it gave one.
        code: Option<ErrorCode>,
        /// The registry's words.
        detail: String,
    },
    /// Other bytes than asked for.
    #[error(
        "{what} is corrupt: the bytes have the digest {actual}, {expected} was asked for; they were not used"
    )]
    DigestMismatch {
        /// What was asked for.
        what: String,
        /// The digest asked for.
        expected: Box<Digest>,
        /// The digest of the bytes.
        actual: Box<Digest>,
    },
    /// A registry that contradicts itself.
    #[error(
        "the registry says that {what} has the digest {header}, but it has {actual}; something between changes content"
    )]
    DigestHeader {
        /// What was asked for or sent.
        what: String,
        /// `Docker-Content-Digest` as it came.
        header: String,
        /// The digest of the bytes.
        actual: Digest,
    },
    /// A blob of another size.
    #[error(
        "{what} has {found} bytes at the registry, its descriptor says {expected}; the registry's copy is damaged"
    )]
    SizeMismatch {
        /// What was asked for.
        what: String,
        /// By the descriptor.
        expected: u64,
        /// By the registry.
        found: u64,
    },
    /// A blob that does not end.
    #[error("{what} goes on after the {expected} bytes of its descriptor")]
    TooLong {
        /// What was asked for.
        what: String,
        /// By the descriptor.
        expected: u64,
    },
    /// A manifest over the limit that all registries share.
    #[error("{what} is larger than {limit} bytes, the limit for manifests; is it an image?")]
    ManifestTooLarge {
        /// What was asked for.
        what: String,
        /// The limit.
        limit: usize,
    },
    /// A manifest that cannot be used.
    #[error("{what}: {source}")]
    Manifest {
        /// What was asked for.
        what: String,
        /// Why.
        source: ManifestError,
    },
    /// An answer outside the specification.
    #[error("the registry does not keep to the specification with {what}: {reason}")]
    Protocol {
        /// What was asked for.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// Something that we were asked to do and cannot.
    #[error("{what} cannot be done: {reason}")]
    Impossible {
        /// What was to be done.
        what: String,
        /// Why.
        reason: String,
    },
    /// What was to be sent cannot be read.
    #[error("cannot read {what}: {source}")]
    Source {
        /// What was to be sent.
        what: String,
        /// What its source said.
        source: Arc<io::Error>,
    },
    /// The way to the registry.
    #[error("{what}: {source}")]
    Net {
        /// What was asked for.
        what: String,
        /// What happened.
        source: NetError,
    },
    /// Who we are.
    #[error("{what}: {source}")]
    Auth {
        /// What was asked for.
        what: String,
        /// What happened.
        source: Box<AuthError>,
    },
}

impl Missing {
    fn as_str(self) -> &'static str {
        match self {
            Self::Repository => "the registry knows no such repository",
            Self::Manifest => "no such tag or manifest in this repository",
            Self::Blob => "no such blob in this repository",
            Self::Unsaid => "404",
        }
    }
}

impl ClientError {
    /// The failure of a transport, told apart from that of a source.
    pub(crate) fn net(what: &str, source: NetError) -> Self {
        match source.root() {
            NetError::Source { source, .. } => Self::Source {
                what: what.to_owned(),
                source: Arc::clone(source),
            },
            _ => Self::Net {
                what: what.to_owned(),
                source,
            },
        }
    }

    /// The registry's answer, where the failure is one.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal<'_>> {
        let (status, what, words) = match self {
            Self::NotFound { what, detail, .. } => (404, what, detail),
            Self::Unauthorized { what, detail, .. } => (401, what, detail),
            Self::Denied { what, detail, .. } => (403, what, detail),
            Self::Refused {
                what, status, detail, ..
            }
            | Self::Unavailable {
                what, status, detail, ..
            } => (*status, what, detail),
            _ => return None,
        };
        Some(Refusal { status, what, words })
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotFound { .. } => Kind::NotFound,
            Self::Unauthorized { .. } => Kind::Unauthorized,
            Self::Denied { .. } => Kind::Denied,
            Self::RateLimited { .. } => Kind::RateLimited,
            Self::Unavailable { .. } => Kind::Unavailable,
            Self::Refused {
                code: Some(ErrorCode::DigestInvalid | ErrorCode::SizeInvalid),
                ..
            }
            | Self::DigestMismatch { .. }
            | Self::DigestHeader { .. }
            | Self::SizeMismatch { .. }
            | Self::TooLong { .. } => Kind::Corrupt,
            Self::Refused { .. }
            | Self::ManifestTooLarge { .. }
            | Self::Manifest { .. }
            | Self::Protocol { .. }
            | Self::Impossible { .. } => Kind::Invalid,
            Self::Source { .. } => Kind::Local,
            Self::Net { source, .. } => net_kind(source),
            Self::Auth { source, .. } => auth_kind(source),
        }
    }
}

fn net_kind(error: &NetError) -> Kind {
    match error.root() {
        NetError::TlsFile { .. } => Kind::Local,
        _ => Kind::Net,
    }
}

fn auth_kind(error: &AuthError) -> Kind {
    match error {
        AuthError::Rejected { .. } | AuthError::CloudRefused(_) => Kind::Unauthorized,
        AuthError::Unavailable { status: 429, .. } => Kind::RateLimited,
        AuthError::Unavailable { .. } | AuthError::CloudUnavailable { .. } => Kind::Unavailable,
        AuthError::Net { source, .. } => net_kind(source),
        AuthError::ConfigUnreadable { .. }
        | AuthError::ConfigInvalid { .. }
        | AuthError::HelperMissing { .. }
        | AuthError::HelperFailed { .. }
        | AuthError::HelperTimeout { .. } => Kind::Local,
        _ => Kind::Invalid,
    }
}

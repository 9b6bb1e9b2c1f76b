//! Why we cannot prove who we are.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use landfall_net::client::NetError;

/// A failure to find, read or exchange a credential. Never holds a secret, nor the content of a file.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// A credential file that cannot be read.
    #[error("cannot read the credentials in {file}: {source}")]
    ConfigUnreadable {
        /// The file.
        file: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// A credential file with something wrong in it.
    #[error("the credentials in {file} are not usable: {reason}; log in again, or correct the file")]
    ConfigInvalid {
        /// The file.
        file: String,
        /// What, without any of its content but names of registries.
        reason: String,
    },
    /// A credential helper that is not installed.
    #[error(
        "{file} says that `{program}` keeps the credentials of {server}, but there is no such program in PATH; \
         install it, or take the helper out of that file and log in again"
    )]
    HelperMissing {
        /// The file that names it.
        file: String,
        /// The program.
        program: String,
        /// The registry asked for.
        server: String,
    },
    /// A credential helper that failed.
    #[error("the credential helper `{program}` (named in {file}) failed for {server}: {reason}")]
    HelperFailed {
        /// The file that names it.
        file: String,
        /// The program.
        program: String,
        /// The registry asked for.
        server: String,
        /// What happened.
        reason: String,
    },
    /// A credential helper that did not answer.
    #[error(
        "the credential helper `{program}` (named in {file}) did not answer within {after:?}; does it wait for input?"
    )]
    HelperTimeout {
        /// The file that names it.
        file: String,
        /// The program.
        program: String,
        /// How long it had.
        after: Duration,
    },
    /// A token server that we do not talk to.
    #[error("{registry} sends us to the token server {realm}, which is refused: {reason}")]
    RealmRefused {
        /// The registry.
        registry: String,
        /// The token server.
        realm: String,
        /// Why.
        reason: &'static str,
    },
    /// A registry that wants something else than Basic or Bearer.
    #[error("{registry} asks for `{schemes}` authentication; only Basic and Bearer are supported")]
    Unsupported {
        /// The registry.
        registry: String,
        /// What it asks for.
        schemes: String,
    },
    /// A token server that says no.
    #[error(
        "the token server of {registry} refused us with {status} ({provenance}){detail}; log in again, or check the rights of this user"
    )]
    Rejected {
        /// The registry.
        registry: String,
        /// Its answer.
        status: u16,
        /// Where the credential came from.
        provenance: String,
        /// What it said, with a colon before, or nothing.
        detail: String,
    },
    /// A token server that cannot answer now.
    #[error(
        "the token server of {registry} answers {status} after {attempts} tries{detail}; try again later"
    )]
    Unavailable {
        /// The registry.
        registry: String,
        /// Its answer.
        status: u16,
        /// Tries.
        attempts: u32,
        /// What it said, with a colon before, or nothing.
        detail: String,
    },
    /// A token server that answered nonsense.
    #[error("the answer of the token server {realm} is not usable: {reason}")]
    BadAnswer {
        /// The token server.
        realm: String,
        /// Why.
        reason: String,
    },
    /// The way to the token server.
    #[error("cannot get a token for {registry}: {source}")]
    Net {
        /// The registry.
        registry: String,
        /// What happened.
        source: NetError,
    },
    /// A cloud that says no.
    #[error("{0}")]
    CloudRefused(Box<CloudRefusal>),
    /// Settings, files or answers of a cloud that cannot be used.
    #[error("cannot log in to {registry}: {reason}; {advice}")]
    CloudUnusable {
        /// The registry.
        registry: String,
        /// What, and where.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
    /// A cloud that cannot answer now.
    #[error("cannot log in to {registry} now: {reason}; try again later")]
    CloudUnavailable {
        /// The registry.
        registry: String,
        /// What happened.
        reason: String,
    },
}

/// A cloud's no.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "cannot log in to {registry}: {action} was refused to {whom}: {code}{}; {advice}",
    colon(message)
)]
pub struct CloudRefusal {
    /// The registry.
    pub registry: String,
    /// What was asked for.
    pub action: String,
    /// Who asked.
    pub whom: String,
    /// The cloud's word for it.
    pub code: String,
    /// Its sentence.
    pub message: String,
    /// What to do.
    pub advice: &'static str,
}

fn colon(message: &str) -> String {
    match message {
        "" => String::new(),
        message => format!(": {message}"),
    }
}

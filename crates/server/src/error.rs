//! What keeps a registry from coming up. What goes wrong with one request is the request's answer.

use std::io;
use std::path::{Path, PathBuf};

/// Why a registry cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The verb.
        action: &'static str,
        /// The object.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line of a htpasswd file.
    #[error("{}:{line}: {reason}", path.display())]
    Htpasswd {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A place in a rules file.
    #[error("{}:{line}:{column}: {reason}", path.display())]
    Rules {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong there, and what to do.
        reason: String,
    },
    /// The file with the key that tokens are signed with.
    #[error("{}: {reason}", path.display())]
    TokenKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do. Never what it holds.
        reason: &'static str,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate in {}: {reason}", path.display())]
    Certificate {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Something else that must work at start does not.
    #[error("cannot {what}: {reason}")]
    Setup {
        /// The verb and its object.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The program is shutting down.
    #[error("the registry is shutting down")]
    Stopped,
}

impl ServerError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

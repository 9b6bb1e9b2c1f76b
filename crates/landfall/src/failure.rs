//! The one error type of the program: a message for people and the exit code that goes with it.

use std::fmt;
use std::path::Path;

use landfall_transfer::TransferError;

use crate::exit::Exit;

/// An error that ends the program.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }

    /// The request cannot be understood.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The same failure with another exit code.
    pub(crate) fn with_exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// A file or folder of this machine.
    pub(crate) fn local(action: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::new(
            Exit::Local,
            format!("cannot {action} {}: {error}", path.display()),
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<TransferError> for Failure {
    fn from(error: TransferError) -> Self {
        Self::new(Exit::of_class(error.class()), error.describe())
    }
}

impl From<landfall_bundle::BundleError> for Failure {
    fn from(error: landfall_bundle::BundleError) -> Self {
        TransferError::from(error).into()
    }
}

impl From<landfall_client::ClientError> for Failure {
    fn from(error: landfall_client::ClientError) -> Self {
        TransferError::from(error).into()
    }
}

impl From<landfall_images::MapError> for Failure {
    fn from(error: landfall_images::MapError) -> Self {
        TransferError::from(error).into()
    }
}

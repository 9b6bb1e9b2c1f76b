//! Access keys of AWS, and whose they are.

use std::fmt;

use crate::Secret;

/// Access keys that were given for one registry, as in the `ecr_credential_plugin` block of RKE.
#[derive(Clone, PartialEq, Eq)]
pub struct EcrKeys {
    /// `aws_access_key_id`.
    pub id: String,
    /// `aws_secret_access_key`.
    pub secret: Secret,
    /// `aws_session_token`.
    pub session: Option<Secret>,
}

impl fmt::Debug for EcrKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EcrKeys").finish_non_exhaustive()
    }
}

/// Access keys.
pub(crate) type Keys = EcrKeys;

/// Access keys, until when they are good, and where they are from.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) keys: Keys,
    /// Seconds since 1970; `None`: nobody said.
    pub(crate) ends: Option<i64>,
    /// For people: `the environment`, `the profile `x``.
    pub(crate) from: String,
}

impl Keys {
    /// All that must never be shown.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        let session = self.session.as_ref().map(Secret::expose);
        [self.secret.expose()].into_iter().chain(session).collect()
    }
}

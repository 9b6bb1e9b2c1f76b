//! What we can show to a registry, and where it was found.

use std::sync::Arc;

use crate::Secret;

/// What we can show to a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Nothing: public content only.
    Anonymous,
    /// User name and password.
    Basic {
        /// The user.
        username: String,
        /// The password, or a personal access token.
        password: Secret,
    },
    /// A refresh token of the registry's token server (`identitytoken`).
    IdentityToken {
        /// The token.
        token: Secret,
    },
    /// A bearer token to be sent as it is (`registrytoken`).
    RegistryToken {
        /// The token.
        token: Secret,
    },
}

/// A credential and its provenance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The credential.
    pub credential: Credential,
    /// For people, e.g. `~/.docker/config.json, auths["reg:5000"]`. Never holds the secret.
    pub provenance: Arc<str>,
}

impl Found {
    pub(crate) fn new(credential: Credential, provenance: impl Into<Arc<str>>) -> Self {
        Self {
            credential,
            provenance: provenance.into(),
        }
    }

    /// Nobody has a credential.
    pub(crate) fn nothing() -> Self {
        Self::new(Credential::Anonymous, "no credential")
    }
}

//! The parts that every format has in some spelling: credentials, certificates, rewrites; and what got lost between
//! two formats.

use landfall_diag::{Span, Spanned};
use landfall_oci::Secret;

/// A credential as a file spells it: any subset may be there, and which one counts is the consumer's rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Auth {
    /// User name.
    pub username: Option<Spanned<String>>,
    /// Password.
    pub password: Option<Spanned<Secret>>,
    /// Base64 of `user:password`.
    pub auth: Option<Spanned<Secret>>,
    /// A refresh token of the registry's token server.
    pub identity_token: Option<Spanned<Secret>>,
}

impl Auth {
    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.username.is_none()
            && self.password.is_none()
            && self.auth.is_none()
            && self.identity_token.is_none()
    }
}

/// Certificates, as paths on the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Authorities to trust besides the system's.
    pub ca: Vec<Spanned<String>>,
    /// Pairs of certificate and key; the key is empty where both are in one file or none is given.
    pub client: Vec<(Spanned<String>, Spanned<String>)>,
    /// Trust anything.
    pub skip_verify: Option<Spanned<bool>>,
}

/// One rule that changes repositories: a Go pattern and its replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// Go (RE2) syntax.
    pub pattern: Spanned<String>,
    /// With `$1`, `${name}`.
    pub replacement: Spanned<String>,
}

/// What a format cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Where it stood.
    pub span: Option<Span>,
    /// What is not carried over.
    pub what: String,
    /// Why not.
    pub why: String,
    /// What to do instead.
    pub advice: String,
}

//! The parts that every format has in some spelling: credentials, certificates, rewrites; and what got lost between
//! two formats.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
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

impl Auth {
    /// The user and the password, as containerd finds them: by name, or else in `auth`, unless a token comes before.
    #[must_use]
    pub fn user_password(&self) -> Option<(String, Secret)> {
        let some = |text: &Option<Spanned<Secret>>| text.as_ref().is_some_and(|text| !text.is_empty());
        if let Some(user) = self.username.as_ref().filter(|user| !user.is_empty()) {
            let password = self.password.as_ref().map(|password| password.value.clone());
            return Some((user.value.clone(), password.unwrap_or_else(|| Secret::new(""))));
        }
        if some(&self.identity_token) {
            return None;
        }
        let bytes = STANDARD.decode(self.auth.as_ref()?.expose()).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (user, password) = text.split_once(':')?;
        Some((user.to_owned(), Secret::new(password.trim_end_matches('\0'))))
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

//! Which credential containerd's CRI shows to a host, and what it makes of it.

use landfall_diag::{Span, Spanned};
use landfall_oci::Secret;

use crate::go::{base64, quote::quote_bytes};
use crate::{Auth, Presented};

/// One `registry.configs.<key>.auth`.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The host it is for, compared byte by byte.
    pub key: Spanned<String>,
    /// What it is.
    pub auth: Auth,
    /// The section.
    pub span: Span,
}

/// What is shown to a host, and the lines that say so.
pub(super) fn present(all: &[Credential], host: &str, alias: bool) -> (Presented, Option<Span>) {
    let of = |key: &str| all.iter().find(|one| one.key.value == key);
    let hub = || {
        Some("docker.io")
            .filter(|_| alias && host == "registry-1.docker.io")
            .and_then(of)
    };
    match of(host).or_else(hub) {
        Some(credential) => {
            let presented = parse(&credential.auth);
            let span = (presented != Presented::Anonymous).then_some(credential.span);
            (presented, span)
        }
        None => (Presented::Anonymous, None),
    }
}

/// A user counts before a token, a token before `auth`.
fn parse(auth: &Auth) -> Presented {
    let text = |secret: &Option<Spanned<Secret>>| secret.as_ref().map(|s| s.value.clone());
    if let Some(username) = auth.username.as_ref().filter(|name| !name.value.is_empty()) {
        return Presented::Basic {
            username: username.value.clone(),
            password: text(&auth.password).unwrap_or_else(|| Secret::new("")),
        };
    }
    if let Some(token) = text(&auth.identity_token).filter(|token| !token.is_empty()) {
        return Presented::IdentityToken(token);
    }
    match text(&auth.auth).filter(|auth| !auth.is_empty()) {
        Some(encoded) => decode(encoded.expose()),
        None => Presented::Anonymous,
    }
}

/// `auth`: base64 of `user:password`. Go decodes into a buffer of the greatest possible length, so what is shorter
/// ends in NULs, which are trimmed from the password only.
fn decode(encoded: &str) -> Presented {
    let decoded = match base64::decode(encoded.as_bytes()) {
        Ok(decoded) => decoded,
        Err(error) => return Presented::Broken(error.to_string()),
    };
    let Some(colon) = decoded.iter().position(|&byte| byte == b':') else {
        return Presented::Broken(format!("invalid decoded auth: {}", quote_bytes(&decoded)));
    };
    let (username, password) = decoded.split_at(colon);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let username = text(username);
    let password = text(&password[1..]).trim_matches('\0').to_owned();
    match (username.is_empty(), password.is_empty()) {
        (true, true) => Presented::Anonymous,
        // Without a user the secret is taken for a refresh token.
        (true, false) => Presented::IdentityToken(password.into()),
        _ => Presented::Basic {
            username,
            password: password.into(),
        },
    }
}

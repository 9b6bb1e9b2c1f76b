//! A service account's word: a JWT signed with its key (RFC 7523), which Google's token service takes for a token.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;

/// How long the word is good: the most that Google accepts.
const LIFE: i64 = 3600;

/// Whose word it is, and for whom.
pub(super) struct Claims<'a> {
    pub(super) issuer: &'a str,
    pub(super) key_id: Option<&'a str>,
    pub(super) audience: &'a str,
    pub(super) scope: &'a str,
    pub(super) now: i64,
}

/// Signs the claims. `None`: that is no RSA key.
pub(super) fn assertion(claims: &Claims<'_>, pem: &str) -> Option<String> {
    let key = match PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()? {
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).ok()?,
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()).ok()?,
        _ => return None,
    };
    let mut header = json!({"alg": "RS256", "typ": "JWT"});
    if let Some(id) = claims.key_id {
        header["kid"] = id.into();
    }
    let body = json!({
        "iss": claims.issuer,
        "scope": claims.scope,
        "aud": claims.audience,
        "iat": claims.now,
        "exp": claims.now + LIFE,
    });
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(body.to_string().as_bytes())
    );
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .ok()?;
    Some(format!("{signed}.{}", encode(&signature)))
}

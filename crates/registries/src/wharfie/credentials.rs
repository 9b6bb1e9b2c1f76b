//! Which entry of `configs` counts for a host, and what is made of it.

use landfall_diag::{Span, Spanned};

use super::image::HUB;
use crate::go::base64;
use crate::registries_yaml::{ConfigEntry, RegistriesYaml, YamlTls};
use crate::{Auth, Presented, TlsUse};

/// The first entry that is there, even if nothing is in it.
pub(super) fn config<'a>(file: &'a RegistriesYaml, host: &str) -> Option<&'a ConfigEntry> {
    let of = |key: &str| file.configs.iter().find(|config| config.key.value == key);
    let hub = || Some("docker.io").filter(|_| host == HUB).and_then(of);
    of(host).or_else(hub).or_else(|| of("*"))
}

/// What is shown to a token server: a token counts before a user, a user with a password before `auth`.
pub(super) fn present(config: Option<&ConfigEntry>) -> (Presented, Option<Span>) {
    let Some(section) = config.and_then(|config| config.auth.as_ref()) else {
        return (Presented::Anonymous, None);
    };
    let presented = presented(&section.value);
    let span = (presented != Presented::Anonymous).then_some(section.span);
    (presented, span)
}

fn presented(auth: &Auth) -> Presented {
    if let Some(token) = auth
        .identity_token
        .as_ref()
        .filter(|token| !token.value.is_empty())
    {
        return Presented::IdentityToken(token.value.clone());
    }
    let username = auth.username.as_ref().filter(|name| !name.value.is_empty());
    let password = auth
        .password
        .as_ref()
        .filter(|password| !password.value.is_empty());
    if let (Some(username), Some(password)) = (username, password) {
        return Presented::Basic {
            username: username.value.clone(),
            password: password.value.clone(),
        };
    }
    match auth.auth.as_ref().filter(|auth| !auth.value.is_empty()) {
        Some(encoded) => decoded(encoded.value.expose()),
        None => Presented::Anonymous,
    }
}

/// `auth` is sent as it is, whatever it is; what the registry will see in it is told here.
fn decoded(encoded: &str) -> Presented {
    let refused = |why: &str| Presented::Broken(format!("`auth` is sent as it is: {why}"));
    match base64::decode(encoded.as_bytes()) {
        Err(error) => refused(&error.to_string()),
        Ok(bytes) => match String::from_utf8_lossy(unpadded(&bytes, encoded)).split_once(':') {
            None => refused("it holds no colon"),
            Some((username, password)) => Presented::Basic {
                username: username.to_owned(),
                password: password.to_owned().into(),
            },
        },
    }
}

/// Our decoder gives the whole of Go's buffer, with a NUL for each sign of padding; the registry does not.
fn unpadded<'a>(bytes: &'a [u8], encoded: &str) -> &'a [u8] {
    let padding = encoded
        .bytes()
        .rev()
        .take_while(|byte| matches!(byte, b'=' | b'\r' | b'\n'));
    let padding = padding.filter(|byte| *byte == b'=').count();
    bytes
        .get(..bytes.len().saturating_sub(padding))
        .unwrap_or_default()
}

/// The certificates for a host.
///
/// # Errors
/// Why the section as a whole is not used; the request is sent all the same.
pub(super) fn tls(config: Option<&ConfigEntry>) -> Result<(TlsUse, Option<Span>), String> {
    let Some(section) = config.and_then(|config| config.tls.as_ref()) else {
        return Ok((TlsUse::default(), None));
    };
    let tls: &YamlTls = &section.value;
    let text = |field: &Option<Spanned<String>>| field.as_ref().map_or("", |text| &text.value).to_owned();
    let (ca, cert, key) = (text(&tls.ca_file), text(&tls.cert_file), text(&tls.key_file));
    if let Some(words) = tls.lonely() {
        return Err(words);
    }
    let used = TlsUse {
        ca: Some(ca).filter(|ca| !ca.is_empty()).into_iter().collect(),
        client: Some((cert, key))
            .filter(|(cert, _)| !cert.is_empty())
            .into_iter()
            .collect(),
        skip_verify: tls.insecure_skip_verify.as_ref().is_some_and(|skip| skip.value),
    };
    Ok((used, Some(section.span)))
}

//! Credentials that are not sent, not complete, or seen by others: L31 to L34.

use std::collections::HashSet;

use landfall_diag::{Diagnostic, Severity, Spanned};
use landfall_oci::Secret;

use super::context::{Context, told};
use crate::Auth;
use crate::go::base64;
use crate::registries_yaml::ConfigEntry;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for config in &context.file.configs {
        let Some(auth) = config.auth.as_ref().map(|section| &section.value) else {
            continue;
        };
        found.extend(encoded(context, auth));
        let section = config.auth.as_ref().map_or(config.span, |section| section.span);
        if !told(found, &["L01"], section) {
            found.extend(half(config, auth));
        }
        found.extend(two(auth));
    }
    plain(context, found);
}

fn given(secret: &Option<Spanned<Secret>>) -> Option<&Spanned<Secret>> {
    secret.as_ref().filter(|secret| !secret.value.is_empty())
}

fn user(auth: &Auth) -> Option<&Spanned<String>> {
    auth.username.as_ref().filter(|user| !user.value.is_empty())
}

/// Whether anything would be sent.
pub(super) fn is_set(auth: &Auth) -> bool {
    user(auth).is_some() || given(&auth.identity_token).is_some() || given(&auth.auth).is_some()
}

fn encoded(context: &Context<'_>, auth: &Auth) -> Option<Diagnostic> {
    let text = given(&auth.auth)?;
    let at = |message: &str| Diagnostic::at("L32", Severity::Error, text.span, message);
    let one = match base64::decode(text.value.expose().as_bytes()) {
        Err(error) => {
            let one = at("`auth` is not base64").label(error.to_string());
            match text.value.expose().contains(':') {
                true => one.help(
                    "this looks like user:password as it is: write `username:` and `password:` instead",
                ),
                false => one.help("write `username:` and `password:` instead, which need no encoding"),
            }
        }
        Ok(bytes) if !bytes.contains(&b':') => at("`auth` holds no `user:password`")
            .label("no colon in it once it is decoded")
            .help("write `username:` and `password:` instead; a token is no `auth`"),
        Ok(_) => return None,
    };
    let used = user(auth).is_none() && given(&auth.identity_token).is_none();
    Some(match used {
        true => one.consequence(
            "containerd sends no request to the host with it: the endpoint fails, and the next one is tried",
        ),
        false => one.consequence(format!(
            "{} does not use it, because there is another credential in this entry",
            context.program()
        )),
    })
}

fn half(config: &ConfigEntry, auth: &Auth) -> Option<Diagnostic> {
    let password = given(&auth.password);
    match (user(auth), password) {
        (Some(user), None) => Some(
            Diagnostic::at("L33", Severity::Warning, user.span, "there is a user without a password")
                .label("no `password` with it")
                .consequence("no Basic credentials are sent, and tokens are asked for anonymously: private repositories answer 401")
                .help("add `password:` below it"),
        ),
        (None, Some(_)) if given(&auth.auth).is_none() && given(&auth.identity_token).is_none() => {
            let one = Diagnostic::at("L33", Severity::Warning, config.key.span, "there is a password without a user")
                .label("no `username` in its `auth`");
            Some(one.consequence("the password is not used: requests go out anonymously").help(
                "add `username:`; for a token most registries take any name",
            ))
        }
        _ => None,
    }
}

fn two(auth: &Auth) -> Option<Diagnostic> {
    let user = user(auth)?;
    let (other, name) = match (given(&auth.identity_token), given(&auth.auth)) {
        (Some(token), _) => (token, "identity_token"),
        (None, Some(encoded)) => (encoded, "auth"),
        (None, None) => return None,
    };
    let same = name == "auth"
        && pair_of(auth).is_some_and(|(name, password)| {
            name == user.value
                && Some(password.as_str()) == auth.password.as_ref().map(|password| password.value.expose())
        });
    if same {
        return None;
    }
    let one = Diagnostic::at(
        "L34",
        Severity::Warning,
        other.span,
        format!("`username` and `{name}` are both given"),
    )
    .label("not used by containerd")
    .also(user.span, "used");
    Some(
        match name {
            "auth" => one.consequence("containerd takes `username` and `password`, and never looks at `auth`"),
            _ => one.consequence("containerd takes `username` and `password`; wharfie takes `identity_token`: the two log in as different users"),
        }
        .help("keep one of them"),
    )
}

fn pair_of(auth: &Auth) -> Option<(String, String)> {
    let bytes = base64::decode(given(&auth.auth)?.value.expose().as_bytes()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.trim_end_matches('\0').to_owned()))
}

/// Credentials over plain HTTP, once per entry.
fn plain(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let mut seen = HashSet::new();
    for given in &context.endpoints {
        let Ok(whole) = &given.whole else { continue };
        let Some(config) = context.config_for(&whole.name) else {
            continue;
        };
        let sent = config.auth.as_ref().is_some_and(|auth| is_set(&auth.value));
        let key = config.key.value.as_str();
        let local = crate::go::net::is_localhost(&whole.url.host);
        if whole.url.scheme != "http" || !sent || local || !seen.insert(key) {
            continue;
        }
        found.push(
            Diagnostic::at("L31", Severity::Warning, given.text.span, "credentials are sent without encryption")
                .label("plain HTTP")
                .also(config.key.span, "sent to it")
                .consequence(format!(
                    "anybody between the node and {} can read the user and the password",
                    whole.url.host
                ))
                .help("give the registry a certificate and write https://; a CA of your own goes into `tls:` and `ca_file:`"),
        );
    }
}

//! What is said of one host that is asked, in words that say nothing of the image and show no secret.

use super::pull::Step;
use crate::{Presented, TlsUse};

/// The repository before and after, where they differ.
pub(super) fn rewritten(step: &Step) -> Option<(String, String)> {
    let asked = asked(step);
    (asked != step.original).then(|| (step.original.clone(), asked))
}

/// The repository, or those of which one is taken by chance.
pub(super) fn asked(step: &Step) -> String {
    let all: Vec<&str> = step.repositories.iter().map(|(name, _)| name.as_str()).collect();
    all.join(" or ")
}

pub(super) fn naming(step: &Step) -> String {
    match step.repositories.as_slice() {
        [(_, None)] => "under its own name".to_owned(),
        [_] => "rewritten".to_owned(),
        many => format!("rewritten by one of {} rules, by chance", many.len()),
    }
}

pub(super) fn namespace(step: &Step) -> Option<String> {
    step.names_registry.then(|| "with ?ns=".to_owned())
}

pub(super) fn fallback(step: &Step) -> Option<String> {
    step.attempt
        .http_fallback
        .then(|| "plain HTTP if the host does not speak TLS".to_owned())
}

pub(super) fn certificates(tls: &TlsUse) -> Option<String> {
    let mut words: Vec<String> = tls.ca.iter().map(|path| format!("CA {path}")).collect();
    for (certificate, key) in &tls.client {
        let key = if key.is_empty() { "the same file" } else { key };
        words.push(format!("certificate {certificate} with key {key}"));
    }
    words.extend(tls.skip_verify.then(|| "any certificate is trusted".to_owned()));
    Some(words.join(", ")).filter(|words| !words.is_empty())
}

pub(super) fn credential(presented: &Presented) -> Option<String> {
    match presented {
        Presented::Anonymous => None,
        Presented::Basic { username, password } if password.is_empty() => {
            Some(format!("user `{username}` without a password"))
        }
        Presented::Basic { username, .. } => Some(format!("user `{username}`")),
        Presented::IdentityToken(_) => Some("an identity token".to_owned()),
        Presented::Broken(error) => Some(format!("one that cannot be read ({error})")),
    }
}

/// Both credentials; secrets are compared and never told.
pub(super) fn credentials(old: &Presented, new: &Presented) -> (Option<String>, Option<String>) {
    let (before, after) = (credential(old), credential(new));
    if old == new || before != after {
        return (before, after);
    }
    let other = match new {
        Presented::IdentityToken(_) => Some("another identity token".to_owned()),
        _ => after.map(|words| format!("{words}, another password")),
    };
    (before, other)
}

/// What tokens are asked for, in words that say nothing of the image.
pub(super) fn scope(step: &Step) -> Option<String> {
    let of = |repository: &str| format!("repository:{repository}:pull");
    let scope = &step.attempt.token_scope;
    match scope {
        none if none.is_empty() => None,
        scope if *scope == of(&step.attempt.repository) => {
            Some("for the repository that is asked for".to_owned())
        }
        scope if *scope == of(&step.original) => Some("for the image's own repository".to_owned()),
        scope => Some(scope.clone()),
    }
}

//! `{"auths": {…}}`: the credentials of Docker's config.json and of Podman's auth.json, which differ in where they are
//! looked up and in what a key may be.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landfall_diag::yaml::Node;
use landfall_diag::{Diagnostic, Severity, Span, Spanned};
use landfall_oci::Secret;
use serde_json::{Map, Value, json};

use super::file::Losses;
use super::tree::Walker;
use super::{Import, InFile, json};
use crate::Auth;
use crate::intent::{Credential, DOCKER_HUB, Intent, Scope};

/// Docker Hub's name among Docker's credentials.
const HUB_KEY: &str = "https://index.docker.io/v1/";
/// The user that Docker writes beside an identity token.
const TOKEN_USER: &str = "00000000-0000-0000-0000-000000000000";

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    /// Whole hosts only; Docker Hub has an address of its own.
    Docker,
    /// Hosts and namespaces.
    Podman,
}

/// Reads one file into the intent. A key that an earlier file has is not read again: the first file wins.
pub(super) fn read(file: &InFile<'_>, import: &mut Import) {
    if file.text.trim().is_empty() {
        return;
    }
    let root = match json::parse(file.source, file.text) {
        Ok(root) => root,
        Err(diagnostic) => return import.diagnostics.push(*diagnostic),
    };
    let mut losses = Losses::default();
    let mut walker = Walker {
        code: "A01",
        consequence: "no credential of this file is used, and pulls that need one fail",
        typed: true,
        diagnostics: &mut import.diagnostics,
    };
    let mut found = Vec::new();
    for (key, value) in walker.pairs(&root, "the file") {
        match key.as_str() {
            "auths" => {
                for (scope, entry) in walker.pairs(value, "auths") {
                    found.extend(credential(&mut walker, scope, entry, &mut losses));
                }
            }
            "credHelpers" | "credsStore" => losses.add(
                key.span,
                format!("`{}`", key.value),
                "the credentials are with another program, not in this file",
                "log in once without the helper, or give the credentials where the other runtime wants them",
            ),
            _ => {}
        }
    }
    for credential in found {
        let known = &mut import.intent.credentials;
        if !known.iter().any(|other| other.scope == credential.scope) {
            known.push(credential);
        }
    }
    import.losses.extend(losses.into_vec());
}

fn credential(
    walker: &mut Walker<'_>,
    key: Spanned<String>,
    entry: &Node,
    losses: &mut Losses,
) -> Option<Credential> {
    let mut auth = Auth::default();
    let mut text = None;
    for (name, value) in walker.pairs(entry, &key.value) {
        match name.as_str() {
            "auth" => text = walker.text(value, "auth"),
            "identitytoken" => {
                auth.identity_token = walker
                    .secret(value, "identitytoken")
                    .filter(|token| !token.is_empty());
            }
            "registrytoken" => losses.add(
                name.span,
                "`registrytoken`",
                "a finished token ends after minutes, and no other runtime has a field for one",
                "use a user and a password, or an identity token",
            ),
            _ => {}
        }
    }
    match text.filter(|text| !text.is_empty()) {
        // An entry of a credential helper, or nothing but a token.
        None if auth.is_empty() => return None,
        None => {}
        Some(text) => match decode(&text) {
            Some(_) if auth.identity_token.is_some() => {}
            Some((user, password)) => {
                auth.username = Some(Spanned::new(user, text.span));
                auth.password = Some(Spanned::new(password, text.span));
            }
            None => {
                walker.diagnostics.push(
                    Diagnostic::at(
                        "A02",
                        Severity::Error,
                        text.span,
                        "`auth` is not the base64 of `user:password`",
                    )
                    .consequence("the registry is asked without a credential")
                    .help("printf '%s' 'user:password' | base64"),
                );
                return None;
            }
        },
    }
    Some(Credential {
        scope: key.map(|key| scope(&key)),
        auth,
    })
}

/// Keys may be addresses, as old versions of Docker wrote them.
fn scope(key: &str) -> Scope {
    let bare = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"));
    match bare {
        Some(bare) => Scope::host(bare.split('/').next().unwrap_or(bare)),
        None => Scope::parse(key),
    }
}

fn decode(text: &str) -> Option<(String, Secret)> {
    let bytes = STANDARD.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), Secret::new(password.trim_matches('\0'))))
}

/// Writes all credentials of an intent; `None` when there are none.
pub(super) fn write(intent: &Intent, flavour: Flavour, losses: &mut Losses) -> Option<String> {
    let mut auths = Map::new();
    for credential in &intent.credentials {
        let (scope, span) = (&credential.scope.value, credential.scope.span);
        if flavour == Flavour::Docker && !scope.namespace.is_empty() {
            losses.add(
                span,
                format!("the credential for `{scope}` alone"),
                "Docker looks credentials up by host, not by namespace",
                format!(
                    "give the host `{}` a credential that may read the namespace",
                    scope.host
                ),
            );
            continue;
        }
        let Some(entry) = entry(&credential.auth, span, losses) else {
            continue;
        };
        let key = match flavour {
            Flavour::Docker if scope.host == DOCKER_HUB => HUB_KEY.to_owned(),
            _ => scope.to_string(),
        };
        auths.insert(key, entry);
    }
    if auths.is_empty() {
        return None;
    }
    serde_json::to_string_pretty(&json!({ "auths": auths }))
        .ok()
        .map(|text| text + "\n")
}

/// The user comes before the token, and the token before what is encoded already: as containerd decides.
fn entry(auth: &Auth, span: Span, losses: &mut Losses) -> Option<Value> {
    if let Some((user, password)) = auth.user_password() {
        if user.contains(':') {
            losses.add(
                span,
                "a user with a colon in its name",
                "`auth` is the base64 of `user:password`, and the first colon ends the user",
                "use another user",
            );
            return None;
        }
        return Some(json!({ "auth": STANDARD.encode(format!("{user}:{}", password.expose())) }));
    }
    if let Some(token) = auth.identity_token.as_ref().filter(|token| !token.is_empty()) {
        let user = STANDARD.encode(format!("{TOKEN_USER}:"));
        return Some(json!({ "auth": user, "identitytoken": token.expose() }));
    }
    losses.add(
        span,
        "a credential",
        "it has neither a user nor a token, nor an `auth` that is the base64 of `user:password`: no runtime can use it",
        "write user and password",
    );
    None
}

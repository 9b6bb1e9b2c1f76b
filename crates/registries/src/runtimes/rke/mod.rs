//! RKE 1: `private_registries` of cluster.yml. Credentials for the Docker of the nodes, and where RKE's own images are.

mod private;

use std::fmt::Write as _;

use landfall_diag::yaml::{Decoder, Node, YamlError};
use landfall_diag::{Diagnostic, Severity, Span, Spanned, yaml};

pub use self::private::{EcrPlugin, PrivateRegistry, Unread, private_registries};
use super::file::Losses;
use super::{Import, InFile, OutFile, Rendered};
use crate::Auth;
use crate::intent::{Credential, Intent, Match, Scope, Upstream};

/// The part of the cluster's file.
pub const CLUSTER: &str = "cluster.yml";

/// Reads `private_registries`.
#[must_use]
pub fn read(file: &InFile<'_>) -> Import {
    let mut import = Import::default();
    let refused = |error: &YamlError| {
        Diagnostic::at("R01", Severity::Error, error.span, error.message.clone())
            .consequence("rke does nothing")
    };
    let mut decoder = Decoder::new();
    let registries = yaml::parse(file.source, file.text)
        .and_then(|document| list(document.root.as_ref(), &mut decoder, &mut import.diagnostics));
    let mut losses = Losses::default();
    match registries {
        Ok(registries) => {
            let credentials = registries
                .iter()
                .filter_map(|entry| credential(entry, &mut losses));
            import.intent.credentials = credentials.collect();
        }
        Err(error) => import.diagnostics.push(refused(&error)),
    }
    let misfits = decoder.misfits().iter().map(|misfit| {
        Diagnostic::at("R01", Severity::Error, misfit.span, misfit.message.clone())
            .consequence("rke does nothing")
    });
    import.diagnostics.extend(misfits);
    import.losses = losses.into_vec();
    import
}

/// The list in a cluster's file, or in what Rancher's API calls one.
fn list(
    root: Option<&Node>,
    decoder: &mut Decoder,
    notes: &mut Vec<Diagnostic>,
) -> Result<Vec<PrivateRegistry>, YamlError> {
    let mut list = Vec::new();
    let Some(root) = root else { return Ok(list) };
    decoder.mapping(
        root,
        "types.RancherKubernetesEngineConfig",
        &mut |decoder, key, value| {
            if matches!(key.value.as_str(), "private_registries" | "privateRegistries") {
                list = private_registries(decoder, value, notes)?
                    .value()
                    .unwrap_or_default();
            }
            Ok(())
        },
    )?;
    Ok(list)
}

fn credential(entry: &PrivateRegistry, losses: &mut Losses) -> Option<Credential> {
    if let Some(plugin) = entry.ecr.as_ref().or(entry.unread.ecr.as_ref()) {
        losses.add(
            plugin.span,
            "`ecr_credential_plugin`",
            "the credentials come from a program on each node, and are not in this file",
            "use a credential provider of the kubelet",
        );
    }
    let truth = entry.is_default.as_ref().or(entry.unread.is_default.as_ref());
    if let Some(truth) = truth.filter(|truth| truth.value) {
        losses.add(
            truth.span,
            format!("that the images of RKE itself are below `{}`", entry.key()),
            "it changes the names of images, not where a node pulls a name from",
            "give K3s or RKE2 `system-default-registry`, or mirror docker.io there",
        );
    }
    let auth = Auth {
        username: entry.user.clone().filter(|user| !user.is_empty()),
        password: entry.password.clone().filter(|password| !password.is_empty()),
        ..Auth::default()
    };
    if auth.is_empty() {
        return None;
    }
    let bare = entry
        .key()
        .split_once("://")
        .map_or(entry.key(), |(_, rest)| rest);
    // Docker keeps credentials by host; the path is a prefix for the images.
    let host = bare.split('/').next().unwrap_or(bare);
    let span = entry.url.as_ref().map_or(entry.span, |url| url.span);
    Some(Credential {
        scope: Spanned::new(Scope::host(host), span),
        auth,
    })
}

/// Writes `private_registries`, to be put into cluster.yml.
#[must_use]
pub fn write(intent: &Intent) -> Rendered {
    let mut losses = Losses::default();
    lose_registries(intent, &mut losses);
    let mut text = "# Written by Landfall: a part of cluster.yml.\nprivate_registries:".to_owned();
    let mut any = false;
    for credential in &intent.credentials {
        let (scope, span) = (&credential.scope.value, credential.scope.span);
        if !scope.namespace.is_empty() {
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
        let Some((user, password)) = credential.auth.user_password() else {
            losses.add(
                span,
                format!("the credential for `{scope}`"),
                "RKE knows a user and a password only",
                "make a user for the nodes",
            );
            continue;
        };
        any = true;
        let _ = write!(
            text,
            "\n  - url: {}\n    user: {}\n    password: {}",
            quoted(&scope.host),
            quoted(&user),
            quoted(password.expose())
        );
    }
    text.push_str(if any { "\n" } else { " []\n" });
    let file = match any {
        true => OutFile::secret(CLUSTER, text),
        false => OutFile::plain(CLUSTER, text),
    };
    Rendered::new(vec![file], losses)
}

fn lose_registries(intent: &Intent, losses: &mut Losses) {
    let mut on_nodes = |span: Span, what: String, file: &str| {
        losses.add(
            span,
            what,
            "cluster.yml has credentials only; what else there is belongs to the Docker of the nodes",
            format!("write the files for Docker (`--for docker`) and put {file} on every node"),
        );
    };
    for registry in &intent.registries {
        let matches = &registry.matches.value;
        for endpoint in &registry.endpoints {
            on_nodes(
                endpoint.span,
                format!("the endpoint `{}` of `{matches}`", endpoint.url()),
                "daemon.json",
            );
        }
        if registry.upstream.value != Upstream::Allow {
            let what = match matches {
                Match::Wildcard => "that no registry itself must be asked".to_owned(),
                other => format!("that `{other}` must not be asked"),
            };
            on_nodes(registry.upstream.span, what, "daemon.json");
        }
    }
    for trust in &intent.trust {
        let what = format!("what is trusted of `{}`", trust.subject.value);
        on_nodes(trust.subject.span, what, "certs.d and daemon.json");
    }
}

/// A text in YAML's double quotes: JSON's, and what YAML takes for a line's end or for no character is escaped too.
pub(crate) fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let mut quoted = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            plain => quoted.push(plain),
        }
    }
    quoted
}

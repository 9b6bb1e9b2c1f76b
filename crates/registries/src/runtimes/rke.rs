//! RKE 1: `private_registries` of cluster.yml. Credentials for the Docker of the nodes, and where RKE's own images are.

use std::fmt::Write as _;

use landfall_diag::yaml::Node;
use landfall_diag::{Diagnostic, Severity, Span, Spanned, yaml};

use super::file::Losses;
use super::tree::Walker;
use super::{Import, InFile, OutFile, Rendered};
use crate::Auth;
use crate::intent::{Credential, DOCKER_HUB, Intent, Match, Scope, Upstream};

/// The part of the cluster's file.
pub const CLUSTER: &str = "cluster.yml";

/// Reads `private_registries`.
#[must_use]
pub fn read(file: &InFile<'_>) -> Import {
    let mut import = Import::default();
    let document = match yaml::parse(file.source, file.text) {
        Ok(document) => document,
        Err(error) => {
            let diagnostic = Diagnostic::at("R01", Severity::Error, error.span, error.message.to_string());
            import
                .diagnostics
                .push(diagnostic.consequence("rke does nothing"));
            return import;
        }
    };
    let Some(root) = document.root else { return import };
    let mut losses = Losses::default();
    let mut walker = Walker {
        code: "R01",
        consequence: "rke does nothing",
        typed: false,
        diagnostics: &mut import.diagnostics,
    };
    let mut credentials: Vec<Credential> = Vec::new();
    for (key, value) in walker.pairs(&root, "the file") {
        // `privateRegistries` is how Rancher's API spells it.
        if matches!(key.as_str(), "private_registries" | "privateRegistries") {
            for item in walker.items(value, "private_registries") {
                credentials.extend(registry(&mut walker, item, &mut losses));
            }
        }
    }
    import.intent.credentials = credentials;
    import.losses = losses.into_vec();
    import
}

fn registry(walker: &mut Walker<'_>, node: &Node, losses: &mut Losses) -> Option<Credential> {
    let (mut url, mut auth, mut default) = (None, Auth::default(), None);
    for (key, value) in walker.pairs(node, "private_registries") {
        match key.as_str() {
            "url" => url = walker.text(value, "url"),
            "user" => auth.username = walker.text(value, "user").filter(|user| !user.is_empty()),
            "password" => auth.password = walker.secret(value, "password").filter(|text| !text.is_empty()),
            "is_default" | "isDefault" => default = walker.bool(value, "is_default").filter(|on| on.value),
            "ecr_credential_plugin" | "ecrCredentialPlugin" => losses.add(
                key.span,
                "`ecr_credential_plugin`",
                "the credentials come from a program on each node, and are not in this file",
                "use a credential provider of the kubelet",
            ),
            other => {
                let message = format!("`{other}` is not a field of a private registry, and is not read");
                walker
                    .diagnostics
                    .push(Diagnostic::at("R02", Severity::Warning, key.span, message));
            }
        }
    }
    let url = url.unwrap_or_else(|| Spanned::new(DOCKER_HUB.to_owned(), node.span));
    if let Some(truth) = default {
        losses.add(
            truth.span,
            format!("that the images of RKE itself are below `{}`", url.value),
            "it changes the names of images, not where a node pulls a name from",
            "give K3s or RKE2 `system-default-registry`, or mirror docker.io there",
        );
    }
    if auth.is_empty() {
        return None;
    }
    let bare = url
        .value
        .split_once("://")
        .map_or(url.value.as_str(), |(_, rest)| rest);
    // Docker keeps credentials by host; the path is a prefix for the images.
    let host = bare.split('/').next().unwrap_or(bare);
    Some(Credential {
        scope: Spanned::new(Scope::host(host), url.span),
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

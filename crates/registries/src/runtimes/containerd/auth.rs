//! Credentials in config.toml: called deprecated since containerd 1.6, and still the only place that the CRI plugin
//! reads by itself.

use std::fmt::Write as _;

use super::super::OutFile;
use super::super::file::Losses;
use super::{CERTS, CONFIG, Release};
use crate::hosts::toml::quoted;
use crate::intent::{Intent, asked_host};

/// `config_path`, and a table for each credential.
pub(super) fn write(intent: &Intent, release: Release, losses: &mut Losses) -> OutFile {
    let (version, plugin) = match release.two {
        true => (3, "io.containerd.cri.v1.images"),
        false => (2, "io.containerd.grpc.v1.cri"),
    };
    let mut text = format!("# Written by Landfall. containerd reads it at its start.\nversion = {version}\n");
    let _ = write!(
        text,
        "\n[plugins.{}.registry]\n  config_path = {}\n",
        quoted(plugin),
        quoted(CERTS)
    );
    let mut any = false;
    for credential in &intent.credentials {
        let scope = &credential.scope;
        if !scope.namespace.is_empty() {
            losses.add(
                scope.span,
                format!("the credential for `{}` alone", scope.value),
                "containerd looks credentials up by host, not by namespace",
                "give the pods that need it an imagePullSecret, or the host a credential that may read all",
            );
            continue;
        }
        any = true;
        // The host that is asked; the alias is known to some releases only.
        let host = asked_host(&scope.host);
        let _ = write!(
            text,
            "\n[plugins.{}.registry.configs.{}.auth]\n",
            quoted(plugin),
            quoted(host)
        );
        let auth = &credential.auth;
        let shown = [
            ("username", auth.username.as_ref().map(|user| user.as_str())),
            (
                "password",
                auth.password.as_ref().map(|password| password.expose()),
            ),
            ("auth", auth.auth.as_ref().map(|auth| auth.expose())),
            (
                "identitytoken",
                auth.identity_token.as_ref().map(|token| token.expose()),
            ),
        ];
        for (field, value) in shown {
            if let Some(value) = value {
                let _ = writeln!(text, "  {field} = {}", quoted(value));
            }
        }
    }
    match any {
        true => OutFile::secret(CONFIG, text),
        false => OutFile::plain(CONFIG, text),
    }
}

//! The registry sections as text, for the version of the file they go into.

use std::fmt::{self, Write as _};

use landfall_diag::Spanned;
use landfall_oci::Secret;

use super::{ConfigToml, plugin};
use crate::containerd::{Credential, Mirror};
use crate::hosts::toml::quoted;
use crate::registries_yaml::YamlTls;

impl ConfigToml {
    /// The registry sections, secrets included. Every section has a header of its own, so that the text can stand
    /// anywhere below the top of a file.
    #[must_use]
    pub fn registry_sections(&self) -> String {
        let mut out = String::new();
        let root = format!("plugins.{}.registry", quoted(plugin(self.version.max(1))));
        // Writing into a string cannot fail.
        let _ = self.sections(&mut out, &root);
        out
    }

    fn sections(&self, out: &mut String, root: &str) -> fmt::Result {
        writeln!(out, "[{root}]")?;
        if let Some(path) = &self.config_path {
            writeln!(out, "config_path = {}", quoted(&path.value))?;
        }
        for mirror in &self.legacy.mirrors {
            mirror_section(out, root, mirror)?;
        }
        for credential in &self.credentials {
            auth_section(out, root, credential)?;
        }
        for (host, tls) in &self.legacy.tls {
            writeln!(out, "\n[{root}.configs.{}.tls]", quoted(&host.value))?;
            tls_section(out, &tls.value)?;
        }
        if !self.headers.is_empty() {
            writeln!(out, "\n[{root}.headers]")?;
        }
        for (name, values) in &self.headers {
            writeln!(out, "{} = {}", quoted(&name.value), strings(values))?;
        }
        Ok(())
    }
}

fn mirror_section(out: &mut String, root: &str, mirror: &Mirror) -> fmt::Result {
    let name = quoted(&mirror.name.value);
    writeln!(
        out,
        "\n[{root}.mirrors.{name}]\nendpoint = {}",
        strings(&mirror.endpoints)
    )?;
    if !mirror.rewrites.is_empty() {
        writeln!(out, "\n[{root}.mirrors.{name}.rewrite]")?;
    }
    for rule in &mirror.rewrites {
        writeln!(
            out,
            "{} = {}",
            quoted(&rule.pattern.value),
            quoted(&rule.replacement.value)
        )?;
    }
    Ok(())
}

fn auth_section(out: &mut String, root: &str, credential: &Credential) -> fmt::Result {
    writeln!(out, "\n[{root}.configs.{}.auth]", quoted(&credential.key.value))?;
    let auth = &credential.auth;
    let secret = |field: &'static str, text: &Option<Spanned<Secret>>| {
        text.as_ref().map(|text| (field, text.value.expose().to_owned()))
    };
    let fields = [
        auth.username
            .as_ref()
            .map(|name| ("username", name.value.clone())),
        secret("password", &auth.password),
        secret("auth", &auth.auth),
        secret("identitytoken", &auth.identity_token),
    ];
    for (field, text) in fields.into_iter().flatten() {
        writeln!(out, "{field} = {}", quoted(&text))?;
    }
    Ok(())
}

fn tls_section(out: &mut String, tls: &YamlTls) -> fmt::Result {
    let fields = [
        ("ca_file", &tls.ca_file),
        ("cert_file", &tls.cert_file),
        ("key_file", &tls.key_file),
    ];
    for (field, text) in fields {
        if let Some(text) = text {
            writeln!(out, "{field} = {}", quoted(&text.value))?;
        }
    }
    match &tls.insecure_skip_verify {
        Some(flag) => writeln!(out, "insecure_skip_verify = {}", flag.value),
        None => Ok(()),
    }
}

fn strings(values: &[Spanned<String>]) -> String {
    let all: Vec<String> = values.iter().map(|value| quoted(&value.value)).collect();
    format!("[{}]", all.join(", "))
}

//! The registry sections of config.toml: credentials, and in the old generation mirrors and certificates.

use landfall_diag::Spanned;
use landfall_oci::Secret;

use super::options::Options;
use super::text::Rendered;
use super::version::Generation;
use crate::Auth;
use crate::go::quote::quote;
use crate::registries_yaml::{ConfigEntry, MirrorEntry, RegistriesYaml};

/// How a version of config.toml names the plugin and puts keys into quotes.
struct Dialect {
    plugin: &'static str,
    quote: char,
}

/// The sections as the templates write them, blank lines aside; the rest of the file has nothing to do with
/// registries.
///
/// # Errors
/// Go's error of a line that is too long, with which the agent does not start.
pub(super) fn render(file: &RegistriesYaml, options: &Options) -> Result<Rendered, String> {
    let dialect = match options.behaviours.config_version_3 {
        true => Dialect {
            plugin: "[plugins.'io.containerd.cri.v1.images'.registry",
            quote: '\'',
        },
        false => Dialect {
            plugin: "[plugins.\"io.containerd.grpc.v1.cri\".registry",
            quote: '"',
        },
    };
    let mut text = Rendered::default();
    let legacy = options.behaviours.generation == Generation::ConfigToml;
    if legacy {
        let mut mirrors: Vec<&MirrorEntry> = file.mirrors.iter().collect();
        mirrors.sort_by(|a, b| a.key.value.cmp(&b.key.value));
        for entry in mirrors {
            mirror(&mut text, &dialect, entry);
        }
    } else {
        text.push(&format!(
            "{}]\n  config_path = {}\n",
            dialect.plugin,
            quote(&options.certs_d())
        ));
    }
    let mut configs: Vec<&ConfigEntry> = file.configs.iter().collect();
    configs.sort_by(|a, b| a.key.value.cmp(&b.key.value));
    for config in configs {
        if let Some(auth) = &config.auth {
            credential(&mut text, &dialect, config, auth);
        }
        if legacy {
            certificates(&mut text, &dialect, config);
        }
    }
    text.squeezed()
}

fn section(text: &mut Rendered, dialect: &Dialect, kind: &str, key: &Spanned<String>, rest: &str) {
    text.push(&format!("{}.{kind}.", dialect.plugin));
    text.push_from(&format!("{0}{1}{0}", dialect.quote, key.value), key.span);
    text.push(&format!("{rest}]\n"));
}

fn credential(text: &mut Rendered, dialect: &Dialect, config: &ConfigEntry, auth: &Auth) {
    section(text, dialect, "configs", &config.key, ".auth");
    if let Some(username) = auth.username.as_ref().filter(|name| !name.value.is_empty()) {
        text.push("  username = ");
        text.push_from(&quote(&username.value), username.span);
        text.push("\n");
    }
    for (name, secret) in [
        ("password", &auth.password),
        ("auth", &auth.auth),
        ("identitytoken", &auth.identity_token),
    ] {
        if let Some(secret) = secret.as_ref().filter(|secret| !secret.value.is_empty()) {
            let secret: &Spanned<Secret> = secret;
            text.push(&format!("  {name} = "));
            text.push_from(&quote(secret.value.expose()), secret.span);
            text.push("\n");
        }
    }
}

fn mirror(text: &mut Rendered, dialect: &Dialect, entry: &MirrorEntry) {
    section(text, dialect, "mirrors", &entry.key, "");
    text.push("  endpoint = [");
    for (index, endpoint) in entry.endpoints.iter().enumerate() {
        text.push(if index == 0 { "" } else { ", " });
        text.push_from(&quote(&endpoint.value), endpoint.span);
    }
    text.push("]\n");
    if entry.rewrites.is_empty() {
        return;
    }
    text.push("  ");
    section(text, dialect, "mirrors", &entry.key, ".rewrite");
    let mut sorted: Vec<_> = entry.rewrites.iter().collect();
    sorted.sort_by(|a, b| a.pattern.value.cmp(&b.pattern.value));
    for rewrite in sorted {
        text.push("    ");
        text.push_from(&format!("\"{}\"", rewrite.pattern.value), rewrite.pattern.span);
        text.push(" = ");
        text.push_from(
            &format!("\"{}\"", rewrite.replacement.value),
            rewrite.replacement.span,
        );
        text.push("\n");
    }
}

fn certificates(text: &mut Rendered, dialect: &Dialect, config: &ConfigEntry) {
    let Some(tls) = &config.tls else {
        return;
    };
    section(text, dialect, "configs", &config.key, ".tls");
    for (name, path) in [
        ("ca_file", &tls.ca_file),
        ("cert_file", &tls.cert_file),
        ("key_file", &tls.key_file),
    ] {
        if let Some(path) = path.as_ref().filter(|path| !path.value.is_empty()) {
            text.push(&format!("  {name} = "));
            text.push_from(&format!("\"{}\"", path.value), path.span);
            text.push("\n");
        }
    }
    if let Some(skip) = tls.insecure_skip_verify.as_ref().filter(|skip| skip.value) {
        text.push("  insecure_skip_verify = ");
        text.push_from("true", skip.span);
        text.push("\n");
    }
}

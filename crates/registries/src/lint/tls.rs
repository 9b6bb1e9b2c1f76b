//! TLS settings: half a pair (L27), files (L28), settings for plain HTTP (L29), no check at all (L30).

use std::collections::HashSet;

use landfall_diag::{Diagnostic, Severity, Spanned};

use super::certificates::{self, Role};
use super::context::Context;
use super::node::Content;
use crate::registries_yaml::YamlTls;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for config in &context.file.configs {
        let Some(tls) = config.tls.as_ref().map(|section| &section.value) else {
            continue;
        };
        let key = config.key.value.as_str();
        found.extend(half(context, tls, key));
        found.extend(unchecked(tls, key));
        files(context, tls, key, found);
    }
    over_http(context, found);
}

fn path(field: &Option<Spanned<String>>) -> Option<&Spanned<String>> {
    field.as_ref().filter(|path| !path.value.is_empty())
}

fn half(context: &Context<'_>, tls: &YamlTls, key: &str) -> Option<Diagnostic> {
    let (there, has, lacks) = match (path(&tls.cert_file), path(&tls.key_file)) {
        (Some(cert), None) => (cert, "cert_file", "key_file"),
        (None, Some(key)) => (key, "key_file", "cert_file"),
        _ => return None,
    };
    let one = Diagnostic::at(
        "L27",
        Severity::Error,
        there.span,
        format!("`{has}` needs a `{lacks}`"),
    )
    .label(format!("no `{lacks}` with it"));
    let one = match context.is_legacy() {
        true => one.consequence("containerd does not start with half a pair"),
        false => one.consequence(format!(
            "containerd reads a file named \"\" for it and fails: every pull that has {key} among its endpoints fails, without trying the others"
        )),
    };
    Some(
        one.consequence("wharfie logs an error and goes on without any of these TLS settings")
            .help(format!(
                "add `{lacks}:`, or remove `{has}:`; a CA to trust is `ca_file:`"
            )),
    )
}

fn unchecked(tls: &YamlTls, key: &str) -> Option<Diagnostic> {
    let skip = tls.insecure_skip_verify.as_ref().filter(|skip| skip.value)?;
    let one = Diagnostic::at("L30", Severity::Warning, skip.span, format!("the certificate of {key} is not checked"))
        .label("any certificate is accepted")
        .consequence("anybody between the node and the registry can read the password and serve other images under the same tag");
    Some(match path(&tls.ca_file) {
        Some(ca) => one
            .also(ca.span, "of no use as long as nothing is checked")
            .help("remove `insecure_skip_verify`"),
        None => one.help("write `ca_file:` with the path of the registry's CA instead"),
    })
}

fn files(context: &Context<'_>, tls: &YamlTls, key: &str, found: &mut Vec<Diagnostic>) {
    let mut bytes = Vec::new();
    let fields = [
        (&tls.ca_file, Role::Authority),
        (&tls.cert_file, Role::Certificate),
        (&tls.key_file, Role::Key),
    ];
    for (field, role) in fields {
        let Some(path) = path(field) else { continue };
        if let Some(one) = spelled(context, path) {
            found.push(one);
            continue;
        }
        let now = context.input.node.now;
        match context.input.node.files.look(&path.value) {
            Content::Bytes(content) => match certificates::fault(&content, role, now) {
                Some(fault) => found.push(unusable(path, key, fault)),
                None => bytes.push((role, path, content)),
            },
            other => found.extend(unread(path, key, role, &other)),
        }
    }
    let of = |wanted: Role| bytes.iter().find(|(role, _, _)| *role == wanted);
    if let (Some((_, cert, certificate)), Some((_, path, private))) = (of(Role::Certificate), of(Role::Key))
        && certificates::belong_together(certificate, private) == Some(false)
    {
        let fault = certificates::Fault::mismatch();
        found.push(unusable(path, key, fault).also(cert.span, "the certificate of another key"));
    }
}

fn fails(key: &str) -> String {
    format!("every pull that has {key} among its endpoints fails, without trying the others")
}

fn unusable(path: &Spanned<String>, key: &str, fault: certificates::Fault) -> Diagnostic {
    let one = Diagnostic::at("L28", fault.severity, path.span, fault.message).label(fault.label);
    let one = match fault.words {
        Some(words) => one.consequence(format!("containerd says `{words}`: {}", fails(key))),
        None => one.consequence(fault.consequence),
    };
    one.help(fault.help)
}

/// What is wrong with a path by itself.
fn spelled(context: &Context<'_>, path: &Spanned<String>) -> Option<Diagnostic> {
    let text = path.value.as_str();
    let at = |message: &str| Diagnostic::at("L28", Severity::Error, path.span, message);
    if text.contains("-----BEGIN") {
        return Some(
            at("a path is wanted here, not the certificate itself")
                .label("taken for a path")
                .consequence("containerd finds no file of this name, and pulls fail")
                .help("put the certificate into a file on the node, and write its path here"),
        );
    }
    if text.starts_with(['~', '$']) {
        return Some(
            at("nothing expands `~` or variables here")
                .label("taken as it is")
                .consequence("containerd finds no file of this name, and pulls fail")
                .help("write the path out, from `/` on"),
        );
    }
    let absolute = text.starts_with('/') || context.options().windows;
    (!absolute).then(|| {
        let place = match context.is_legacy() {
            true => "the working directory of containerd".to_owned(),
            false => format!(
                "{}/<host>, which {} makes anew at every start",
                context.options().certs_d(),
                context.program()
            ),
        };
        at("this path does not begin with `/`")
            .label("relative")
            .consequence(format!(
                "containerd looks for the file in {place}, and wharfie in its own directory"
            ))
            .help("write the path from `/` on")
    })
}

fn unread(path: &Spanned<String>, key: &str, role: Role, content: &Content) -> Option<Diagnostic> {
    let text = &path.value;
    let (message, words, help) = match content {
        Content::Unknown | Content::Bytes(_) => return None,
        Content::Missing => (
            "this file does not exist",
            format!("open {text}: no such file or directory"),
            "put the file on this node, or correct the path",
        ),
        Content::Forbidden => (
            "this file may not be read",
            format!("open {text}: permission denied"),
            "let root read it",
        ),
        Content::Directory => (
            "this is a directory",
            format!("read {text}: is a directory"),
            "write the path of a file",
        ),
    };
    let what = if role == Role::Authority {
        "CA cert"
    } else {
        "CERT file"
    };
    let words = format!("unable to read {what} {}: {words}", crate::go::quote::quote(text));
    Some(
        Diagnostic::at("L28", Severity::Error, path.span, message)
            .label("read before the first request")
            .consequence(format!("containerd says `{words}`: {}", fails(key)))
            .help(help),
    )
}

/// TLS settings for an endpoint of plain HTTP, once per entry.
fn over_http(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let mut seen = HashSet::new();
    for given in &context.endpoints {
        let Ok(whole) = &given.whole else { continue };
        if whole.url.scheme != "http" || whole.url.host.is_empty() {
            continue;
        }
        let Some(config) = context.config_for(&whole.name) else {
            continue;
        };
        let Some(section) = config.tls.as_ref() else {
            continue;
        };
        let tls = &section.value;
        let skip = tls.insecure_skip_verify.as_ref().is_some_and(|skip| skip.value);
        let set = [&tls.ca_file, &tls.cert_file, &tls.key_file]
            .iter()
            .any(|field| path(field).is_some());
        if !(skip || set) || !seen.insert(config.key.value.as_str()) {
            continue;
        }
        let one = Diagnostic::at(
            "L29",
            Severity::Warning,
            given.text.span,
            "TLS settings for an endpoint of plain HTTP",
        )
        .label("plain HTTP")
        .also(config.key.span, "its `tls` is set");
        found.push(
            match (whole.url.port(), context.is_legacy()) {
                ("80", _) | (_, true) => one.consequence("the settings are not used"),
                _ => one.consequence("containerd tries HTTPS first, and plain HTTP only when the registry does not answer TLS; wharfie uses plain HTTP at once"),
            }
            .help("write https:// if the registry speaks it; otherwise remove the `tls` section"),
        );
    }
}

//! Names that match nothing or something else: malformed keys (L06), entries of `configs` beside their endpoint (L12),
//! wildcards (L13, L14), Docker Hub's many names (L17, L18).

use std::collections::BTreeSet;

use landfall_diag::{Diagnostic, Severity, Spanned, nearest};

use super::context::{Context, HUB};
use super::edit;
use crate::go::url::split_port;
use crate::k3s::Program;
use crate::registries_yaml::ConfigEntry;

/// Names under which people look for Docker Hub.
const HUB_NAMES: [&str; 5] = [
    "registry-1.docker.io",
    "registry.hub.docker.com",
    "hub.docker.com",
    "docker.com",
    "dockerhub",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Mirrors,
    Configs,
}

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let hosts = hosts(context);
    for mirror in &context.file.mirrors {
        match malformed(context, &mirror.key, Section::Mirrors) {
            Some(one) => found.push(one),
            None => found.extend(hub_mirror(context, &mirror.key)),
        }
    }
    for config in &context.file.configs {
        let key = config.key.value.as_str();
        if key == "*" {
            found.push(wildcard(context, config));
            continue;
        }
        // A key that equals an endpoint is right, however it looks.
        let used = hosts.contains(key);
        if let Some(one) = hub_config(context, config) {
            found.push(one);
        } else if let Some(one) = malformed(context, &config.key, Section::Configs).filter(|_| !used) {
            found.push(one);
        } else if !used {
            let beside = beside(context, config, &hosts);
            let alone = beside.is_none();
            found.extend(beside);
            found.extend(hides_wildcard(context, config).filter(|_| alone));
        }
    }
}

/// Under which names the endpoints of all mirrors look for their entry of `configs`.
fn hosts(context: &Context<'_>) -> BTreeSet<String> {
    let whole = context
        .endpoints
        .iter()
        .filter_map(|given| given.whole.as_ref().ok());
    whole
        .flat_map(|whole| [whole.name.clone(), whole.url.host.clone()])
        .filter(|host| !host.is_empty())
        .collect()
}

/// Why a key is no `host[:port]`, and how it would be one.
fn shape(key: &str) -> Option<(&'static str, Option<String>)> {
    let rest = key.split_once("://").map(|(_, rest)| rest);
    let bare = rest.unwrap_or(key);
    let (host, path) = bare
        .split_once('/')
        .map_or((bare, ""), |(host, path)| (host, path));
    let clean = |text: &str| {
        let text = text.trim().trim_end_matches('.').to_ascii_lowercase();
        (!text.is_empty() && !text.contains(['@', ' ', '*', '['])).then_some(text)
    };
    let empty_path = matches!(path, "" | "v2" | "v2/" | "v1/" | "v1");
    Some(match () {
        () if key == "*" => return None,
        () if key.is_empty() => ("it is empty", None),
        () if rest.is_some() => ("it has a scheme", clean(host).filter(|_| empty_path)),
        () if key.contains('/') => ("it has a path", clean(host).filter(|_| empty_path)),
        () if key.contains('*') => ("`*` only stands for all registries, alone", None),
        () if key.contains('@') => ("it has a user", None),
        () if key.trim() != key || key.contains(' ') => ("it has spaces", clean(key)),
        () if unbracketed(key) => ("an IPv6 address needs brackets", Some(format!("[{key}]"))),
        () if key.ends_with('.') => ("it ends in a dot", clean(key)),
        () if key.chars().any(|c| c.is_ascii_uppercase()) => ("it has capitals", clean(key)),
        () => return None,
    })
}

fn unbracketed(key: &str) -> bool {
    key.matches(':').count() > 1 && !key.starts_with('[') && key.parse::<std::net::Ipv6Addr>().is_ok()
}

fn malformed(context: &Context<'_>, key: &Spanned<String>, section: Section) -> Option<Diagnostic> {
    let name = &key.value;
    let (why, instead) = shape(name)?;
    let who = context.program();
    let one = Diagnostic::at(
        "L06",
        Severity::Error,
        key.span,
        format!("`{name}` is not the name of a registry"),
    )
    .label(format!("{why}; keys are `host[:port]`"));
    let path = name.contains('/') && !name.contains("://");
    let mut one = one.consequence(match (section, why) {
        (Section::Mirrors, "it has capitals") => {
            "names are compared letter by letter: only images that spell the registry just so use this mirror"
                .to_owned()
        }
        (Section::Mirrors, _) => {
            format!("no image's registry equals it: {who} reports nothing, and this mirror is never used")
        }
        (Section::Configs, _) => {
            format!("no endpoint's host equals it: {who} reports nothing, and these settings are never used")
        }
    });
    let host = name.split('/').next().unwrap_or_default();
    if path && !context.is_legacy() && context.mirror(host).is_none() {
        one = one.consequence(format!(
            "{who} makes the directory certs.d/{host} because of it, and never removes it: images of {host} then bypass the mirror `*`"
        ));
    }
    let taken = |instead: &String| match section {
        Section::Mirrors => context.mirror(instead).is_some(),
        Section::Configs => context.config(instead).is_some(),
    };
    Some(match instead {
        Some(instead) if !taken(&instead) => one.fix(
            format!("call it `{instead}`"),
            vec![edit::scalar(context.text(), key.span, &instead)],
        ),
        Some(instead) => one.help(format!("`{instead}` is there as well: put everything under that name")),
        None if path && section == Section::Mirrors => one.help(format!(
            "write the key `{host}`, and choose the repositories by a rule: `rewrite: {{\"^{}/(.*)\": \"...\"}}`",
            name.split_once('/').map_or("", |(_, path)| path)
        )),
        None if path => one.help(format!("write the key `{host}`; credentials hold for a host as a whole")),
        None => one.help("write host[:port], or \"*\" for all registries that have no entry of their own"),
    })
}

fn wildcard(context: &Context<'_>, config: &ConfigEntry) -> Diagnostic {
    let tls = match context.mirror("*") {
        Some(_) => "its TLS settings are dropped, because there is a mirror `*` as well",
        None => {
            "its TLS settings hold for registries without an entry of their own, and for no endpoint of a mirror"
        }
    };
    let mut one = Diagnostic::at(
        "L13",
        Severity::Error,
        config.key.span,
        "`\"*\"` does not work as a key of `configs`",
    )
    .label("matches no host");
    if config.auth.is_some() {
        one = one.consequence(
            "containerd looks credentials up by the host's name and finds none here: requests go out anonymously",
        );
    }
    if config.tls.is_some() {
        one = one.consequence(tls);
    }
    one.consequence("wharfie, which fetches RKE2's runtime and Rancher's installers, does use the entry: the same image may work there and fail here")
        .help("write one entry for each host[:port] that is an endpoint")
}

fn hub_mirror(context: &Context<'_>, key: &Spanned<String>) -> Option<Diagnostic> {
    let name = key.value.as_str();
    if name != "index.docker.io" && !HUB_NAMES.contains(&name) {
        return None;
    }
    let one = Diagnostic::at(
        "L17",
        Severity::Error,
        key.span,
        format!("images of Docker Hub are not matched by `{name}`"),
    )
    .label("their registry is called `docker.io`")
    .consequence("`nginx` and `docker.io/nginx` bypass this mirror and are pulled from Docker Hub itself");
    Some(match context.mirror("docker.io") {
        None => one.fix(
            "call it `docker.io`",
            vec![edit::scalar(context.text(), key.span, "docker.io")],
        ),
        Some(_) => one.help("`docker.io` is there as well: put the endpoints there"),
    })
}

/// Docker Hub's entries of `configs`. The same name is looked up differently by both consumers.
fn hub_config(context: &Context<'_>, config: &ConfigEntry) -> Option<Diagnostic> {
    let key = config.key.value.as_str();
    let alias = context.options().behaviours.docker_io_alias;
    let index = key.contains("index.docker.io");
    let (message, why) = match key {
        _ if index => (
            "Docker Hub's credentials are never looked up under this name",
            "the host is registry-1.docker.io",
        ),
        "docker.io" if !alias && config.auth.is_some() && context.config(HUB).is_none() => (
            "this release does not find Docker Hub's credentials under `docker.io`",
            "looked up since v1.31.11, v1.32.7 and v1.33.3",
        ),
        _ => return None,
    };
    let one = Diagnostic::at("L18", Severity::Error, config.key.span, message)
        .label(why)
        .consequence("containerd asks Docker Hub anonymously: private images fail, and the limit on anonymous pulls holds");
    let (instead, both) = match (alias, context.options().program) {
        // wharfie knows the host as index.docker.io, and `docker.io` as another name of it.
        (true, _) => ("docker.io", false),
        (false, Program::Rke2) => (HUB, true),
        (false, Program::K3s) => (HUB, false),
    };
    let taken = context.config(instead).is_some() || index && context.config("docker.io").is_some();
    Some(match (both, taken) {
        (false, false) => one.fix(
            format!("call it `{instead}`"),
            vec![edit::scalar(context.text(), config.key.span, instead)],
        ),
        (_, true) => one.help(format!("`{instead}` has an entry already; put the credentials there and remove this one")),
        (true, false) => one.help(format!(
            "write the same entry once more under `{HUB}`; keep this one for wharfie, which fetches RKE2's runtime"
        )),
    })
}

/// A key that is nearly an endpoint's host.
fn beside(context: &Context<'_>, config: &ConfigEntry, hosts: &BTreeSet<String>) -> Option<Diagnostic> {
    let key = config.key.value.as_str();
    if context.mirror(key).is_some() {
        return None;
    }
    let (name, _) = split_port(key);
    let free = |host: &&String| context.config(host).is_none();
    let same: Vec<&str> = hosts
        .iter()
        .filter(free)
        .filter(|host| split_port(host).0.eq_ignore_ascii_case(name))
        .map(String::as_str)
        .collect();
    let one = Diagnostic::at(
        "L12",
        Severity::Error,
        config.key.span,
        format!("no endpoint's host is `{key}`"),
    );
    if same.is_empty() {
        let near =
            nearest(key, hosts.iter().filter(free).map(String::as_str)).filter(|near| is_slip(key, near))?;
        let one = Diagnostic {
            severity: Severity::Warning,
            ..one
        };
        return Some(
            one.label(format!("there is an endpoint `{near}` without settings"))
                .consequence(format!("requests to `{near}` go out without these settings"))
                .help(format!("if that is meant, call it `{near}`; if `{key}` is a registry of its own, nothing is wrong")),
        );
    }
    let listed = same
        .iter()
        .map(|host| format!("`{host}`"))
        .collect::<Vec<_>>()
        .join(", ");
    let one = one
        .label(format!("the endpoint is {listed}"))
        .consequence(format!(
            "keys are compared letter by letter, the port included: requests to {listed} go out without these credentials and certificates"
        ));
    Some(match same.as_slice() {
        [host] => one.fix(
            format!("call it `{host}`"),
            vec![edit::scalar(context.text(), config.key.span, host)],
        ),
        _ => one.help(format!("write one entry for each of {listed}")),
    })
}

/// Whether two names differ by a slip of the finger and not by a number.
fn is_slip(a: &str, b: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    a.len() > 6
        && a.len().abs_diff(b.len()) <= 1
        && digits(a) == digits(b)
        && letters(a) != letters(b)
        && few_slips(a, b)
}

/// One letter too many, too few or wrong, or two swapped.
fn few_slips(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let before = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[before..], &b[before..]);
    let behind = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (a, b) = (&a[..a.len() - behind], &b[..b.len() - behind]);
    a.len() <= 1 && b.len() <= 1 || a.len() == 2 && b.len() == 2 && a[0] == b[1] && a[1] == b[0]
}

/// An entry for a registry itself, beside a wildcard mirror.
fn hides_wildcard(context: &Context<'_>, config: &ConfigEntry) -> Option<Diagnostic> {
    let wildcard = context
        .mirror("*")
        .filter(|mirror| !mirror.endpoints.is_empty())?;
    let key = &config.key.value;
    if context.mirror(key).is_some() || context.is_legacy() || config.auth.is_none() && config.tls.is_none() {
        return None;
    }
    let denied = context.options().disable_default_endpoint;
    let severity = if denied {
        Severity::Error
    } else {
        Severity::Warning
    };
    let flag = match denied {
        true => ", although --disable-default-registry-endpoint is set",
        false => "",
    };
    Some(
        Diagnostic::at("L14", severity, config.key.span, format!("images of `{key}` bypass the mirror `*`"))
            .label(format!("makes a file for `{key}` alone"))
            .also(wildcard.key.span, "not used for it")
            .consequence(format!(
                "containerd reads one hosts.toml for a registry and merges nothing: images of {key} are pulled from {key} itself{flag}"
            ))
            .help(match denied {
                true => format!("remove the entry: with one in `configs`, {key} stays open even if it has a mirror"),
                false => format!("add `{key}:` to `mirrors`, with the endpoints of \"*\""),
            }),
    )
}

//! The registry itself, which is asked after its mirrors: listed in disguise (L10) or too early (L15), without its
//! rewrites (L25), without any mirror (L38), or reached although it is forbidden (L41).

use std::collections::BTreeSet;

use landfall_diag::{Diagnostic, Severity};

use super::context::{Context, Given, told};
use super::edit;
use crate::containerd::{Exit, Name, Reach, To, Why, exits};
use crate::go::net::is_localhost;
use crate::k3s::{Generation, Node};

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for given in &context.endpoints {
        let Ok(whole) = &given.whole else { continue };
        let Some(own) = context.own_url(&given.mirror.key.value) else {
            continue;
        };
        match own == whole.url.to_string() {
            true => found.extend(listed(context, given)),
            false => found.extend(disguised(context, given, &own)),
        }
    }
    without_endpoints(context, found);
    leaks(context, found);
}

/// The registry itself, as K3s recognises it.
fn listed(context: &Context<'_>, given: &Given<'_>) -> Option<Diagnostic> {
    let registry = &given.mirror.key.value;
    if context.is_legacy() || !context.has_default(given.mirror) {
        return None;
    }
    if !given.is_last() {
        return Some(
            Diagnostic::at(
                "L15",
                Severity::Warning,
                given.text.span,
                format!("`{registry}` itself is listed before its mirrors"),
            )
            .label("asked here, and again at the end")
            .consequence("a pull that fails asks it twice")
            .help("list it last, or leave it out: it is asked at the end anyway"),
        );
    }
    let rule = given.mirror.rewrites.first()?;
    let alone = given.mirror.endpoints.len() == 1;
    let severity = if alone { Severity::Warning } else { Severity::Note };
    let one = Diagnostic::at(
        "L25",
        severity,
        given.text.span,
        "rewrites do not apply to the registry itself",
    )
    .label(format!("`{registry}` itself, listed last"))
    .also(
        rule.pattern.span,
        match alone {
            true => "applies to nothing",
            false => "applies to the other endpoints only",
        },
    )
    .consequence(format!("{registry} is asked for the original repository"));
    Some(match alone {
        true => one.help("a rule needs an endpoint other than the registry itself; written with the port, as in `https://host:443`, it counts as one"),
        false => one,
    })
}

/// The registry itself in a spelling that makes it a mirror.
fn disguised(context: &Context<'_>, given: &Given<'_>, own: &str) -> Option<Diagnostic> {
    let whole = given.whole.as_ref().ok()?;
    let url = &whole.url;
    let plain_path = matches!(url.path.trim_end_matches('/'), "/v2");
    let host = url
        .host
        .strip_suffix(":443")
        .filter(|_| url.scheme == "https")
        .unwrap_or(&url.host);
    let own_whole = context.whole(&given.mirror.key.value)?;
    let own_host = own_whole
        .url
        .host
        .strip_suffix(":443")
        .unwrap_or(&own_whole.url.host);
    if !plain_path || host != own_host || url.scheme != own_whole.url.scheme || context.is_legacy() {
        return None;
    }
    let registry = &given.mirror.key.value;
    let rules = given.mirror.rewrites.first();
    let severity = if rules.is_some() {
        Severity::Note
    } else {
        Severity::Warning
    };
    let one = Diagnostic::at(
        "L10",
        severity,
        given.text.span,
        format!("this is `{registry}` itself in another spelling"),
    )
    .label(format!("not recognised as {own}"));
    if let Some(rule) = rules {
        // A known trick: the only way to have rules for the registry itself.
        return Some(
            one.also(rule.pattern.span, "applies to it")
                .consequence(format!("it counts as a mirror: the rules apply to {registry} itself, which is asked once more at the end without them")),
        );
    }
    let one = one.consequence(match context.has_default(given.mirror) {
        true => format!("it counts as a mirror of itself: {registry} is asked here and again at the end"),
        false => {
            format!("it counts as a mirror: {registry} is asked although the default endpoint is disabled")
        }
    });
    let instead = format!("{}://{}", own_whole.url.scheme, own_whole.url.host);
    Some(one.fix(
        format!("write {instead}"),
        vec![edit::scalar(context.text(), given.text.span, &instead)],
    ))
}

fn without_endpoints(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let options = context.options();
    for mirror in &context.file.mirrors {
        let key = mirror.key.value.as_str();
        let embedded = options.embedded_registry.is_some() && !is_localhost(key);
        // A misspelt `endpoint` is told already.
        if !mirror.endpoints.is_empty() || embedded || told(found, &["L01", "L03"], mirror.span) {
            continue;
        }
        let who = context.program();
        let one = Diagnostic::at(
            "L38",
            Severity::Warning,
            mirror.key.span,
            format!("the mirror of `{key}` has no endpoint"),
        )
        .label("nothing to ask instead");
        let registry = if key == "*" { "every registry" } else { key };
        let wildcard = context
            .mirror("*")
            .is_some_and(|mirror| !mirror.endpoints.is_empty());
        let one = one.consequence(match options.disable_default_endpoint {
            _ if wildcard && context.config(key).is_none() && !context.is_legacy() => {
                format!("{who} writes nothing for it: images of {registry} use the mirror `*`")
            }
            true => format!("{who} writes nothing for it: images are pulled from {registry} itself, although the default endpoint is disabled"),
            false => format!("images are pulled from {registry} itself, as if the entry were not there"),
        });
        found.push(one.help("add `endpoint:` with a list of addresses; an empty entry only means something with `embedded-registry: true`"));
    }
}

/// Every host that can be reached although only the endpoints should be.
fn leaks(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let options = context.options();
    if !options.disable_default_endpoint {
        return;
    }
    if options.behaviours.generation == Generation::ConfigToml {
        found.push(
            Diagnostic::whole(
                "L41",
                Severity::Error,
                "this release does not know --disable-default-registry-endpoint",
            )
            .consequence(format!(
                "{} refuses the flag and does not start",
                context.program()
            ))
            .help("the flag came with v1.26.13, v1.27.10, v1.28.6 and v1.29.1"),
        );
        return;
    }
    let node = Node::new(context.file, options.clone());
    let configured: BTreeSet<&str> = context
        .endpoints
        .iter()
        .filter_map(|given| given.whole.as_ref().ok())
        .map(|whole| whole.url.host.as_str())
        .chain(options.embedded_registry.as_deref())
        .collect();
    for reach in exits(node.containerd()) {
        for exit in &reach.exits {
            let inside = matches!(&exit.to, To::Host(host) if configured.contains(host.as_str()));
            if exit.why != Why::Listed && !inside {
                found.push(leak(context, &node, &reach, exit));
            }
        }
    }
}

fn leak(context: &Context<'_>, node: &Node, reach: &Reach, exit: &Exit) -> Diagnostic {
    let to = match &exit.to {
        To::Host(host) => host.clone(),
        To::AnyNamed => "the registry that the image names".to_owned(),
    };
    let message = match &reach.name {
        Name::Registry(name) => format!("images of `{name}` can still be pulled from {to}"),
        Name::Other => format!("images of any registry without an entry can still be pulled from {to}"),
    };
    let name = match &reach.name {
        Name::Registry(name) => name.as_str(),
        Name::Other => "*",
    };
    let (mirror, config) = (context.mirror(name), context.config(name));
    let (why, help) = reason(context, name, exit.why);
    let place = exit.span.and_then(|span| node.place(span));
    let place = config
        .map(|config| config.key.span)
        .or(mirror.map(|mirror| mirror.key.span))
        .or(place)
        .or_else(|| below(context, name));
    let one = match place {
        Some(span) => Diagnostic::at("L41", Severity::Error, span, message).label(why),
        None => Diagnostic::whole("L41", Severity::Error, message).consequence(why),
    };
    let one = match exit.plain_http {
        true => one.consequence("even by plain HTTP"),
        false => one,
    };
    one.consequence("--disable-default-registry-endpoint does not close this way")
        .help(help)
}

/// The key whose path made a directory for a registry.
fn below(context: &Context<'_>, name: &str) -> Option<landfall_diag::Span> {
    let mirrors = context.file.mirrors.iter().map(|mirror| &mirror.key);
    let configs = context.file.configs.iter().map(|config| &config.key);
    let holds = |key: &&landfall_diag::Spanned<String>| {
        key.value
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    mirrors.chain(configs).find(holds).map(|key| key.span)
}

/// Why a registry is asked, and what closes the way.
fn reason(context: &Context<'_>, name: &str, why: Why) -> (String, String) {
    let mirrored = context
        .mirror(name)
        .is_some_and(|mirror| !mirror.endpoints.is_empty());
    let settled = context.config(name).is_some();
    let who = context.program();
    match why {
        Why::Server if mirrored && settled => (
            format!(
                "`{name}` has an entry in `configs` as well, even if it is empty: {who} then writes `server` all the same"
            ),
            format!("remove `{name}` from `configs`; what its mirrors need goes under their own hosts"),
        ),
        Why::Server if settled => (
            format!(
                "`{name}` has an entry in `configs` and no mirror: {who} writes a file for it that leads to the registry itself"
            ),
            format!("remove the entry; images of {name} then use the mirror `*`, if there is one"),
        ),
        Why::BrokenFile => (
            "containerd cannot read the hosts.toml, and goes to the registry itself".to_owned(),
            "remove what breaks the file: a backslash or a quotation mark in a rule or an address".to_owned(),
        ),
        Why::Nameless => (
            "the last endpoint has no host; containerd puts the registry itself in its place".to_owned(),
            "remove the endpoint without a host".to_owned(),
        ),
        Why::NoFile => (
            "a key with a path makes an empty directory for the registry, which hides the mirror `*`"
                .to_owned(),
            format!("write the key `{name}`, without a path"),
        ),
        Why::NoDirectory if name == "*" => (
            "no entry of `mirrors` stands for other registries".to_owned(),
            "add `\"*\":` with an endpoint to `mirrors`".to_owned(),
        ),
        _ => (
            format!("nothing is written for `{name}`, so the registry itself is asked"),
            format!("add an endpoint to `{name}` in `mirrors`"),
        ),
    }
}

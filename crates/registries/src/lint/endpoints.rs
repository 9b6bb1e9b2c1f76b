//! Addresses that lead nowhere, elsewhere or twice to the same place: L07, L08, L09, L11, L16, L37.

use std::collections::HashMap;

use landfall_diag::{Diagnostic, Severity};

use super::context::{Context, Given};
use super::edit;
use crate::go::url::Url;
use crate::k3s::{Generation, Normalized};

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    // By mirror and URL, the endpoint that had it first.
    let mut first: HashMap<(u32, String), usize> = HashMap::new();
    for (index, given) in context.endpoints.iter().enumerate() {
        if let Some(one) = rancher(context, given) {
            found.push(one);
            continue;
        }
        let whole = match (&given.whole, dead(context, given)) {
            (Ok(whole), None) => whole,
            (_, dead) => {
                found.extend(dead);
                continue;
            }
        };
        found.extend(no_scheme(context, given, whole));
        found.extend(path(context, given, whole));
        found.extend(dropped(context, given, &whole.url));
        let key = (given.mirror.key.span.start, whole.url.to_string());
        match first.get(&key) {
            Some(earlier) => found.extend(
                context
                    .endpoints
                    .get(*earlier)
                    .map(|earlier| duplicate(context, given, earlier)),
            ),
            None => {
                first.insert(key, index);
            }
        }
    }
}

/// `[""]`, as Rancher's page writes a mirror without endpoints.
fn rancher(context: &Context<'_>, given: &Given<'_>) -> Option<Diagnostic> {
    if !given.text.value.is_empty() || given.mirror.endpoints.len() != 1 {
        return None;
    }
    let one = Diagnostic::at(
        "L37",
        Severity::Error,
        given.text.span,
        "this is an endpoint without a host, not an empty list",
    )
    .label("an empty text")
    .consequence(nameless(context, given))
    .help("Rancher's page writes this for a mirror without endpoints; enter one there, or remove the mirror");
    let text = context.text();
    let start = text.get(..given.text.span.range().start)?.trim_end();
    let end = text.get(given.text.span.range().end..)?;
    // In JSON and in a flow list only: a block list would need another line.
    let closing = end.len() - end.trim_start().len();
    Some(match start.ends_with('[') && end.trim_start().starts_with(']') {
        true => one.fix(
            "write an empty list",
            vec![edit::remove(landfall_diag::Span::new(
                given.text.span.source,
                start.len()..given.text.span.range().end + closing,
            ))],
        ),
        false => one,
    })
}

/// What containerd does with an endpoint that has no host.
fn nameless(context: &Context<'_>, given: &Given<'_>) -> String {
    let registry = &given.mirror.key.value;
    let fails = "the first request of every pull fails with `no Host in request URL`";
    match (context.has_default(given.mirror), given.is_last()) {
        (false, true) => format!(
            "{fails}; being the last one it is then replaced by {} itself, although the default endpoint is disabled",
            match registry.as_str() {
                "*" => "the image's registry",
                name => name,
            }
        ),
        _ => format!("{fails}, and containerd goes on to the next endpoint"),
    }
}

/// Why no request can be sent.
fn dead(context: &Context<'_>, given: &Given<'_>) -> Option<Diagnostic> {
    let text = &given.text.value;
    let who = context.program();
    let registry = &given.mirror.key.value;
    let at = |message: &str| Diagnostic::at("L07", Severity::Error, given.text.span, message);
    if let Some((why, instead)) = slip(text) {
        return Some(
            at("this is not the URL that is meant")
                .label(why)
                .consequence("containerd asks a host that does not exist, and goes on to the next endpoint")
                .fix(
                    format!("write `{instead}`"),
                    vec![edit::scalar(context.text(), given.text.span, &instead)],
                ),
        );
    }
    let whole = match &given.whole {
        Ok(whole) => whole,
        Err(error) => {
            let one = at("this is not a URL").label("refused").consequence(format!(
                "{who} logs \"Ignoring invalid endpoint URL {}={} for {registry}: {error}\" and goes on without this endpoint",
                given.index,
                shown(text),
                error = shown(&error.to_string())
            ));
            return Some(one.help(url_advice(text)));
        }
    };
    if whole.url.host.is_empty() || whole.url.hostname().is_empty() {
        let one = at("this endpoint has no host")
            .label("no host")
            .consequence(nameless(context, given));
        return Some(one.help("write https://host[:port], or remove the line"));
    }
    let scheme = whole.url.scheme.as_str();
    if !matches!(scheme, "http" | "https") {
        return Some(
            at("containerd does not speak this protocol")
                .label(format!("`{scheme}` is neither http nor https"))
                .consequence(format!(
                    "the first request of every pull fails with `unsupported protocol scheme \"{scheme}\"`"
                ))
                .help("write https:// or http:// before the host"),
        );
    }
    if whole.url.host.matches(':').count() > 1 && !whole.url.host.starts_with('[') {
        return Some(
            at("an IPv6 address needs brackets")
                .label("where the port begins is anybody's guess")
                .consequence("no connection is ever made: `too many colons in address`")
                .help("write https://[fd00::1]:5000; the key in `configs` is then \"[fd00::1]:5000\", with the brackets"),
        );
    }
    None
}

/// Schemes that were nearly typed, and what is meant.
fn slip(text: &str) -> Option<(&'static str, String)> {
    for scheme in ["https", "http"] {
        let twice = format!("{scheme}://{scheme}://");
        if let Some(rest) = text.strip_prefix(&twice) {
            return Some(("the scheme is there twice", format!("{scheme}://{rest}")));
        }
        let Some(rest) = text.strip_prefix(scheme) else {
            continue;
        };
        let host = rest.trim_start_matches(['/', ':']);
        let separator = &rest[..rest.len() - host.len()];
        // Three slashes are as likely a host that was forgotten.
        let first = host.split('/').next().unwrap_or_default();
        let looks = separator != ":///" || first.contains(['.', ':']);
        let port = separator == ":" && host.starts_with(|c: char| c.is_ascii_digit());
        if !host.is_empty() && matches!(separator, ":/" | "//" | ":" | ":///" | "/") && looks && !port {
            return Some(("the scheme is followed by `://`", format!("{scheme}://{host}")));
        }
    }
    None
}

/// A text without the user and the password in it.
fn shown(text: &str) -> String {
    match text.rfind('@') {
        Some(at) => format!("...{}", &text[at..]),
        None => text.to_owned(),
    }
}

fn url_advice(text: &str) -> &'static str {
    match () {
        () if text.contains(['“', '”', '‘', '’', '«', '»']) => {
            "these are not the quotation marks of YAML; write \" or nothing"
        }
        () if text.contains(' ') || text.contains(',') => {
            "one address per line; each in a line of its own, behind a dash"
        }
        () if text.contains('[') || text.matches(':').count() > 2 => {
            "an IPv6 address is written https://[fd00::1]:5000"
        }
        () => "write https://host[:port]",
    }
}

fn no_scheme(context: &Context<'_>, given: &Given<'_>, whole: &Normalized) -> Option<Diagnostic> {
    let text = &given.text.value;
    if text.contains("://") {
        return None;
    }
    let scheme = &whole.url.scheme;
    let why = match scheme.as_str() {
        "http" => "plain HTTP is assumed, because it is this machine",
        _ => "HTTPS is assumed",
    };
    let instead = format!("{scheme}://{}", text.trim_start_matches('/'));
    let one = Diagnostic::at(
        "L08",
        Severity::Warning,
        given.text.span,
        "the endpoint has no scheme",
    )
    .label(why);
    let one = one.consequence(match scheme.as_str() {
        "http" => format!("requests go to http://{}", whole.url.host),
        _ => format!(
            "requests go to https://{}; a registry that speaks plain HTTP is never reached",
            whole.url.host
        ),
    });
    let same = context.whole(&instead).is_some_and(|other| other == *whole);
    Some(match same {
        true => one.fix(
            format!("write `{scheme}://`"),
            vec![edit::scalar(context.text(), given.text.span, &instead)],
        ),
        false => one.help("write https:// or http:// before it"),
    })
}

fn path(context: &Context<'_>, given: &Given<'_>, whole: &Normalized) -> Option<Diagnostic> {
    let written = written_path(&given.text.value);
    let host = &whole.url.host;
    if context.is_legacy() && written == "/" {
        let instead = given.text.value.trim_end_matches('/').to_owned();
        return Some(
            Diagnostic::at(
                "L09",
                Severity::Warning,
                given.text.span,
                "this release takes the `/` for a path of its own",
            )
            .label("no `/v2` is added")
            .consequence(format!(
                "requests go to {host}/<repository>/manifests/<tag>, without /v2, and fail"
            ))
            .fix(
                "leave the `/` out",
                vec![edit::scalar(context.text(), given.text.span, &instead)],
            ),
        );
    }
    let path = &whole.url.path;
    let inside = path.split('/').any(|part| part == "v2");
    if !whole.override_path || inside {
        return None;
    }
    let prefix = path.trim_matches('/');
    Some(
        Diagnostic::at("L09", Severity::Warning, given.text.span, "the path of this endpoint takes the place of `/v2`")
            .label("no `/v2` is added")
            .consequence(format!("requests go to {host}/{prefix}/<repository>/manifests/<tag>; most registries answer 404"))
            .help(format!(
                "for a project or a proxy cache named `{prefix}` (Harbor, Nexus) write {}://{host}/v2/{prefix}; if the registry's API is really below /{prefix}/v2, write that",
                whole.url.scheme
            )),
    )
}

fn written_path(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.find('/').map_or("", |at| &rest[at..])
}

fn dropped(context: &Context<'_>, given: &Given<'_>, url: &Url) -> Option<Diagnostic> {
    let at = |message: &str| Diagnostic::at("L11", Severity::Error, given.text.span, message);
    if url.user.is_some() {
        let host = &url.host;
        return Some(
            at("user and password in a URL are not used")
                .label("dropped before the `@`")
                .consequence(format!("requests to {host} go out without credentials; the password still stands in hosts.toml for all to read"))
                .help(format!(
                    "write the address without them, and below `configs:` an entry `\"{host}\":` with `auth:`, `username:` and `password:`"
                )),
        );
    }
    if url.raw_query.is_empty() && url.fragment.is_empty() && !url.force_query {
        return None;
    }
    let end = given.text.value.find(['?', '#'])?;
    let instead = given.text.value[..end].to_owned();
    Some(
        at("a query or fragment in an endpoint is not used")
            .label("dropped from `?` or `#` on")
            .consequence("containerd sends requests without it")
            .fix(
                "leave it out",
                vec![edit::scalar(context.text(), given.text.span, &instead)],
            ),
    )
}

fn duplicate(context: &Context<'_>, given: &Given<'_>, earlier: &Given<'_>) -> Diagnostic {
    let who = context.program();
    let registry = &given.mirror.key.value;
    let what = match context.options().behaviours.generation {
        Generation::ConfigToml => "containerd tries it twice".to_owned(),
        Generation::FirstHosts => format!(
            "this release writes it twice into one hosts.toml, which containerd cannot read: images of {registry} are pulled without any mirror"
        ),
        Generation::NoHostTable | Generation::Hosts => format!(
            "{who} logs \"Skipping duplicate endpoint URL {}={} for {registry}\" and goes on without it",
            given.index,
            shown(&given.text.value)
        ),
    };
    let one = Diagnostic::at(
        "L16",
        Severity::Warning,
        given.text.span,
        "this endpoint is listed twice",
    )
    .label("again")
    .also(earlier.text.span, "here first")
    .consequence(what);
    match edit::remove_item(context.text(), &given.siblings(), given.index) {
        Some(edit) => one.fix("remove the second one", vec![edit]),
        None => one.help("remove one of them"),
    }
}

//! One `[[registry]]` table, as it stands, before it means anything.

use landfall_diag::yaml::Node;
use landfall_diag::{Diagnostic, Severity, Span, Spanned};

use super::super::tree::Walker;
use crate::intent::Asked;

/// One table.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The table as a whole.
    pub(super) span: Span,
    /// `prefix`, or else `location`: what image names must begin with.
    pub(super) prefix: Spanned<String>,
    /// `location`; empty only where the prefix is `*.domain`.
    pub(super) location: Spanned<String>,
    pub(super) insecure: Option<Spanned<bool>>,
    pub(super) blocked: Option<Spanned<bool>>,
    pub(super) by_digest_only: Option<Spanned<bool>>,
    pub(super) mirrors: Vec<Mirror>,
}

/// One `[[registry.mirror]]` table.
#[derive(Clone, Debug)]
pub(super) struct Mirror {
    pub(super) span: Span,
    pub(super) location: Spanned<String>,
    pub(super) insecure: Option<Spanned<bool>>,
    pub(super) asked: Option<Spanned<Asked>>,
}

/// Reads a table; `None` where containers/image refuses it, and with it all files.
pub(super) fn read(walker: &mut Walker<'_>, node: &Node) -> Option<Entry> {
    let (mut prefix, mut location, mut insecure, mut blocked, mut by_digest_only) =
        (None, None, None, None, None);
    let mut mirrors = Vec::new();
    let before = walker.diagnostics.len();
    for (key, value) in walker.pairs(node, "registry") {
        match key.as_str() {
            "prefix" => prefix = place(walker, value, "prefix"),
            "location" => location = place(walker, value, "location"),
            "insecure" => insecure = walker.bool(value, "insecure"),
            "blocked" => blocked = walker.bool(value, "blocked"),
            "mirror-by-digest-only" => by_digest_only = walker.bool(value, "mirror-by-digest-only"),
            "mirror" => {
                for item in walker.items(value, "mirror") {
                    mirrors.extend(mirror(walker, item));
                }
            }
            "pull-from-mirror" => walker.error(
                key.span,
                "`pull-from-mirror` belongs to a `[[registry.mirror]]`, not to the registry itself",
            ),
            other => unknown(walker, key.span, other),
        }
    }
    let failed = |walker: &Walker<'_>| {
        let found = walker.diagnostics[before..].iter();
        found.into_iter().any(|found| found.severity == Severity::Error)
    };
    if failed(walker) {
        return None;
    }
    let prefix = prefix.filter(|prefix| !prefix.is_empty());
    let (prefix, location) = match (prefix, location) {
        (Some(prefix), Some(location)) => (prefix, location),
        (None, Some(location)) if !location.is_empty() => (location.clone(), location),
        (Some(prefix), None) => {
            let none = Spanned::new(String::new(), prefix.span);
            (prefix, none)
        }
        _ => {
            walker.error(node.span, "this registry has neither `prefix` nor `location`");
            return None;
        }
    };
    check(walker, &prefix, &location, by_digest_only.as_ref(), &mirrors);
    (!failed(walker)).then_some(Entry {
        span: node.span,
        prefix,
        location,
        insecure,
        blocked,
        by_digest_only,
        mirrors,
    })
}

fn check(
    walker: &mut Walker<'_>,
    prefix: &Spanned<String>,
    location: &Spanned<String>,
    by_digest_only: Option<&Spanned<bool>>,
    mirrors: &[Mirror],
) {
    if let Some(domain) = prefix.strip_prefix("*.") {
        if domain.contains(['/', '@', ':', '*']) {
            walker.error(
                prefix.span,
                "a prefix with `*.` is a domain alone: `*.example.com`",
            );
        }
    } else if prefix.contains('*') {
        walker.error(
            prefix.span,
            "`*` stands only at the front, before a dot: `*.example.com`",
        );
    } else if location.is_empty() {
        walker.error(
            prefix.span,
            format!(
                "`location` is missing; for the registry itself write `location = \"{}\"`",
                prefix.value
            ),
        );
    }
    if by_digest_only.is_some_and(|by_digest| by_digest.value)
        && let Some(asked) = mirrors.iter().find_map(|mirror| mirror.asked.as_ref())
    {
        walker.error(
            asked.span,
            "`pull-from-mirror` and the registry's `mirror-by-digest-only` exclude each other",
        );
    }
}

fn mirror(walker: &mut Walker<'_>, node: &Node) -> Option<Mirror> {
    let (mut location, mut insecure, mut asked) = (None, None, None);
    for (key, value) in walker.pairs(node, "mirror") {
        match key.as_str() {
            "location" => location = place(walker, value, "location"),
            "insecure" => insecure = walker.bool(value, "insecure"),
            "pull-from-mirror" => asked = when(walker, value),
            other => unknown(walker, key.span, other),
        }
    }
    let Some(location) = location.filter(|location| !location.is_empty()) else {
        walker.error(node.span, "this mirror has no `location`");
        return None;
    };
    Some(Mirror {
        span: node.span,
        location,
        insecure,
        asked,
    })
}

fn when(walker: &mut Walker<'_>, node: &Node) -> Option<Spanned<Asked>> {
    let text = walker.text(node, "pull-from-mirror")?;
    let asked = match text.as_str() {
        "" => return None,
        "all" => Asked::Always,
        "digest-only" => Asked::ByDigest,
        "tag-only" => Asked::ByTag,
        other => {
            let message = format!("`pull-from-mirror` is `all`, `digest-only` or `tag-only`, not `{other}`");
            walker.error(text.span, message);
            return None;
        }
    };
    Some(Spanned::new(asked, text.span))
}

/// `host[:port][/path]`, without slashes at its end.
fn place(walker: &mut Walker<'_>, node: &Node, what: &str) -> Option<Spanned<String>> {
    let text = walker.text(node, what)?;
    if let Some((scheme, rest)) = text.split_once("://") {
        let message = format!("`{what}` takes no scheme: not `{scheme}://`, but `{rest}`");
        walker.error(text.span, message);
        return None;
    }
    Some(text.map(|text| text.trim_end_matches('/').to_owned()))
}

fn unknown(walker: &mut Walker<'_>, span: Span, key: &str) {
    let message = format!("`{key}` is not a field here, and is not read");
    walker
        .diagnostics
        .push(Diagnostic::at("P02", Severity::Warning, span, message));
}

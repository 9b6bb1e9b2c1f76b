//! What the tables mean: prefix and location as a match and an endpoint.

use landfall_diag::Spanned;

use super::super::file::Losses;
use super::super::{Import, InFile};
use super::entry::Entry;
use crate::Tls;
use crate::intent::{
    Asked, Base, Endpoint, Intent, Match, Registry, Rule, RuleKind, Subject, Trust, Upstream, canonical_host,
};

pub(super) const REFUSED: &str =
    "Podman and CRI-O refuse all their files because of it: nothing can be pulled";

/// Reads registries.conf and registries.conf.d/*.conf into the intent.
pub(in super::super) fn read(files: &[InFile<'_>], import: &mut Import) {
    let mut losses = Losses::default();
    for entry in super::files::entries(files, import) {
        let Some(matches) = matching(&entry, &mut losses) else {
            continue;
        };
        let registry = registry(&entry, matches, &mut import.intent, &mut losses);
        import.intent.registries.push(registry);
    }
    import.losses.extend(losses.into_vec());
}

fn matching(entry: &Entry, losses: &mut Losses) -> Option<Spanned<Match>> {
    let prefix = &entry.prefix;
    if let Some(domain) = prefix.strip_prefix("*.") {
        return Some(Spanned::new(Match::Domain(domain.to_owned()), prefix.span));
    }
    let (host, rest) = prefix.split_once('/').unwrap_or((prefix, ""));
    if rest.contains([':', '@']) {
        losses.add(
            entry.span,
            format!("the table for the single image `{}`", prefix.value),
            "other runtimes decide by registry, none by tag or digest",
            "put the image under a name of its own",
        );
        return None;
    }
    let host = host.to_owned();
    let matches = match rest {
        "" => Match::Exact(host),
        namespace => Match::Prefix {
            host,
            namespace: namespace.to_owned(),
        },
    };
    Some(Spanned::new(matches, prefix.span))
}

fn registry(entry: &Entry, matches: Spanned<Match>, intent: &mut Intent, losses: &mut Losses) -> Registry {
    let by_digest = entry.by_digest_only.as_ref().filter(|truth| truth.value);
    let mut endpoints = Vec::new();
    for mirror in &entry.mirrors {
        let mut endpoint = endpoint(&mirror.location, &matches);
        endpoint.span = mirror.span;
        endpoint.asked = match (&mirror.asked, by_digest) {
            (Some(asked), _) => asked.clone(),
            (None, Some(truth)) => Spanned::new(Asked::ByDigest, truth.span),
            (None, None) => Spanned::new(Asked::Always, mirror.span),
        };
        insecure(intent, &endpoint.host, mirror.insecure.as_ref(), losses);
        endpoints.push(endpoint);
    }
    let mut upstream = Spanned::new(Upstream::Allow, entry.span);
    if let Some(blocked) = entry.blocked.as_ref().filter(|blocked| blocked.value) {
        // Mirrors of a blocked registry are not asked either.
        endpoints.clear();
        upstream = Spanned::new(Upstream::Blocked, blocked.span);
    } else if entry.location.is_empty() || entry.location.value == entry.prefix.value {
        if let Some(host) = matches.host() {
            insecure(intent, host, entry.insecure.as_ref(), losses);
        } else if let Some(truth) = entry.insecure.as_ref().filter(|truth| truth.value) {
            losses.add(
                truth.span,
                format!("`insecure` for all hosts below `{}`", entry.prefix.value),
                "other runtimes are told for each host",
                "write a table for each host that is needed",
            );
        }
    } else {
        let last = endpoint(&entry.location, &matches);
        insecure(intent, &last.host, entry.insecure.as_ref(), losses);
        upstream = Spanned::new(Upstream::Deny, entry.location.span);
        endpoints.push(last);
    }
    Registry {
        matches,
        upstream,
        endpoints,
    }
}

/// What follows the prefix in an image's name follows the location.
fn endpoint(location: &Spanned<String>, matches: &Match) -> Endpoint {
    let (host, path) = location.split_once('/').unwrap_or((location, ""));
    let mut endpoint = Endpoint::new(canonical_host(host), location.span);
    let namespace = matches.namespace();
    if namespace.is_empty() {
        endpoint.base = Base::V2(path.to_owned());
    } else if namespace != path {
        let (from, to) = match path {
            "" => (format!("{namespace}/"), String::new()),
            path => (namespace.to_owned(), path.to_owned()),
        };
        endpoint.rewrites.push(Rule {
            kind: RuleKind::Prefix { from, to },
            span: location.span,
        });
    }
    endpoint
}

/// `insecure = true` lets both through: any certificate, and no TLS at all.
fn insecure(intent: &mut Intent, host: &str, truth: Option<&Spanned<bool>>, losses: &mut Losses) {
    let host = canonical_host(host);
    let insecure = truth.is_some_and(|truth| truth.value);
    match (intent.trust_of(host), truth) {
        (None, Some(truth)) if insecure => intent.trust.push(Trust {
            subject: Spanned::new(Subject::Host(host.to_owned()), truth.span),
            tls: Tls {
                skip_verify: Some(truth.clone()),
                ..Tls::default()
            },
            plain_http: Some(truth.clone()),
        }),
        (Some(trust), Some(truth)) if !insecure => losses.add(
            truth.span,
            format!("`insecure = false` for `{host}`"),
            format!(
                "`{}` is insecure elsewhere in these files, and other runtimes know one answer for each host",
                trust.subject.value
            ),
            "make both the same",
        ),
        _ => {}
    }
}

//! What several writers do alike: a wildcard written out for the registries that are needed, and the losses that every
//! format without headers, timeouts and pushes has.

use landfall_diag::Spanned;

use super::Options;
use super::file::Losses;
use crate::intent::{
    Asked, Base, Endpoint, Intent, Match, Registry, RuleKind, Scheme, Subject, Upstream, canonical_host,
};

/// The registries of an intent without its wildcard, which is written out for those of the options instead.
pub(super) fn wildcard(intent: &Intent, options: &Options, losses: &mut Losses) -> Vec<Registry> {
    let (wildcards, mut all): (Vec<_>, Vec<_>) = intent
        .registries
        .iter()
        .cloned()
        .partition(|registry| registry.matches.value == Match::Wildcard);
    let Some(wildcard) = wildcards.into_iter().next() else {
        return all;
    };
    losses.add(
        wildcard.matches.span,
        match options.registries.as_slice() {
            [] => "the entry for all registries".to_owned(),
            named => format!(
                "the entry for all registries; it is written out for {}",
                named.join(", ")
            ),
        },
        "this format has no entry for all registries: those without one are asked themselves",
        "name the registries that images come from",
    );
    if !options.namespaced && options.registries.len() > 1 && !wildcard.endpoints.is_empty() {
        losses.add(
            wildcard.matches.span,
            "which registry an image comes from",
            "the mirror is not told (`ns=` is sent by the containerd family only), so `a/b` of two registries is one",
            "use a mirror that takes the registry's name as a prefix of the repository",
        );
    }
    for host in &options.registries {
        let known = |registry: &Registry| registry.matches.value == Match::Exact(host.clone());
        if all.iter().any(known) {
            continue;
        }
        let mut registry = wildcard.clone();
        registry.matches.value = Match::Exact(host.clone());
        if options.namespaced {
            for endpoint in &mut registry.endpoints {
                name_registry(endpoint, host);
            }
        }
        all.push(registry);
    }
    all
}

/// Puts a registry's name before the repository.
fn name_registry(endpoint: &mut Endpoint, registry: &str) {
    if let Base::V2(prefix) = &mut endpoint.base {
        *prefix = match prefix.as_str() {
            "" => registry.to_owned(),
            prefix => format!("{prefix}/{registry}"),
        };
    }
}

/// Losses for what only hosts.toml has.
pub(crate) fn extras(endpoint: &Endpoint, format: &str, losses: &mut Losses) {
    for header in &endpoint.headers {
        losses.add(
            header.name.span,
            format!("the header `{}` for `{}`", header.name.value, endpoint.url()),
            format!("{format} cannot add headers to requests"),
            "let the mirror do without it, or use containerd's hosts.toml",
        );
    }
    if let Some(timeout) = &endpoint.dial_timeout {
        losses.add(
            timeout.span,
            format!("the dial timeout of {} for `{}`", timeout.value, endpoint.url()),
            format!("{format} has no timeouts"),
            "none: the runtime's own timeout (30 s) holds",
        );
    }
    if let Some(span) = endpoint.push {
        losses.add(
            span,
            format!("pushing to `{}`", endpoint.url()),
            format!("mirrors in {format} are for pulling"),
            "push to the mirror under its own name",
        );
    }
}

/// Whether an endpoint is the registry itself, under its own name and without a change.
pub(crate) fn is_own(endpoint: &Endpoint, host: &str) -> bool {
    canonical_host(&endpoint.host) == canonical_host(host)
        && endpoint.base == Base::V2(String::new())
        && endpoint.rewrites.is_empty()
        && endpoint.asked.value == Asked::Always
}

/// The base of an endpoint whose only rule puts a prefix before every name: the base with that prefix, and no rule.
/// An endpoint without rules keeps its own; one with others has none.
pub(crate) fn base(endpoint: &Endpoint) -> Option<Base> {
    match (endpoint.rewrites.as_slice(), &endpoint.base) {
        ([], base) => Some(base.clone()),
        ([rule], Base::V2(prefix)) => match &rule.kind {
            RuleKind::Prefix { from, to } if from.is_empty() => {
                let to = to.strip_suffix('/')?;
                Some(Base::V2(match prefix.as_str() {
                    "" => to.to_owned(),
                    prefix => format!("{prefix}/{to}"),
                }))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The registries, and one more for each host that is only spoken of by its trust: in the containerd family a host's
/// certificates stand in its registry's own entry. Such an entry hides the wildcard's, so it says the same.
pub(super) fn own_entries(intent: &Intent) -> Vec<Registry> {
    let mut all = intent.registries.clone();
    for trust in &intent.trust {
        let Subject::Host(host) = &trust.subject.value else {
            continue;
        };
        let matches = Match::Exact(host.clone());
        if all.iter().any(|registry| registry.matches.value == matches) {
            continue;
        }
        let mut registry = match intent.wildcard() {
            // It is not asked itself, so it needs no entry.
            Some(wildcard) if wildcard.upstream.value != Upstream::Allow => continue,
            Some(wildcard) => wildcard.clone(),
            None => Registry {
                matches: Spanned::new(Match::Wildcard, trust.subject.span),
                upstream: Spanned::new(Upstream::Allow, trust.subject.span),
                endpoints: Vec::new(),
            },
        };
        registry.matches = Spanned::new(matches, trust.subject.span);
        registry
            .endpoints
            .pop_if(|last| last.scheme == Scheme::Https && is_own(last, host));
        all.push(registry);
    }
    all
}

/// Losses for networks: only Docker knows them.
pub(crate) fn networks(intent: &Intent, losses: &mut Losses) {
    for trust in &intent.trust {
        if let Subject::Network(network) = &trust.subject.value {
            losses.add(
                trust.subject.span,
                format!("that all hosts in `{network}` need not be safe"),
                "only Docker knows networks",
                "name the hosts",
            );
        }
    }
}

//! Ordered prefix rules, written as places: which namespaces of a registry lie where on an endpoint.
//!
//! The containerd family changes a name by rules, the first that changes it wins. registries.conf gives each namespace
//! a location, the longest wins. Both say the same wherever rules stop at slashes: within a namespace that no rule
//! divides further, one rule decides for all repositories.

use std::collections::BTreeSet;

use crate::intent::{Base, Endpoint, Match, Registry, Rule, RuleKind};

/// Why a rule has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unplaced {
    /// A regular expression.
    Regex,
    /// A prefix that ends within a component (`ranch`), or joins two (`a/` to `a-`).
    NotAtSlash,
}

impl Unplaced {
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Regex => "only prefixes of whole components become locations, not regular expressions",
            Self::NotAtSlash => "a location replaces whole components, and this prefix ends within one",
        }
    }
}

/// The namespaces into which a registry's rules divide it, the registry (or its own namespace) itself first.
pub(super) fn regions(registry: &Registry) -> Vec<String> {
    let own = registry.matches.namespace();
    let inside = |namespace: &&str| {
        own.is_empty()
            || namespace
                .strip_prefix(own)
                .is_some_and(|rest| rest.starts_with('/'))
    };
    let rules = registry.endpoints.iter().flat_map(|endpoint| &endpoint.rewrites);
    let deeper: BTreeSet<&str> = rules
        .filter_map(|rule| namespace_of(rule, own))
        .filter(|namespace| !namespace.is_empty() && *namespace != own)
        .filter(inside)
        .collect();
    std::iter::once(own).chain(deeper).map(str::to_owned).collect()
}

/// The namespace that a rule is about; `None` when it has no place.
fn namespace_of<'r>(rule: &'r Rule, own: &str) -> Option<&'r str> {
    match &rule.kind {
        RuleKind::Prefix { from, .. } if from.is_empty() || from == own => Some(from),
        RuleKind::Prefix { from, .. } => from.strip_suffix('/'),
        RuleKind::Regex { .. } => None,
    }
}

/// The rules of an endpoint that have no place within a registry.
pub(super) fn unplaced<'e>(endpoint: &'e Endpoint, matches: &Match) -> Vec<(&'e Rule, Unplaced)> {
    let judge = |rule: &'e Rule| match &rule.kind {
        RuleKind::Regex { .. } => Some((rule, Unplaced::Regex)),
        RuleKind::Prefix { from, to } => {
            let whole = namespace_of(rule, matches.namespace()).is_some();
            let ends_alike = to.is_empty() || to.ends_with('/') == (from.is_empty() || from.ends_with('/'));
            let dangling = to.is_empty() && !from.is_empty() && !from.ends_with('/');
            (!whole || !ends_alike || dangling).then_some((rule, Unplaced::NotAtSlash))
        }
    };
    endpoint.rewrites.iter().filter_map(judge).collect()
}

/// Where a region lies on an endpoint: `host/path`, as far as rules with a place decide. `None`: its base path is not
/// below `/v2`.
pub(super) fn location(endpoint: &Endpoint, host: &str, matches: &Match, region: &str) -> Option<String> {
    let Base::V2(base) = &endpoint.base else {
        return None;
    };
    let whole = match region {
        "" => String::new(),
        region => format!("{region}/"),
    };
    let without = unplaced(endpoint, matches);
    let rule_result = |rule: &Rule| match &rule.kind {
        RuleKind::Prefix { from, to } if without.iter().all(|(other, _)| *other != rule) => {
            let rest = whole.strip_prefix(from.as_str())?;
            let changed = format!("{to}{rest}");
            (changed != whole).then_some(changed)
        }
        _ => None,
    };
    let changed = endpoint.rewrites.iter().find_map(rule_result).unwrap_or(whole);
    let parts = [host, base.trim_matches('/'), changed.trim_matches('/')];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Some(parts.join("/"))
}

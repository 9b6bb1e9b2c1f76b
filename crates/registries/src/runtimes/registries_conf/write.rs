//! The tables that say an intent, and what they cannot say.

use std::collections::BTreeMap;

use landfall_diag::{Span, Spanned};

use super::super::file::Losses;
use super::super::{Options, expand, regions};
use crate::hosts::toml::quoted;
use crate::intent::{
    Asked, DOCKER_HUB, Endpoint, Intent, Match, Registry, Scheme, Subject, Upstream, canonical_host,
};

const HEADER: &str = "# Written by Landfall. The longest prefix decides alone; mirrors are asked in order, then the location.\n";

/// One table, ready to be written.
struct Table {
    location: Option<String>,
    insecure: bool,
    blocked: bool,
    mirrors: Vec<(String, bool, Asked)>,
    span: Span,
}

/// The text of a drop-in.
pub(in super::super) fn write(intent: &Intent, options: &Options, losses: &mut Losses) -> String {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    expand::networks(intent, losses);
    half_insecure(intent, losses);
    for registry in with_insecure_hosts(intent, &expand::wildcard(intent, options, losses)) {
        let writer = Writer {
            intent,
            registry: &registry,
        };
        if tables.contains_key(&registry.matches.to_string()) {
            losses.add(
                registry.matches.span,
                format!("the second entry for `{}`", registry.matches.value),
                "a prefix has one table",
                "make one entry of both",
            );
            continue;
        }
        for (prefix, table) in writer.tables(losses) {
            tables.entry(prefix).or_insert(table);
        }
    }
    unblock_mirrors(&mut tables, losses);
    let mut text = HEADER.to_owned();
    for (prefix, table) in &tables {
        text.push('\n');
        table.write(prefix, &mut text);
    }
    text
}

/// Hosts that are safe neither way need a table even where nothing else is said of them.
fn with_insecure_hosts(intent: &Intent, registries: &[Registry]) -> Vec<Registry> {
    let mut all = registries.to_vec();
    for trust in &intent.trust {
        let Subject::Host(host) = &trust.subject.value else {
            continue;
        };
        if !insecure(intent, host)
            || all
                .iter()
                .any(|registry| registry.matches.value == Match::Exact(host.clone()))
        {
            continue;
        }
        // A table of its own hides the one of its domain, so it says the same.
        let domain = all
            .iter()
            .filter(|registry| {
                matches!(&registry.matches.value, Match::Domain(domain)
                    if host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.')))
            })
            .max_by_key(|registry| registry.matches.value.to_string().len());
        let mut registry = domain.cloned().unwrap_or_else(|| Registry {
            matches: trust.subject.clone().map(|_| Match::Wildcard),
            upstream: Spanned::new(Upstream::Allow, trust.subject.span),
            endpoints: Vec::new(),
        });
        registry.matches.value = Match::Exact(host.clone());
        all.push(registry);
    }
    all
}

/// `insecure` is wider than what was asked for.
fn wider(span: Span, what: &str, host: &str, losses: &mut Losses) {
    losses.add(
        span,
        format!("{what}, for `{host}`"),
        "`insecure = true` is both: TLS is tried first with any certificate, then plain HTTP",
        "give the host a certificate, and its authority's as CA",
    );
}

fn half_insecure(intent: &Intent, losses: &mut Losses) {
    for trust in &intent.trust {
        let set = |truth: &Option<Spanned<bool>>| {
            truth.as_ref().filter(|truth| truth.value).map(|truth| truth.span)
        };
        let host = trust.subject.value.to_string();
        match (set(&trust.tls.skip_verify), set(&trust.plain_http)) {
            (Some(span), None) => wider(span, "TLS without a check, but never plain HTTP", &host, losses),
            (None, Some(span)) => wider(span, "plain HTTP, but TLS only with a check", &host, losses),
            _ => {}
        }
    }
}

/// Whether nothing is checked of a host. `insecure` is both at once: any certificate, and no TLS. One location must have
/// one answer, so a host that is asked by plain HTTP anywhere is insecure everywhere.
fn insecure(intent: &Intent, host: &str) -> bool {
    let set = |truth: &Option<Spanned<bool>>| truth.as_ref().is_some_and(|truth| truth.value);
    let trusted_blindly = intent
        .trust_of(host)
        .is_some_and(|trust| set(&trust.tls.skip_verify) || set(&trust.plain_http));
    let asked = intent
        .registries
        .iter()
        .filter(|registry| registry.upstream.value != Upstream::Blocked);
    let mut endpoints = asked.flat_map(|registry| &registry.endpoints);
    trusted_blindly
        || endpoints.any(|endpoint| {
            endpoint.scheme == Scheme::Http && canonical_host(&endpoint.host) == canonical_host(host)
        })
}

/// What is blocked by its own name cannot be a mirror of others either, and the file is refused when one location is
/// blocked in one table and not in another: the mirror is needed more.
fn unblock_mirrors(tables: &mut BTreeMap<String, Table>, losses: &mut Losses) {
    let used: Vec<String> = tables
        .values()
        .filter(|table| !table.blocked)
        .flat_map(|table| {
            let mirrors = table.mirrors.iter().map(|(location, ..)| location.clone());
            mirrors.chain(table.location.clone())
        })
        .collect();
    tables.retain(|prefix, table| {
        let below = |location: &String| {
            location
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if !table.blocked || !used.iter().any(below) {
            return true;
        }
        losses.add(
            table.span,
            format!("`{prefix}` is not blocked under its own name"),
            "other registries are pulled from there, and a block would end that too",
            "let the host itself refuse what must not be pulled",
        );
        false
    });
}

struct Writer<'a> {
    intent: &'a Intent,
    registry: &'a Registry,
}

impl Writer<'_> {
    fn tables(&self, losses: &mut Losses) -> Vec<(String, Table)> {
        let own = self.registry.matches.to_string();
        let span = self.registry.matches.span;
        let blocked = match self.registry.upstream.value {
            Upstream::Blocked => true,
            Upstream::Deny => self.registry.endpoints.is_empty(),
            Upstream::Allow => false,
        };
        if blocked {
            let table = Table {
                location: self.registry.matches.value.host().map(|_| own.clone()),
                insecure: false,
                blocked,
                mirrors: Vec::new(),
                span,
            };
            return vec![(own, table)];
        }
        let endpoints = self.usable(losses);
        let regions = regions::regions(self.registry);
        let mut tables = Vec::new();
        for region in &regions {
            let prefix = match (self.registry.matches.value.host(), region.as_str()) {
                (Some(host), "") => host.to_owned(),
                (Some(host), region) => format!("{host}/{region}"),
                (None, _) => own.clone(),
            };
            self.root_of(&prefix, region, losses);
            if let Some(table) = self.table(&prefix, region, &endpoints, losses) {
                tables.push((prefix, table));
            }
            // `*.domain` has no namespaces.
            if self.registry.matches.value.host().is_none() && regions.len() > 1 {
                losses.add(
                    span,
                    format!("the rules for namespaces below `{own}`"),
                    "a prefix with `*.` is a domain alone",
                    "write an entry for each host that is needed",
                );
                break;
            }
        }
        tables
    }

    /// The endpoints that a table can name; losses for what it cannot say of them.
    fn usable(&self, losses: &mut Losses) -> Vec<&Endpoint> {
        let mut usable = Vec::new();
        for endpoint in &self.registry.endpoints {
            let url = endpoint.url();
            if regions::location(endpoint, "h", &self.registry.matches, "").is_none() {
                losses.add(
                    endpoint.span,
                    format!("the endpoint `{url}`"),
                    "its path does not begin with /v2, and Podman and CRI-O always ask below /v2",
                    "let the mirror answer below /v2/<prefix> too",
                );
                continue;
            }
            for (rule, why) in regions::unplaced(endpoint, &self.registry.matches) {
                let (pattern, replacement) = rule.kind.to_go();
                losses.add(
                    rule.span,
                    format!(
                        "the rewrite `{pattern}` to `{replacement}`; `{url}` is asked for the name as it is"
                    ),
                    why.why(),
                    "serve the images under their own names, or a namespace as a whole",
                );
            }
            expand::extras(endpoint, "registries.conf", losses);
            if endpoint.scheme == Scheme::Http {
                wider(endpoint.span, "plain HTTP at once", &endpoint.host, losses);
            }
            usable.push(endpoint);
        }
        usable
    }

    /// A repository that is called like the namespace has no table of its own.
    fn root_of(&self, prefix: &str, region: &str, losses: &mut Losses) {
        let host = self.registry.matches.value.host().unwrap_or_default();
        let one_of_hubs = host == DOCKER_HUB && !region.contains('/');
        if region != self.registry.matches.value.namespace() && !one_of_hubs {
            losses.add(
                self.registry.matches.span,
                format!("the image `{prefix}` itself, beside those below `{prefix}/`"),
                "a prefix holds for the repository of that name too",
                "nothing, unless there is such an image",
            );
        }
    }

    fn table(
        &self,
        prefix: &str,
        region: &str,
        endpoints: &[&Endpoint],
        losses: &mut Losses,
    ) -> Option<Table> {
        let matches = &self.registry.matches.value;
        let mirror = |endpoint: &&Endpoint| {
            let host = canonical_host(&endpoint.host);
            let location = regions::location(endpoint, host, matches, region)?;
            let weak = insecure(self.intent, host);
            Some((location, weak, endpoint.asked.value))
        };
        let mut mirrors: Vec<_> = endpoints.iter().filter_map(mirror).collect();
        let own_insecure = matches.host().is_some_and(|host| insecure(self.intent, host));
        let (mut location, mut weak) = (matches.host().map(|_| prefix.to_owned()), own_insecure);
        if self.registry.upstream.value == Upstream::Deny {
            let Some((last, last_weak, asked)) = mirrors.pop() else {
                losses.add(
                    self.registry.matches.span,
                    format!("`{prefix}` is blocked"),
                    "its own host must not be asked, and none of its endpoints can be",
                    "give it an endpoint below /v2",
                );
                return Some(self.blocked(prefix));
            };
            if asked != Asked::Always {
                losses.add(
                    self.registry.matches.span,
                    format!("when `{last}` is asked"),
                    "the last endpoint becomes the location, which is asked for tags and digests alike",
                    "put an endpoint without a restriction last",
                );
            }
            (location, weak) = (Some(last), last_weak);
        } else if mirrors
            .last()
            .is_some_and(|(last, ..)| Some(last) == location.as_ref())
        {
            // The registry itself, named as its own last endpoint.
            weak |= mirrors.pop().is_some_and(|(_, weak, _)| weak);
        }
        Some(Table {
            location,
            insecure: weak,
            blocked: false,
            mirrors,
            span: self.registry.matches.span,
        })
    }

    fn blocked(&self, prefix: &str) -> Table {
        Table {
            location: Some(prefix.to_owned()),
            insecure: false,
            blocked: true,
            mirrors: Vec::new(),
            span: self.registry.matches.span,
        }
    }
}

impl Table {
    fn write(&self, prefix: &str, text: &mut String) {
        text.push_str("[[registry]]\n");
        text.push_str(&format!("prefix = {}\n", quoted(prefix)));
        if let Some(location) = &self.location {
            text.push_str(&format!("location = {}\n", quoted(location)));
        }
        for (field, set) in [("insecure", self.insecure), ("blocked", self.blocked)] {
            if set {
                text.push_str(&format!("{field} = true\n"));
            }
        }
        for (location, insecure, asked) in &self.mirrors {
            text.push_str("\n[[registry.mirror]]\n");
            text.push_str(&format!("location = {}\n", quoted(location)));
            if *insecure {
                text.push_str("insecure = true\n");
            }
            match asked {
                Asked::Always => {}
                Asked::ByDigest => text.push_str("pull-from-mirror = \"digest-only\"\n"),
                Asked::ByTag => text.push_str("pull-from-mirror = \"tag-only\"\n"),
            }
        }
    }
}

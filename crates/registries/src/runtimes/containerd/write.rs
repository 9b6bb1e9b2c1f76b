//! The certs.d tree of an intent. Where the registry itself must not be asked, its last endpoint is the `server`: a
//! containerd that finds none there asks the registry.

use landfall_diag::Spanned;

use super::super::expand;
use super::super::file::Losses;
use super::Release;
use crate::Rewrite;
use crate::hosts::{Capability, ClientPair, HostEntry, HostSettings, HostsToml, Target};
use crate::intent::{
    Asked, BLOCKED_HOST, Base, Endpoint, Intent, Match, Registry, Rule, Scheme, Upstream, asked_host,
};

/// The files by their folder below the root.
pub(super) fn tree(intent: &Intent, release: Release, losses: &mut Losses) -> Vec<(String, HostsToml)> {
    let mut files: Vec<(String, HostsToml)> = Vec::new();
    expand::networks(intent, losses);
    for registry in expand::own_entries(intent) {
        let dir = match &registry.matches.value {
            Match::Exact(host) => host.clone(),
            Match::Wildcard => "_default".to_owned(),
            Match::Prefix { .. } | Match::Domain(_) => {
                losses.add(
                    registry.matches.span,
                    format!("the entry for `{}`", registry.matches.value),
                    "containerd chooses by registry, not by namespace or domain",
                    "write an entry for the registry as a whole; a mirror can tell namespaces apart itself",
                );
                continue;
            }
        };
        if files.iter().any(|(known, _)| *known == dir) {
            losses.add(
                registry.matches.span,
                format!("the second entry for `{}`", registry.matches.value),
                "a registry has one folder",
                "make one entry of both",
            );
            continue;
        }
        let writer = Writer {
            intent,
            registry: &registry,
            release,
        };
        files.push((dir, writer.file(losses)));
    }
    files
}

struct Writer<'a> {
    intent: &'a Intent,
    registry: &'a Registry,
    release: Release,
}

impl Writer<'_> {
    fn file(&self, losses: &mut Losses) -> HostsToml {
        let span = self.registry.upstream.span;
        let mut endpoints: Vec<&Endpoint> = self.registry.endpoints.iter().collect();
        let mut file = HostsToml {
            server_on_top: true,
            ..HostsToml::default()
        };
        let blocked = self.registry.upstream.value == Upstream::Blocked
            || self.registry.upstream.value == Upstream::Deny && endpoints.is_empty();
        if blocked {
            losses.add(
                span,
                format!("that `{}` is blocked", self.registry.matches.value),
                "containerd cannot block a registry; an address where nothing listens is written instead",
                "nothing: the pull fails with `connection refused`",
            );
            file.server = Some(Spanned::new(format!("https://{BLOCKED_HOST}"), span));
            return file;
        }
        if self.registry.upstream.value == Upstream::Allow {
            if let Some(host) = self.registry.matches.value.host() {
                let mut own = Endpoint::new(asked_host(host), span);
                own.push = Some(span);
                let (url, settings) = self.host(&own, losses);
                file.server = Some(Spanned::new(url, span));
                file.root = settings;
            } else if self.release.fork {
                // To the fork no `server` is no upstream, and an empty one the registry's own.
                file.server = Some(Spanned::new(String::new(), span));
            }
        } else if !self.release.fork || endpoints.len() == 1 && self.rules(endpoints[0]).is_empty() {
            // The fork asks nobody but the hosts when there is no `server`, but an endpoint with rules must be a host.
            if let Some(last) = endpoints.pop() {
                let (url, settings) = self.host(last, losses);
                file.server = Some(Spanned::new(url, last.span));
                file.root = settings;
            }
        }
        file.hosts = self.hosts(&endpoints, losses);
        file
    }

    fn hosts(&self, endpoints: &[&Endpoint], losses: &mut Losses) -> Vec<HostEntry> {
        let mut hosts: Vec<HostEntry> = Vec::new();
        for endpoint in endpoints {
            if !self.release.two && endpoint.host.contains(']') {
                losses.add(
                    endpoint.span,
                    format!("the endpoint `{}`", endpoint.url()),
                    "containerd 1 refuses a file with a `]` in the name of a table, and the registry itself is asked",
                    "give the host a name",
                );
                continue;
            }
            let (url, settings) = self.host(endpoint, losses);
            if hosts.iter().any(|known| known.url.value == url) {
                losses.add(
                    endpoint.span,
                    format!("the second `{url}`"),
                    "hosts.toml has one table for each address",
                    "give the host a second name",
                );
                continue;
            }
            hosts.push(HostEntry {
                url: Spanned::new(url, endpoint.span),
                target: Target::default(),
                settings,
            });
        }
        hosts
    }

    /// The rules that the base does not swallow.
    fn rules<'e>(&self, endpoint: &'e Endpoint) -> &'e [Rule] {
        match expand::base(endpoint) {
            Some(_) => &[],
            None => &endpoint.rewrites,
        }
    }

    fn host(&self, endpoint: &Endpoint, losses: &mut Losses) -> (String, HostSettings) {
        let base = expand::base(endpoint).unwrap_or_else(|| endpoint.base.clone());
        let mut settings = HostSettings {
            capabilities: Some(self.capabilities(endpoint, losses)),
            rewrite: self.rewrite(endpoint, losses),
            dial_timeout: endpoint.dial_timeout.clone(),
            header: endpoint
                .headers
                .iter()
                .map(|header| {
                    let values = header.values.iter();
                    let shown = values.map(|value| Spanned::new(value.expose().to_owned(), value.span));
                    (header.name.clone(), shown.collect())
                })
                .collect(),
            ..HostSettings::default()
        };
        if let Some(timeout) = settings.dial_timeout.take_if(|_| !self.release.two) {
            losses.add(
                timeout.span,
                format!("the dial timeout of {} for `{}`", timeout.value, endpoint.url()),
                "containerd 1 does not read it",
                "none: its own timeout (30 s) holds",
            );
        }
        let scheme = self.tls(endpoint, &mut settings);
        let mut url = format!("{}://{}", scheme.as_str(), asked_host(&endpoint.host));
        if base != Base::V2(String::new()) {
            url.push_str(&base.path());
            settings.override_path = Some(Spanned::new(true, endpoint.span));
        }
        (url, settings)
    }

    fn capabilities(&self, endpoint: &Endpoint, losses: &mut Losses) -> Spanned<Vec<Capability>> {
        let mut all = match endpoint.asked.value {
            Asked::ByDigest => vec![Capability::Pull],
            Asked::Always => vec![Capability::Pull, Capability::Resolve],
            Asked::ByTag => {
                losses.add(
                    endpoint.asked.span,
                    format!("that `{}` is asked for tags only", endpoint.url()),
                    "what containerd resolves by a tag it also fetches by digest, from the same hosts",
                    "let the mirror be asked for both",
                );
                vec![Capability::Pull, Capability::Resolve]
            }
        };
        if endpoint.push.is_some() {
            all.push(Capability::Push);
        }
        Spanned::new(all, endpoint.asked.span)
    }

    fn rewrite(&self, endpoint: &Endpoint, losses: &mut Losses) -> Vec<Rewrite> {
        let rules = self.rules(endpoint);
        if !self.release.fork {
            for rule in rules {
                let (pattern, replacement) = rule.kind.to_go();
                losses.add(
                    rule.span,
                    format!(
                        "the rewrite `{pattern}` to `{replacement}`; `{}` is asked for the name as it is",
                        endpoint.url()
                    ),
                    "only K3s' fork of containerd rewrites names",
                    "use a mirror that keeps names and reads `ns=`, or a prefix for all names in its address",
                );
            }
            return Vec::new();
        }
        if let [_, second, ..] = rules {
            losses.add(
                second.span,
                "the order of the rules",
                "the fork takes the rules of a host in random order",
                "write rules of which one at most fits any name",
            );
        }
        let mut written: Vec<Rewrite> = Vec::new();
        for rule in rules {
            let (pattern, replacement) = rule.kind.to_go();
            // A pattern is a key: the first of two decides anyway.
            if written.iter().all(|known| known.pattern.value != pattern) {
                written.push(Rewrite {
                    pattern: Spanned::new(pattern, rule.span),
                    replacement: Spanned::new(replacement, rule.span),
                });
            }
        }
        written
    }

    /// HTTPS first and then HTTP is spelt as HTTP with TLS settings; HTTP alone must have none.
    fn tls(&self, endpoint: &Endpoint, settings: &mut HostSettings) -> Scheme {
        let Some(trust) = self.intent.trust_of(&endpoint.host) else {
            return endpoint.scheme;
        };
        if endpoint.scheme == Scheme::Http {
            return Scheme::Http;
        }
        let first = trust.tls.ca.first();
        settings.ca = first.map(|first| Spanned::new(trust.tls.ca.clone(), first.span));
        let pair = |(certificate, key): &(Spanned<String>, Spanned<String>)| ClientPair {
            cert: certificate.clone(),
            key: (!key.is_empty()).then(|| key.clone()),
        };
        let first = trust.tls.client.first();
        settings.client =
            first.map(|(first, _)| Spanned::new(trust.tls.client.iter().map(pair).collect(), first.span));
        settings.skip_verify.clone_from(&trust.tls.skip_verify);
        match &trust.plain_http {
            Some(truth) if truth.value => {
                if settings.tls_span().is_none() {
                    settings.skip_verify = Some(Spanned::new(false, truth.span));
                }
                Scheme::Http
            }
            _ => Scheme::Https,
        }
    }
}

//! `mirrors`: one set of rules for all endpoints of a registry, whole addresses, and never an entry without any.

use std::collections::BTreeMap;

use super::{Config, Mirror, Plan, is_host};
use crate::Tls;
use crate::go::net::{is_localhost, split_host_port};
use crate::intent::{
    Asked, BLOCKED_HOST, Base, DOCKER_HUB, DOCKER_HUB_ENDPOINT, Endpoint, Match, Registry, Rule, Scheme,
    Upstream, asked_host,
};
use crate::k3s::normalize;
use crate::runtimes::expand;
use crate::runtimes::file::Losses;

const FORMAT: &str = "registries.yaml";

impl Plan<'_> {
    /// The entries of the intent.
    pub(super) fn mirrors(&self, losses: &mut Losses) -> Vec<Mirror> {
        let mut mirrors: Vec<Mirror> = Vec::new();
        for registry in &self.intent.registries {
            let Some(key) = key(registry, losses) else {
                continue;
            };
            if mirrors.iter().any(|known| known.key == key) {
                losses.add(
                    registry.matches.span,
                    format!("the second entry for `{key}`"),
                    "a registry has one entry",
                    "make one entry of both",
                );
                continue;
            }
            mirrors.extend(self.mirror(key, registry, losses));
        }
        mirrors
    }

    fn mirror(&self, key: String, registry: &Registry, losses: &mut Losses) -> Option<Mirror> {
        let span = registry.upstream.span;
        let upstream = registry.upstream.value;
        let mut endpoints: Vec<&Endpoint> = registry.endpoints.iter().collect();
        let host = registry.matches.value.host();
        let own = |last: &mut &Endpoint| {
            last.scheme == Scheme::Https && host.is_some_and(|host| expand::is_own(last, host))
        };
        if upstream == Upstream::Allow {
            // It is asked last anyway.
            endpoints.pop_if(own);
        }
        let (mut urls, rules) = self.endpoints(&endpoints, losses);
        if upstream == Upstream::Blocked || upstream == Upstream::Deny && urls.is_empty() {
            losses.add(
                span,
                format!("that `{key}` is blocked"),
                "K3s cannot block a registry; an address where nothing listens is written instead",
                "nothing: the pull fails with `connection refused`",
            );
            urls = vec![format!("https://{BLOCKED_HOST}")];
        }
        if upstream == Upstream::Allow {
            self.own_endpoint(&key, host, &mut urls, &rules, span, losses);
        }
        // An entry without endpoints is never written by K3s.
        (!urls.is_empty()).then_some(Mirror {
            key,
            endpoints: urls,
            rules: self.rules(&rules, losses),
        })
    }

    /// Where default endpoints are switched off, a registry that may be asked itself is named as its own last one.
    fn own_endpoint(
        &self,
        key: &str,
        host: Option<&str>,
        urls: &mut Vec<String>,
        rules: &[Rule],
        span: landfall_diag::Span,
        losses: &mut Losses,
    ) {
        if host.is_some_and(speaks_http_to_itself) {
            losses.add(
                span,
                format!("that `{key}` is asked by HTTPS first"),
                "K3s asks a registry on this machine by plain HTTP",
                "name it as an endpoint, with https://",
            );
        }
        if !self.switched_off {
            return;
        }
        let own = host.map(|host| format!("https://{}", asked_host(host)));
        match own {
            Some(own) if urls.last() == Some(&own) => {}
            Some(own) if urls.contains(&own) => losses.add(
                span,
                format!("that `{key}` is asked itself a second time"),
                "K3s skips an address that comes twice",
                "nothing: it is asked before the other mirrors",
            ),
            Some(own) if rules.is_empty() => urls.push(own),
            _ => losses.add(
                span,
                format!("that `{key}` is asked itself after its mirrors"),
                "default endpoints are switched off for all registries because of one; a rule would change its names",
                "write an entry for each registry that may be asked itself, with mirrors that need no rules",
            ),
        }
    }

    /// Addresses, and the rules of all of them.
    fn endpoints(&self, endpoints: &[&Endpoint], losses: &mut Losses) -> (Vec<String>, Vec<Rule>) {
        let mut urls: Vec<String> = Vec::new();
        let mut common: Option<Vec<Rule>> = None;
        for endpoint in endpoints {
            let (base, rules) = self.base(endpoint);
            let Some(url) = self.url(endpoint, &base, losses) else {
                continue;
            };
            if *common.get_or_insert_with(|| rules.clone()) != rules {
                losses.add(
                    endpoint.span,
                    format!("the endpoint `{}`", endpoint.url()),
                    "its rules are not those of the first endpoint, and K3s has one set for all endpoints of a registry",
                    "let the mirrors have the same layout, or a prefix for all names in their addresses",
                );
                continue;
            }
            if urls.contains(&url) {
                losses.add(
                    endpoint.span,
                    format!("the second `{url}`"),
                    "K3s skips an address that comes twice",
                    "give the host a second name",
                );
                continue;
            }
            expand::extras(endpoint, FORMAT, losses);
            if endpoint.asked.value != Asked::Always {
                losses.add(
                    endpoint.asked.span,
                    format!("when `{}` is asked", endpoint.url()),
                    "K3s lets all endpoints be asked for tags and digests alike",
                    "let the mirror be asked for both",
                );
            }
            urls.push(url);
        }
        (urls, common.unwrap_or_default())
    }

    /// A prefix for all names stands in the address rather than in a rule.
    fn base(&self, endpoint: &Endpoint) -> (Base, Vec<Rule>) {
        let swallowed = expand::base(endpoint).filter(|_| !self.target.embedded_registry);
        match swallowed {
            Some(base) => (base, Vec::new()),
            None => (endpoint.base.clone(), endpoint.rewrites.clone()),
        }
    }

    fn url(&self, endpoint: &Endpoint, base: &Base, losses: &mut Losses) -> Option<String> {
        let host = asked_host(&endpoint.host);
        let path = match base.path() {
            path if path == "/v2" => String::new(),
            path => path,
        };
        let url = format!("{}://{host}{path}", self.scheme(endpoint, losses).as_str());
        let same = |url: &str| {
            let read = normalize(url, ":").ok()?;
            let path = if path.is_empty() { "/v2" } else { &path };
            (read.url.host == host && read.url.path == *path && read.url.raw_query.is_empty()).then_some(())
        };
        if is_host(host)
            && !url.contains(['"', '\\'])
            && *base != Base::Verbatim(String::new())
            && same(&url).is_some()
        {
            return Some(url);
        }
        losses.add(
            endpoint.span,
            format!("the endpoint `{url}`"),
            "K3s does not take it for this address",
            "use a host and a path of plain letters",
        );
        None
    }

    /// To containerd, HTTP with TLS settings is HTTPS first, but on port 80.
    fn scheme(&self, endpoint: &Endpoint, losses: &mut Losses) -> Scheme {
        let Some(trust) = self.intent.trust_of(&endpoint.host) else {
            return endpoint.scheme;
        };
        let port_80 = split_host_port(&endpoint.host).is_some_and(|(_, port)| port == "80");
        let https_first = trust.tls != Tls::default() && !port_80;
        let falls_back = trust.plain_http.as_ref().filter(|plain| plain.value);
        match (endpoint.scheme, falls_back) {
            (Scheme::Http, _) if https_first => {
                losses.add(
                    endpoint.span,
                    format!("plain HTTP at once, for `{}`", endpoint.host),
                    "with certificates for its host, containerd tries HTTPS first",
                    "take the certificates away",
                );
                Scheme::Http
            }
            (Scheme::Https, Some(_)) if https_first => Scheme::Http,
            (Scheme::Https, Some(plain)) => {
                losses.add(
                    plain.span,
                    format!("plain HTTP where `{}` does not speak TLS", endpoint.host),
                    "containerd does this only together with certificates or `insecure_skip_verify`",
                    "write the endpoint with http://",
                );
                Scheme::Https
            }
            (scheme, _) => scheme,
        }
    }

    /// A host with an entry in `configs` has a directory of its own, which hides the wildcard's: it gets the
    /// wildcard's mirrors, too.
    pub(super) fn unshadow(
        &self,
        mirrors: &mut Vec<Mirror>,
        configs: &BTreeMap<String, Config>,
        losses: &mut Losses,
    ) {
        self.trust_hub(mirrors, configs);
        let Some(registry) = self.intent.wildcard() else {
            return;
        };
        let Some(wildcard) = mirrors.iter().find(|mirror| mirror.key == "*").cloned() else {
            return;
        };
        for host in configs.keys() {
            let named = Match::Exact(host.clone());
            let known = self
                .intent
                .registries
                .iter()
                .any(|registry| registry.matches.value == named);
            if known || mirrors.iter().any(|mirror| mirror.key == *host) {
                continue;
            }
            if registry.upstream.value != Upstream::Allow {
                losses.add(
                    registry.upstream.span,
                    format!("that images named `{host}/…` come from mirrors alone"),
                    "a host with credentials or certificates is also asked for images of its own name",
                    "nothing, if the host is one of your mirrors",
                );
            }
            mirrors.push(Mirror {
                key: host.clone(),
                ..wildcard.clone()
            });
        }
    }
}

impl Plan<'_> {
    /// What is trusted of registry-1.docker.io holds for images of docker.io only where docker.io has an entry.
    fn trust_hub(&self, mirrors: &mut Vec<Mirror>, configs: &BTreeMap<String, Config>) {
        let hub = format!("https://{DOCKER_HUB_ENDPOINT}");
        let trusted = |config: &&Config| !config.tls.is_empty() || config.skip_verify;
        let needed = configs.get(DOCKER_HUB_ENDPOINT).filter(trusted).is_some();
        let known = configs.contains_key(DOCKER_HUB) || mirrors.iter().any(|mirror| mirror.key == DOCKER_HUB);
        if !needed || known {
            return;
        }
        let wildcard = mirrors.iter().find(|mirror| mirror.key == "*").cloned();
        match (wildcard, self.intent.wildcard()) {
            (Some(wildcard), _) if !self.switched_off => mirrors.push(Mirror {
                key: DOCKER_HUB.to_owned(),
                ..wildcard
            }),
            (Some(_), _) => {}
            (None, Some(registry)) if registry.upstream.value != Upstream::Allow => {}
            (None, _) => mirrors.push(Mirror {
                key: DOCKER_HUB.to_owned(),
                endpoints: vec![hub],
                rules: Vec::new(),
            }),
        }
    }
}

impl Mirror {
    /// K3s forgets the rules of a last endpoint that is the registry itself, unless it is spelt otherwise.
    pub(super) fn keep_rules_of_own_host(&mut self) {
        let own = format!("https://{}", asked_host(&self.key));
        if let Some(last) = self.endpoints.last_mut().filter(|last| **last == own)
            && !self.rules.is_empty()
        {
            last.push_str("/v2/");
        }
    }
}

fn key(registry: &Registry, losses: &mut Losses) -> Option<String> {
    let matches = &registry.matches.value;
    match matches {
        Match::Wildcard => return Some("*".to_owned()),
        Match::Exact(host) if is_host(host) && host != "_default" => return Some(host.clone()),
        Match::Exact(_) => losses.add(
            registry.matches.span,
            format!("the entry for `{matches}`"),
            "it is no registry's host; as a key it would hide the entry for all registries and match nothing",
            "use `host[:port]`",
        ),
        Match::Prefix { .. } | Match::Domain(_) => losses.add(
            registry.matches.span,
            format!("the entry for `{matches}`"),
            "containerd chooses by registry, not by namespace or domain",
            "write an entry for the registry as a whole; a mirror can tell namespaces apart itself",
        ),
    }
    None
}

/// Whether K3s asks a registry by plain HTTP without being told.
pub(super) fn speaks_http_to_itself(host: &str) -> bool {
    let port = split_host_port(host).map_or("", |(_, port)| port);
    is_localhost(host) && !matches!(port, "" | "443")
}

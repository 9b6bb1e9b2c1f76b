//! registries.yaml as an intent: what K3s makes of the file, said in the common words.

use landfall_diag::{Span, Spanned};

use super::{
    Asked, Base, Credential, Endpoint, Intent, Match, Registry, Rule, RuleKind, Scheme, Scope, Subject,
    Trust, Upstream, asked_host, canonical_host,
};
use crate::go::net::is_localhost;
use crate::go::url::{Url, split_port};
use crate::registries_yaml::{ConfigEntry, MirrorEntry, RegistriesYaml, YamlTls};
use crate::{Loss, Tls};

/// Reads a decoded file. With `deny_upstream`, as `--disable-default-registry-endpoint` means it: mirrors alone.
#[must_use]
pub fn from_registries_yaml(file: &RegistriesYaml, deny_upstream: bool) -> (Intent, Vec<Loss>) {
    let mut reader = Reader::default();
    for entry in &file.mirrors {
        reader.mirror(entry, deny_upstream);
    }
    for entry in &file.configs {
        reader.config(entry);
    }
    if reader.intent.wildcard().is_some() {
        reader.shadows(&file.configs);
    }
    for host in &file.auths {
        reader.lose(
            host.auth.span,
            "`auths`",
            "K3s and RKE2 read this section and use it for nothing",
            "use `configs`",
        );
    }
    reader.intent.prefer_tls();
    (reader.intent, reader.losses)
}

#[derive(Default)]
struct Reader {
    intent: Intent,
    losses: Vec<Loss>,
}

impl Reader {
    fn lose(
        &mut self,
        span: Span,
        what: impl Into<String>,
        why: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.losses.push(Loss {
            span: Some(span),
            what: what.into(),
            why: why.into(),
            advice: advice.into(),
        });
    }

    fn mirror(&mut self, entry: &MirrorEntry, deny_upstream: bool) {
        let key = &entry.key;
        let matches = match key.as_str() {
            "*" => Match::Wildcard,
            text if text.contains('/') => {
                return self.lose(
                    key.span,
                    format!("the mirrors of `{text}`"),
                    "a key is a registry's host; one with a path or a scheme never matches an image",
                    "use the host alone, and rewrites for its namespaces",
                );
            }
            host => Match::Exact(host.to_owned()),
        };
        let rewrites: Vec<Rule> = entry
            .rewrites
            .iter()
            .map(|rule| Rule {
                kind: RuleKind::from_go(&rule.pattern, &rule.replacement),
                span: rule.pattern.span.to(rule.replacement.span),
            })
            .collect();
        let mut endpoints: Vec<Endpoint> = Vec::new();
        let mut own_last = false;
        for (number, text) in entry.endpoints.iter().enumerate() {
            let Some(mut endpoint) = self.endpoint(text) else {
                continue;
            };
            let is_last = number + 1 == entry.endpoints.len();
            if is_last && is_default(&endpoint, &matches) {
                own_last = true;
                continue;
            }
            if endpoints.iter().any(|known| known.url() == endpoint.url()) {
                continue;
            }
            endpoint.rewrites.clone_from(&rewrites);
            endpoints.push(endpoint);
        }
        // Without endpoints nothing is written, and the registry itself is asked.
        let upstream = match deny_upstream && !endpoints.is_empty() && !own_last {
            true => Upstream::Deny,
            false => Upstream::Allow,
        };
        self.intent.registries.push(Registry {
            matches: Spanned::new(matches, key.span),
            upstream: Spanned::new(upstream, entry.span),
            endpoints,
        });
    }

    fn endpoint(&mut self, text: &Spanned<String>) -> Option<Endpoint> {
        let with_slashes = match text.contains("://") {
            true => text.value.clone(),
            false => format!("//{}", text.value),
        };
        let url = match Url::parse(&with_slashes) {
            Ok(url) if !url.host.is_empty() => url,
            _ => {
                self.lose(
                    text.span,
                    format!("the endpoint `{}`", text.value),
                    "it names no host, so that it can only fail",
                    "write `https://host[:port]`",
                );
                return None;
            }
        };
        if url.user.is_some() || !url.raw_query.is_empty() {
            self.lose(
                text.span,
                "the user, password or query in an endpoint's URL",
                "containerd takes scheme, host and path of it and drops the rest",
                "put the credential into `configs`",
            );
        }
        let host = asked_host(&url.host).to_owned();
        let scheme = match url.scheme.as_str() {
            "http" => Scheme::Http,
            "" => {
                let (_, port) = split_port(&host);
                match is_localhost(&host) && !port.is_empty() && port != "443" {
                    true => Scheme::Http,
                    false => Scheme::Https,
                }
            }
            _ => Scheme::Https,
        };
        Some(Endpoint {
            scheme,
            base: match url.path.as_str() {
                "" | "/" => Base::V2(String::new()),
                path => Base::parse(path),
            },
            asked: Spanned::new(Asked::Always, text.span),
            ..Endpoint::new(host, text.span)
        })
    }

    fn config(&mut self, entry: &ConfigEntry) {
        if entry.key.as_str() == "*" {
            return self.lose(
                entry.key.span,
                "the `*` of `configs`",
                "containerd looks credentials and certificates up by the endpoint's exact host; only wharfie knows `*`",
                "write an entry for each host",
            );
        }
        let host = canonical_host(&entry.key).to_owned();
        let at = |span: Span| Spanned::new(host.clone(), span);
        if let Some(auth) = entry.auth.as_ref().filter(|auth| !auth.is_empty()) {
            let scope = at(entry.key.span).map(|host| Scope::host(&host));
            if self.intent.credentials.iter().any(|known| known.scope == scope) {
                self.lose(
                    entry.key.span,
                    format!("the credential under `{}`", entry.key.value),
                    "Docker Hub has one under another of its names already",
                    "keep the one under registry-1.docker.io",
                );
            } else {
                self.intent.credentials.push(Credential {
                    scope,
                    auth: auth.value.clone(),
                });
            }
        }
        if let Some(tls) = &entry.tls
            && **tls != YamlTls::default()
        {
            self.intent.trust.push(Trust {
                subject: at(entry.key.span).map(Subject::Host),
                tls: paths(tls),
                plain_http: None,
            });
        }
    }

    /// A host with an entry of its own is not the wildcard's any more, and is asked itself.
    fn shadows(&mut self, configs: &[ConfigEntry]) {
        for entry in configs {
            let written = entry.auth.is_some() || entry.tls.is_some();
            let host = &entry.key;
            let matches = Match::Exact(host.value.clone());
            let known = self
                .intent
                .registries
                .iter()
                .any(|registry| registry.matches.value == matches);
            if written && !known && !host.contains(['/', '*']) {
                self.intent.registries.push(Registry {
                    matches: Spanned::new(matches, host.span),
                    upstream: Spanned::new(Upstream::Allow, entry.span),
                    endpoints: Vec::new(),
                });
            }
        }
    }
}

/// Whether an endpoint is what is asked anyway.
fn is_default(endpoint: &Endpoint, matches: &Match) -> bool {
    let Some(host) = matches.host() else {
        return false;
    };
    let host = asked_host(host);
    endpoint.host == host && endpoint.scheme == Scheme::Https && endpoint.base == Base::V2(String::new())
}

fn paths(tls: &YamlTls) -> Tls {
    let empty = |place: Span| Spanned::new(String::new(), place);
    let set = |path: &Option<Spanned<String>>| path.clone().filter(|path| !path.is_empty());
    let client = match (set(&tls.cert_file), set(&tls.key_file)) {
        (None, None) => None,
        (Some(certificate), key) => {
            let key = key.unwrap_or_else(|| empty(certificate.span));
            Some((certificate, key))
        }
        (None, Some(key)) => Some((empty(key.span), key)),
    };
    Tls {
        ca: set(&tls.ca_file).into_iter().collect(),
        client: client.into_iter().collect(),
        skip_verify: tls.insecure_skip_verify.clone(),
    }
}

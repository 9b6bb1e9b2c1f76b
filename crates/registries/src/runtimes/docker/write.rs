//! What Docker can be told: mirrors for Docker Hub, hosts that need not be safe, certificates, credentials by host.

use landfall_diag::Spanned;
use serde_json::{Map, Value, json};

use super::super::auths::{self, Flavour};
use super::super::file::Losses;
use super::super::{Options, OutFile, Rendered, certs_dir, expand};
use super::{CERTS, CONFIG, DAEMON};
use crate::intent::{
    Asked, Base, DOCKER_HUB, Endpoint, Intent, Match, Registry, Scheme, Subject, Upstream, asked_host,
    canonical_host,
};

/// Writes daemon.json (the part about registries), links to certificates and the client's config.json.
#[must_use]
pub fn write(intent: &Intent, options: &Options) -> Rendered {
    let mut losses = Losses::default();
    let mut insecure = insecure_hosts(intent, &mut losses);
    let mirrors = mirrors(intent, options, &mut insecure, &mut losses);
    let mut daemon = Map::new();
    if !mirrors.is_empty() {
        daemon.insert("registry-mirrors".to_owned(), json!(mirrors));
    }
    if !insecure.is_empty() {
        daemon.insert("insecure-registries".to_owned(), json!(insecure));
    }
    let text = serde_json::to_string_pretty(&Value::Object(daemon)).unwrap_or_default() + "\n";
    let mut files = vec![OutFile::plain(DAEMON, text)];
    credentials(intent, &mirrors, &mut losses);
    if let Some(text) = auths::write(intent, Flavour::Docker, &mut losses) {
        files.push(OutFile::secret(CONFIG, text));
    }
    files.extend(certificates(intent, &insecure, &mut losses));
    Rendered::new(files, losses)
}

fn insecure_hosts(intent: &Intent, losses: &mut Losses) -> Vec<String> {
    let mut hosts = Vec::new();
    for trust in &intent.trust {
        let set = |truth: &Option<Spanned<bool>>| {
            truth.as_ref().filter(|truth| truth.value).map(|truth| truth.span)
        };
        let subject = trust.subject.value.to_string();
        let (skip, plain) = (set(&trust.tls.skip_verify), set(&trust.plain_http));
        let Some(span) = skip.or(plain) else { continue };
        if subject == DOCKER_HUB {
            losses.add(
                span,
                "an unchecked Docker Hub",
                "dockerd always checks Docker Hub's certificate",
                "trust the authority in the system's store, or use a mirror",
            );
            continue;
        }
        if skip.is_none() || plain.is_none() {
            both_at_once(span, &subject, losses);
        }
        hosts.push(subject);
    }
    hosts
}

fn both_at_once(span: landfall_diag::Span, host: &str, losses: &mut Losses) {
    losses.add(
        span,
        format!("how `{host}` is not safe"),
        "`insecure-registries` is both: TLS is tried first with any certificate, then plain HTTP",
        "give the host a certificate, and its authority's as CA",
    );
}

/// The mirrors of Docker Hub; what else there is, is lost.
fn mirrors(
    intent: &Intent,
    options: &Options,
    insecure: &mut Vec<String>,
    losses: &mut Losses,
) -> Vec<String> {
    let hub = Match::Exact(DOCKER_HUB.to_owned());
    let has_hub = intent
        .registries
        .iter()
        .any(|registry| registry.matches.value == hub);
    let mut mirrors = Vec::new();
    for registry in &intent.registries {
        match &registry.matches.value {
            own if *own == hub => of_hub(registry, false, losses, &mut mirrors),
            Match::Wildcard => {
                losses.add(
                    registry.matches.span,
                    "the entry for all registries, but for Docker Hub",
                    "dockerd has mirrors for Docker Hub alone",
                    "name images by the mirror, or use a runtime of the containerd family",
                );
                if !has_hub {
                    of_hub(registry, options.namespaced, losses, &mut mirrors);
                }
            }
            other => of_another(registry, other, insecure, losses),
        }
    }
    mirrors
}

fn of_hub(registry: &Registry, namespaced: bool, losses: &mut Losses, mirrors: &mut Vec<String>) {
    if registry.upstream.value != Upstream::Allow {
        losses.add(
            registry.upstream.span,
            "that Docker Hub must not be asked",
            "dockerd always asks it after all mirrors",
            "close the way to registry-1.docker.io in the network, or name images by the mirror",
        );
    }
    if registry.upstream.value == Upstream::Blocked {
        return;
    }
    for endpoint in &registry.endpoints {
        if expand::is_own(endpoint, DOCKER_HUB) {
            expand::extras(endpoint, "daemon.json", losses);
            continue;
        }
        if let Some(why) = unfit(endpoint, namespaced) {
            losses.add(
                endpoint.span,
                format!("the mirror `{}`", endpoint.url()),
                why,
                "give the mirror a host name or port of its own for Docker Hub",
            );
            continue;
        }
        expand::extras(endpoint, "daemon.json", losses);
        let url = format!("{}://{}", endpoint.scheme.as_str(), asked_host(&endpoint.host));
        match mirrors.iter().position(|known| *known == url) {
            None => mirrors.push(url),
            Some(at) if at + 1 == mirrors.len() => {}
            Some(_) => losses.add(
                endpoint.span,
                format!("the second turn of the mirror `{url}`"),
                "dockerd asks each mirror once",
                "nothing, unless another answer is expected the second time",
            ),
        }
    }
}

/// Why dockerd cannot ask an endpoint for the right name.
fn unfit(endpoint: &Endpoint, namespaced: bool) -> Option<&'static str> {
    if endpoint.base != Base::V2(String::new()) {
        return Some("dockerd takes no path in a mirror's address and asks for names as they are");
    }
    if !endpoint.rewrites.is_empty() {
        return Some("dockerd cannot rewrite names, and would ask for the wrong ones");
    }
    if endpoint.asked.value != Asked::Always {
        return Some("dockerd asks a mirror for tags and digests alike");
    }
    namespaced.then_some("dockerd does not tell the mirror which registry is meant")
}

/// A registry that is not Docker Hub has no mirrors; but its own host may be spoken of.
fn of_another(registry: &Registry, matches: &Match, insecure: &mut Vec<String>, losses: &mut Losses) {
    let own = matches.host().filter(|_| matches.namespace().is_empty());
    let is_own = |endpoint: &&Endpoint| own.is_some_and(|host| expand::is_own(endpoint, host));
    for endpoint in &registry.endpoints {
        if is_own(&endpoint) {
            expand::extras(endpoint, "daemon.json", losses);
            if endpoint.scheme == Scheme::Http && !insecure.contains(&endpoint.host) {
                both_at_once(endpoint.span, &endpoint.host, losses);
                insecure.push(endpoint.host.clone());
            }
            continue;
        }
        losses.add(
            endpoint.span,
            format!("the mirror `{}` of `{matches}`", endpoint.url()),
            "dockerd has mirrors for Docker Hub alone",
            "name images by the mirror, or use a runtime of the containerd family",
        );
    }
    let only_own = registry.endpoints.last().is_some_and(|last| is_own(&last));
    if registry.upstream.value != Upstream::Allow && !only_own {
        losses.add(
            registry.upstream.span,
            format!("that `{matches}` must not be asked"),
            "dockerd asks every registry that an image names",
            "close the way to it in the network",
        );
    }
}

/// dockerd is given one credential by its client, that of the registry in the image's name, and shows it to mirrors.
fn credentials(intent: &Intent, mirrors: &[String], losses: &mut Losses) {
    let hub = intent.credential_of(DOCKER_HUB);
    for mirror in mirrors {
        let host = mirror.split_once("://").map_or(mirror.as_str(), |(_, host)| host);
        if let Some(credential) = intent.credential_of(host) {
            losses.add(
                credential.scope.span,
                format!("the credential of `{host}`, when it is asked as a mirror"),
                "dockerd shows a mirror the credential of docker.io and no other",
                "let the mirror be read without a credential, or name images by the mirror",
            );
        }
        if let Some(hub) = hub.filter(|hub| canonical_host(host) != hub.scope.host) {
            losses.add(
                hub.scope.span,
                format!("that the credential of docker.io is for docker.io alone; `{host}` is shown it"),
                "dockerd shows a mirror the credential of docker.io",
                "use only mirrors that may see it",
            );
        }
    }
}

fn certificates(intent: &Intent, insecure: &[String], losses: &mut Losses) -> Vec<OutFile> {
    for trust in &intent.trust {
        let Subject::Host(host) = &trust.subject.value else {
            continue;
        };
        let first = trust.tls.ca.first().map(|ca| ca.span);
        let first = first.or_else(|| trust.tls.client.first().map(|(certificate, _)| certificate.span));
        let Some(span) = first else { continue };
        if host == DOCKER_HUB {
            losses.add(
                span,
                "the certificates for Docker Hub",
                "dockerd reads no certs.d for Docker Hub",
                "trust the authority in the system's store",
            );
        } else if insecure.contains(host) {
            losses.add(
                span,
                format!("the certificates for `{host}`"),
                "dockerd reads no certs.d for a host that is listed as insecure",
                "take the host off the list: with the authority's certificate it need not be there",
            );
        }
    }
    let usable = Intent {
        trust: intent
            .trust
            .iter()
            .filter(|trust| {
                let host = trust.subject.value.to_string();
                host != DOCKER_HUB && !insecure.contains(&host)
            })
            .cloned()
            .collect(),
        ..Intent::default()
    };
    certs_dir::write(&usable, CERTS, losses)
}

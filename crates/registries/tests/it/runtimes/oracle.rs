//! What an intent means, computed without any of the code under test: for an image, which places are asked.

use std::collections::{BTreeMap, BTreeSet};

use landfall_registries::intent::{Asked, Intent, Match, Registry, RuleKind, Scheme, Subject, Upstream};

pub(crate) const HOSTS: [&str; 9] = [
    "docker.io",
    "quay.io",
    "ghcr.io:5000",
    "a.example.com",
    "b.a.example.com",
    "m.local",
    "m2.local:8443",
    "127.0.0.1:5000",
    "[fd00::1]:5000",
];
const REPOSITORIES: [&str; 7] = [
    "library/nginx",
    "rancher/nginx",
    "rancher/a/b",
    "rancherx/y",
    "org/img",
    "org/team/x",
    "solo",
];

/// Everything that can be seen of an intent.
pub(crate) type Seen = BTreeMap<String, String>;

/// What differs.
pub(crate) fn differences(wanted: &Seen, found: &Seen) -> Vec<String> {
    let keys: BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
    let differ = keys.into_iter().filter(|key| wanted.get(*key) != found.get(*key));
    differ
        .map(|key| format!("{key}: wanted {:?}, found {:?}", wanted.get(key), found.get(key)))
        .collect()
}

pub(crate) fn seen(intent: &Intent, hosts: &[&str]) -> Seen {
    let mut seen: Seen = BTreeMap::new();
    for host in hosts {
        for repository in REPOSITORIES {
            if *host == "docker.io" && !repository.contains('/') {
                continue;
            }
            for by_digest in [false, true] {
                let image = format!(
                    "{host}/{repository}{}",
                    if by_digest { "@digest" } else { ":tag" }
                );
                seen.insert(image, asked(intent, host, repository, by_digest).join("  "));
            }
        }
    }
    seen.extend(
        credentials(intent)
            .into_iter()
            .map(|(key, value)| (format!("credential of {key}"), value)),
    );
    // What is known of a host that is never asked by TLS does not matter.
    let asked: BTreeSet<&str> = seen
        .values()
        .flat_map(|places| places.split("  "))
        .filter(|place| place.starts_with("https:"))
        .filter_map(|place| place.split('/').nth(2))
        .collect();
    let trust = trust(intent)
        .into_iter()
        .filter(|(host, _)| host.contains('/') || asked.contains(host.as_str()));
    let trust: Vec<_> = trust
        .map(|(host, value)| (format!("trust of {host}"), value))
        .collect();
    seen.extend(trust);
    seen
}

fn asked(intent: &Intent, host: &str, repository: &str, by_digest: bool) -> Vec<String> {
    let own = format!("https://{host}/v2 {repository}");
    let best = intent
        .registries
        .iter()
        .filter_map(|registry| Some((rank(registry, host, repository)?, registry)));
    let Some((_, registry)) = best.max_by_key(|(rank, _)| *rank) else {
        return vec![own];
    };
    if registry.upstream.value == Upstream::Blocked {
        return Vec::new();
    }
    let mut places: Vec<String> = Vec::new();
    for endpoint in &registry.endpoints {
        match endpoint.asked.value {
            Asked::ByDigest if !by_digest => continue,
            Asked::ByTag if by_digest => continue,
            _ => {}
        }
        let changed = endpoint
            .rewrites
            .iter()
            .map(|rule| changed(&rule.kind, repository));
        let changed = changed.into_iter().find(|changed| changed != repository);
        let base = endpoint.base.path();
        let scheme = if endpoint.scheme == Scheme::Http {
            "http"
        } else {
            "https"
        };
        let host = endpoint.host.replace("registry-1.docker.io", "docker.io");
        let full = format!("{base}/{}", changed.unwrap_or_else(|| repository.to_owned()));
        // Where the base ends and the name begins cannot be seen.
        let full = full
            .strip_prefix("/v2/")
            .map_or(full.clone(), |rest| format!("/v2 {rest}"));
        places.push(format!("{scheme}://{host}{full}"));
    }
    if registry.upstream.value == Upstream::Allow {
        places.push(own);
    }
    places.dedup();
    places
}

/// How specific an entry is for an image; none when it is not about it.
fn rank(registry: &Registry, host: &str, repository: &str) -> Option<usize> {
    match &registry.matches.value {
        Match::Wildcard => Some(0),
        Match::Domain(domain) => host.ends_with(&format!(".{domain}")).then_some(1 + domain.len()),
        Match::Exact(exact) => (exact == host).then_some(1000),
        Match::Prefix { host: own, namespace } => (own == host
            && (repository == namespace || repository.starts_with(&format!("{namespace}/"))))
        .then_some(2000 + namespace.len()),
    }
}

fn changed(kind: &RuleKind, repository: &str) -> String {
    match kind {
        RuleKind::Prefix { from, to } => match repository.strip_prefix(from.as_str()) {
            Some(rest) => format!("{to}{rest}"),
            None => repository.to_owned(),
        },
        RuleKind::Regex { pattern, replacement } => format!("{repository}~{pattern}~{replacement}"),
    }
}

fn credentials(intent: &Intent) -> BTreeMap<String, String> {
    let shown = |credential: &landfall_registries::intent::Credential| {
        let auth = &credential.auth;
        match auth.user_password() {
            Some((user, password)) => format!("{user}:{}", password.expose()),
            None => format!(
                "token {}",
                auth.identity_token.as_ref().map_or("", |token| token.expose())
            ),
        }
    };
    intent
        .credentials
        .iter()
        .map(|one| (one.scope.value.to_string(), shown(one)))
        .collect()
}

fn trust(intent: &Intent) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    for trust in &intent.trust {
        let Subject::Host(host) = &trust.subject.value else {
            seen.insert(trust.subject.value.to_string(), String::new());
            continue;
        };
        let tls = &trust.tls;
        let set =
            |truth: &Option<landfall_diag::Spanned<bool>>| truth.as_ref().is_some_and(|truth| truth.value);
        let ca: BTreeSet<&str> = tls.ca.iter().map(|ca| ca.as_str()).collect();
        let client: Vec<_> = tls
            .client
            .iter()
            .map(|(one, other)| format!("{}+{}", one.value, other.value))
            .collect();
        let (skip, plain) = (set(&tls.skip_verify), set(&trust.plain_http));
        if !ca.is_empty() || !client.is_empty() || skip || plain {
            seen.insert(
                host.clone(),
                format!("{ca:?} {client:?} skip={skip} plain={plain}"),
            );
        }
    }
    seen
}

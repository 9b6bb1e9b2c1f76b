//! Answering for other registries: which repositories a request may mean.
//!
//! containerd says with `?ns=quay.io` whose image it wants; CRI-O and podman put the host into the path; an image
//! of Docker Hub has two names. The world is closed: a namespace chooses among repositories that are here, and among
//! the upstreams that were configured ([`crate::gateway`]); it never makes us ask anybody else.
//!
//! What is kept of another registry has one name, whichever way it was asked for: the registry as the first part of the
//! repository's. That name is what rules of access see.

use std::net::Ipv6Addr;

use http::HeaderMap;
use landfall_oci::{DOCKER_HUB, Registry, Repository};

use crate::query::Query;
use crate::reply::OCI_NAMESPACE;

/// Between a host and its port, where a colon cannot stand. No host has it in its name.
const PORT: &str = "__";
/// Before an IPv6 address, whose groups are then separated as this is from the first.
const IPV6: &str = "ip6_";

/// A repository to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) repository: Repository,
    /// Whether the namespace that was asked for led here: then the answer says so.
    pub(crate) honoured: bool,
    /// Whether it is only as good as nothing better: an image of this name, of whichever registry.
    pub(crate) guess: bool,
}

/// An image's repository, and the registry that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) registry: Registry,
    pub(crate) repository: Repository,
}

/// The namespace of a request, from the query or the header.
pub(crate) fn namespace(query: &Query, headers: &HeaderMap) -> Option<Registry> {
    // Host names have no case; ours are kept in lower case because repository names are.
    said(query, headers)?.to_ascii_lowercase().parse().ok()
}

/// The same as it was written, which may be nonsense.
fn said<'a>(query: &'a Query, headers: &'a HeaderMap) -> Option<&'a str> {
    let header = || {
        headers
            .get(OCI_NAMESPACE)
            .map(|value| value.to_str().unwrap_or("?"))
    };
    query.get("ns").or_else(header)
}

/// What to try, in this order. Never empty.
pub(crate) fn candidates(repository: &Repository, namespace: Option<&Registry>) -> Vec<Candidate> {
    let path = repository.as_str();
    let mut found: Vec<Candidate> = Vec::with_capacity(4);
    let mut add = |repository: Option<Repository>, honoured, guess| {
        let is_new = |candidate: &Candidate| Some(&candidate.repository) != repository.as_ref();
        if found.iter().all(is_new)
            && let Some(repository) = repository
        {
            found.push(Candidate {
                repository,
                honoured,
                guess,
            });
        }
    };
    let plain = |text: &str| text.parse().ok();
    match namespace {
        Some(registry) if registry.is_docker_hub() => {
            add(plain(path), true, false);
            add(path.strip_prefix("library/").and_then(plain), true, false);
            add(kept_as(registry, repository), true, false);
        }
        Some(registry) => {
            add(kept_as(registry, repository), true, false);
            add(plain(path), false, true);
        }
        None => add(plain(path), false, false),
    }
    let hub = format!("{DOCKER_HUB}/");
    if let Some(inside) = path.strip_prefix(&hub) {
        add(plain(inside), false, false);
        add(inside.strip_prefix("library/").and_then(plain), false, false);
    }
    found
}

/// The image that a request means, as far as it says whose it is. `bare` is the registry of a path that names none.
pub(crate) fn origin(
    repository: &Repository,
    query: &Query,
    headers: &HeaderMap,
    bare: Option<&Registry>,
) -> Option<Origin> {
    if said(query, headers).is_some() {
        // One that is no host is nobody's, and not that of the path either.
        let registry = namespace(query, headers)?;
        return of(hub_or(registry), repository.as_str());
    }
    let by_path = repository
        .as_str()
        .split_once('/')
        .and_then(|(head, rest)| Some((host(head)?, rest)));
    match by_path {
        Some((registry, rest)) => of(registry, rest),
        None => of(bare?.clone(), repository.as_str()),
    }
}

fn of(registry: Registry, path: &str) -> Option<Origin> {
    let is_short = registry.is_docker_hub() && !path.contains('/');
    let repository = match is_short {
        true => format!("library/{path}").parse(),
        false => path.parse(),
    };
    Some(Origin {
        registry: hub_or(registry),
        repository: repository.ok()?,
    })
}

/// Docker Hub under the first of its names.
fn hub_or(registry: Registry) -> Registry {
    match registry.is_docker_hub() {
        true => DOCKER_HUB.parse().unwrap_or(registry),
        false => registry,
    }
}

/// Under which name a repository of another registry is kept here. `None` when that would be too long.
pub(crate) fn kept_as(registry: &Registry, repository: &Repository) -> Option<Repository> {
    let host = registry.host().to_ascii_lowercase();
    let host = match host.parse::<Ipv6Addr>() {
        Ok(address) => {
            let groups = address.segments().map(|group| format!("{group:x}"));
            format!("{IPV6}{}", groups.join("_"))
        }
        Err(_) if registry.is_docker_hub() => DOCKER_HUB.to_owned(),
        Err(_) => host,
    };
    let port = registry.port().map(|port| format!("{PORT}{port}"));
    let head = format!("{host}{}", port.unwrap_or_default());
    format!("{head}/{repository}").parse().ok()
}

/// Whether the first part of a path names a registry.
pub(crate) fn names_host(head: &str) -> bool {
    host(head).is_some()
}

/// The registry that the first part of a path names, if that can be one.
fn host(head: &str) -> Option<Registry> {
    let (name, port) = match head.rsplit_once(PORT) {
        Some((name, port)) => (name, Some(port)),
        None => (head, None),
    };
    let bare = match name.strip_prefix(IPV6) {
        Some(groups) => format!("[{}]", groups.replace('_', ":").parse::<Ipv6Addr>().ok()?),
        None if name.contains('.') || name == "localhost" || port.is_some() => name.to_owned(),
        None => return None,
    };
    match port {
        Some(port) => format!("{bare}:{port}").parse().ok(),
        None => bare.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str, namespace: Option<&str>) -> Vec<(String, bool)> {
        let namespace = namespace.map(|text| text.parse().unwrap());
        candidates(&path.parse().unwrap(), namespace.as_ref())
            .into_iter()
            .map(|found| (found.repository.to_string(), found.honoured))
            .collect()
    }

    fn pairs(expected: &[(&str, bool)]) -> Vec<(String, bool)> {
        expected
            .iter()
            .map(|(name, honoured)| ((*name).to_owned(), *honoured))
            .collect()
    }

    #[test]
    fn each_way_of_naming_a_registry() {
        for (path, namespace, expected) in [
            ("a/b", None, &[("a/b", false)][..]),
            ("a/b", Some("quay.io"), &[("quay.io/a/b", true), ("a/b", false)]),
            (
                "a/b",
                Some("reg:5000"),
                &[("reg__5000/a/b", true), ("a/b", false)],
            ),
            (
                "a/b",
                Some("[fd00::1]:5000"),
                &[("ip6_fd00_0_0_0_0_0_0_1__5000/a/b", true), ("a/b", false)],
            ),
            (
                "library/x",
                Some("docker.io"),
                &[("library/x", true), ("x", true), ("docker.io/library/x", true)],
            ),
            (
                "rancher/x",
                Some("index.docker.io"),
                &[("rancher/x", true), ("docker.io/rancher/x", true)],
            ),
            (
                "docker.io/library/x",
                None,
                &[("docker.io/library/x", false), ("library/x", false), ("x", false)],
            ),
        ] {
            assert_eq!(names(path, namespace), pairs(expected), "{path} {namespace:?}");
        }
    }

    #[test]
    fn the_query_wins_over_the_header_and_nonsense_is_no_namespace() {
        let mut headers = HeaderMap::new();
        headers.insert(OCI_NAMESPACE, "ghcr.io".parse().unwrap());
        let of = |query: &str| namespace(&Query::parse(Some(query)), &headers).map(|found| found.to_string());
        assert_eq!(of("").as_deref(), Some("ghcr.io"));
        assert_eq!(of("ns=Quay.IO").as_deref(), Some("quay.io"));
        assert_eq!(of("ns=../../x"), None);
    }

    #[test]
    fn an_image_has_one_origin_whichever_way_it_is_asked_for() {
        let hub: Registry = "docker.io".parse().unwrap();
        let of = |path: &str, query: &str, header: &str, bare: Option<&Registry>| {
            let mut headers = HeaderMap::new();
            if !header.is_empty() {
                headers.insert(OCI_NAMESPACE, header.parse().unwrap());
            }
            let path: Repository = path.parse().unwrap();
            let found = origin(&path, &Query::parse(Some(query)), &headers, bare)?;
            let kept = kept_as(&found.registry, &found.repository).unwrap();
            Some((
                format!("{}/{}", found.registry, found.repository),
                kept.to_string(),
            ))
        };
        for (path, query, header, image, kept) in [
            ("a/b", "ns=quay.io", "", "quay.io/a/b", "quay.io/a/b"),
            ("a/b", "ns=QUAY.io", "", "quay.io/a/b", "quay.io/a/b"),
            ("a/b", "", "quay.io", "quay.io/a/b", "quay.io/a/b"),
            ("quay.io/a/b", "", "", "quay.io/a/b", "quay.io/a/b"),
            (
                "library/x",
                "ns=index.docker.io",
                "",
                "docker.io/library/x",
                "docker.io/library/x",
            ),
            (
                "docker.io/x",
                "",
                "",
                "docker.io/library/x",
                "docker.io/library/x",
            ),
            ("docker.io/a/x", "", "", "docker.io/a/x", "docker.io/a/x"),
            ("a/b", "ns=reg%3A5000", "", "reg:5000/a/b", "reg__5000/a/b"),
            ("reg__5000/a/b", "", "", "reg:5000/a/b", "reg__5000/a/b"),
            ("localhost/a", "", "", "localhost/a", "localhost/a"),
            (
                "a",
                "ns=%5Bfd00%3A%3A1%5D%3A5000",
                "",
                "[fd00::1]:5000/a",
                "ip6_fd00_0_0_0_0_0_0_1__5000/a",
            ),
            (
                "ip6_fd00_0_0_0_0_0_0_1__5000/a",
                "",
                "",
                "[fd00::1]:5000/a",
                "ip6_fd00_0_0_0_0_0_0_1__5000/a",
            ),
        ] {
            let expected = Some((image.to_owned(), kept.to_owned()));
            assert_eq!(of(path, query, header, None), expected, "{path} {query} {header}");
        }
        // Whose they are is not said, or said in a way that means nothing.
        for (path, query) in [
            ("library/x", ""),
            ("x", ""),
            ("a/quay.io", ""),
            ("quay.io/a/b", "ns=user%40evil.example"),
            ("quay.io/a/b", "ns=evil.example%2Fpath"),
            ("quay.io/a/b", "ns="),
            ("quay.io/a/b", "ns=http%3A%2F%2Fevil"),
            ("quay.io/a/b", "ns=a%0d%0ab"),
        ] {
            assert_eq!(of(path, query, "", None), None, "{path} {query}");
        }
        let bare = of("library/x", "", "", Some(&hub)).unwrap();
        assert_eq!(bare.1, "docker.io/library/x");
        assert_eq!(of("x", "", "", Some(&hub)).unwrap(), bare);
        assert_eq!(of("library/x", "ns=%40", "", Some(&hub)), None);
    }
}

//! Answering for other registries: which repositories a request may mean.
//!
//! containerd says with `?ns=quay.io` whose image it wants; CRI-O and podman put the host into the path; an image
//! of Docker Hub has two names. The world is closed: a namespace chooses among repositories that are here, and
//! never makes us ask anybody.

use http::HeaderMap;
use landfall_oci::{DOCKER_HUB, Registry, Repository};

use crate::query::Query;
use crate::reply::OCI_NAMESPACE;

/// A repository to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) repository: Repository,
    /// Whether the namespace that was asked for led here: then the answer says so.
    pub(crate) honoured: bool,
}

/// The namespace of a request, from the query or the header.
pub(crate) fn namespace(query: &Query, headers: &HeaderMap) -> Option<Registry> {
    let text = query
        .get("ns")
        .or_else(|| headers.get(OCI_NAMESPACE).and_then(|value| value.to_str().ok()))?;
    // Host names have no case; ours are kept in lower case because repository names are.
    text.to_ascii_lowercase().parse().ok()
}

/// What to try, in this order. Never empty.
pub(crate) fn candidates(repository: &Repository, namespace: Option<&Registry>) -> Vec<Candidate> {
    let path = repository.as_str();
    let mut found = Vec::with_capacity(3);
    let mut add = |text: &str, honoured| {
        if let Ok(repository) = text.parse() {
            let candidate = Candidate { repository, honoured };
            if !found.contains(&candidate) {
                found.push(candidate);
            }
        }
    };
    match namespace {
        Some(registry) if registry.is_docker_hub() => {
            add(path, true);
            if let Some(bare) = path.strip_prefix("library/") {
                add(bare, true);
            }
        }
        // A host with a port cannot be part of a repository's name: only the plain path is left.
        Some(registry) => add(&format!("{registry}/{path}"), true),
        None => {}
    }
    if namespace.is_none_or(|registry| !registry.is_docker_hub()) {
        add(path, false);
    }
    let hub = format!("{DOCKER_HUB}/");
    if let Some(inside) = path.strip_prefix(&hub) {
        add(inside, false);
        if let Some(bare) = inside.strip_prefix("library/") {
            add(bare, false);
        }
    }
    found
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
            ("a/b", Some("reg:5000"), &[("a/b", false)]),
            (
                "library/x",
                Some("docker.io"),
                &[("library/x", true), ("x", true)],
            ),
            ("rancher/x", Some("index.docker.io"), &[("rancher/x", true)]),
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
}

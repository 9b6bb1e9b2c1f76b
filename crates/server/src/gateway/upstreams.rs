//! Whom we ask for which registry: a closed world. What is not here is not asked, whoever wants it.

use std::collections::HashMap;
use std::sync::Arc;

use landfall_oci::Registry;

use super::host::{Endpoint, Host};

/// The upstreams of a gateway. Plain values: whoever reads a configuration fills it.
#[derive(Clone, Debug, Default)]
pub struct Upstreams {
    exact: HashMap<String, Arc<Route>>,
    wildcard: Option<Arc<Route>>,
}

/// Where a registry's images may be had, in the order in which it is tried.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) endpoints: Vec<Endpoint>,
    /// For metrics: the registry, or `*`.
    pub(super) label: Arc<str>,
}

fn key(registry: &Registry) -> String {
    match registry.is_docker_hub() {
        true => landfall_oci::DOCKER_HUB.to_owned(),
        false => registry.as_str().to_ascii_lowercase(),
    }
}

impl Upstreams {
    /// None: nothing is asked of anybody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a registry. Given again, the later word counts. Without endpoints its images come from nowhere, and the
    /// wildcard does not stand in for it.
    pub fn insert(&mut self, registry: &Registry, endpoints: Vec<Endpoint>) {
        let label = key(registry);
        let route = Route {
            endpoints,
            label: label.as_str().into(),
        };
        self.exact.insert(label, Arc::new(route));
    }

    /// Where the images of all other registries may be had. Those registries themselves are not asked.
    pub fn insert_wildcard(&mut self, endpoints: Vec<Endpoint>) {
        self.wildcard = Some(Arc::new(Route {
            endpoints,
            label: "*".into(),
        }));
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wildcard.is_none()
    }

    pub(super) fn route(&self, registry: &Registry) -> Option<&Arc<Route>> {
        let route = self.exact.get(&key(registry)).or(self.wildcard.as_ref())?;
        (!route.endpoints.is_empty()).then_some(route)
    }

    /// Every host once.
    pub(super) fn hosts(&self) -> Vec<Arc<Host>> {
        let mut hosts: Vec<Arc<Host>> = Vec::new();
        let routes = self.exact.values().chain(&self.wildcard);
        for endpoint in routes.flat_map(|route| &route.endpoints) {
            if !hosts.iter().any(|known| Arc::ptr_eq(known, &endpoint.host)) {
                hosts.push(Arc::clone(&endpoint.host));
            }
        }
        hosts.sort_by(|one, other| one.label.cmp(&other.label));
        hosts
    }

    pub(super) fn labels(&self) -> Vec<Arc<str>> {
        let routes = self.exact.values().chain(&self.wildcard);
        let mut labels: Vec<Arc<str>> = routes.map(|route| Arc::clone(&route.label)).collect();
        labels.sort();
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::super::host::UpstreamHost;
    use super::*;

    fn endpoint(host: &str) -> Endpoint {
        let mut host = UpstreamHost::new(host.parse().unwrap());
        host.tls.system_roots = false;
        host.plain_http = true;
        Endpoint::new(host.connect().unwrap())
    }

    #[test]
    fn an_exact_entry_stands_before_the_wildcard_and_nothing_behind_it() {
        let mut upstreams = Upstreams::new();
        assert!(upstreams.is_empty());
        let of = |upstreams: &Upstreams, name: &str| {
            let route = upstreams.route(&name.parse().unwrap())?;
            Some(route.endpoints[0].host.label.to_string())
        };
        upstreams.insert(&"Quay.io".parse().unwrap(), vec![endpoint("quay.io")]);
        upstreams.insert(&"index.docker.io".parse().unwrap(), vec![endpoint("hub")]);
        upstreams.insert(&"closed.example".parse().unwrap(), Vec::new());
        assert_eq!(of(&upstreams, "quay.io").unwrap(), "quay.io");
        assert_eq!(of(&upstreams, "docker.io").unwrap(), "hub");
        assert_eq!(of(&upstreams, "evil.example"), None);
        assert_eq!(of(&upstreams, "quay.io:444"), None);
        upstreams.insert_wildcard(vec![endpoint("mirror")]);
        assert_eq!(of(&upstreams, "evil.example").unwrap(), "mirror");
        assert_eq!(of(&upstreams, "quay.io").unwrap(), "quay.io");
        assert_eq!(of(&upstreams, "closed.example"), None);
        assert_eq!(upstreams.hosts().len(), 3);
    }

    #[test]
    fn only_a_mirror_is_told_whose_images_are_wanted() {
        let way = |endpoint: &Endpoint, registry: &str| {
            let way = endpoint.way(&registry.parse().unwrap(), &"a/b".parse().unwrap());
            let way = way.unwrap();
            let namespace = way.client.site().namespace().map(ToString::to_string);
            (way.repository.to_string(), namespace)
        };
        let quay = endpoint("quay.io");
        assert_eq!(way(&quay, "quay.io"), ("a/b".to_owned(), None));
        assert_eq!(way(&quay, "ghcr.io").1.as_deref(), Some("ghcr.io"));
        assert_eq!(way(&endpoint("registry-1.docker.io"), "docker.io").1, None);
        assert_eq!(
            way(&endpoint("quay.io:443"), "quay.io").1.as_deref(),
            Some("quay.io")
        );
        let mut silent = quay.clone();
        silent.namespace = false;
        silent.rewrite = Some(Arc::new(|name| format!("proxy/{name}").parse().ok()));
        assert_eq!(way(&silent, "ghcr.io"), ("proxy/a/b".to_owned(), None));
        silent.rewrite = Some(Arc::new(|_| None));
        assert!(silent.way(&"x".parse().unwrap(), &"a".parse().unwrap()).is_none());
    }
}

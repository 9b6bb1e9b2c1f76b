//! The gateway before registries with every fault that we know.

mod blobs;
mod closed;
mod faults;
mod full;
mod pulls;
mod restart;
mod rules;
mod sockets;
mod tags;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use landfall_auth::{Credential, Secret};
use landfall_oci::{Digest, Platform};
use landfall_server::gateway::{Endpoint, Gateway, GatewayOptions, UpstreamHost, Upstreams};
use landfall_server::{Metrics, RegistryOptions};
use landfall_testkit::workload::Family;
use landfall_testkit::{FakeRegistry, Workload};

use crate::client::{Answer, Scene, directory};

/// A registry with a gateway.
pub(crate) struct Front {
    pub(crate) scene: Scene,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) metrics: Arc<Metrics>,
    cache: Option<tempfile::TempDir>,
}

/// How to talk to a fake registry.
pub(crate) fn host(registry: &FakeRegistry) -> UpstreamHost {
    let mut host = UpstreamHost::new(registry.registry());
    host.plain_http = true;
    host.tls.system_roots = false;
    host
}

/// The same to one that is given up soon after it falls silent.
pub(crate) fn hasty(registry: &FakeRegistry) -> Upstreams {
    let mut host = host(registry);
    host.timeouts.stall = Duration::from_millis(400);
    let mut upstreams = Upstreams::new();
    let endpoint = Endpoint::new(host.connect().unwrap());
    upstreams.insert(&"quay.io".parse().unwrap(), vec![endpoint]);
    upstreams
}

pub(crate) fn log_in(host: &mut UpstreamHost, user: &str, password: &str) {
    let credential = Credential::Basic {
        username: user.to_owned(),
        password: Secret::new(password),
    };
    host.credential = Some((credential, "registries.yaml:7".to_owned()));
}

pub(crate) fn endpoint(registry: &FakeRegistry) -> Endpoint {
    Endpoint::new(host(registry).connect().unwrap())
}

/// `quay.io` at these registries, in this order.
pub(crate) fn quay(registries: &[&FakeRegistry]) -> Upstreams {
    let mut upstreams = Upstreams::new();
    let endpoints = registries.iter().map(|registry| endpoint(registry)).collect();
    upstreams.insert(&"quay.io".parse().unwrap(), endpoints);
    upstreams
}

/// Everything is looked at anew each time.
pub(crate) fn forgetful() -> GatewayOptions {
    GatewayOptions {
        tag_ttl: Duration::ZERO,
        missing_ttl: Duration::ZERO,
        ..GatewayOptions::default()
    }
}

impl Front {
    pub(crate) async fn new(upstreams: Upstreams, options: GatewayOptions) -> Self {
        Self::with(upstreams, options, RegistryOptions::default()).await
    }

    pub(crate) async fn with(
        upstreams: Upstreams,
        options: GatewayOptions,
        registry: RegistryOptions,
    ) -> Self {
        Self::over(tempfile::tempdir().unwrap(), upstreams, options, registry).await
    }

    /// Over a cache that is there already.
    pub(crate) async fn over(
        root: tempfile::TempDir,
        upstreams: Upstreams,
        options: GatewayOptions,
        registry: RegistryOptions,
    ) -> Self {
        let cache = Arc::new(directory(root.path()).await);
        let gateway = Gateway::new(upstreams, cache, options);
        let metrics = Arc::<Metrics>::default();
        let scene = Scene::with(RegistryOptions {
            gateway: Some(Arc::clone(&gateway)),
            metrics: Arc::clone(&metrics),
            ..registry
        })
        .await;
        Self {
            scene,
            gateway,
            metrics,
            cache: Some(root),
        }
    }

    /// Ends it; the cache stays.
    pub(crate) fn stop(mut self) -> tempfile::TempDir {
        self.cache.take().unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.scene.get(path).await
    }

    /// One of quay.io's blobs.
    pub(crate) async fn blob(&self, repository: &str, digest: &Digest) -> Answer {
        self.get(&format!("/v2/{repository}/blobs/{digest}?ns=quay.io"))
            .await
    }

    /// A sample of the metrics.
    pub(crate) fn metric(&self, line: &str) -> u64 {
        let text = self.metrics.render();
        let found = text
            .lines()
            .find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
        found
            .unwrap_or_else(|| panic!("no {line} in\n{text}"))
            .parse()
            .unwrap()
    }
}

impl Answer {
    /// A success that is all of this, from there.
    pub(crate) fn is_exactly(&self, bytes: &Bytes, from: &str) {
        self.expect(200);
        assert!(!self.broken, "{self:?}");
        assert!(self.body == *bytes, "{self:?}");
        assert_eq!(self.header("x-landfall-served-from"), from);
    }
}

/// `org/app:1`: one image with a layer of this size.
pub(crate) fn app(seed: u64, len: u64) -> (Workload, Layer) {
    let mut workload = Workload::new();
    let layer = workload.add_big_layer(seed, len);
    let digest = layer.digest;
    let image = workload.add_image(Family::Oci, &Platform::new("linux", "amd64"), &[layer]);
    let index = workload.add_index(Family::Oci, std::slice::from_ref(&image));
    workload.tag("org/app:1", index.digest);
    let bytes = workload.blobs[&digest].bytes();
    (workload, Layer { digest, bytes })
}

/// What a test wants to know of a layer.
pub(crate) struct Layer {
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
}

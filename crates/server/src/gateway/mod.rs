//! The gateway: one registry in the place of many. What is asked for and not here is fetched from the upstream that was
//! configured for it, once, kept, and given to all who wait for it.
//!
//! The world is closed ([`Upstreams`]). What is kept lies in a store of its own, under the registry's name, and is
//! nothing but a cache: content that was put here on purpose stands before it, and is never asked about elsewhere.
//! The rules of access see a repository under the name that it is kept by, `quay.io/org/app`, and are asked before
//! anybody else is.

mod ask;
mod blobs;
mod cache;
mod counters;
mod fetch;
mod flight;
mod health;
mod host;
mod lists;
mod manifests;
mod recall;
mod singles;
mod upstreams;
mod verdict;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderName;
use landfall_oci::{Digest, Registry, Repository, Target};
use landfall_store::DirectoryStore;

pub use host::{Endpoint, Host, Rewrite, UpstreamHost};
pub use upstreams::Upstreams;

pub(crate) use blobs::FoundBlob;
pub(crate) use flight::Reader;
pub(crate) use manifests::STALE;

use counters::Counters;
use flight::Flights;
use recall::Recall;
use singles::Singles;
use upstreams::Route;

use crate::ns;
use crate::query::Query;

/// Who gave an answer: `local`, `cache`, or the host of an upstream.
pub(crate) const SERVED_FROM: HeaderName = HeaderName::from_static("x-landfall-served-from");
/// What was put here on purpose.
pub(crate) const LOCAL: &str = "local";
/// What was fetched before.
const CACHE: &str = "cache";

/// Things that are remembered as missing, or as looked at lately, at most.
const REMEMBERED: usize = 64 * 1024;

/// How a gateway behaves.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// For so long a tag is taken to point where it pointed when it was last looked at.
    pub tag_ttl: Duration,
    /// For so long what was not found upstream is not asked for again.
    pub missing_ttl: Duration,
    /// The cache is kept below so many bytes, if there is a bound.
    pub cache_bytes: Option<u64>,
    /// What was asked for within this time stays, also when the cache is full.
    pub spare_used_within: Duration,
    /// The registry of paths that name none. Names of private images would be asked for there: none by default.
    pub bare: Option<Registry>,
    /// The largest blob that is fetched, if there is a bound.
    pub largest_blob: Option<u64>,
}

impl Default for GatewayOptions {
    fn default() -> Self {
        Self {
            tag_ttl: Duration::from_secs(300),
            missing_ttl: Duration::from_secs(30),
            cache_bytes: None,
            spare_used_within: Duration::from_secs(600),
            bare: None,
            largest_blob: None,
        }
    }
}

/// Fetches from upstreams what a registry is asked for and has not.
pub struct Gateway {
    upstreams: Upstreams,
    hosts: Vec<Arc<Host>>,
    cache: Arc<DirectoryStore>,
    options: GatewayOptions,
    flights: Flights,
    manifests: Singles<(Repository, Target), manifests::Outcome>,
    proofs: Singles<(Repository, Digest), blobs::Proof>,
    /// What was not there a moment ago.
    missing: Recall<(Repository, Target)>,
    /// Tags that were looked at lately.
    fresh: Recall<(Repository, Target)>,
    /// Which host sent wrong bytes for what.
    liars: Recall<(Arc<str>, Digest)>,
    counters: Counters,
    trimming: AtomicBool,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("upstreams", &self.upstreams)
            .finish_non_exhaustive()
    }
}

/// A repository of an upstream, and the name that it is kept by.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    registry: Registry,
    repository: Repository,
    kept: Repository,
    route: Arc<Route>,
}

impl Source {
    /// The name that it is kept by, which rules of access see.
    pub(crate) fn kept(&self) -> &Repository {
        &self.kept
    }

    /// The image's name for people.
    fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }
}

impl Gateway {
    /// A gateway to these upstreams over a cache, which should hold nothing else: whatever is in it may go when it
    /// is full.
    #[must_use]
    pub fn new(upstreams: Upstreams, cache: Arc<DirectoryStore>, options: GatewayOptions) -> Arc<Self> {
        Arc::new(Self {
            hosts: upstreams.hosts(),
            counters: Counters::new(upstreams.labels()),
            upstreams,
            cache,
            options,
            flights: Flights::default(),
            manifests: Singles::default(),
            proofs: Singles::default(),
            missing: Recall::new(REMEMBERED),
            fresh: Recall::new(REMEMBERED),
            liars: Recall::new(REMEMBERED),
            trimming: AtomicBool::new(false),
        })
    }

    /// The cache, for upkeep.
    #[must_use]
    pub fn cache(&self) -> &Arc<DirectoryStore> {
        &self.cache
    }

    /// Whose image a request means, if there is an upstream for it.
    pub(crate) fn source(&self, path: &Repository, query: &Query, headers: &HeaderMap) -> Option<Source> {
        let origin = ns::origin(path, query, headers, self.options.bare.as_ref())?;
        let route = self.upstreams.route(&origin.registry)?;
        Some(Source {
            kept: ns::kept_as(&origin.registry, &origin.repository)?,
            registry: origin.registry,
            repository: origin.repository,
            route: Arc::clone(route),
        })
    }
}

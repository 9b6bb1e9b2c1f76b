//! One host that is asked on behalf of others: a client of its own, so that its credential, its certificates and the
//! token servers that it names stay its own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use landfall_auth::{Credential, Keyring, Realms};
use landfall_client::{Client, ClientOptions, Site};
use landfall_net::Network;
use landfall_net::client::{
    HostOptions, PlainHttp, Proxies, Reach, RetryOptions, Timeouts, TlsOptions, TransportOptions,
};
use landfall_oci::{Registry, Repository};

use super::counters::HostCounters;
use super::health::Health;
use crate::ServerError;

/// How a host is talked to. Nothing in it is shared with other hosts.
#[derive(Clone, Debug)]
pub struct UpstreamHost {
    /// `host` or `host:port`, as its URL has it.
    pub host: Registry,
    /// Without TLS.
    pub plain_http: bool,
    /// Accept any certificate.
    pub skip_verify: bool,
    /// Authorities, and a certificate to show.
    pub tls: TlsOptions,
    /// Whom to log in as, and where that was read.
    pub credential: Option<(Credential, String)>,
    /// Other hosts that may give out tokens for this one.
    pub realms: Vec<String>,
    /// Networks with private addresses that its name, its redirects and its token servers may lead to.
    pub networks: Vec<Network>,
    /// Proxies on the way to it.
    pub proxies: Proxies,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// Requests at once.
    pub concurrency: usize,
}

impl UpstreamHost {
    /// With TLS and without a credential.
    #[must_use]
    pub fn new(host: Registry) -> Self {
        Self {
            host,
            plain_http: false,
            skip_verify: false,
            tls: TlsOptions::default(),
            credential: None,
            realms: Vec::new(),
            networks: Vec::new(),
            proxies: Proxies::default(),
            timeouts: Timeouts {
                connect: Duration::from_secs(5),
                response: Duration::from_secs(20),
                stall: Duration::from_secs(15),
                ..Timeouts::default()
            },
            concurrency: 16,
        }
    }

    /// Sets up its client. Reads certificate files.
    ///
    /// # Errors
    /// [`ServerError::Setup`] when they cannot be used.
    pub fn connect(self) -> Result<Arc<Host>, ServerError> {
        let label: Arc<str> = self.host.to_string().into();
        let name = self.host.clone();
        let client = Client::new(self.options()).map_err(|error| ServerError::Setup {
            what: "use the settings of an upstream",
            reason: format!("{name}: {error}"),
        })?;
        Ok(Arc::new(Host {
            name,
            label,
            client,
            health: Health::default(),
            counters: HostCounters::default(),
        }))
    }

    fn options(self) -> ClientOptions {
        let plain_http = match self.plain_http {
            true => PlainHttp::Always,
            false => PlainHttp::Never,
        };
        let elsewhere = HostOptions {
            plain_http,
            skip_verify: false,
            concurrency: self.concurrency,
        };
        let itself = HostOptions {
            skip_verify: self.skip_verify,
            ..elsewhere
        };
        let given = self
            .credential
            .map(|(credential, from)| (self.host.clone(), credential, from));
        let mut options = ClientOptions {
            transport: TransportOptions {
                default_host: elsewhere,
                tls: self.tls,
                proxies: self.proxies,
                timeouts: self.timeouts,
                reach: Reach::Outside {
                    hosts: vec![self.host.to_string()],
                    networks: self.networks,
                },
                // Somebody is waiting, and there may be another host: no long patience with this one.
                retry: RetryOptions {
                    attempts: 2,
                    base: Duration::from_millis(200),
                    retry_after_cap: Duration::ZERO,
                    ..RetryOptions::default()
                },
                ..TransportOptions::default()
            },
            keyring: Keyring::of(given),
            realms: Realms::Known(self.realms),
            ..ClientOptions::default()
        };
        *options.host_mut(&self.host) = itself;
        options
    }
}

/// A host that can be asked.
pub struct Host {
    pub(super) name: Registry,
    pub(super) label: Arc<str>,
    client: Client,
    pub(super) health: Health,
    pub(super) counters: HostCounters,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Host").field(&self.name).finish()
    }
}

/// What a repository is called at a mirror; `None` where that would be no name.
pub type Rewrite = Arc<dyn Fn(&Repository) -> Option<Repository> + Send + Sync>;

/// One place that may have a registry's images.
#[derive(Clone)]
pub struct Endpoint {
    /// Who is asked.
    pub host: Arc<Host>,
    /// The path above the repositories there, `/v2` mostly.
    pub prefix: String,
    /// Whether the host is told whose images are wanted (`?ns=`), where it is not the registry itself.
    pub namespace: bool,
    /// What the repositories are called there, where not the same.
    pub rewrite: Option<Rewrite>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("host", &self.host)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// What it takes to ask an endpoint for one repository.
pub(super) struct Way {
    pub(super) client: Client,
    pub(super) repository: Repository,
}

impl Endpoint {
    /// A host at its usual place, under the usual names.
    #[must_use]
    pub fn new(host: Arc<Host>) -> Self {
        Self {
            host,
            prefix: "/v2".to_owned(),
            namespace: true,
            rewrite: None,
        }
    }

    /// `None` when the rewritten name is no name, or the prefix no path.
    pub(super) fn way(&self, registry: &Registry, repository: &Repository) -> Option<Way> {
        let is_itself = self.host.name.as_str().eq_ignore_ascii_case(registry.as_str())
            || registry.is_docker_hub() && self.host.name.as_str() == "registry-1.docker.io"
            || registry.is_docker_hub() && self.host.name.is_docker_hub();
        let namespace = (self.namespace && !is_itself).then(|| registry.clone());
        let repository = match &self.rewrite {
            Some(rewrite) => rewrite(repository)?,
            None => repository.clone(),
        };
        let site = Site::new(&self.prefix, namespace).ok()?;
        Some(Way {
            client: self.host.client.through(site),
            repository,
        })
    }
}

//! The gateway's upstreams: a configuration of registries, as the clients that ask them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use landfall_auth::Credential;
use landfall_diag::{Sources, Span};
use landfall_net::Network;
use landfall_net::client::Proxies;
use landfall_oci::{Registry, Repository};
use landfall_registries::intent::{self, Intent, Match, Rewriter, Scheme, Upstream};
use landfall_server::Wanted;
use landfall_server::gateway::{Endpoint, Gateway, GatewayOptions, Host, UpstreamHost, Upstreams};
use landfall_store::{CollectOptions, DirectoryOptions, DirectoryStore, StoreError};

use super::{Settings, setup};
use crate::commands::registries;
use crate::control::{self, Claimed, Policy, Workshop};
use crate::exit::Exit;
use crate::failure::Failure;

/// A fetch that stopped and that nobody has asked for since is given up after so long.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);
/// How often such are looked for.
const TIDIED_EVERY: Duration = Duration::from_secs(3600);

/// Sets up the gateway, where one is wanted.
pub(super) async fn gateway(settings: &Settings) -> Result<Option<Arc<Gateway>>, Failure> {
    let (Some(file), Some(cache)) = (&settings.upstreams, settings.cache()) else {
        return Ok(None);
    };
    let options = options(settings)?;
    let (file, asked) = (file.clone(), settings.clone());
    // Reads files: the configuration, certificates.
    let upstreams = tokio::task::spawn_blocking(move || upstreams(&file, &asked));
    let upstreams = upstreams.await.map_err(setup)??;
    let store = match control::claim(&cache, DirectoryOptions::default()).await? {
        Claimed::Ours(store) => Arc::new(*store),
        Claimed::Served(_) => {
            return Err(control::failure(StoreError::InUse {
                root: cache,
                process: None,
            }));
        }
    };
    let gateway = Gateway::new(upstreams, store, options);
    gateway.trim().await.map_err(control::failure)?;
    look_after(&cache, gateway.cache())?;
    Ok(Some(gateway))
}

/// Upkeep of the cache: what was begun and is wanted by nobody any more goes by itself; the rest is done for whoever asks
/// over its socket, as for any directory.
fn look_after(root: &Path, cache: &Arc<DirectoryStore>) -> Result<(), Failure> {
    let policy = Policy {
        collect: CollectOptions {
            // It can be fetched again.
            keep_trash: Duration::ZERO,
            ..CollectOptions::default()
        },
        ..Policy::default()
    };
    let workshop = Workshop::new(Arc::clone(cache), Wanted::in_memory(), policy);
    control::listen(root, Arc::new(workshop))
        .map_err(|error| Failure::local("listen on the socket in", root, &error))?;
    let cache = Arc::clone(cache);
    tokio::spawn(async move {
        loop {
            if let Err(error) = cache.remove_stale_uploads(ABANDONED).await {
                tracing::warn!(target: "landfall::upstreams", %error, "what was begun in the cache is not looked through");
            }
            tokio::time::sleep(TIDIED_EVERY).await;
        }
    });
    Ok(())
}

fn options(settings: &Settings) -> Result<GatewayOptions, Failure> {
    let default = GatewayOptions::default();
    let bare = settings.upstream_bare.as_ref().map(|text| {
        let wrong = |error| Failure::usage(format!("--upstream-bare {text}: {error}"));
        text.parse().map_err(wrong)
    });
    Ok(GatewayOptions {
        tag_ttl: settings.tag_ttl.map_or(default.tag_ttl, |age| age.0),
        missing_ttl: settings.missing_ttl.map_or(default.missing_ttl, |age| age.0),
        cache_bytes: settings.cache_size.as_ref().map(|size| size.bytes),
        bare: bare.transpose()?,
        ..default
    })
}

fn upstreams(file: &Path, settings: &Settings) -> Result<Upstreams, Failure> {
    // To this command the file is a setting, and one that cannot be read is a wrong setting.
    let wanted = registries::wanted(&[file.to_owned()]).map_err(|failure| match failure.exit {
        Exit::Partial => Failure::usage(failure.to_string()),
        _ => failure,
    })?;
    for loss in &wanted.losses {
        let place = loss
            .span
            .map(|span| wanted.sources.shown(span))
            .unwrap_or_default();
        tracing::warn!(target: "landfall::upstreams", place, what = loss.what, why = loss.why, "not taken up");
    }
    let mut maker = Maker {
        intent: &wanted.intent,
        sources: &wanted.sources,
        networks: networks(settings)?,
        realms: realms(settings)?,
        proxies: Proxies::from_lookup(|name| std::env::var(name).ok()),
        hosts: HashMap::new(),
    };
    let mut upstreams = Upstreams::new();
    for entry in &wanted.intent.registries {
        let endpoints = maker.endpoints(entry)?;
        match &entry.matches.value {
            Match::Exact(host) => {
                let registry = maker.parse(host, entry.matches.span)?;
                upstreams.insert(&registry, endpoints);
            }
            Match::Wildcard => upstreams.insert_wildcard(endpoints),
            other => {
                return Err(maker.wrong(
                    entry.matches.span,
                    &format!("`{other}`: a gateway knows whole registries and `*` only"),
                ));
            }
        }
    }
    if upstreams.is_empty() {
        return Err(Failure::usage(format!(
            "{}: it names no registry under `mirrors`, so nothing would ever be fetched",
            file.display()
        )));
    }
    Ok(upstreams)
}

fn networks(settings: &Settings) -> Result<Vec<Network>, Failure> {
    let parse = |text: &String| {
        text.parse()
            .map_err(|error| Failure::usage(format!("--upstream-network {text}: {error}")))
    };
    settings.upstream_network.iter().map(parse).collect()
}

/// Further token servers, by registry host.
fn realms(settings: &Settings) -> Result<Vec<(String, String)>, Failure> {
    let parse = |text: &String| match text.split_once('=') {
        Some((registry, host)) if !registry.is_empty() && !host.is_empty() => {
            Ok((registry.to_owned(), host.to_owned()))
        }
        _ => Err(Failure::usage(format!(
            "--upstream-realm {text}: it is not REGISTRY=HOST"
        ))),
    };
    settings.upstream_realm.iter().map(parse).collect()
}

/// Makes clients from an intent; one for each host, which all of its endpoints share.
struct Maker<'a> {
    intent: &'a Intent,
    sources: &'a Sources,
    networks: Vec<Network>,
    realms: Vec<(String, String)>,
    proxies: Proxies,
    hosts: HashMap<(String, Scheme), Arc<Host>>,
}

impl Maker<'_> {
    /// Whom to ask for a registry's images: its endpoints, then itself, unless that is refused or unknown (`*`).
    fn endpoints(&mut self, entry: &intent::Registry) -> Result<Vec<Endpoint>, Failure> {
        if entry.upstream.value == Upstream::Blocked {
            return Ok(Vec::new());
        }
        let mut all = Vec::new();
        for endpoint in &entry.endpoints {
            all.push(self.endpoint(endpoint)?);
        }
        if let (Upstream::Allow, Match::Exact(host)) = (entry.upstream.value, &entry.matches.value) {
            let itself = intent::Endpoint::new(intent::canonical_host(host), entry.matches.span);
            let is_last = entry
                .endpoints
                .last()
                .is_some_and(|last| last.url() == itself.url() && last.rewrites.is_empty());
            if !is_last {
                all.push(self.endpoint(&itself)?);
            }
        }
        Ok(all)
    }

    fn endpoint(&mut self, endpoint: &intent::Endpoint) -> Result<Endpoint, Failure> {
        let mut made = Endpoint::new(self.host(&endpoint.host, endpoint.scheme, endpoint.span)?);
        made.prefix = endpoint.base.path();
        if !endpoint.rewrites.is_empty() {
            let rewriter = Rewriter::new(&endpoint.rewrites).map_err(|(span, error)| {
                self.wrong(span, &format!("the rewrite is refused: {}", error.message))
            })?;
            made.rewrite = Some(Arc::new(move |name: &Repository| {
                rewriter.rewrite(name.as_str()).parse().ok()
            }));
        }
        Ok(made)
    }

    fn host(&mut self, host: &str, scheme: Scheme, span: Span) -> Result<Arc<Host>, Failure> {
        // Docker Hub answers under the name of its API.
        let name = match intent::canonical_host(host) {
            intent::DOCKER_HUB => intent::DOCKER_HUB_ENDPOINT,
            name => name,
        };
        if let Some(known) = self.hosts.get(&(name.to_owned(), scheme)) {
            return Ok(Arc::clone(known));
        }
        let mut made = UpstreamHost::new(self.parse(name, span)?);
        made.plain_http = scheme == Scheme::Http;
        let mut place = span;
        if let Some(trust) = self.intent.trust_of(host) {
            // What goes wrong below is about its files.
            place = trust.subject.span;
            let path = |text: &str| PathBuf::from(text);
            made.skip_verify = trust.tls.skip_verify.as_ref().is_some_and(|skip| skip.value);
            made.tls.ca_files = trust.tls.ca.iter().map(|file| path(&file.value)).collect();
            made.tls.client_certificate = trust.tls.client.first().map(|(certificate, key)| {
                let key = if key.value.is_empty() { certificate } else { key };
                (path(&certificate.value), path(&key.value))
            });
        }
        made.credential = self.credential(host);
        made.realms = self
            .realms
            .iter()
            .filter(|(registry, _)| intent::canonical_host(registry) == intent::canonical_host(host))
            .map(|(_, realm)| realm.clone())
            .collect();
        made.networks.clone_from(&self.networks);
        made.proxies = self.proxies.clone();
        let made = made
            .connect()
            .map_err(|error| self.wrong(place, &error.to_string()))?;
        self.hosts.insert((name.to_owned(), scheme), Arc::clone(&made));
        Ok(made)
    }

    fn credential(&self, host: &str) -> Option<(Credential, String)> {
        let found = self.intent.credential_of(host)?;
        let place = self.sources.shown(found.scope.span);
        if let Some((username, password)) = found.auth.user_password() {
            return Some((Credential::Basic { username, password }, place));
        }
        let token = found.auth.identity_token.as_ref()?.value.clone();
        Some((Credential::IdentityToken { token }, place))
    }

    fn parse(&self, host: &str, span: Span) -> Result<Registry, Failure> {
        host.parse()
            .map_err(|error| self.wrong(span, &format!("`{host}` is no registry: {error}")))
    }

    fn wrong(&self, span: Span, what: &str) -> Failure {
        Failure::usage(format!("{}: {what}", self.sources.shown(span)))
    }
}

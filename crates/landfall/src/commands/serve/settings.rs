//! What can be set about a server: one struct that is the flags, the environment and the file at once.
//!
//! A flag wins over its environment variable (`LANDFALL_SERVE_…`), that over the file, that over the default. The file
//! is TOML with the flags' own names as keys, so there is nothing to learn twice.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::Args;
use landfall_server::Network;
use landfall_store::{Age, RetentionRule, TagPattern};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::{contradictions, file};
use crate::failure::Failure;
use crate::human::Amount;

/// Where a server listens when nobody says.
const LISTEN: &str = "127.0.0.1:5000";

/// Everything that can be set. What is `None` or empty was not said.
#[derive(Clone, Debug, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Bundles and layouts to serve in place.
    #[arg(value_name = "BUNDLE")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) bundles: Vec<PathBuf>,
    /// Directory of a registry that takes pushes.
    #[arg(long, value_name = "DIR", env = "LANDFALL_SERVE_ROOT")]
    pub(crate) root: Option<PathBuf>,
    /// Refuse every change.
    #[arg(long, env = "LANDFALL_SERVE_READ_ONLY", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) read_only: Option<bool>,
    /// Take manifests whose layers or members are not here, for a mirror that is filled in part on purpose.
    #[arg(long, env = "LANDFALL_SERVE_ALLOW_SPARSE", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) allow_sparse: Option<bool>,

    /// Address to listen on [default: 127.0.0.1:5000].
    #[arg(
        long,
        value_name = "ADDR",
        env = "LANDFALL_SERVE_LISTEN",
        help_heading = "Listening"
    )]
    pub(crate) listen: Option<SocketAddr>,
    /// Certificate chain (PEM); read again when it changes.
    #[arg(
        long,
        value_name = "FILE",
        env = "LANDFALL_SERVE_TLS_CERT",
        help_heading = "Listening"
    )]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key (PEM).
    #[arg(
        long,
        value_name = "FILE",
        env = "LANDFALL_SERVE_TLS_KEY",
        help_heading = "Listening"
    )]
    pub(crate) tls_key: Option<PathBuf>,
    /// Make a certificate on the first run and keep it here, with the ca.crt that clients should trust.
    #[arg(
        long,
        value_name = "DIR",
        env = "LANDFALL_SERVE_TLS_SELF_SIGNED",
        help_heading = "Listening"
    )]
    pub(crate) tls_self_signed: Option<PathBuf>,
    /// Further host names or addresses for the self-signed certificate.
    #[arg(
        long,
        value_name = "NAME",
        env = "LANDFALL_SERVE_TLS_NAME",
        value_delimiter = ',',
        help_heading = "Listening"
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tls_name: Vec<String>,
    /// Serve without TLS although the address is not loopback.
    #[arg(long, env = "LANDFALL_SERVE_PLAIN_HTTP", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        help_heading = "Listening")]
    pub(crate) plain_http: Option<bool>,

    /// Users and bcrypt or argon2id hashes (`htpasswd -B`); without it everybody may read and write.
    #[arg(
        long,
        value_name = "FILE",
        env = "LANDFALL_SERVE_HTPASSWD",
        help_heading = "Access"
    )]
    pub(crate) htpasswd: Option<PathBuf>,
    /// Who may pull, push and delete where (TOML; docs/serve.md); without it whoever is let in may do everything.
    #[arg(
        long,
        value_name = "FILE",
        env = "LANDFALL_SERVE_RULES",
        help_heading = "Access"
    )]
    pub(crate) rules: Option<PathBuf>,
    /// Give out tokens, as Docker Hub does: lets docker pull without a log-in what the rules open to everybody.
    #[arg(long, env = "LANDFALL_SERVE_TOKENS", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        help_heading = "Access")]
    pub(crate) tokens: Option<bool>,
    /// Where the key of the tokens lies; made on the first run [default: token.key in the root].
    #[arg(
        long,
        value_name = "FILE",
        env = "LANDFALL_SERVE_TOKEN_KEY",
        help_heading = "Access"
    )]
    pub(crate) token_key: Option<PathBuf>,
    /// How clients reach this registry, where a proxy stands before it: https://registry.example.
    #[arg(
        long,
        value_name = "URL",
        env = "LANDFALL_SERVE_EXTERNAL_URL",
        help_heading = "Access"
    )]
    pub(crate) external_url: Option<String>,
    /// Believe X-Forwarded-For from this address or network (may be given several times).
    #[arg(
        long,
        value_name = "NETWORK",
        env = "LANDFALL_SERVE_TRUSTED_PROXY",
        value_delimiter = ',',
        help_heading = "Access"
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) trusted_proxy: Vec<String>,
    /// Authorities (PEM) whose client certificates name a client: `cert:NAME` in the rules.
    #[arg(
        long,
        value_name = "FILE",
        env = "LANDFALL_SERVE_CLIENT_CA",
        help_heading = "Access"
    )]
    pub(crate) client_ca: Option<PathBuf>,
    /// Refuse clients without a certificate.
    #[arg(long, env = "LANDFALL_SERVE_CLIENT_CERT_REQUIRED", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", help_heading = "Access")]
    pub(crate) client_cert_required: Option<bool>,

    /// Write a line of JSON for each request here; `-` is standard error.
    #[arg(
        long,
        value_name = "FILE",
        env = "LANDFALL_SERVE_ACCESS_LOG",
        help_heading = "Watching"
    )]
    pub(crate) access_log: Option<PathBuf>,
    /// Write a line of JSON for each change here; `-` is standard error.
    #[arg(
        long,
        value_name = "FILE",
        env = "LANDFALL_SERVE_AUDIT_LOG",
        help_heading = "Watching"
    )]
    pub(crate) audit_log: Option<PathBuf>,
    /// Answer /metrics on the registry's own address too, to whoever may log in.
    #[arg(long, env = "LANDFALL_SERVE_METRICS", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        help_heading = "Watching")]
    pub(crate) metrics: Option<bool>,
    /// Answer /healthz, /readyz and /metrics, and nothing else, on this address over plain HTTP.
    #[arg(
        long,
        value_name = "ADDR",
        env = "LANDFALL_SERVE_STATUS_LISTEN",
        help_heading = "Watching"
    )]
    pub(crate) status_listen: Option<SocketAddr>,

    /// Connections at a time [default: 4096].
    #[arg(
        long,
        value_name = "N",
        env = "LANDFALL_SERVE_MAX_CONNECTIONS",
        help_heading = "Limits"
    )]
    pub(crate) max_connections: Option<usize>,
    /// Connections at a time from one address [default: 1024].
    #[arg(
        long,
        value_name = "N",
        env = "LANDFALL_SERVE_MAX_CONNECTIONS_PER_CLIENT",
        help_heading = "Limits"
    )]
    pub(crate) max_connections_per_client: Option<usize>,
    /// Requests a second from one address [default: no limit].
    #[arg(
        long,
        value_name = "N",
        env = "LANDFALL_SERVE_REQUESTS_PER_SECOND",
        help_heading = "Limits"
    )]
    pub(crate) requests_per_second: Option<NonZeroU32>,
    /// Told to stop, say so on /readyz for so long before no more connections are taken [default: 0s].
    #[arg(
        long,
        value_name = "TIME",
        env = "LANDFALL_SERVE_DRAIN_DELAY",
        help_heading = "Limits"
    )]
    pub(crate) drain_delay: Option<Age>,

    /// Fetch what is asked for and not here from the registries of this file, keep it, and pass it on: a registries.yaml
    /// (or another format that `registries render` reads). Only the registries that it names are ever asked.
    #[arg(
        long,
        value_name = "FILE",
        env = "LANDFALL_SERVE_UPSTREAMS",
        help_heading = "Gateway"
    )]
    pub(crate) upstreams: Option<PathBuf>,
    /// Where fetched content is kept; it may be thrown away at any time [default: cache in the root].
    #[arg(
        long,
        value_name = "DIR",
        env = "LANDFALL_SERVE_CACHE",
        help_heading = "Gateway"
    )]
    pub(crate) cache: Option<PathBuf>,
    /// Keep the cache below this size (`200GiB`): what was not used for the longest goes [default: no bound].
    #[arg(
        long,
        value_name = "BYTES",
        env = "LANDFALL_SERVE_CACHE_SIZE",
        help_heading = "Gateway"
    )]
    pub(crate) cache_size: Option<Amount>,
    /// A tag is believed for so long before its upstream is asked whether it moved [default: 5m].
    #[arg(
        long,
        value_name = "TIME",
        env = "LANDFALL_SERVE_TAG_TTL",
        help_heading = "Gateway"
    )]
    pub(crate) tag_ttl: Option<Age>,
    /// What no upstream has is not asked for again for so long [default: 30s].
    #[arg(
        long,
        value_name = "TIME",
        env = "LANDFALL_SERVE_MISSING_TTL",
        help_heading = "Gateway"
    )]
    pub(crate) missing_ttl: Option<Age>,
    /// A private network that names of upstreams may lead into; addresses that the file gives are allowed as they are.
    #[arg(
        long,
        value_name = "NETWORK",
        env = "LANDFALL_SERVE_UPSTREAM_NETWORK",
        value_delimiter = ',',
        help_heading = "Gateway"
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) upstream_network: Vec<String>,
    /// A token server on another host than its registry: `REGISTRY=HOST` (may be given several times).
    #[arg(
        long,
        value_name = "REGISTRY=HOST",
        env = "LANDFALL_SERVE_UPSTREAM_REALM",
        value_delimiter = ',',
        help_heading = "Gateway"
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) upstream_realm: Vec<String>,
    /// The registry that is meant by paths that name none (`docker.io`, for dockerd's mirrors) [default: none].
    #[arg(
        long,
        value_name = "REGISTRY",
        env = "LANDFALL_SERVE_UPSTREAM_BARE",
        help_heading = "Gateway"
    )]
    pub(crate) upstream_bare: Option<String>,

    /// Tags that can be made but not moved or deleted: REPOSITORY:TAG with * and ? (may be given several times).
    #[arg(
        long,
        value_name = "PATTERN",
        env = "LANDFALL_SERVE_IMMUTABLE",
        value_delimiter = ',',
        help_heading = "Upkeep"
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) immutable: Vec<TagPattern>,
    /// Refuse deletions by clients; collection and retention go on.
    #[arg(long, env = "LANDFALL_SERVE_NO_DELETES", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        help_heading = "Upkeep")]
    pub(crate) no_deletes: Option<bool>,
    /// Collect garbage so often, and end tags by the file's [[retention]] rules; `0` never does [default: 24h].
    #[arg(
        long,
        value_name = "TIME",
        env = "LANDFALL_SERVE_GC_EVERY",
        help_heading = "Upkeep"
    )]
    pub(crate) gc_every: Option<Age>,
    /// What was pushed or asked for less than so long ago is not collected [default: 1h].
    #[arg(
        long,
        value_name = "TIME",
        env = "LANDFALL_SERVE_GC_GRACE",
        help_heading = "Upkeep"
    )]
    pub(crate) gc_grace: Option<Age>,
    /// Collect manifests that had no tag, index or subject for so long [default: they stay].
    #[arg(
        long,
        value_name = "TIME",
        env = "LANDFALL_SERVE_GC_UNTAGGED_AFTER",
        help_heading = "Upkeep"
    )]
    pub(crate) gc_untagged_after: Option<Age>,
    /// What was collected can be brought back for so long [default: 7d].
    #[arg(
        long,
        value_name = "TIME",
        env = "LANDFALL_SERVE_GC_KEEP_TRASH",
        help_heading = "Upkeep"
    )]
    pub(crate) gc_keep_trash: Option<Age>,
    /// Rules that end tags; in the file only: `[[retention]]` with repositories, tags, keep_last, keep_newer_than, protect.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) retention: Vec<Table>,
}

impl Settings {
    /// What was typed (and the environment, which the arguments have taken in already), over what a file says.
    ///
    /// # Errors
    /// [`Failure`] (usage) with file, line and column when the file is not what it should be.
    pub(crate) fn over_file(self, file: Option<&Path>) -> Result<Self, Failure> {
        let settings = match file {
            Some(path) => self.over(file::read(path)?),
            None => self,
        };
        settings.check(file)?;
        Ok(settings)
    }

    fn over(self, file: Self) -> Self {
        let mut merged = file::table(&file);
        merged.extend(file::table(&self));
        // Both came from this type, so their union is of it; if not, what was typed is what counts.
        merged.try_into().unwrap_or(self)
    }

    /// The address in force.
    pub(crate) fn listen(&self) -> SocketAddr {
        let default = || LISTEN.parse().unwrap_or_else(|_| ([127, 0, 0, 1], 5000).into());
        self.listen.unwrap_or_else(default)
    }

    /// Where the key of the tokens lies.
    pub(crate) fn token_key(&self) -> Option<PathBuf> {
        let default = || self.root.as_ref().map(|root| root.join("token.key"));
        self.token_key.clone().or_else(default)
    }

    /// Where fetched content is kept.
    pub(crate) fn cache(&self) -> Option<PathBuf> {
        let default = || self.root.as_ref().map(|root| root.join("cache"));
        self.cache.clone().or_else(default)
    }

    /// The proxies whose word about their clients is believed.
    pub(crate) fn trusted_proxies(&self) -> Result<Vec<Network>, Failure> {
        let parse = |text: &String| {
            text.parse()
                .map_err(|error| Failure::usage(format!("--trusted-proxy {text}: {error}")))
        };
        self.trusted_proxy.iter().map(parse).collect()
    }

    /// The rules that end tags. Read with the file, so that a mistake is shown where it is.
    pub(crate) fn retention(&self) -> Result<Vec<RetentionRule>, Failure> {
        let rule = |table: &Table| table.clone().try_into();
        let rules: Result<_, toml::de::Error> = self.retention.iter().map(rule).collect();
        rules.map_err(|error| Failure::usage(format!("[[retention]]: {}", error.message())))
    }

    /// The keys in which this differs from what the program was started with and which only a start takes up.
    pub(crate) fn needs_restart(&self, started_with: &Self) -> Vec<String> {
        const TAKEN_UP: [&str; 5] = [
            "immutable",
            "retention",
            "gc-grace",
            "gc-untagged-after",
            "gc-keep-trash",
        ];
        let (new, old) = (file::table(self), file::table(started_with));
        let keys = new.keys().chain(old.keys()).cloned();
        let changed: BTreeSet<String> = keys.filter(|key| new.get(key) != old.get(key)).collect();
        let late = changed
            .into_iter()
            .filter(|key| !TAKEN_UP.contains(&key.as_str()));
        late.collect()
    }

    /// As a file that says the same wherever it lies, defaults included.
    pub(crate) fn to_toml(&self) -> String {
        let mut shown = self.clone();
        shown.listen = Some(self.listen());
        shown.read_only = Some(self.read_only.unwrap_or_default());
        shown.plain_http = Some(self.plain_http.unwrap_or_default());
        toml::to_string(&file::absolute(file::table(&shown))).unwrap_or_default()
    }

    fn check(&self, file: Option<&Path>) -> Result<(), Failure> {
        if self.bundles.is_empty() && self.root.is_none() && self.upstreams.is_none() {
            let text =
                "there is nothing to serve: name a bundle, a directory with --root DIR, or --upstreams FILE";
            return Err(Failure::usage(text));
        }
        if let Some((key, text)) = contradictions::first(self) {
            // It may have been typed instead.
            let place = file.and_then(|path| file::place_of(path, key));
            let place = place.map_or_else(String::new, |place| place + ": ");
            return Err(Failure::usage(place + text));
        }
        self.trusted_proxies()?;
        self.retention()?;
        Ok(())
    }
}

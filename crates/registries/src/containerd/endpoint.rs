//! One host that containerd will try: scheme, host, path, certificates, capabilities, and the lines they come from.

use std::sync::Arc;

use landfall_diag::Span;

use super::files::{self, Files};
use super::log::LogLine;
use super::release::Behaviour;
use super::rewrite::{Patterns, Rules};
use super::setup::Flavour;
use crate::TlsUse;
use crate::go::{net, path};
use crate::hosts::{Capability, HostSettings, Target};

/// The line that tells of `http` with certificates.
const HTTPS_FIRST: &str = "host will try HTTPS first since it is configured for HTTP with a TLS configuration, \
                           consider changing host to HTTPS or removing unused TLS configuration";

/// What is needed to read directories, and what was compiled on the way.
pub(super) struct Load<'a> {
    pub(super) flavour: Flavour,
    pub(super) behaviour: Behaviour,
    pub(super) files: &'a Files,
    pub(super) patterns: Patterns,
}

/// A host, before it is known for which registry.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// Empty host: the registry's own, if this is the last.
    pub(super) target: Target,
    pub(super) pull: bool,
    pub(super) resolve: bool,
    pub(super) tls: TlsUse,
    /// Something of TLS is set, which turns `http` into "HTTPS first".
    pub(super) explicit_tls: bool,
    pub(super) http_fallback: bool,
    pub(super) rules: Arc<Rules>,
    /// The key of the host, or `server`.
    pub(super) span: Option<Span>,
    pub(super) tls_span: Option<Span>,
    pub(super) capabilities_span: Option<Span>,
    /// It stands for `server`, or would.
    pub(super) server: bool,
    /// It has a client, and with it an authorizer, of its own.
    pub(super) own_client: bool,
    /// Nothing but the defaults: neither a host's key nor `server` says where it is.
    pub(super) implicit: bool,
    pub(super) fault: Option<Fault>,
}

/// Why there is no pull at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) text: String,
    pub(super) span: Option<Span>,
}

impl Endpoint {
    /// The default host: the registry itself.
    pub(super) fn implicit() -> Self {
        Self {
            target: Target::default(),
            pull: true,
            resolve: true,
            tls: TlsUse::default(),
            explicit_tls: false,
            http_fallback: false,
            rules: Arc::default(),
            span: None,
            tls_span: None,
            capabilities_span: None,
            server: false,
            own_client: false,
            implicit: true,
            fault: None,
        }
    }

    /// A host of hosts.toml, in the directory `base`.
    pub(super) fn of(
        target: Option<&Target>,
        span: Option<Span>,
        settings: &HostSettings,
        base: &str,
        load: &mut Load<'_>,
    ) -> Self {
        let (files, behaviour) = (load.files, load.behaviour);
        let absolute = |file: &str| match file.starts_with('/') {
            true => file.to_owned(),
            false => path::join(&[base, file]),
        };
        let mut endpoint = Self {
            target: target.cloned().unwrap_or_default(),
            pull: settings.can(Capability::Pull),
            resolve: settings.can(Capability::Resolve),
            rules: Arc::new(Rules::compile(&settings.rewrite, &mut load.patterns)),
            span,
            tls_span: settings.tls_span(),
            capabilities_span: settings.capabilities.as_ref().map(|all| all.span),
            implicit: target.is_none(),
            ..Self::implicit()
        };
        endpoint.tls.skip_verify = settings.skip_verify.as_ref().is_some_and(|flag| flag.value);
        for ca in settings.ca.iter().flat_map(|all| &all.value) {
            let file = absolute(&ca.value);
            endpoint.fails(files::authority(files, &file), Some(ca.span));
            endpoint.tls.ca.push(file);
        }
        for pair in settings.client.iter().flat_map(|all| &all.value) {
            let cert = absolute(&pair.cert.value);
            let key = pair
                .key
                .as_ref()
                .map(|key| absolute(&key.value))
                .unwrap_or_default();
            endpoint.fails(files::pair(files, &cert, &key), Some(pair.cert.span));
            endpoint.tls.client.push((cert, key));
        }
        endpoint.explicit_tls =
            endpoint.tls_span.is_some() || behaviour.dial_timeout_is_tls && settings.dial_timeout.is_some();
        endpoint
    }

    /// The default host with the certificates that lie in its directory as Docker has them.
    pub(super) fn with_certificates(names: &[String], base: &str, files: &Files) -> Self {
        let mut endpoint = Self::implicit();
        let mut names: Vec<&String> = names.iter().collect();
        names.sort();
        for name in &names {
            let file = path::join(&[base, name]);
            if name.ends_with(".crt") {
                endpoint.tls.ca.push(file);
            } else if let Some(stem) = name.strip_suffix(".cert") {
                let key = format!("{stem}.key");
                let there = names.iter().any(|name| **name == key);
                let key = if there {
                    path::join(&[base, &key])
                } else {
                    String::new()
                };
                endpoint.tls.client.push((file, key));
            }
        }
        for ca in endpoint.tls.ca.clone() {
            endpoint.fails(files::authority(files, &ca), None);
        }
        for (cert, key) in endpoint.tls.client.clone() {
            endpoint.fails(files::pair(files, &cert, &key), None);
        }
        endpoint.explicit_tls = !(endpoint.tls.ca.is_empty() && endpoint.tls.client.is_empty());
        endpoint.own_client = endpoint.explicit_tls;
        endpoint
    }

    fn fails(&mut self, text: Option<String>, span: Option<Span>) {
        if let (None, Some(text)) = (&self.fault, text) {
            self.fault = Some(Fault { text, span });
        }
    }

    /// The last host of all, if it has no name of its own: the registry's.
    pub(super) fn for_registry(&mut self, registry: &str, behaviour: Behaviour) {
        if !self.target.host.is_empty() {
            return;
        }
        self.target = Target {
            scheme: "https".to_owned(),
            host: registry.to_owned(),
            path: "/v2".to_owned(),
        };
        (self.pull, self.resolve, self.implicit) = (true, true, true);
        if registry == "docker.io" {
            self.target.host = "registry-1.docker.io".to_owned();
        } else if net::is_localhost(registry) {
            self.for_localhost(behaviour);
        }
    }

    fn for_localhost(&mut self, behaviour: Behaviour) {
        let port = net::split_host_port(&self.target.host).map_or("", |(_, port)| port);
        let secure = behaviour.https_first && matches!(port, "" | "443");
        if !secure {
            self.target.scheme = "http".to_owned();
        }
        if !behaviour.https_first || port != "80" {
            self.tls.skip_verify = true;
            self.explicit_tls = true;
            self.own_client = true;
        }
    }

    /// `http` with certificates: HTTPS first, where the port does not say otherwise.
    pub(super) fn settle_scheme(&mut self, behaviour: Behaviour) -> Option<LogLine> {
        let http = self.target.scheme == "http" && self.explicit_tls && behaviour.https_first;
        let port = net::split_host_port(&self.target.host).map_or("", |(_, port)| port);
        if !http || port == "80" {
            return None;
        }
        self.target.scheme = "https".to_owned();
        self.http_fallback = true;
        Some(LogLine::new(HTTPS_FIRST, self.tls_span.or(self.span)))
    }

    /// Whether requests carry `ns=`: the host is not the registry itself.
    pub(super) fn is_proxy(&self, registry: &str) -> bool {
        self.target.host != registry
            && !(registry == "docker.io" && self.target.host == "registry-1.docker.io")
    }
}

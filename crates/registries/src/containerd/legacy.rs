//! `registry.mirrors` and `registry.configs.*.tls` of config.toml: what the CRI plugin does without `config_path`.

use std::sync::Arc;

use landfall_diag::{Span, Spanned};

use super::choose::{Choice, Source};
use super::endpoint::{Endpoint, Fault};
use super::files::{self, Files};
use super::release::Behaviour;
use super::rewrite::{Patterns, Rules};
use super::setup::{Flavour, Hosts, Setup};
use crate::go::{net, quote::quote, url::Url};
use crate::hosts::Target;
use crate::registries_yaml::YamlTls;
use crate::{Rewrite, TlsUse};

/// The sections of config.toml that name mirrors.
#[derive(Clone, Debug, Default)]
pub struct Legacy {
    /// `registry.mirrors.*`.
    pub mirrors: Vec<Mirror>,
    /// `registry.configs.*.tls`, by host.
    pub tls: Vec<(Spanned<String>, Spanned<YamlTls>)>,
}

/// One entry of `registry.mirrors`.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// The registry, or `*`.
    pub name: Spanned<String>,
    /// The entry.
    pub span: Span,
    /// `endpoint`.
    pub endpoints: Vec<Spanned<String>>,
    /// `rewrite`; only K3s' fork reads it.
    pub rewrites: Vec<Rewrite>,
}

/// The same, with patterns compiled.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    rules: Vec<Arc<Rules>>,
}

impl Compiled {
    pub(super) fn new(setup: &Setup) -> Self {
        let fork = setup.flavour == Flavour::K3s;
        let mut patterns = Patterns::default();
        let rules = |mirror: &Mirror| {
            let rewrites = if fork { mirror.rewrites.as_slice() } else { &[] };
            Arc::new(Rules::compile(rewrites, &mut patterns))
        };
        Self {
            rules: setup.legacy.mirrors.iter().map(rules).collect(),
        }
    }
}

/// The hosts of a registry: the mirror's endpoints, then the registry itself unless it is among them.
pub(super) fn hosts(setup: &Setup, compiled: &Compiled, registry: &str) -> Hosts {
    let position = |name: &str| {
        setup
            .legacy
            .mirrors
            .iter()
            .position(|mirror| mirror.name.value == name)
    };
    let found = position(registry);
    let index = found.or_else(|| position("*"));
    let source = match (found, index) {
        (Some(_), _) => Source::Mirror,
        (None, Some(_)) => Source::WildcardMirror,
        (None, None) => Source::NoMirror,
    };
    let mirror = index.and_then(|index| setup.legacy.mirrors.get(index));
    let rules = index
        .and_then(|index| compiled.rules.get(index))
        .cloned()
        .unwrap_or_default();
    let mut told = Hosts {
        choice: Choice {
            registry: registry.to_owned(),
            candidates: Vec::new(),
            source,
        },
        endpoints: Vec::new(),
        log: Vec::new(),
        fault: None,
    };
    match endpoints(setup, mirror, registry, &rules) {
        Ok(endpoints) => told.endpoints = endpoints,
        Err(fault) => told.fault = Some(fault),
    }
    told
}

fn endpoints(
    setup: &Setup,
    mirror: Option<&Mirror>,
    registry: &str,
    rules: &Arc<Rules>,
) -> Result<Vec<Endpoint>, Fault> {
    let mut urls: Vec<(String, Option<Span>, bool)> = Vec::new();
    for endpoint in mirror.iter().flat_map(|mirror| &mirror.endpoints) {
        urls.push((with_scheme(endpoint)?, Some(endpoint.span), false));
    }
    let mut own = false;
    for (url, span, _) in &urls {
        let url = Url::parse(url).map_err(|error| endpoint_fault(&error.to_string(), *span))?;
        own |= url.host == registry;
    }
    if !own {
        let host = if registry == "docker.io" {
            "registry-1.docker.io"
        } else {
            registry
        };
        urls.push((format!("{}://{host}", default_scheme(host)), None, true));
    }
    let one = |(url, span, implicit): &(String, Option<Span>, bool)| {
        let mut endpoint = endpoint(setup, url, *span, rules)?;
        endpoint.implicit = *implicit;
        Ok(endpoint)
    };
    urls.iter().map(one).collect()
}

fn endpoint(setup: &Setup, text: &str, span: Option<Span>, rules: &Arc<Rules>) -> Result<Endpoint, Fault> {
    let url = Url::parse(text).map_err(|error| {
        let text = format!("parse registry endpoint {} from mirrors: {error}", quote(text));
        Fault { text, span }
    })?;
    let mut endpoint = Endpoint {
        rules: Arc::clone(rules),
        span,
        own_client: true,
        ..Endpoint::implicit()
    };
    let section = setup.legacy.tls.iter().find(|(host, _)| host.value == url.host);
    if let Some((_, tls)) = section.filter(|_| setup.behaviour.legacy_tls) {
        endpoint.tls_span = Some(tls.span);
        endpoint.tls = tls_use(&tls.value, &setup.files).map_err(|words| Fault {
            text: format!("get TLSConfig for registry {}: {words}", quote(text)),
            span: Some(tls.span),
        })?;
    }
    if url.scheme == "http" {
        // Certificates are set up and never used: nothing turns `http` into "HTTPS first" here.
        endpoint.tls = TlsUse::default();
    }
    let path = if url.path.is_empty() {
        "/v2".to_owned()
    } else {
        url.path
    };
    endpoint.target = Target {
        scheme: url.scheme,
        host: url.host,
        path,
    };
    Ok(endpoint)
}

fn tls_use(tls: &YamlTls, files: &Files) -> Result<TlsUse, String> {
    let text = |field: &Option<Spanned<String>>| field.as_ref().map_or("", |text| &text.value).to_owned();
    let (cert, key, ca) = (text(&tls.cert_file), text(&tls.key_file), text(&tls.ca_file));
    if let Some(words) = tls.lonely() {
        return Err(words);
    }
    if !cert.is_empty()
        && let Some(words) = files::key_pair(files, &cert, &key)
    {
        return Err(format!("failed to load cert file: {words}"));
    }
    if !ca.is_empty()
        && let Some(words) = files::unread(files, &ca)
    {
        return Err(format!("failed to load CA file: {words}"));
    }
    Ok(TlsUse {
        ca: Some(ca).filter(|ca| !ca.is_empty()).into_iter().collect(),
        client: Some((cert, key))
            .filter(|(cert, _)| !cert.is_empty())
            .into_iter()
            .collect(),
        skip_verify: tls.insecure_skip_verify.as_ref().is_some_and(|flag| flag.value),
    })
}

fn with_scheme(endpoint: &Spanned<String>) -> Result<String, Fault> {
    if endpoint.value.contains("://") {
        return Ok(endpoint.value.clone());
    }
    let url = Url::parse(&format!("dummy://{}", endpoint.value))
        .map_err(|error| endpoint_fault(&error.to_string(), Some(endpoint.span)))?;
    Ok(format!("{}://{}", default_scheme(&url.host), endpoint.value))
}

fn endpoint_fault(error: &str, span: Option<Span>) -> Fault {
    Fault {
        text: format!("get registry endpoints: parse endpoint url: {error}"),
        span,
    }
}

fn default_scheme(host: &str) -> &'static str {
    if net::is_localhost(host) { "http" } else { "https" }
}

/// Why the CRI plugin does not load at all: `config_path` and what it replaced.
pub(super) fn refusal(setup: &Setup) -> Option<Fault> {
    if setup.roots.is_empty() {
        return None;
    }
    let behaviour: Behaviour = setup.behaviour;
    let mirror = setup
        .legacy
        .mirrors
        .first()
        .map(|mirror| ("mirrors", mirror.span));
    let tls = setup.legacy.tls.first().map(|(_, tls)| ("configs.tls", tls.span));
    let (what, span) = mirror.or(tls.filter(|_| behaviour.legacy_tls))?;
    let plugin = if behaviour.legacy_tls {
        "plugin"
    } else {
        "cri image"
    };
    let text = format!("invalid {plugin} config: `{what}` cannot be set when `config_path` is provided");
    let span = Some(span);
    Some(Fault { text, span })
}

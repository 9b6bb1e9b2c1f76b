//! Which hosts each registry gets: `getHostConfigs` of K3s, over a file into which the embedded registry is put
//! before.

use std::collections::{BTreeMap, BTreeSet};

use landfall_diag::{Span, Spanned};

use super::normalize::{default_host, normalize};
use super::options::Options;
use crate::Rewrite;
use crate::go::net::is_localhost;
use crate::go::url::Url;
use crate::hosts::NOWHERE;
use crate::registries_yaml::{ConfigEntry, MirrorEntry, RegistriesYaml, YamlTls};

/// One line of K3s' log, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The message.
    pub text: String,
    /// The place.
    pub span: Span,
}

/// A host of a registry.
#[derive(Clone, Debug)]
pub(super) struct Endpoint<'a> {
    /// `None`: K3s writes no `server`. An empty one is written as such.
    pub(super) url: Option<Url>,
    pub(super) span: Span,
    pub(super) override_path: bool,
    pub(super) rewrites: &'a [Rewrite],
    pub(super) config: Option<&'a ConfigEntry>,
}

/// All hosts of a registry.
#[derive(Clone, Debug)]
pub(super) struct HostConfig<'a> {
    pub(super) default: Option<Endpoint<'a>>,
    pub(super) endpoints: Vec<Endpoint<'a>>,
}

pub(super) type HostConfigs<'a> = BTreeMap<String, HostConfig<'a>>;

/// The file with the embedded registry in front of every mirror that is not local.
pub(super) fn with_embedded(file: &RegistriesYaml, options: &Options) -> RegistriesYaml {
    let mut file = file.clone();
    let Some(address) = &options.embedded_registry else {
        return file;
    };
    let nowhere = |text: String| Spanned::new(text, NOWHERE);
    let agent = options.agent_dir();
    let client = format!("{agent}/client-{}-controller", options.program.as_str());
    let tls = YamlTls {
        ca_file: Some(nowhere(format!("{agent}/server-ca.crt"))),
        cert_file: Some(nowhere(format!("{client}.crt"))),
        key_file: Some(nowhere(format!("{client}.key"))),
        insecure_skip_verify: None,
    };
    file.configs.retain(|config| config.key.value != *address);
    file.configs.push(ConfigEntry {
        key: nowhere(address.clone()),
        span: NOWHERE,
        auth: None,
        tls: Some(Spanned::new(tls, NOWHERE)),
    });
    let url = format!("https://{address}/v2");
    for mirror in file
        .mirrors
        .iter_mut()
        .filter(|mirror| !is_localhost(&mirror.key.value))
    {
        mirror.endpoints.insert(0, nowhere(url.clone()));
    }
    file.mirrors.retain(|mirror| mirror.key.value != *address);
    file.mirrors.push(MirrorEntry {
        key: nowhere(address.clone()),
        span: NOWHERE,
        endpoints: vec![nowhere(url)],
        rewrites: Vec::new(),
    });
    file
}

/// The hosts of every registry, by the name of its directory. Entries are taken by key, where K3s takes them in
/// random order; it only matters for the order of the log.
pub(super) fn host_configs<'a>(
    file: &'a RegistriesYaml,
    options: &Options,
    log: &mut Vec<Warning>,
) -> HostConfigs<'a> {
    let mut hosts = HostConfigs::new();
    for config in by_key(&file.configs, |config| &config.key.value) {
        if let Some(host) = own_host(&config.key, Some(config), options, log) {
            hosts.insert(directory_name(&config.key.value).to_owned(), host);
        }
    }
    for mirror in by_key(&file.mirrors, |mirror| &mirror.key.value) {
        let key = mirror.key.value.as_str();
        // The wildcard's settings stand under another name by now, and are lost here.
        let mut host = match hosts.get(key) {
            Some(host) => host.clone(),
            None => match own_host(&mirror.key, config_for(file, key), options, log) {
                None => continue,
                Some(host) if options.disable_default_endpoint => HostConfig {
                    default: None,
                    ..host
                },
                Some(host) if key == "*" => HostConfig {
                    default: Some(empty_default(mirror.key.span)),
                    ..host
                },
                Some(host) => host,
            },
        };
        add_endpoints(&mut host, mirror, file, options, log);
        hosts.insert(directory_name(key).to_owned(), host);
    }
    hosts.retain(|_, host| !host.endpoints.is_empty() || host.default.as_ref().is_some_and(has_settings));
    hosts
}

fn by_key<T>(entries: &[T], key: impl Fn(&T) -> &str) -> Vec<&T> {
    let mut sorted: Vec<&T> = entries.iter().collect();
    sorted.sort_by(|a, b| key(a).cmp(key(b)));
    sorted
}

fn directory_name(key: &str) -> &str {
    if key == "*" { "_default" } else { key }
}

/// The registry itself.
fn own_host<'a>(
    key: &Spanned<String>,
    config: Option<&'a ConfigEntry>,
    options: &Options,
    log: &mut Vec<Warning>,
) -> Option<HostConfig<'a>> {
    let name = &key.value;
    match normalize(name, options.mirror_address()) {
        Ok(normalized) => Some(HostConfig {
            default: Some(Endpoint {
                url: Some(normalized.url).filter(|_| name != "*"),
                config,
                ..empty_default(key.span)
            }),
            endpoints: Vec::new(),
        }),
        Err(error) => {
            log.push(Warning {
                text: format!(
                    "Failed to generate config for registry {name}: invalid endpoint URL {name} for {name}: {error}"
                ),
                span: key.span,
            });
            None
        }
    }
}

fn empty_default<'a>(span: Span) -> Endpoint<'a> {
    Endpoint {
        url: Some(Url::default()),
        span,
        override_path: false,
        rewrites: &[],
        config: None,
    }
}

fn add_endpoints<'a>(
    host: &mut HostConfig<'a>,
    mirror: &'a MirrorEntry,
    file: &'a RegistriesYaml,
    options: &Options,
    log: &mut Vec<Warning>,
) {
    let key = &mirror.key.value;
    let mut seen = BTreeSet::new();
    for (index, endpoint) in mirror.endpoints.iter().enumerate() {
        let address = &endpoint.value;
        let mut warn = |text| {
            log.push(Warning {
                text,
                span: endpoint.span,
            })
        };
        let normalized = match normalize(address, options.mirror_address()) {
            Ok(normalized) => normalized,
            Err(error) => {
                warn(format!(
                    "Ignoring invalid endpoint URL {index}={address} for {key}: {error}"
                ));
                continue;
            }
        };
        if !seen.insert(normalized.url.to_string()) {
            warn(format!(
                "Skipping duplicate endpoint URL {index}={address} for {key}"
            ));
            continue;
        }
        let embedded = normalized.url.host == options.mirror_address();
        let endpoint = Endpoint {
            span: endpoint.span,
            override_path: normalized.override_path,
            rewrites: if embedded { &[] } else { &mirror.rewrites },
            config: config_for(file, &normalized.name),
            url: Some(normalized.url),
        };
        let last = index + 1 == mirror.endpoints.len();
        if last && text_of(host.default.as_ref()) == text_of(Some(&endpoint)) {
            host.default = Some(endpoint);
        } else {
            host.endpoints.push(endpoint);
        }
    }
}

fn text_of(endpoint: Option<&Endpoint<'_>>) -> String {
    let url = endpoint.and_then(|endpoint| endpoint.url.as_ref());
    url.map(ToString::to_string).unwrap_or_default()
}

/// The entry of `configs` that counts for a name: exactly that, or where the registry really is.
fn config_for<'a>(file: &'a RegistriesYaml, name: &str) -> Option<&'a ConfigEntry> {
    let of = |key: &str| file.configs.iter().find(|config| config.key.value == key);
    Some(default_host(name))
        .filter(|host| *host != name)
        .and_then(of)
        .or_else(|| of(name))
}

fn has_settings(endpoint: &Endpoint<'_>) -> bool {
    let config = |config: &ConfigEntry| config.auth.is_some() || config.tls.is_some();
    endpoint.override_path || !endpoint.rewrites.is_empty() || endpoint.config.is_some_and(config)
}

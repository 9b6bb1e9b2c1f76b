//! Which hosts each registry got in the first releases with hosts.toml (January and February 2024). Read in K3s at
//! the commit of February; January's releases are taken to do the same.

use landfall_diag::Span;

use super::hosts::{Endpoint, HostConfig, HostConfigs, Warning};
use super::normalize::normalize;
use super::options::Options;
use crate::registries_yaml::{ConfigEntry, RegistriesYaml};

/// The hosts of every registry. Entries of `configs` are found by the host of the URL only, so that `docker.io` never
/// counts for an endpoint.
pub(super) fn host_configs<'a>(
    file: &'a RegistriesYaml,
    options: &Options,
    log: &mut Vec<Warning>,
) -> HostConfigs<'a> {
    let mut hosts = HostConfigs::new();
    for mirror in &file.mirrors {
        let mut host = own(&mirror.key.value, mirror.key.span, options);
        for endpoint in &mirror.endpoints {
            match normalize(&endpoint.value, options.mirror_address()) {
                Err(error) => log.push(Warning {
                    text: format!(
                        "Ignoring invalid endpoint URL {} for {}: {error}",
                        endpoint.value, mirror.key.value
                    ),
                    span: endpoint.span,
                }),
                Ok(normalized) => {
                    let embedded = normalized.url.host == options.mirror_address();
                    host.endpoints.push(Endpoint {
                        span: endpoint.span,
                        override_path: normalized.override_path,
                        rewrites: if embedded { &[] } else { &mirror.rewrites },
                        config: config_of(file, &normalized.url.host),
                        url: Some(normalized.url),
                    });
                }
            }
        }
        hosts.insert(directory_name(&mirror.key.value), host);
    }
    for config in &file.configs {
        let key = &config.key.value;
        let mut host = hosts
            .remove(key)
            .unwrap_or_else(|| own(key, config.key.span, options));
        if host.endpoints.is_empty() {
            match normalize(key, options.mirror_address()) {
                Err(error) => log.push(Warning {
                    text: format!("Ignoring invalid endpoint URL {key} for {key}: {error}"),
                    span: config.key.span,
                }),
                Ok(normalized) => host.endpoints.push(Endpoint {
                    url: Some(normalized.url),
                    span: config.key.span,
                    override_path: false,
                    rewrites: &[],
                    config: Some(config),
                }),
            }
        }
        hosts.insert(directory_name(key), host);
    }
    hosts.retain(|name, host| settle(name, host, options));
    hosts
}

fn own<'a>(key: &str, span: Span, options: &Options) -> HostConfig<'a> {
    let url = normalize(key, options.mirror_address())
        .ok()
        .map(|normalized| normalized.url);
    HostConfig {
        default: url.map(|url| Endpoint {
            url: Some(url),
            span,
            override_path: false,
            rewrites: &[],
            config: None,
        }),
        endpoints: Vec::new(),
    }
}

/// Takes the registry itself out where it is listed last already; a list that ends in it without any setting is
/// dropped as a whole, mirrors and all.
fn settle(name: &str, host: &mut HostConfig<'_>, options: &Options) -> bool {
    if options.disable_default_endpoint || name == "_default" {
        host.default = None;
    }
    let text = |endpoint: &Endpoint<'_>| endpoint.url.as_ref().map(ToString::to_string);
    let Some(last) = host.endpoints.last() else {
        return false;
    };
    if host.default.as_ref().and_then(text) == text(last) {
        let set = |config: &ConfigEntry| config.auth.is_some() || config.tls.is_some();
        if !last.config.is_some_and(set) && last.rewrites.is_empty() {
            return false;
        }
        host.default = None;
    }
    true
}

fn directory_name(key: &str) -> String {
    if key == "*" { "_default" } else { key }.to_owned()
}

fn config_of<'a>(file: &'a RegistriesYaml, host: &str) -> Option<&'a ConfigEntry> {
    file.configs.iter().find(|config| config.key.value == host)
}

//! The hosts that are tried: those of the first key that is there, then the registry itself.

use landfall_diag::Span;

use super::image::HUB;
use crate::containerd::LogLine;
use crate::go::net::{is_localhost, split_host_port};
use crate::go::path;
use crate::go::url::{Url, query_escape};
use crate::registries_yaml::{MirrorEntry, RegistriesYaml};

/// One host.
pub(super) struct Endpoint {
    pub(super) url: Url,
    pub(super) span: Option<Span>,
}

/// All hosts of a registry, in order.
///
/// # Errors
/// A registry that is no URL.
pub(super) fn endpoints(
    file: &RegistriesYaml,
    registry: &str,
    log: &mut Vec<LogLine>,
) -> Result<Vec<Endpoint>, String> {
    let mut all = Vec::new();
    for endpoint in mirror(file, registry).iter().flat_map(|mirror| &mirror.endpoints) {
        match normalize(&endpoint.value) {
            Ok(url) => all.push(Endpoint {
                url,
                span: Some(endpoint.span),
            }),
            Err(error) => log.push(LogLine {
                text: format!(
                    "Ignoring invalid endpoint {} for registry {registry}: {error}",
                    endpoint.value
                ),
                span: Some(endpoint.span),
            }),
        }
    }
    let url = normalize(registry)
        .map_err(|error| format!("failed to construct default endpoint for registry {registry}: {error}"))?;
    all.push(Endpoint { url, span: None });
    Ok(all)
}

/// The first entry that is there, even if nothing is in it.
fn mirror<'a>(file: &'a RegistriesYaml, registry: &str) -> Option<&'a MirrorEntry> {
    let mut keys = vec![registry.to_owned()];
    if registry == HUB {
        keys.push("docker.io".to_owned());
    } else if split_host_port(registry).is_none() {
        keys.extend([format!("{registry}:443"), format!("{registry}:80")]);
    }
    keys.push("*".to_owned());
    keys.iter()
        .find_map(|key| file.mirrors.iter().find(|mirror| mirror.key.value == *key))
}

fn normalize(address: &str) -> Result<Url, String> {
    let address = match address.contains("://") {
        true => address.to_owned(),
        false => format!("//{address}"),
    };
    let mut url = Url::parse(&address).map_err(|error| error.to_string())?;
    if url.host.is_empty() {
        return Err(format!("invalid URL without host: {address}"));
    }
    if url.scheme.is_empty() {
        let plain = is_localhost(&url.host) && !matches!(url.port(), "" | "443");
        url.scheme = if plain { "http" } else { "https" }.to_owned();
    }
    url.path = match url.path.as_str() {
        "" | "/" => "/v2".to_owned(),
        given => path::clean(given),
    };
    Ok(url)
}

impl Endpoint {
    /// Whether it is the registry itself, by its host alone.
    pub(super) fn is_default(&self, registry: &str) -> bool {
        namespace(registry) == namespace(&self.url.host)
    }

    /// The URL of a request that is meant for the registry's `/v2<rest>`.
    pub(super) fn request(&self, registry: &str, rest: &str) -> Url {
        let path = format!("{}{rest}", self.url.path);
        let raw_path = match self.url.raw_path.is_empty() {
            true => String::new(),
            false => format!(
                "{}{}",
                self.url.raw_path,
                path.strip_prefix("/v2").unwrap_or(&path)
            ),
        };
        let name = namespace(registry);
        let host = &self.url.host;
        let own = name == host || name == "docker.io" && host == HUB;
        Url {
            scheme: self.url.scheme.clone(),
            host: host.clone(),
            path,
            raw_path,
            raw_query: match own {
                true => String::new(),
                false => format!("ns={}", query_escape(name)),
            },
            ..Url::default()
        }
    }
}

fn namespace(host: &str) -> &str {
    if host == HUB { "docker.io" } else { host }
}

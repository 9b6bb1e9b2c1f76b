//! What an endpoint or a key comes to: `normalizeEndpointAddress` of K3s.

use crate::go::net::is_localhost;
use crate::go::url::{Url, UrlError};

const HUB: &str = "registry-1.docker.io";

/// An address, made whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Normalized {
    /// Under which the address is looked up in `configs`.
    pub name: String,
    /// The URL.
    pub url: Url,
    /// The path is one of its own, and is all that precedes the repository.
    pub override_path: bool,
}

/// Makes an address whole. `mirror_address` is that of the embedded registry, which speaks TLS even on loopback.
///
/// # Errors
/// A text that Go does not take for a URL.
pub fn normalize(address: &str, mirror_address: &str) -> Result<Normalized, UrlError> {
    let mut url = match address.contains("://") {
        true => Url::parse(address)?,
        false => Url::parse(&format!("//{address}"))?,
    };
    if url.scheme.is_empty() {
        let odd_port = !matches!(url.port(), "" | "443");
        let plain = is_localhost(&url.host) && odd_port && url.host != mirror_address;
        url.scheme = if plain { "http" } else { "https" }.to_owned();
    }
    let mut name = url.host.clone();
    url.host = default_host(&url.host).to_owned();
    if url.host == HUB {
        "docker.io".clone_into(&mut name);
    }
    let override_path = !matches!(url.path.as_str(), "" | "/" | "/v2");
    if !override_path {
        "/v2".clone_into(&mut url.path);
    }
    Ok(Normalized {
        name,
        url,
        override_path,
    })
}

/// Where a registry really is: `DefaultHost` of containerd.
pub(super) fn default_host(name: &str) -> &str {
    if name == "docker.io" { HUB } else { name }
}

//! Docker Hub's three names, made one.

/// What images of Docker Hub are named after.
pub const DOCKER_HUB: &str = "docker.io";
/// The host that Docker Hub's images really come from.
pub const DOCKER_HUB_ENDPOINT: &str = "registry-1.docker.io";

/// Where nothing listens: the containerd family cannot block a registry otherwise.
pub const BLOCKED_HOST: &str = "127.0.0.1:1";

/// The one name under which credentials and trust are kept. Ports and letters stay: to every runtime `h` and
/// `h:443` are two hosts.
#[must_use]
pub fn canonical_host(host: &str) -> &str {
    match host {
        DOCKER_HUB_ENDPOINT | "index.docker.io" => DOCKER_HUB,
        other => other,
    }
}

/// The host that is asked for a registry's images: that of Docker Hub has another name.
#[must_use]
pub fn asked_host(registry: &str) -> &str {
    match registry {
        DOCKER_HUB => DOCKER_HUB_ENDPOINT,
        other => other,
    }
}

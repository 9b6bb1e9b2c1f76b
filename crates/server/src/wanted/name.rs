//! Which image a node meant when it asked for what is not here: the inverse of where `load` puts images.

use landfall_oci::{DOCKER_HUB, Platform, Reference, Registry, Repository, Tag, Target};

/// An image that somebody meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Meant {
    /// Its full name.
    pub(crate) reference: Reference,
    /// The name as a list must write it, so that the image is found under the path that was asked for:
    /// `library/x` and `x` are one image, and two places in a registry.
    pub(crate) written: String,
}

impl Meant {
    /// The image behind a request for `target` of `name`: on the host that the namespace says, else on the host
    /// that the path begins with, else on Docker Hub. `None` for a path that is no name of an image.
    pub(crate) fn new(name: &Repository, namespace: Option<&Registry>, target: &Target) -> Option<Self> {
        let path = name.as_str();
        let full = match namespace {
            Some(registry) if registry.is_docker_hub() => format!("{DOCKER_HUB}/{path}"),
            Some(registry) => format!("{registry}/{path}"),
            None => path.to_owned(),
        };
        let parsed = Reference::parse(&full).ok()?;
        let (registry, repository) = (parsed.registry().clone(), parsed.repository().clone());
        let reference = match namespace {
            // A host without a dot would be read as a path.
            Some(registry) if !registry.is_docker_hub() => {
                Reference::new(registry.clone(), name.clone(), target.clone())
            }
            _ => Reference::new(registry, repository, target.clone()),
        };
        let is_path_of_hub = reference.registry().as_str() == DOCKER_HUB && !full.starts_with(DOCKER_HUB);
        let written = match is_path_of_hub {
            true => path.to_owned() + &suffix(target),
            false => reference.familiar(),
        };
        Some(Self { reference, written })
    }
}

fn suffix(target: &Target) -> String {
    match target {
        Target::Tag(tag) => format!(":{tag}"),
        Target::Digest(digest) => format!("@{digest}"),
    }
}

/// Whether a tag is one that clients only look for: the referrers tag schema, and cosign's signatures,
/// attestations and SBOMs. `sha256-` and the digest, then nothing or a dot and a word.
pub(crate) fn is_probe(tag: &Tag) -> bool {
    let Some((algorithm, rest)) = tag.as_str().split_once('-') else {
        return false;
    };
    let hex = rest.split_once('.').map_or(rest, |(hex, _)| hex);
    matches!(algorithm, "sha256" | "sha512")
        && hex.len() >= 64
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The platform that docker, podman and CRI-O tell of themselves: `… os/linux arch/amd64 …`.
pub(crate) fn platform_of(agent: &str) -> Option<Platform> {
    let word = |prefix: &str| {
        let found = agent
            .split_whitespace()
            .find_map(|word| word.strip_prefix(prefix))?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        (!found.is_empty() && found.len() <= 16 && found.bytes().all(plain)).then_some(found)
    };
    Some(Platform::new(word("os/")?, word("arch/")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_asking_names_the_image_that_was_meant() {
        for (path, namespace, reference, written) in [
            (
                "library/nginx",
                "docker.io",
                "docker.io/library/nginx:1",
                "nginx:1",
            ),
            ("nginx", "docker.io", "docker.io/library/nginx:1", "nginx:1"),
            (
                "rancher/x",
                "index.docker.io",
                "docker.io/rancher/x:1",
                "rancher/x:1",
            ),
            ("a/b", "quay.io", "quay.io/a/b:1", "quay.io/a/b:1"),
            (
                "a/b",
                "reg.local:5000",
                "reg.local:5000/a/b:1",
                "reg.local:5000/a/b:1",
            ),
            ("x", "registry", "registry/x:1", "registry/x:1"),
            ("nginx", "", "docker.io/library/nginx:1", "nginx:1"),
            // Two places in a registry: the list must fill the one that was looked at.
            (
                "library/nginx",
                "",
                "docker.io/library/nginx:1",
                "library/nginx:1",
            ),
            (
                "docker.io/library/nginx",
                "",
                "docker.io/library/nginx:1",
                "nginx:1",
            ),
            ("quay.io/a/b", "", "quay.io/a/b:1", "quay.io/a/b:1"),
            ("rancher/x", "", "docker.io/rancher/x:1", "rancher/x:1"),
        ] {
            let namespace = (!namespace.is_empty()).then(|| namespace.parse().unwrap());
            let target = Target::Tag("1".parse().unwrap());
            let meant = Meant::new(&path.parse().unwrap(), namespace.as_ref(), &target).unwrap();
            assert_eq!(meant.reference.to_string(), reference, "{path} {namespace:?}");
            assert_eq!(meant.written, written, "{path} {namespace:?}");
            if namespace.is_none_or(|registry| registry.as_str() != "registry") {
                assert_eq!(Reference::parse(&meant.written).unwrap(), meant.reference);
            }
        }
    }

    #[test]
    fn tags_that_are_only_looked_for() {
        let hex = "a".repeat(64);
        let is = |text: &str| is_probe(&text.parse().unwrap());
        for probe in ["", ".sig", ".att", ".sbom"] {
            assert!(is(&format!("sha256-{hex}{probe}")));
        }
        assert!(is(&format!("sha512-{hex}")));
        for image in [
            "1.2",
            "latest",
            "sha256-abc",
            "sha256",
            &format!("sha256-{hex}-x"),
        ] {
            assert!(!is(image), "{image}");
        }
    }

    #[test]
    fn the_platform_stands_in_the_agent_or_nowhere() {
        let docker =
            "docker/24.0.7 go/go1.20.10 git-commit/311b9ff kernel/6.5 os/linux arch/arm64 UpstreamClient(x)";
        assert_eq!(platform_of(docker), Some(Platform::new("linux", "arm64")));
        assert_eq!(platform_of("containerd/v1.7.2"), None);
        assert_eq!(platform_of("os/linux arch/"), None);
        assert_eq!(platform_of("os/linux arch/x\u{7}y"), None);
    }
}

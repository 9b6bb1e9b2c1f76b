//! `system-default-registry`: the registry, with a path if wanted, that K3s and RKE2 put before their own images.

use std::fmt;
use std::str::FromStr;

use landfall_oci::{Reference, ReferenceError, Registry, Repository};

/// The setting: `host[:port][/path]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultRegistry {
    host: Registry,
    path: Option<Repository>,
}

/// Why the setting cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefaultRegistryError {
    /// `https://` before it.
    #[error(
        "`{text}`: system-default-registry takes host[:port][/path] without a scheme; RKE2 does not start with one"
    )]
    Scheme {
        /// The text as given.
        text: String,
    },
    /// Not of that form.
    #[error("`{text}` is not host[:port][/path]: {source}")]
    Form {
        /// The text as given.
        text: String,
        /// What is wrong with it.
        source: ReferenceError,
    },
}

impl FromStr for DefaultRegistry {
    type Err = DefaultRegistryError;

    fn from_str(text: &str) -> Result<Self, DefaultRegistryError> {
        if text.contains("://") {
            return Err(DefaultRegistryError::Scheme {
                text: text.to_owned(),
            });
        }
        let form = |source| DefaultRegistryError::Form {
            text: text.to_owned(),
            source,
        };
        let (host, path) = text.split_once('/').unwrap_or((text, ""));
        // One slash at the end is dropped, as RKE2 does; two are a mistake there, too.
        let path = path.strip_suffix('/').unwrap_or(path);
        let path = (!path.is_empty()).then(|| path.parse()).transpose();
        Ok(Self {
            host: host.parse().map_err(form)?,
            path: path.map_err(form)?,
        })
    }
}

impl fmt::Display for DefaultRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{}/{path}", self.host),
            None => self.host.fmt(f),
        }
    }
}

impl DefaultRegistry {
    /// The name that a node asks for in this image's place: the registry takes the place of the image's own, which
    /// for K3s and RKE2 is `docker.io`; what is below it already stays.
    #[must_use]
    pub fn apply(&self, reference: &Reference) -> String {
        let below = reference.name();
        let is_below = below
            .strip_prefix(&self.to_string())
            .is_some_and(|rest| rest.starts_with('/'));
        let tag = reference.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = reference
            .digest()
            .map(|digest| format!("@{digest}"))
            .unwrap_or_default();
        match is_below {
            true => format!("{below}{tag}{digest}"),
            false => format!("{self}/{}{tag}{digest}", reference.repository()),
        }
    }

    /// Whether names with it are read as names of Docker Hub by everything else, because its host has neither dot nor
    /// port. RKE2 accepts such a host all the same.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        let host = self.host.as_str();
        host != "localhost" && !host.contains(['.', ':'])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of RKE2's own test of this setting.
    #[test]
    fn what_rke2_makes_of_it() {
        for (setting, expected) in [
            ("example.com", "example.com/rancher/rke2-runtime:latest"),
            (
                "example.com/docker.io",
                "example.com/docker.io/rancher/rke2-runtime:latest",
            ),
            ("foobar", "foobar/rancher/rke2-runtime:latest"),
            (
                "example.com/path/to/registry",
                "example.com/path/to/registry/rancher/rke2-runtime:latest",
            ),
            (
                "example.com:5000/docker.io",
                "example.com:5000/docker.io/rancher/rke2-runtime:latest",
            ),
            ("example.com:5000", "example.com:5000/rancher/rke2-runtime:latest"),
            (
                "example.com/path/",
                "example.com/path/rancher/rke2-runtime:latest",
            ),
            ("example.com/", "example.com/rancher/rke2-runtime:latest"),
        ] {
            let image = Reference::parse("rancher/rke2-runtime:latest").unwrap();
            let setting: DefaultRegistry = setting.parse().unwrap();
            assert_eq!(setting.apply(&image), expected);
            assert_eq!(setting.is_ambiguous(), expected.starts_with("foobar"));
        }
    }

    #[test]
    fn other_registries_and_what_is_there_already() {
        let setting: DefaultRegistry = "example.com/path".parse().unwrap();
        let name = |image: &str| setting.apply(&Reference::parse(image).unwrap());
        assert_eq!(name("k8s.gcr.io/pause:3.1"), "example.com/path/pause:3.1");
        assert_eq!(
            name("docker.io/library/traefik:1"),
            "example.com/path/library/traefik:1"
        );
        assert_eq!(
            name("example.com/path/rancher/a:1"),
            "example.com/path/rancher/a:1"
        );
        assert_eq!(name("example.com/pathless/a:1"), "example.com/path/pathless/a:1");
    }

    #[test]
    fn refusals() {
        let error = |text: &str| text.parse::<DefaultRegistry>().unwrap_err().to_string();
        assert!(error("https://example.com").contains("without a scheme"));
        for text in ["", "example.com//a", "example.com/A", "exa mple", "/a"] {
            assert!(error(text).contains("host[:port][/path]"), "{text}");
        }
    }
}

//! Image references: the distribution grammar, Docker's normalisation, and the familiar form.
//!
//! Source of every rule: distribution/reference (`regexp.go`, `normalize.go`), read by hand instead of by regular
//! expression, because compiling one costs more than planning a whole list.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::grammar::{
    MAX_PATH, check_components, check_registry, check_repository, check_tag, split_registry,
};
use crate::{Digest, DigestError};

/// The registry that a name without a host belongs to.
pub const DOCKER_HUB: &str = "docker.io";
const LIBRARY: &str = "library/";

/// Why a text is not a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Nothing there.
    #[error("the image name is empty")]
    Empty,
    /// Upper-case letters in the path.
    #[error("`{text}`: the repository name must be lower case")]
    Uppercase {
        /// The text as given.
        text: String,
    },
    /// The grammar does not allow it.
    #[error("`{text}` is not an image reference: {reason}")]
    Format {
        /// The text as given.
        text: String,
        /// Which part, and what is wrong with it.
        reason: String,
    },
    /// The path is longer than 255 bytes.
    #[error("the repository name has {length} bytes; registries allow {MAX_PATH}")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// Exactly 64 hex digits, which Docker reads as an image id.
    #[error("`{text}` looks like an image id (64 hex digits), not like a name")]
    HexId {
        /// The text as given.
        text: String,
    },
    /// What follows the `@` is not a digest.
    #[error("`{text}`: {source}")]
    Digest {
        /// The text as given.
        text: String,
        /// What is wrong with the digest.
        source: DigestError,
    },
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ReferenceError;

            fn from_str(text: &str) -> Result<Self, ReferenceError> {
                match $check(text) {
                    Ok(()) => Ok(Self(text.to_owned())),
                    Err(reason) => Err(ReferenceError::Format {
                        text: text.to_owned(),
                        reason: format!("the {} {reason}", $what),
                    }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type!(
    /// A registry: `host`, `host:port`, `[ipv6]`, `[ipv6]:port`. Case is kept.
    Registry, check_registry, "registry host"
);
name_type!(
    /// A repository's path, without the registry: lower case, at most 255 bytes.
    Repository, check_repository, "repository name"
);
name_type!(
    /// A tag.
    Tag, check_tag, "tag"
);

impl Registry {
    /// Whether this is Docker Hub, under either of its names.
    #[must_use]
    pub fn is_docker_hub(&self) -> bool {
        self.0 == DOCKER_HUB || self.0 == "index.docker.io"
    }

    /// The host without the port; IPv6 without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        match self.0.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => self.0.split(':').next().unwrap_or_default(),
        }
    }

    /// The port, where one was written.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        let (_, port) = self.0.rsplit_once(':')?;
        port.parse().ok()
    }

    /// Loopback in docker's sense: `localhost`, `127.0.0.0/8`, `::1`; talked to in plain HTTP when TLS is not there.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost"
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }
}

impl Tag {
    /// The tag that stands for none.
    #[must_use]
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }
}

/// What is asked of a repository: a tag or a digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Whatever the tag points at now.
    Tag(Tag),
    /// Exactly this content.
    Digest(Digest),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl FromStr for Target {
    type Err = ReferenceError;

    /// As in `/manifests/<target>`: what holds a colon is a digest.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.contains(':') {
            let digest = text.parse().map_err(|source| ReferenceError::Digest {
                text: text.to_owned(),
                source,
            })?;
            return Ok(Self::Digest(digest));
        }
        text.parse().map(Self::Tag)
    }
}

/// A normalised image reference: always a registry and a repository; tag and digest as they were written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: Registry,
    repository: Repository,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

impl Reference {
    /// Puts a reference together from its parts.
    #[must_use]
    pub fn new(registry: Registry, repository: Repository, target: Target) -> Self {
        let (tag, digest) = match target {
            Target::Tag(tag) => (Some(tag), None),
            Target::Digest(digest) => (None, Some(digest)),
        };
        Self {
            registry,
            repository,
            tag,
            digest,
        }
    }

    /// Reads what a person wrote: `nginx`, `quay.io/a/b:1`, `reg:5000/x@sha256:…`.
    ///
    /// # Errors
    /// [`ReferenceError`], which names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ReferenceError::HexId {
                text: text.to_owned(),
            });
        }
        let (registry, remainder) = split_registry(text);
        let path_end = remainder.find(':').unwrap_or(remainder.len());
        if remainder[..path_end].bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(ReferenceError::Uppercase {
                text: text.to_owned(),
            });
        }
        let in_text = |error| match error {
            ReferenceError::Format { reason, .. } => ReferenceError::Format {
                text: text.to_owned(),
                reason,
            },
            other => other,
        };
        let registry: Registry = registry.parse().map_err(in_text)?;
        let (remainder, digest) = match remainder.split_once('@') {
            Some((before, digest)) => (before, Some(digest)),
            None => (remainder, None),
        };
        let (path, tag) = match remainder.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (remainder, None),
        };
        let path = match registry.as_str() == DOCKER_HUB && !path.contains('/') {
            true => format!("{LIBRARY}{path}"),
            false => path.to_owned(),
        };
        check_components(&path).map_err(|reason| ReferenceError::Format {
            text: text.to_owned(),
            reason: format!("the repository name {reason}"),
        })?;
        let tag = tag.map(str::parse).transpose().map_err(in_text)?;
        let digest = digest
            .map(str::parse)
            .transpose()
            .map_err(|source| ReferenceError::Digest {
                text: text.to_owned(),
                source,
            })?;
        if path.len() > MAX_PATH {
            return Err(ReferenceError::TooLong { length: path.len() });
        }
        Ok(Self {
            registry,
            repository: Repository(path),
            tag,
            digest,
        })
    }

    /// The registry, `docker.io` when none was written.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The path within the registry.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag as written.
    #[must_use]
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The digest as written.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// `registry/repository`, without tag and digest.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// What to ask the registry for: the digest if there is one (it wins over the tag, as in containerd), else the
    /// tag, else `latest`.
    #[must_use]
    pub fn target(&self) -> Target {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => Target::Digest(*digest),
            (None, Some(tag)) => Target::Tag(tag.clone()),
            (None, None) => Target::Tag(Tag::latest()),
        }
    }

    /// The same reference with `:latest` written out where neither tag nor digest was.
    #[must_use]
    pub fn with_default_tag(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some(Tag::latest());
        }
        self
    }

    /// The same content in another place.
    #[must_use]
    pub fn relocated(&self, registry: Registry, repository: Repository) -> Self {
        Self {
            registry,
            repository,
            tag: self.tag.clone(),
            digest: self.digest,
        }
    }

    /// The name as Docker shows it: `docker.io/` dropped, then `library/` when nothing else is nested below it. Kept
    /// whole where the short form would be read as something else (`docker.io/quay.io/x`).
    #[must_use]
    pub fn familiar_name(&self) -> String {
        if self.registry.as_str() != DOCKER_HUB {
            return self.name();
        }
        let path = self.repository.as_str();
        let familiar = match path.strip_prefix(LIBRARY) {
            Some(rest) if !rest.contains('/') => rest,
            _ => path,
        };
        let is_it = |read: &Self| read.registry == self.registry && read.repository == self.repository;
        match Self::parse(familiar) {
            Ok(read) if is_it(&read) => familiar.to_owned(),
            // Refused, as it is by Docker, which shows it all the same.
            Err(ReferenceError::HexId { .. }) => familiar.to_owned(),
            _ => self.name(),
        }
    }

    /// The familiar name with tag and digest.
    #[must_use]
    pub fn familiar(&self) -> String {
        self.familiar_name() + &self.suffix()
    }

    fn suffix(&self) -> String {
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = self.digest.map(|digest| format!("@{digest}")).unwrap_or_default();
        tag + &digest
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        Self::parse(text)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.registry, self.repository, self.suffix())
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What the kubelet sends over CRI: the user's own text, with `:latest` appended when it has neither tag nor digest
/// (`applyDefaultImageTag`; the text is never qualified with a host).
///
/// # Errors
/// [`ReferenceError`] when the text is no reference.
pub fn apply_default_tag(text: &str) -> Result<String, ReferenceError> {
    let reference = Reference::parse(text)?;
    let bare = reference.tag.is_none() && reference.digest.is_none();
    Ok(if bare {
        format!("{text}:latest")
    } else {
        text.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_familiar_name_is_never_read_as_another() {
        for name in ["quay.io/x", "localhost/x", "library/localhost", "r.6_o/e"] {
            let name = format!("docker.io/{name}:1");
            let reference = Reference::parse(&name).unwrap();
            assert_eq!(
                Reference::parse(&reference.familiar()).unwrap(),
                reference,
                "{name}"
            );
            assert_eq!(
                Reference::parse(&reference.familiar_name()).unwrap().name(),
                reference.name()
            );
        }
    }

    #[test]
    fn the_port_of_a_bare_name_is_a_tag() {
        let reference = Reference::parse("test.com:5000").unwrap();
        assert_eq!(reference.to_string(), "docker.io/library/test.com:5000");
        assert_eq!(reference.familiar(), "test.com:5000");
    }

    #[test]
    fn sixty_four_hex_digits_are_an_id() {
        let hex = "0123456789abcdef".repeat(4);
        assert!(matches!(
            Reference::parse(&hex),
            Err(ReferenceError::HexId { .. })
        ));
        assert!(Reference::parse(&format!("docker.io/{hex}")).is_ok());
    }

    #[test]
    fn loopback_is_known() {
        for (registry, expected) in [
            ("localhost:5000", true),
            ("127.3.2.1", true),
            ("[::1]:80", true),
            ("10.0.0.1", false),
            ("localhost.x", false),
        ] {
            assert_eq!(
                registry.parse::<Registry>().unwrap().is_loopback(),
                expected,
                "{registry}"
            );
        }
    }

    #[test]
    fn errors_name_the_part() {
        let error = Reference::parse("quay.io/a//b:1").unwrap_err();
        assert!(error.to_string().contains("empty part"), "{error}");
        let error = Reference::parse("a:b:c").unwrap_err();
        assert!(error.to_string().contains("tag"), "{error}");
    }
}

//! Platforms: reading `linux/arm64/v8`, normalising, and matching as containerd does.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Descriptor;

/// What an image runs on (OCI image-spec, `image-index.md`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// `amd64`, `arm64`, … (Go's GOARCH).
    #[serde(default)]
    pub architecture: String,
    /// `linux`, `windows`, … (Go's GOOS).
    #[serde(default)]
    pub os: String,
    /// Windows: `10.0.17763.5458`.
    #[serde(rename = "os.version", default, skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    /// Windows: `win32k`.
    #[serde(rename = "os.features", default, skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    /// `v7`, `v8`, …
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

/// A platform that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a platform: `{text}` (write os/architecture[/variant], as in linux/amd64, linux/arm/v7, windows(10.0.17763)/amd64)"
)]
pub struct PlatformError {
    /// The text as given.
    pub text: String,
}

impl Platform {
    /// `os/architecture` with containerd's normalisation.
    #[must_use]
    pub fn new(os: &str, architecture: &str) -> Self {
        Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            ..Self::default()
        }
        .normalised()
    }

    /// BuildKit's `unknown/unknown`: an entry of an index that is no image (an attestation).
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
    }

    /// The canonical spelling (containerd/platforms, `normalizeOS`, `normalizeArch`).
    #[must_use]
    pub fn normalised(mut self) -> Self {
        self.os = self.os.to_ascii_lowercase();
        if self.os == "macos" {
            self.os = "darwin".to_owned();
        }
        let variant = self.variant.to_ascii_lowercase();
        let (architecture, variant) =
            match (self.architecture.to_ascii_lowercase().as_str(), variant.as_str()) {
                ("i386", _) => ("386".to_owned(), String::new()),
                ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64".to_owned(), String::new()),
                ("x86_64" | "x86-64", other) => ("amd64".to_owned(), other.to_owned()),
                ("aarch64" | "arm64", "8" | "v8" | "v8.0") => ("arm64".to_owned(), String::new()),
                ("aarch64", other) => ("arm64".to_owned(), other.to_owned()),
                ("armhf", _) => ("arm".to_owned(), "v7".to_owned()),
                ("armel", _) => ("arm".to_owned(), "v6".to_owned()),
                ("arm", "" | "7") => ("arm".to_owned(), "v7".to_owned()),
                ("arm", number @ ("5" | "6" | "8")) => ("arm".to_owned(), format!("v{number}")),
                (other, variant) => (other.to_owned(), variant.to_owned()),
            };
        self.architecture = architecture;
        self.variant = variant;
        self
    }

    /// Whether `candidate` satisfies this wish: same os, architecture and variant once normalised; an os version
    /// asked for must be the candidate's or a leading part of it (`10.0.17763` asks for any of its builds).
    #[must_use]
    pub fn matches(&self, candidate: &Self) -> bool {
        let (wish, candidate) = (self.clone().normalised(), candidate.clone().normalised());
        wish.os == candidate.os
            && wish.architecture == candidate.architecture
            && wish.variant == candidate.variant
            && version_matches(&wish.os_version, &candidate.os_version)
            && wish
                .os_features
                .iter()
                .all(|feature| candidate.os_features.contains(feature))
    }
}

fn version_matches(wish: &str, candidate: &str) -> bool {
    candidate
        .strip_prefix(wish)
        .is_some_and(|rest| wish.is_empty() || rest.is_empty() || rest.starts_with('.'))
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let error = || PlatformError {
            text: text.to_owned(),
        };
        let mut parts = text.split('/');
        let (os, rest) = (parts.next().unwrap_or_default(), parts.collect::<Vec<_>>());
        // Both spellings of a Windows build: containerd's `windows(10.0.17763)/amd64` and `windows/amd64:10.0.17763`.
        let (os, mut os_version) = match os.split_once('(') {
            Some((os, version)) => (os, version.strip_suffix(')').ok_or_else(error)?.to_owned()),
            None => (os, String::new()),
        };
        let (mut architecture, variant) = match rest.as_slice() {
            [architecture] => (*architecture, ""),
            [architecture, variant] => (*architecture, *variant),
            _ => return Err(error()),
        };
        if let Some((name, version)) = architecture.split_once(':') {
            (architecture, os_version) = (name, version.to_owned());
        }
        let word = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        };
        let optional = |text: &str| text.is_empty() || word(text);
        if !(word(os) && word(architecture) && optional(variant) && optional(&os_version)) {
            return Err(error());
        }
        let platform = Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.to_owned(),
            os_version,
            os_features: Vec::new(),
        };
        Ok(platform.normalised())
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.os)?;
        if !self.os_version.is_empty() {
            write!(f, "({})", self.os_version)?;
        }
        write!(f, "/{}", self.architecture)?;
        if !self.variant.is_empty() {
            write!(f, "/{}", self.variant)?;
        }
        Ok(())
    }
}

/// Which members of an index are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PlatformSet {
    /// Every member: the index stays whole.
    #[default]
    All,
    /// Only members that match one of these.
    Some(Vec<Platform>),
}

impl PlatformSet {
    /// The wanted members of an index, in their order. Companions (attestations) go with their image; a member
    /// without a platform is kept, for nobody can say that it is not wanted.
    #[must_use]
    pub fn select<'a>(&self, members: &'a [Descriptor]) -> Vec<&'a Descriptor> {
        let Self::Some(wishes) = self else {
            return members.iter().collect();
        };
        let wanted = |member: &Descriptor| match &member.platform {
            None => member.companion_of().is_none(),
            Some(platform) => wishes.iter().any(|wish| wish.matches(platform)),
        };
        let images: Vec<_> = members
            .iter()
            .filter(|member| wanted(member))
            .map(|member| member.digest)
            .collect();
        let kept = |member: &&Descriptor| match member.companion_of() {
            Some(image) => images.contains(&image),
            None => images.contains(&member.digest),
        };
        members.iter().filter(kept).collect()
    }
}

impl FromStr for PlatformSet {
    type Err = PlatformError;

    /// `all`, or platforms separated by commas.
    fn from_str(text: &str) -> Result<Self, PlatformError> {
        if text == "all" {
            return Ok(Self::All);
        }
        text.split(',')
            .map(|part| part.trim().parse())
            .collect::<Result<_, _>>()
            .map(Self::Some)
    }
}

impl fmt::Display for PlatformSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Some(platforms) => {
                let names: Vec<_> = platforms.iter().map(ToString::to_string).collect();
                f.write_str(&names.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, MediaType, annotation};

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn spellings_meet() {
        for (given, canonical) in [
            ("linux/aarch64", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("Linux/x86_64", "linux/amd64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/armhf", "linux/arm/v7"),
            ("linux/armel", "linux/arm/v6"),
            ("windows(10.0.17763)/amd64", "windows(10.0.17763)/amd64"),
            ("windows/amd64:10.0.17763", "windows(10.0.17763)/amd64"),
        ] {
            assert_eq!(platform(given).to_string(), canonical, "{given}");
        }
        for wrong in [
            "",
            "linux",
            "linux/",
            "/amd64",
            "linux/a/b/c",
            "linux/am d64",
            "windows(1/amd64",
        ] {
            assert!(wrong.parse::<Platform>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn windows_builds_match_by_leading_parts() {
        let wish = platform("windows(10.0.17763)/amd64");
        assert!(wish.matches(&platform("windows(10.0.17763.5458)/amd64")));
        assert!(!wish.matches(&platform("windows(10.0.177630)/amd64")));
        assert!(!wish.matches(&platform("windows(10.0.20348)/amd64")));
        assert!(platform("windows/amd64").matches(&platform("windows(10.0.20348)/amd64")));
        assert!(!platform("linux/arm/v7").matches(&platform("linux/arm/v6")));
    }

    #[test]
    fn attestations_travel_with_their_image() {
        let member = |byte: u8, text: &str| {
            let mut member = Descriptor::new(MediaType::OCI_MANIFEST, Digest::Sha256([byte; 32]), 1);
            member.platform = Some(platform(text));
            member
        };
        let attestation = |byte: u8, of: &Descriptor| {
            let mut member = member(byte, "unknown/unknown");
            member.annotations.insert(
                annotation::DOCKER_REFERENCE_TYPE.into(),
                "attestation-manifest".into(),
            );
            member
                .annotations
                .insert(annotation::DOCKER_REFERENCE_DIGEST.into(), of.digest.to_string());
            member
        };
        let (amd, arm) = (member(1, "linux/amd64"), member(2, "linux/arm64"));
        let members = [
            amd.clone(),
            arm.clone(),
            attestation(3, &amd),
            attestation(4, &arm),
        ];
        let set: PlatformSet = "linux/arm64".parse().unwrap();
        let kept: Vec<_> = set
            .select(&members)
            .iter()
            .map(|member| member.digest.as_bytes()[0])
            .collect();
        assert_eq!(kept, [2, 4]);
        assert_eq!(PlatformSet::All.select(&members).len(), 4);
    }
}

//! Which release of K3s or RKE2, and what it does otherwise than the others. Both have the numbers of Kubernetes, and
//! backport to the same numbers.

use std::fmt;
use std::str::FromStr;

use crate::containerd::Release;

/// A release: `v1.33.3+k3s1`, `1.30.7`, `v1.28`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 28 of v1.28.5.
    pub minor: u32,
    /// 5 of v1.28.5; of a line without a patch the newest one.
    pub patch: u32,
}

/// A text that is no release of K3s or RKE2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a version of K3s or RKE2; write it as `v1.30.7+k3s1`, `v1.33.3+rke2r1` or `v1.28`")]
pub struct VersionError {
    /// The text.
    pub text: String,
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let error = || VersionError {
            text: text.to_owned(),
        };
        let number = text.trim().strip_prefix('v').unwrap_or(text.trim());
        let number = number.split(['+', '-']).next().unwrap_or_default();
        let parts: Vec<&str> = number.split('.').collect();
        let parse = |part: &str| match part.bytes().all(|byte| byte.is_ascii_digit()) {
            true => part.parse().map_err(|_| error()),
            false => Err(error()),
        };
        match parts.as_slice() {
            ["1", minor] => Ok(Self {
                minor: parse(minor)?,
                patch: u32::MAX,
            }),
            ["1", minor, patch] => Ok(Self {
                minor: parse(minor)?,
                patch: parse(patch)?,
            }),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.patch {
            u32::MAX => write!(f, "v1.{}", self.minor),
            patch => write!(f, "v1.{}.{patch}", self.minor),
        }
    }
}

/// How the file reaches containerd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generation {
    /// `registry.mirrors` and `registry.configs` in config.toml.
    ConfigToml,
    /// The first hosts.toml files: a mirror whose last endpoint is the registry itself is not written at all, and
    /// endpoints that come twice make the file invalid.
    FirstHosts,
    /// hosts.toml without a `[host]` table: an entry with a credential or certificates only is a file that
    /// containerd refuses.
    NoHostTable,
    /// As it is now.
    Hosts,
}

/// What a release does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviours {
    /// How the file reaches containerd.
    pub generation: Generation,
    /// The token's scope has the repository before it is rewritten.
    pub original_scope: bool,
    /// A credential of `docker.io` counts for registry-1.docker.io.
    pub docker_io_alias: bool,
    /// Directories of certs.d that others wrote are kept.
    pub keeps_foreign: bool,
    /// config.toml is of version 3, whose plugins have other names.
    pub config_version_3: bool,
    /// The containerd inside.
    pub containerd: Release,
}

/// A thing that releases do since some patch of each line, and where that is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What they do.
    pub what: &'static str,
    /// The first patch of each line that does; later lines all do.
    pub since: &'static [(u32, u32)],
    /// Where it is known from.
    pub source: &'static str,
}

const HOSTS_TOML: Fact = Fact {
    what: "hosts.toml files instead of registry.mirrors in config.toml",
    since: &[(26, 13), (27, 10), (28, 6), (29, 1)],
    source: "k3s-io/k3s#8973, #9323",
};
const DEFAULT_SETTINGS: Fact = Fact {
    what: "the registry itself may be listed as its own last endpoint; endpoints that come twice are dropped",
    since: &[(26, 15), (27, 12), (28, 8), (29, 3)],
    source: "k3s-io/k3s#9556, #9697; output of v1.27.11 and v1.27.12 in #9638, #9695",
};
const HOST_TABLE: Fact = Fact {
    what: "entries with only a credential or certificates are files that containerd reads",
    since: &[(27, 13), (28, 9), (29, 4)],
    source: "k3s-io/k3s#9839, #9853, #9983",
};
const KEEPS_FOREIGN: Fact = Fact {
    what: "directories of certs.d without its own header are kept",
    since: &[(28, 14), (29, 9), (30, 5), (31, 1)],
    source: "k3s-io/k3s#10872",
};
const REWRITTEN_SCOPE: Fact = Fact {
    what: "tokens are asked for the rewritten repository",
    since: &[(29, 11), (30, 7), (31, 3)],
    source: "k3s-io/k3s#11401, #11403, #11404 (containerd v1.7.23-k3s2)",
};
const CONTAINERD_2: Fact = Fact {
    what: "containerd 2, config.toml of version 3",
    since: &[(31, 6), (32, 2)],
    source: "release notes of K3s",
};
const DOCKER_IO_ALIAS: Fact = Fact {
    what: "a credential of docker.io is used for registry-1.docker.io",
    since: &[(31, 11), (32, 7), (33, 3)],
    source: "k3s-io/k3s#12561",
};

/// All that differs between releases.
pub const FACTS: [Fact; 7] = [
    HOSTS_TOML,
    DEFAULT_SETTINGS,
    HOST_TABLE,
    KEEPS_FOREIGN,
    REWRITTEN_SCOPE,
    CONTAINERD_2,
    DOCKER_IO_ALIAS,
];

impl Fact {
    /// Whether a release does it.
    #[must_use]
    pub fn holds(&self, version: Version) -> bool {
        let line = self.since.iter().find(|(minor, _)| *minor == version.minor);
        let later = || self.since.iter().all(|(minor, _)| *minor < version.minor);
        line.map_or_else(later, |(_, patch)| version.patch >= *patch)
    }
}

impl Behaviours {
    /// What a release does.
    #[must_use]
    pub fn of(version: Version) -> Self {
        let generation = match version {
            v if HOST_TABLE.holds(v) => Generation::Hosts,
            v if DEFAULT_SETTINGS.holds(v) => Generation::NoHostTable,
            v if HOSTS_TOML.holds(v) => Generation::FirstHosts,
            _ => Generation::ConfigToml,
        };
        Self {
            generation,
            original_scope: !REWRITTEN_SCOPE.holds(version),
            docker_io_alias: DOCKER_IO_ALIAS.holds(version),
            keeps_foreign: KEEPS_FOREIGN.holds(version),
            config_version_3: CONTAINERD_2.holds(version),
            containerd: containerd(version),
        }
    }

    /// What the newest release does.
    #[must_use]
    pub fn newest() -> Self {
        Self::of(Version {
            minor: u32::MAX,
            patch: u32::MAX,
        })
    }
}

/// The containerd inside, as far as the release notes were read; within a line it moves with patches.
fn containerd(version: Version) -> Release {
    match version.minor {
        _ if !CONTAINERD_2.holds(version) => Release::V1_7,
        ..=33 => Release::V2_0,
        34 | 35 => Release::V2_1,
        _ => Release::V2_3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Behaviours {
        Behaviours::of(text.parse().unwrap())
    }

    #[test]
    fn versions_are_read_in_all_their_spellings() {
        for text in [
            "v1.30.7+k3s1",
            "1.30.7",
            "v1.30.7+rke2r1",
            "v1.30.7-k3s1",
            "v1.30.7-rc1+k3s1",
        ] {
            assert_eq!(text.parse(), Ok(Version { minor: 30, patch: 7 }), "{text}");
        }
        assert_eq!("v1.28".parse::<Version>().unwrap().to_string(), "v1.28");
        for text in [
            "",
            "v2.8.1",
            "1",
            "1.x",
            "v1.30.7.1",
            "latest",
            "1.-3",
            "1.99999999999",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn generations_change_where_the_releases_did() {
        for (version, generation) in [
            ("v1.24.17", Generation::ConfigToml),
            ("v1.26.12", Generation::ConfigToml),
            ("v1.28.5", Generation::ConfigToml),
            ("v1.29.0", Generation::ConfigToml),
            ("v1.29.1", Generation::FirstHosts),
            ("v1.27.11", Generation::FirstHosts),
            ("v1.26.15", Generation::NoHostTable),
            ("v1.29.3", Generation::NoHostTable),
            ("v1.29.4", Generation::Hosts),
            ("v1.30.0", Generation::Hosts),
            ("v1.28", Generation::Hosts),
            ("v1.40", Generation::Hosts),
        ] {
            assert_eq!(of(version).generation, generation, "{version}");
        }
    }

    #[test]
    fn scope_and_alias_change_where_the_releases_did() {
        assert!(of("v1.30.6").original_scope && !of("v1.30.7").original_scope);
        assert!(!of("v1.33.2").docker_io_alias && of("v1.33.3+rke2r1").docker_io_alias);
        assert!(!of("v1.30").docker_io_alias && of("v1.34.0").docker_io_alias);
        assert!(!of("v1.32.1").config_version_3 && of("v1.32.2").config_version_3);
    }
}

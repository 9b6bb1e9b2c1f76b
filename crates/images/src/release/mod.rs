//! What a release of K3s, RKE2 or Rancher says it needs: which of its files to read, and what those files leave out.
//!
//! Pure: it says which files, and reads their text; fetching them is for whoever asks.

mod default_registry;
mod rancher;
mod rke2;
mod version;

use std::fmt;

pub use self::default_registry::{DefaultRegistry, DefaultRegistryError};
pub use self::rancher::{RancherFile, origins, sources};
pub use self::rke2::{Architecture, CNIS, Part, Selection, parts, without_own_list};
pub use self::version::{Version, VersionError};

/// Rancher's two distributions of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Distribution {
    /// K3s.
    K3s,
    /// RKE2.
    Rke2,
}

impl Distribution {
    /// `k3s`, `rke2`: as in their versions and image names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::K3s => "k3s",
            Self::Rke2 => "rke2",
        }
    }

    /// The project whose releases they are.
    #[must_use]
    pub fn project(self) -> &'static str {
        match self {
            Self::K3s => "k3s-io/k3s",
            Self::Rke2 => "rancher/rke2",
        }
    }

    /// The images that Rancher needs for this release and that its lists do not name: name and reason.
    #[must_use]
    pub fn companions(self, version: &Version) -> [(String, &'static str); 2] {
        let tag = version.tag();
        [
            (
                format!("rancher/system-agent-installer-{self}:{tag}"),
                "installs it on nodes that Rancher provisions; the release's own list leaves it out",
            ),
            (
                format!("rancher/{self}-upgrade:{tag}"),
                "upgrades nodes to it (Rancher, system-upgrade-controller); the release's own list leaves it out",
            ),
        ]
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The project whose releases Rancher's are.
pub const RANCHER: &str = "rancher/rancher";

/// Where the projects' own downloads are.
const DOWNLOADS: &str = "https://github.com/{project}/releases/download";

/// Where a release's file lies, below this base if not in the project's own downloads. In the base, `{project}`,
/// `{version}` and `{tag}` (the version with `-` for `+`) are replaced; where neither of the latter stands in it, the
/// version is the folder below it, as in the projects' own downloads.
#[must_use]
pub fn place(base: Option<&str>, project: &str, version: &str, file: &str) -> String {
    let base = base.unwrap_or(DOWNLOADS).trim_end_matches('/');
    let base = base.replace("{project}", project);
    let is_url = base.contains("://");
    let version_there = match is_url {
        true => version.replace('+', "%2B"),
        false => version.to_owned(),
    };
    if base.contains("{version}") || base.contains("{tag}") {
        let base = base
            .replace("{version}", &version_there)
            .replace("{tag}", &version.replace('+', "-"));
        return format!("{base}/{file}");
    }
    format!("{base}/{version_there}/{file}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let at = |base| place(base, "k3s-io/k3s", "v1.30.4+k3s1", "k3s-images.txt");
        assert_eq!(
            at(None),
            "https://github.com/k3s-io/k3s/releases/download/v1.30.4%2Bk3s1/k3s-images.txt"
        );
        assert_eq!(
            at(Some("/mirror/k3s/")),
            "/mirror/k3s/v1.30.4+k3s1/k3s-images.txt"
        );
        assert_eq!(
            at(Some("https://m/k3s/{tag}")),
            "https://m/k3s/v1.30.4-k3s1/k3s-images.txt"
        );
        assert_eq!(
            at(Some("https://m/{version}/x/")),
            "https://m/v1.30.4%2Bk3s1/x/k3s-images.txt"
        );
    }

    #[test]
    fn companions_carry_the_version_as_a_tag() {
        let version = Version::parse("v1.34.3+rke2r3", Distribution::Rke2).unwrap();
        let names = Distribution::Rke2.companions(&version).map(|(name, _)| name);
        assert_eq!(
            names,
            [
                "rancher/system-agent-installer-rke2:v1.34.3-rke2r3",
                "rancher/rke2-upgrade:v1.34.3-rke2r3"
            ]
        );
    }
}

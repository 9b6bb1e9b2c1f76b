//! RKE2's lists: which of a release's files hold what was chosen.
//!
//! A release has one list of everything, and lists for its parts: a core, one for each network plugin, and more that
//! move between releases (the ingress controller that is not the default has a list of its own, and which one that
//! is changed). So nothing here says which file a release has; it says what to try, in which order.

use std::fmt;
use std::str::FromStr;

/// The network plugins. `multus` is one on top of another.
pub const CNIS: [&str; 6] = ["canal", "calico", "cilium", "flannel", "multus", "none"];

/// The processors that RKE2 has lists for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Architecture {
    /// x86-64.
    #[default]
    Amd64,
    /// 64-bit ARM.
    Arm64,
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        })
    }
}

impl FromStr for Architecture {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "amd64" | "x86_64" | "linux/amd64" => Ok(Self::Amd64),
            "arm64" | "aarch64" | "linux/arm64" => Ok(Self::Arm64),
            _ => Err(format!("`{text}`: RKE2 has lists for amd64 and arm64")),
        }
    }
}

/// What is wanted of a release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Network plugins; none given: everything.
    pub cni: Vec<String>,
    /// Further parts with a list of their own: `traefik`, `ingress-nginx`, `vsphere`, `harvester`.
    pub with: Vec<String>,
    /// Windows nodes, too.
    pub windows: bool,
    /// The Linux nodes' processor.
    pub architecture: Architecture,
}

/// One thing to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// `core`, `cilium`, `windows` …
    pub name: String,
    /// Its file.
    pub file: String,
    /// Files that hold it, too, with more: for releases that do not have its own.
    pub others: Vec<String>,
}

/// What to read for a selection.
#[must_use]
pub fn parts(selection: &Selection) -> Vec<Part> {
    let platform = format!("linux-{}", selection.architecture);
    let all = format!("rke2-images-all.{platform}.txt");
    let with_canal = format!("rke2-images.{platform}.txt");
    let own = |name: &str, others: Vec<String>| Part {
        name: name.to_owned(),
        file: format!("rke2-images-{name}.{platform}.txt"),
        others,
    };
    let mut parts = Vec::new();
    if selection.cni.is_empty() && selection.with.is_empty() {
        // The first releases had but one list.
        parts.push(own("all", vec![with_canal]));
    } else {
        parts.push(own("core", vec![with_canal.clone(), all.clone()]));
        let mut names: Vec<_> = selection.cni.iter().chain(&selection.with).collect();
        names.retain(|name| *name != "none");
        names.dedup();
        for name in names {
            let others = match name.as_str() {
                "canal" => vec![with_canal.clone(), all.clone()],
                _ => vec![all.clone()],
            };
            parts.push(own(name, others));
        }
    }
    if selection.windows {
        parts.push(Part {
            name: "windows".to_owned(),
            file: "rke2-images.windows-amd64.txt".to_owned(),
            others: Vec::new(),
        });
    }
    parts
}

/// Whether images that are known already hold this part: it has no list of its own in releases where it is in the core.
#[must_use]
pub fn without_own_list<'a>(part: &str, mut names: impl Iterator<Item = &'a str>) -> bool {
    let mark = match part {
        "ingress-nginx" => "nginx-ingress-controller",
        "traefik" => "traefik",
        "canal" => "hardened-flannel",
        _ => return false,
    };
    names.any(|name| name.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(selection: &Selection) -> Vec<String> {
        parts(selection).into_iter().map(|part| part.file).collect()
    }

    #[test]
    fn everything_or_chosen_parts() {
        let all = Selection::default();
        assert_eq!(files(&all), ["rke2-images-all.linux-amd64.txt"]);
        let chosen = Selection {
            cni: vec!["multus".into(), "cilium".into()],
            with: vec!["traefik".into()],
            windows: true,
            architecture: Architecture::Arm64,
        };
        assert_eq!(
            files(&chosen),
            [
                "rke2-images-core.linux-arm64.txt",
                "rke2-images-multus.linux-arm64.txt",
                "rke2-images-cilium.linux-arm64.txt",
                "rke2-images-traefik.linux-arm64.txt",
                "rke2-images.windows-amd64.txt",
            ]
        );
        let none = Selection {
            cni: vec!["none".into()],
            ..Selection::default()
        };
        assert_eq!(files(&none), ["rke2-images-core.linux-amd64.txt"]);
    }
}

//! Images that a list is known to lack: what its other images need, and published lists leave out.
//!
//! The knowledge is in the tables of [`super::known`]. Something is certain where the image is needed by everybody and
//! its name follows from another one; where it depends on how things are used, it is only worth knowing.

use std::collections::{BTreeMap, BTreeSet};

use landfall_oci::Reference;

use super::known::{OF_RANCHER, PAIRS, PLUGINS, Plugin, TagRule};

/// An image that others of the list need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its name, where it follows from the others.
    pub name: Option<String>,
    /// The image that needs it, as its list writes it.
    pub wanted_by: String,
    /// Why.
    pub because: String,
    /// Everybody who uses the list needs it.
    pub certain: bool,
}

/// The images of one list, ready to be asked.
struct Known<'a> {
    names: BTreeSet<(String, String)>,
    images: Vec<(&'a str, &'a Reference, String, String)>,
    /// Its clusters are Rancher's.
    for_rancher: bool,
    /// It is Rancher's own list, or made from it.
    of_rancher: bool,
}

/// What these images, named as their list writes them, are known to lack. Sorted by what needs it.
#[must_use]
pub fn missing<'a>(images: impl Iterator<Item = (&'a str, &'a Reference)>) -> Vec<Missing> {
    let known = Known::new(images);
    let mut found = pairs(&known);
    found.extend(audit_log(&known));
    found.extend(cni_of_rke(&known));
    found.extend(rke2_for_rancher(&known));
    found.extend(installers_alone(&known));
    found
}

impl<'a> Known<'a> {
    fn new(images: impl Iterator<Item = (&'a str, &'a Reference)>) -> Self {
        let images: Vec<_> = images
            .filter_map(|(text, reference)| {
                let tag = reference.tag()?.to_string();
                Some((text, reference, reference.repository().to_string(), tag))
            })
            .collect();
        let names = images
            .iter()
            .map(|(_, _, repository, tag)| (repository.clone(), release(tag).to_owned()))
            .chain(
                images
                    .iter()
                    .map(|(_, _, repository, tag)| (repository.clone(), tag.clone())),
            )
            .collect();
        let any = |end| {
            images
                .iter()
                .any(|(_, _, repository, _)| ends_in(repository, end))
        };
        let of_rancher = any("rancher/rancher");
        Self {
            names,
            for_rancher: of_rancher || any("rancher/rancher-agent"),
            of_rancher,
            images,
        }
    }

    fn has(&self, repository: &str, tag: &str) -> bool {
        self.names.contains(&(repository.to_owned(), tag.to_owned()))
    }

    fn any_of(&self, end: &str) -> bool {
        self.images
            .iter()
            .any(|(_, _, repository, _)| repository.ends_with(end))
    }
}

/// Whether a repository's name ends in these parts, whole: mirrors put more before them.
fn ends_in(repository: &str, end: &str) -> bool {
    repository
        .strip_suffix(end)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('/') || rest.ends_with("-jetstack-"))
}

/// A tag without the platform behind it.
fn release(tag: &str) -> &str {
    let ends = ["-linux-amd64", "-linux-arm64", "-windows-amd64"];
    ends.iter().find_map(|end| tag.strip_suffix(end)).unwrap_or(tag)
}

impl TagRule {
    fn of(self, tag: &str) -> Option<&str> {
        match self {
            Self::Same => Some(tag),
            Self::Release => Some(release(tag)),
            Self::Build => tag
                .rsplit_once("-build")
                .map(|(before, _)| before)
                .filter(|tag| tag.contains("-rke2r")),
        }
    }
}

fn pairs(known: &Known<'_>) -> Vec<Missing> {
    let mut found: BTreeMap<String, Missing> = BTreeMap::new();
    for (text, reference, repository, tag) in &known.images {
        for pair in PAIRS.iter().filter(|pair| known.for_rancher || !pair.for_rancher) {
            let (true, Some(tag)) = (ends_in(repository, pair.of), pair.tag.of(tag)) else {
                continue;
            };
            let other = format!(
                "{}{}",
                repository.strip_suffix(pair.of).unwrap_or_default(),
                pair.needs
            );
            if known.has(&other, tag) {
                continue;
            }
            // Written as the list writes the one that needs it: with or without `docker.io/`.
            let before = text
                .find(repository.as_str())
                .map_or("", |position| &text[..position]);
            let before = match before.is_empty() && !reference.registry().is_docker_hub() {
                true => format!("{}/", reference.registry()),
                false => before.to_owned(),
            };
            let name = format!("{before}{other}:{tag}");
            found.entry(name.clone()).or_insert_with(|| Missing {
                name: Some(name),
                wanted_by: (*text).to_owned(),
                because: pair.because.to_owned(),
                certain: true,
            });
        }
    }
    found.into_values().collect()
}

fn audit_log(known: &Known<'_>) -> Vec<Missing> {
    let lacking = OF_RANCHER
        .iter()
        .filter(|rule| !rule.one_of.iter().any(|end| known.any_of(end)));
    let missing = lacking.filter_map(|rule| {
        let (text, ..) = known.images.iter().find(|(_, _, repository, tag)| {
            let minor = tag
                .strip_prefix("v2.")
                .and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
            ends_in(repository, "rancher/rancher")
                && minor.is_some_and(|minor| (rule.from..rule.before).contains(&minor))
        })?;
        Some(Missing {
            name: rule.name.map(str::to_owned),
            wanted_by: (*text).to_owned(),
            because: rule.because.to_owned(),
            certain: false,
        })
    });
    missing.collect()
}

/// Rancher's lists never hold the images of two network plugins, because the program that writes them loses them.
fn cni_of_rke(known: &Known<'_>) -> Vec<Missing> {
    let rke: Vec<_> = known
        .images
        .iter()
        .filter(|(_, _, repository, _)| known.of_rancher && ends_in(repository, "rancher/hyperkube"))
        .map(|(text, _, _, tag)| (*text, minor(tag)))
        .collect();
    let lacking = PLUGINS.iter().filter_map(|Plugin { owner, plugin, minors }| {
        let there = known.images.iter().any(|(_, _, repository, _)| repository.split('/').any(|part| part == *owner));
        let uses = rke.iter().find(|(_, minor)| minor.is_some_and(|minor| minors.contains(&minor)))?;
        (!there).then(|| Missing {
            name: None,
            wanted_by: uses.0.to_owned(),
            because: format!(
                "RKE clusters with `network.plugin: {plugin}` need {owner}/… images, which Rancher's lists never hold; `landfall images rke` names them"
            ),
            certain: false,
        })
    });
    lacking.collect()
}

fn minor(tag: &str) -> Option<u32> {
    tag.strip_prefix("v1.")?.split(['.', '-']).next()?.parse().ok()
}

/// A list of RKE2 alone is whole for a cluster that nobody manages.
fn rke2_for_rancher(known: &Known<'_>) -> Vec<Missing> {
    if known.for_rancher {
        return Vec::new();
    }
    let runtime = known.images.iter().find(|(_, _, repository, tag)| {
        !tag.ends_with("-windows-amd64")
            && ends_in(repository, "rancher/rke2-runtime")
            && !known.has(
                &repository.replace("rke2-runtime", "system-agent-installer-rke2"),
                release(tag),
            )
    });
    let missing = |(text, _, _, tag): &(&str, _, _, String)| {
        let tag = release(tag);
        Missing {
            name: None,
            wanted_by: (*text).to_owned(),
            because: format!(
                "where Rancher provisions or upgrades the nodes, rancher/system-agent-installer-rke2:{tag} and rancher/rke2-upgrade:{tag} are needed, too"
            ),
            certain: false,
        }
    };
    runtime.map(missing).into_iter().collect()
}

/// Rancher's lists name the installers of many more releases than they name the images of.
fn installers_alone(known: &Known<'_>) -> Vec<Missing> {
    let alone: Vec<_> = known
        .images
        .iter()
        .filter(|(_, _, repository, tag)| {
            ends_in(repository, "rancher/system-agent-installer-rke2")
                && !known.has(
                    &repository.replace("system-agent-installer-rke2", "rke2-runtime"),
                    tag,
                )
        })
        .collect();
    let Some((text, _, _, _)) = alone.first().filter(|_| known.for_rancher) else {
        return Vec::new();
    };
    vec![Missing {
        name: None,
        wanted_by: (*text).to_owned(),
        because: format!(
            "{} of RKE2 are listed with their installer alone, so clusters of these cannot be made from this list; `landfall images rke2 --version …` names the images of one",
            match alone.len() {
                1 => "1 release".to_owned(),
                count => format!("{count} releases"),
            }
        ),
        certain: false,
    }]
}

#[cfg(test)]
mod tests {
    use crate::List;

    use super::*;

    fn of(list: &str) -> Vec<Missing> {
        let list = List::parse(list);
        missing(
            list.entries
                .iter()
                .map(|entry| (entry.text.as_str(), &entry.reference)),
        )
    }

    /// What is certain, as names.
    fn names(list: &str) -> Vec<String> {
        let found = of(list).into_iter().filter(|missing| missing.certain);
        found.filter_map(|missing| missing.name).collect()
    }

    #[test]
    fn acmesolver_beside_the_controller_wherever_it_lives() {
        for (controller, solver) in [
            (
                "quay.io/jetstack/cert-manager-controller:v1",
                "quay.io/jetstack/cert-manager-acmesolver:v1",
            ),
            (
                "reg:5000/x/cert-manager-controller:v1",
                "reg:5000/x/cert-manager-acmesolver:v1",
            ),
            (
                "rancher/mirrored-jetstack-cert-manager-controller:v1",
                "rancher/mirrored-jetstack-cert-manager-acmesolver:v1",
            ),
        ] {
            assert_eq!(names(&format!("{controller}\n")), [solver]);
            assert!(names(&format!("{controller}\n{solver}\n")).is_empty());
            assert_eq!(
                names(&format!("{controller}\n{}\n", solver.replace(":v1", ":v2"))),
                [solver]
            );
        }
        assert!(names("my-cert-manager-controller:v1\n").is_empty());
    }

    #[test]
    fn rke2_in_a_list_for_rancher() {
        let runtime = "docker.io/rancher/rke2-runtime:v1.34.3-rke2r3-linux-arm64\n";
        assert!(names(runtime).is_empty());
        assert!(of(runtime)[0].because.contains("rke2-upgrade:v1.34.3-rke2r3 "));
        assert_eq!(
            names(&format!("rancher/rancher-agent:v2.13.2\n{runtime}")),
            [
                "docker.io/rancher/rke2-upgrade:v1.34.3-rke2r3",
                "docker.io/rancher/system-agent-installer-rke2:v1.34.3-rke2r3"
            ]
        );
        let whole = "rancher/hardened-kubernetes:v1.34.3-rke2r3-build1\nrancher/rke2-runtime:v1.34.3-rke2r3-linux-amd64\nrancher/system-agent-installer-rke2:v1.34.3-rke2r3\n";
        assert!(of(whole).is_empty(), "{:?}", of(whole));
    }

    #[test]
    fn what_depends_on_use_is_not_certain() {
        let old = of("rancher/rancher:v2.2.4\nrancher/rancher-agent:v2.2.4\n");
        assert_eq!(
            (old[0].name.as_deref(), old[0].certain, old.len()),
            (Some("busybox"), false, 1)
        );
        let rancher = "rancher/rancher:v2.9.0\nrancher/rancher-agent:v2.9.0\nrancher/mirrored-bci-micro:1\n";
        let rke = of(&format!("{rancher}rancher/hyperkube:v1.30.3-rancher1\n"));
        assert_eq!(rke.len(), 1);
        assert!(rke[0].because.contains("noiro/"), "{rke:?}");
        let both = of(&format!(
            "{rancher}rancher/hyperkube:v1.29.7-rancher1\nrancher/hyperkube:v1.30.3-rancher1\n"
        ));
        assert_eq!(both.len(), 2);
        assert_eq!(both[0].wanted_by, "rancher/hyperkube:v1.29.7-rancher1");
        // There was no ACI at first.
        let old = of(&format!("{rancher}rancher/hyperkube:v1.12.1-rancher1\n"));
        assert!(
            old.len() == 1 && old[0].because.contains("weaveworks/"),
            "{old:?}"
        );
        // Who has no Rancher chose the images with care.
        assert!(of("rancher/hyperkube:v1.29.7-rancher1\n").is_empty());
    }
}

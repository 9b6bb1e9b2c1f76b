//! Name mapping: where an image of the list lives in another registry, and which rule said so.
//!
//! The default is the rule of Rancher's scripts, which their documentation relies on: the name as it stands in the
//! list goes below the target (`quay.io/a/b:1` → `T/quay.io/a/b:1`), Docker Hub's name is dropped.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use landfall_oci::{Reference, ReferenceError, Registry, Repository};

/// A registry with an optional path below which everything goes: `registry.example:5000/project`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The registry.
    pub registry: Registry,
    /// The path, without slashes at its ends.
    pub prefix: Option<Repository>,
}

/// Why a name has no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// A destination with `http://` before it.
    #[error("`{text}`: write the registry without a scheme (add --plain-http if it does not speak TLS)")]
    Scheme {
        /// The text as given.
        text: String,
    },
    /// A destination that is none.
    #[error("`{text}` is not a registry[/path]: {source}")]
    Destination {
        /// The text as given.
        text: String,
        /// What is wrong with it.
        source: ReferenceError,
    },
    /// A rule without `=`.
    #[error(
        "`{text}` is not a mapping rule: write PREFIX=PATH, as in docker.io=hub or quay.io/jetstack=jetstack"
    )]
    Rule {
        /// The text as given.
        text: String,
    },
    /// A registry with a port cannot become part of a path.
    #[error(
        "`{reference}`: a registry with a port cannot be part of a repository name; say where it goes with --map {registry}=PATH"
    )]
    Port {
        /// The image.
        reference: Box<Reference>,
        /// Its registry.
        registry: Registry,
    },
    /// The mapped name is against the grammar.
    #[error("`{reference}` would become `{name}`, which is not a repository name: {source}")]
    Name {
        /// The image.
        reference: Box<Reference>,
        /// What the rules made of it.
        name: String,
        /// What is wrong with it.
        source: ReferenceError,
    },
    /// Two images with one place.
    #[error("`{first}` and `{second}` would both become `{target}`; tell them apart with --map")]
    Collision {
        /// One.
        first: Box<Reference>,
        /// The other.
        second: Box<Reference>,
        /// The place.
        target: Box<Reference>,
    },
}

impl FromStr for Destination {
    type Err = MapError;

    /// The first part is the registry, whatever it looks like; `https://` and slashes at the end are dropped.
    fn from_str(given: &str) -> Result<Self, MapError> {
        if given.starts_with("http://") {
            return Err(MapError::Scheme {
                text: given.to_owned(),
            });
        }
        let text = given
            .strip_prefix("https://")
            .unwrap_or(given)
            .trim_end_matches('/');
        let wrong = |source| MapError::Destination {
            text: given.to_owned(),
            source,
        };
        let (registry, path) = match text.split_once('/') {
            Some((registry, path)) => (registry, Some(path)),
            None => (text, None),
        };
        Ok(Self {
            registry: registry.parse().map_err(wrong)?,
            prefix: path.map(str::parse).transpose().map_err(wrong)?,
        })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.prefix {
            Some(prefix) => write!(f, "{}/{prefix}", self.registry),
            None => self.registry.fmt(f),
        }
    }
}

/// `PREFIX=PATH`: names below PREFIX (whole parts, written with their registry) go below PATH instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    prefix: String,
    path: String,
}

impl FromStr for Rule {
    type Err = MapError;

    fn from_str(text: &str) -> Result<Self, MapError> {
        let (prefix, path) = text.split_once('=').ok_or_else(|| MapError::Rule {
            text: text.to_owned(),
        })?;
        let prefix = prefix.trim_end_matches('/').to_owned();
        if prefix.is_empty() {
            return Err(MapError::Rule {
                text: text.to_owned(),
            });
        }
        Ok(Self {
            prefix,
            path: path.trim_matches('/').to_owned(),
        })
    }
}

impl Rule {
    /// What is left of the name below the prefix, if it is below it.
    fn rest<'a>(&self, name: &'a str) -> Option<&'a str> {
        let rest = name.strip_prefix(self.prefix.as_str())?;
        if rest.is_empty() {
            Some(rest)
        } else {
            rest.strip_prefix('/')
        }
    }
}

/// The rules of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Where everything goes.
    pub destination: Destination,
    /// `--map`, longest prefix first; without a rule the name stays, less `docker.io`.
    pub rules: Vec<Rule>,
    /// Rancher's habit: `rancher/` before names without a path (`busybox` → `rancher/busybox`).
    pub rancher_names: bool,
    /// The very name of the list goes below the destination, `docker.io/` too: Rancher's scripts put texts together.
    pub as_written: bool,
}

impl Mapping {
    /// Everything below this destination, by the default rule.
    #[must_use]
    pub fn to(destination: Destination) -> Self {
        Self {
            destination,
            rules: Vec::new(),
            rancher_names: false,
            as_written: false,
        }
    }

    /// The rule of Rancher's scripts: what stands in the list goes below the destination as it is written, and below
    /// `rancher/` when it is a bare name.
    #[must_use]
    pub fn of_scripts(destination: Destination) -> Self {
        Self {
            rancher_names: true,
            as_written: true,
            ..Self::to(destination)
        }
    }

    /// Where this image goes; `written` is its name as it stands in the list. Tag and digest stay.
    ///
    /// # Errors
    /// [`MapError::Port`] and [`MapError::Name`].
    pub fn apply(&self, reference: &Reference, written: &str) -> Result<Reference, MapError> {
        self.below(reference, self.path(reference, written, has_library(written))?)
    }

    fn below(&self, reference: &Reference, path: String) -> Result<Reference, MapError> {
        let name = match &self.destination.prefix {
            Some(prefix) => format!("{prefix}/{path}"),
            None => path,
        };
        let repository = name.parse().map_err(|source| MapError::Name {
            reference: Box::new(reference.clone()),
            name: name.clone(),
            source,
        })?;
        Ok(reference.relocated(self.destination.registry.clone(), repository))
    }

    fn path(&self, reference: &Reference, written: &str, has_library: bool) -> Result<String, MapError> {
        let full = reference.name();
        let longest = self
            .rules
            .iter()
            .filter_map(|rule| rule.rest(&full).map(|rest| (rule, rest)));
        if let Some((rule, rest)) = longest.max_by_key(|(rule, _)| rule.prefix.len()) {
            let parts = [rule.path.as_str(), rest];
            return Ok(parts
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("/"));
        }
        if reference.registry().as_str().contains([':', '[']) {
            return Err(MapError::Port {
                reference: Box::new(reference.clone()),
                registry: reference.registry().clone(),
            });
        }
        let familiar = match self.as_written && !written.is_empty() {
            true => without_target(written).to_owned(),
            false if has_library && reference.registry().is_docker_hub() => {
                return Ok(reference.repository().to_string());
            }
            false => reference.familiar_name(),
        };
        Ok(match self.rancher_names && !familiar.contains('/') {
            true => format!("rancher/{familiar}"),
            false => familiar,
        })
    }

    /// The places where a source registry may keep this image, best first: as [`Self::apply`] says, then, for an
    /// official image of Docker Hub, with `library/` or without, whichever the list did not say: pull-through caches
    /// keep it one way, registries filled by hand the other.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn candidates(&self, reference: &Reference, written: &str) -> Result<Vec<Reference>, MapError> {
        let first = self.apply(reference, written)?;
        let is_official = reference.registry().is_docker_hub()
            && reference.familiar_name() != reference.repository().as_str();
        if !is_official {
            return Ok(vec![first]);
        }
        let second = self.below(reference, self.path(reference, written, !has_library(written))?)?;
        Ok(if second == first {
            vec![first]
        } else {
            vec![first, second]
        })
    }
}

/// A name as it is written, less its tag and digest.
fn without_target(written: &str) -> &str {
    let name = written.split_once('@').map_or(written, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}

/// Whether `library/` was written out.
fn has_library(written: &str) -> bool {
    let path = ["docker.io/", "index.docker.io/"]
        .iter()
        .find_map(|host| written.strip_prefix(host));
    path.unwrap_or(written).starts_with("library/")
}

/// An image and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The image under its own name.
    pub reference: Reference,
    /// Its place.
    pub target: Reference,
}

/// Maps a whole list of images and their names as written, in its order.
///
/// # Errors
/// Every image that has no place, and every two that have the same: all at once, so that one run shows them all.
pub fn place_all<'a>(
    mapping: &Mapping,
    images: impl IntoIterator<Item = (&'a Reference, &'a str)>,
) -> Result<Vec<Placement>, Vec<MapError>> {
    let (mut placements, mut errors) = (Vec::new(), Vec::new());
    let mut taken: BTreeMap<String, Reference> = BTreeMap::new();
    for (reference, written) in images {
        let target = match mapping.apply(reference, written) {
            Ok(target) => target,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        let place = format!(
            "{}:{}",
            target.name(),
            target
                .tag()
                .map_or_else(|| target.target().to_string(), ToString::to_string)
        );
        match taken.get(&place) {
            Some(first) => errors.push(MapError::Collision {
                first: Box::new(first.clone()),
                second: Box::new(reference.clone()),
                target: Box::new(target.clone()),
            }),
            None => {
                taken.insert(place, reference.clone());
            }
        }
        placements.push(Placement {
            reference: reference.clone(),
            target,
        });
    }
    if errors.is_empty() {
        Ok(placements)
    } else {
        Err(errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(destination: &str, rules: &[&str], rancher_names: bool) -> Mapping {
        let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        Mapping {
            destination: destination.parse().unwrap(),
            rules,
            rancher_names,
            as_written: false,
        }
    }

    fn map(mapping: &Mapping, image: &str) -> String {
        mapping
            .apply(&image.parse().unwrap(), image)
            .map_or_else(|error| error.to_string(), |target| target.to_string())
    }

    #[test]
    fn the_scripts_rule() {
        for registry in ["reg:5000", "reg:5000/", "https://reg:5000/"] {
            let plain = mapping(registry, &[], false);
            assert_eq!(map(&plain, "rancher/a:1"), "reg:5000/rancher/a:1");
            assert_eq!(map(&plain, "quay.io/x/y:3"), "reg:5000/quay.io/x/y:3");
            assert_eq!(map(&plain, "b:2"), "reg:5000/b:2");
            assert_eq!(map(&plain, "docker.io/rancher/a:1"), "reg:5000/rancher/a:1");
        }
        let rancher = mapping("reg/proj", &[], true);
        assert_eq!(map(&rancher, "b:2"), "reg/proj/rancher/b:2");
        assert_eq!(map(&rancher, "quay.io/x/y:3"), "reg/proj/quay.io/x/y:3");
        // What was written is what goes below the target.
        assert_eq!(map(&rancher, "library/b:2"), "reg/proj/library/b:2");
    }

    #[test]
    fn the_scripts_put_texts_together() {
        let scripts = |registry: &str| Mapping::of_scripts(registry.parse().unwrap());
        let cases = [
            ("reg:5000", "rancher/a:1", "reg:5000/rancher/a:1"),
            ("reg:5000/", "rancher/a:1", "reg:5000/rancher/a:1"),
            ("reg/proj", "rancher/a:1", "reg/proj/rancher/a:1"),
            ("reg", "b:2", "reg/rancher/b:2"),
            ("reg", "quay.io/x/y:3", "reg/quay.io/x/y:3"),
            ("reg", "docker.io/rancher/a:1", "reg/docker.io/rancher/a:1"),
            ("reg", "docker.io/b:2", "reg/docker.io/b:2"),
            ("reg", "library/b:2", "reg/library/b:2"),
            ("reg", "b", "reg/rancher/b"),
        ];
        for (registry, image, target) in cases {
            assert_eq!(map(&scripts(registry), image), target);
        }
        assert!(map(&scripts("reg"), "localhost:5000/x:1").contains("cannot be part of a repository name"));
    }

    #[test]
    fn a_port_needs_advice_or_a_rule() {
        let plain = mapping("reg", &[], false);
        assert!(map(&plain, "localhost:5000/x:1").contains("--map localhost:5000=PATH"));
        assert_eq!(
            map(
                &mapping("reg", &["localhost:5000=local"], false),
                "localhost:5000/x:1"
            ),
            "reg/local/x:1"
        );
    }

    #[test]
    fn the_longest_rule_wins_and_parts_stay_whole() {
        let rules = mapping("reg", &["quay.io=q", "quay.io/jetstack=cm", "docker.io="], false);
        assert_eq!(map(&rules, "quay.io/jetstack/ctl:1"), "reg/cm/ctl:1");
        assert_eq!(map(&rules, "quay.io/jetstacks/ctl:1"), "reg/q/jetstacks/ctl:1");
        assert_eq!(map(&rules, "busybox"), "reg/library/busybox");
        assert_eq!(map(&rules, "ghcr.io/a/b:1"), "reg/ghcr.io/a/b:1");
    }

    #[test]
    fn two_images_never_share_a_place() {
        let rules = mapping("reg", &["quay.io=", "ghcr.io="], false);
        let list: Vec<Reference> = ["quay.io/a:1", "ghcr.io/a:1", "ghcr.io/a:2"]
            .map(|name| name.parse().unwrap())
            .into();
        let errors = place_all(&rules, list.iter().map(|name| (name, ""))).unwrap_err();
        assert!(
            matches!(errors.as_slice(), [MapError::Collision { .. }]),
            "{errors:?}"
        );
    }

    #[test]
    fn bare_names_are_looked_for_in_library_too() {
        let from = mapping("cache:5000/hub", &[], false);
        let names = |image: &str| {
            let found = from.candidates(&image.parse().unwrap(), image).unwrap();
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            names("busybox:1"),
            ["cache:5000/hub/busybox:1", "cache:5000/hub/library/busybox:1"]
        );
        let library = "docker.io/library/busybox:1";
        assert_eq!(
            names(library),
            ["cache:5000/hub/library/busybox:1", "cache:5000/hub/busybox:1"]
        );
        assert_eq!(names("rancher/a:1"), ["cache:5000/hub/rancher/a:1"]);
    }
}

//! One release of RKE: its default version, the versions that it offers and knows, and which images it gives them.

use landfall_diag::nearest;

use super::super::error::RkeError;
use super::super::version::{compare_releases, minor, numbers};
use super::{Entry, Images, Known, Row, Table, Variant};

/// A release, in the light of a table.
#[derive(Clone, Debug)]
pub struct Release<'t> {
    table: &'t Table,
    /// Its name, with `v`.
    pub name: String,
    /// The release whose data is taken, where this one is not in the table: the newest one before it.
    pub instead: Option<&'t str>,
    /// The version of a cluster that names none.
    pub default: &'t str,
    /// The versions that it offers (`rke config --list-version --all`), oldest first.
    pub current: Vec<&'t str>,
}

/// The images of a version in a release.
#[derive(Clone, Debug)]
pub struct Found<'t> {
    /// The version, as the table has it.
    pub version: &'t str,
    /// Its images.
    pub images: Images<'t>,
    /// Which set of images this is, where releases disagree.
    pub choice: Choice,
}

/// Why this set of images and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// All releases that know the version agree.
    Only,
    /// That of the newest releases; those of the ranges have others.
    Newest {
        /// The first and last release of each other set.
        others: Vec<(String, String)>,
    },
    /// That of these releases.
    Older {
        /// The first of them.
        first: String,
        /// The last of them.
        last: String,
    },
}

impl Table {
    /// A release by its name, with or without `v`.
    ///
    /// # Errors
    /// Something that is no release's name, or one from before the table begins.
    pub fn release(&self, name: &str) -> Result<Release<'_>, RkeError> {
        let wrong = || RkeError::Release {
            release: name.to_owned(),
        };
        let bare = name.strip_prefix('v').unwrap_or(name);
        if numbers(bare.split('-').next().unwrap_or_default()).len() != 3
            || !bare.starts_with(|c: char| c.is_ascii_digit())
        {
            return Err(wrong());
        }
        let name = format!("v{bare}");
        match self.rules {
            Some(_) => self.release_of_kdm(name),
            None => {
                let before = |known: &&Known| compare_releases(&known.name, &name).is_le();
                let known = self.releases.iter().rev().find(before).ok_or_else(wrong)?;
                Ok(Release {
                    table: self,
                    instead: (*known.name != *name).then_some(&*known.name),
                    name,
                    default: &known.default,
                    current: known.current.iter().map(|version| &**version).collect(),
                })
            }
        }
    }

    fn release_of_kdm(&self, name: String) -> Result<Release<'_>, RkeError> {
        let rules = self.rules.as_ref();
        let default = rules.map_or("", |rules| rules.default(&name));
        let offered = |version: &str| {
            rules.is_some_and(|rules| rules.has(&name, version) && rules.offers(&name, version))
        };
        let mut current: Vec<&str> = Vec::new();
        for version in self.versions().filter(|version| offered(version)) {
            // Versions come oldest first: the last of each minor version stays.
            current.retain(|known| minor(known) != minor(version));
            current.push(version);
        }
        if default.is_empty() {
            return Err(RkeError::kdm("RKEDefaultK8sVersions has no default"));
        }
        Ok(Release {
            table: self,
            name,
            instead: None,
            default,
            current,
        })
    }
}

impl<'t> Release<'t> {
    /// The table that this is a part of.
    #[must_use]
    pub fn table(&self) -> &'t Table {
        self.table
    }

    /// Whether this release knows a version.
    ///
    /// The table that the program carries says so exactly for versions on offer; of the others a release knows all
    /// that were out when it was made, which is told by the newest one of each minor version that it offers.
    #[must_use]
    pub fn has(&self, version: &str) -> bool {
        if self.table.entry(version).is_none() {
            return false;
        }
        if let Some(rules) = &self.table.rules {
            return rules.has(&self.name, version);
        }
        if version == self.default || self.current.contains(&version) {
            return true;
        }
        let is_gone = self.table.gone.iter().any(|gone| **gone == *version);
        if is_gone && compare_releases(&self.name, "v0.2.0").is_ge() {
            return false;
        }
        let version_numbers = numbers(version);
        let of_minor = self.current.iter().find(|known| minor(known) == minor(version));
        let bound = of_minor.or(self.current.first());
        bound.is_some_and(|bound| version_numbers <= numbers(bound))
    }

    /// The images that this release gives a version that it knows.
    #[must_use]
    pub fn find(&self, version: &str) -> Option<Found<'t>> {
        self.has(version)
            .then(|| self.table.entry(version))
            .flatten()
            .map(|entry| self.chosen(entry))
    }

    /// The images that the table gives a version, whether this release knows it or not.
    #[must_use]
    pub fn find_anyway(&self, version: &str) -> Option<Found<'t>> {
        self.table.entry(version).map(|entry| self.chosen(entry))
    }

    fn chosen(&self, entry: &'t Entry) -> Found<'t> {
        let found = |row: &'t Row, choice| Found {
            version: &entry.version,
            images: Images {
                table: self.table,
                row,
            },
            choice,
        };
        if let Some(variant) = entry.variants.iter().find(|variant| variant.holds(&self.name)) {
            let (first, last) = (variant.first.to_string(), variant.last.to_string());
            return found(&variant.row, Choice::Older { first, last });
        }
        let range = |variant: &Variant| (variant.first.to_string(), variant.last.to_string());
        match entry.variants.as_slice() {
            [] => found(&entry.row, Choice::Only),
            variants => {
                let others = variants.iter().map(range).collect();
                found(&entry.row, Choice::Newest { others })
            }
        }
    }

    /// The error for a version that is not there, with what is nearest to it.
    #[must_use]
    pub fn unknown(&self, version: &str) -> RkeError {
        RkeError::Version {
            version: version.to_owned(),
            rke: self.name.clone(),
            advice: self.advice(version),
        }
    }

    /// What is there instead of a version that is not.
    #[must_use]
    pub fn advice(&self, version: &str) -> String {
        let elsewhere = self.table.releases.iter().rev().find(|known| {
            known.current.iter().any(|current| **current == *version) || *known.default == *version
        });
        if let Some(known) = elsewhere {
            return format!("RKE {} does (--rke {})", known.name, known.name);
        }
        let offers = self.current.join(", ");
        match self.nearest(version) {
            Some(near) => format!("the nearest that it knows is {near}; it offers {offers}"),
            None => format!("it offers {offers}"),
        }
    }

    /// The version nearest to one that is not there: one that is spelled nearly so, else the newest of its minor version.
    #[must_use]
    pub fn nearest(&self, version: &str) -> Option<&'t str> {
        let known = || self.table.versions().filter(|version| self.has(version));
        let same_minor = || known().filter(|known| minor(known) == minor(version)).last();
        // `v1.30.5` and `1.30.5-rancher1` want what begins so, and the newest of it.
        let stem = format!("v{}", version.trim_start_matches('v'));
        let longer = known().filter(|known| {
            let rest = known.strip_prefix(stem.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
        });
        longer
            .last()
            .or_else(same_minor)
            .or_else(|| nearest(version, known()))
    }
}

impl Variant {
    fn holds(&self, release: &str) -> bool {
        if !self.exactly.is_empty() {
            return self.exactly.iter().any(|known| **known == *release);
        }
        compare_releases(&self.first, release).is_le() && compare_releases(release, &self.last).is_le()
    }
}

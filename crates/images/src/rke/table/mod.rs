//! Which images each version of Kubernetes has in RKE: the table that the program carries, or the one of a `data.json`.

mod kdm;
mod read;
mod release;

use std::collections::BTreeMap;
use std::sync::OnceLock;

pub use self::release::{Choice, Found, Release};
use super::component::{COMPONENTS, position};
use super::error::RkeError;
use super::version::{is_final, numbers};

/// Made by scripts/rke-table, which explains the form.
const EMBEDDED: &str = include_str!("../../../data/rke.txt");

/// Every version with its images.
#[derive(Debug, Default)]
pub struct Table {
    /// Each image once; the first is none.
    images: Vec<Box<str>>,
    /// In the order of versions.
    versions: Vec<Entry>,
    /// In the order of releases.
    releases: Vec<Known>,
    /// Which components a choice renders, from which version on.
    needs: BTreeMap<Box<str>, Vec<Need>>,
    /// Known to the first releases, and refused since v0.2.0.
    gone: Vec<Box<str>>,
    /// The rules of a `data.json`, where the table comes from one.
    rules: Option<kdm::Rules>,
}

/// Indices into the table's images, one for each component.
type Row = [u16; COMPONENTS.len()];

#[derive(Debug)]
struct Entry {
    version: Box<str>,
    numbers: Vec<u64>,
    row: Row,
    variants: Vec<Variant>,
}

/// What some releases have instead.
#[derive(Debug)]
struct Variant {
    first: Box<str>,
    last: Box<str>,
    /// Exactly these; where empty, all from the first to the last.
    exactly: Vec<Box<str>>,
    row: Row,
}

#[derive(Debug)]
struct Known {
    name: Box<str>,
    default: Box<str>,
    current: Vec<Box<str>>,
}

#[derive(Debug)]
struct Need {
    since: Vec<u64>,
    components: Vec<&'static str>,
    /// The same as for this choice.
    like: Option<Box<str>>,
}

/// The images of one version: for each component one, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Images<'t> {
    table: &'t Table,
    row: &'t Row,
}

impl<'t> Images<'t> {
    /// The image of a component, by its name in cluster.yml; empty where there is none.
    #[must_use]
    pub fn get(&self, component: &str) -> &'t str {
        position(component).map_or("", |place| self.table.image(self.row[place]))
    }

    /// All 41, in RKE's order, the empty ones too.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'t str)> {
        let (table, row) = (self.table, self.row);
        COMPONENTS
            .iter()
            .zip(row)
            .map(move |(component, index)| (component.yaml, table.image(*index)))
    }
}

impl Table {
    /// The table that the program carries. Read when first asked for.
    #[must_use]
    pub fn embedded() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        // A test reads all of it; a table that cannot be read is empty, and knows no version.
        TABLE.get_or_init(|| Self::parse(EMBEDDED).unwrap_or_default())
    }

    /// Reads a table in the form that scripts/rke-table writes.
    ///
    /// # Errors
    /// The first line that cannot be understood.
    pub fn parse(text: &str) -> Result<Self, RkeError> {
        read::table(text)
    }

    /// Reads a `data.json` of kontainer-driver-metadata. It says nothing about which components a choice renders in a
    /// form that could be read, so that is taken from `like`.
    ///
    /// # Errors
    /// What is no such file.
    pub fn from_kdm(text: &[u8], like: &Self) -> Result<Self, RkeError> {
        kdm::table(text, like)
    }

    /// All versions, oldest first.
    pub fn versions(&self) -> impl Iterator<Item = &str> {
        self.versions.iter().map(|entry| &*entry.version)
    }

    /// All releases of RKE that are known by name, oldest first.
    pub fn releases(&self) -> impl Iterator<Item = &str> {
        self.releases.iter().map(|known| &*known.name)
    }

    /// The newest release, leaving out states between releases. Of a `data.json`, the newest that it speaks of.
    #[must_use]
    pub fn newest_release(&self) -> &str {
        if let Some(rules) = &self.rules {
            return rules.newest();
        }
        let mut finals = self.releases.iter().rev().filter(|known| is_final(&known.name));
        finals.next().map_or("", |known| &known.name)
    }

    /// The release to take where nobody names one: the newest, or the newest that knows this version.
    ///
    /// # Errors
    /// As [`Self::release`]; only for a table without any.
    pub fn release_for(&self, version: Option<&str>) -> Result<Release<'_>, RkeError> {
        let newest = self.release(self.newest_release())?;
        let Some(version) = version else {
            return Ok(newest);
        };
        let others = self.releases.iter().rev();
        let (finals, states): (Vec<_>, Vec<_>) = others.partition(|known| is_final(&known.name));
        let all = finals.into_iter().chain(states);
        let mut knowing = all
            .filter_map(|known| self.release(&known.name).ok())
            .filter(|release| release.has(version));
        Ok(match newest.has(version) {
            true => newest,
            false => knowing.next().unwrap_or(newest),
        })
    }

    /// The images of a version in the newest release that has it.
    #[must_use]
    pub fn images(&self, version: &str) -> Option<Images<'_>> {
        let row = &self.entry(version)?.row;
        Some(Images { table: self, row })
    }

    /// What other releases have for a version: the first and the last of them, and the images.
    pub fn variants(&self, version: &str) -> impl Iterator<Item = (&str, &str, Images<'_>)> {
        let variants = self
            .entry(version)
            .map_or(&[][..], |entry| entry.variants.as_slice());
        variants.iter().map(|variant| {
            let images = Images {
                table: self,
                row: &variant.row,
            };
            (&*variant.first, &*variant.last, images)
        })
    }

    /// The components that a choice (`network:canal`, `dns:coredns`, `core` …) renders at a version.
    #[must_use]
    pub fn needs(&self, choice: &str, version: &str) -> &[&'static str] {
        let Some(steps) = self.needs.get(choice) else {
            return &[];
        };
        let numbers = numbers(version);
        let reached = steps.iter().rev().find(|need| need.since <= numbers);
        match reached.or(steps.first()) {
            Some(Need { like: Some(like), .. }) if **like != *choice => self.needs(like, version),
            Some(need) => &need.components,
            None => &[],
        }
    }

    fn entry(&self, version: &str) -> Option<&Entry> {
        self.versions.iter().find(|entry| &*entry.version == version)
    }

    fn image(&self, index: u16) -> &str {
        self.images.get(usize::from(index)).map_or("", |image| image)
    }
}

/// Gives each image its number.
#[derive(Debug, Default)]
struct Interner {
    known: BTreeMap<Box<str>, u16>,
    images: Vec<Box<str>>,
}

impl Interner {
    /// The number of an image; 0 is none. A table that has more than fit is refused by its reader.
    fn number(&mut self, image: &str) -> Option<u16> {
        if self.images.is_empty() {
            self.images.push("".into());
        }
        if image.is_empty() {
            return Some(0);
        }
        if let Some(number) = self.known.get(image) {
            return Some(*number);
        }
        let number = u16::try_from(self.images.len()).ok()?;
        self.images.push(image.into());
        self.known.insert(image.into(), number);
        Some(number)
    }
}

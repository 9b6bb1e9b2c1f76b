//! Reads the table's own form, which scripts/rke-table explains.

use std::collections::BTreeMap;

use super::super::component::{COMPONENTS, position};
use super::super::error::RkeError;
use super::super::version::numbers;
use super::{Entry, Interner, Known, Need, Row, Table, Variant};

pub(super) fn table(text: &str) -> Result<Table, RkeError> {
    let mut reader = Reader::default();
    for (number, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        reader.line(line).map_err(|what| RkeError::Table {
            line: number + 1,
            what,
        })?;
    }
    reader.table.images = reader.interner.images;
    Ok(reader.table)
}

#[derive(Default)]
struct Reader<'a> {
    table: Table,
    interner: Interner,
    groups: BTreeMap<&'a str, Vec<usize>>,
    /// Where each version is.
    places: BTreeMap<&'a str, usize>,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a str) -> Result<(), String> {
        let mut words = line.split(' ');
        if line.starts_with(' ') {
            words.next();
            return match (words.next(), words.next()) {
                (Some("?"), Some(first)) => self.variant(first, words),
                (Some(names), Some(image)) => self.images(names, image),
                _ => Err("components and an image are expected".to_owned()),
            };
        }
        match (words.next().unwrap_or_default(), words.next()) {
            ("group", Some(name)) => {
                let members = words.map(component).collect::<Result<_, _>>()?;
                self.groups.insert(name, members);
                Ok(())
            }
            ("gone", Some(first)) => {
                self.table.gone = std::iter::once(first).chain(words).map(Into::into).collect();
                Ok(())
            }
            ("need", Some(choice)) => self.need(choice, words),
            ("rke", Some(name)) => self.release(name, words),
            (version, None) => self.version(version, None),
            (version, Some("<")) => self.version(version, words.next()),
            (first, _) => Err(format!("`{first}` is no kind of line")),
        }
    }

    fn need(&mut self, choice: &str, mut words: impl Iterator<Item = &'a str>) -> Result<(), String> {
        let since = words.next().ok_or("a version is expected")?;
        let (mut components, mut like) = (Vec::new(), None);
        for word in words {
            match word.strip_prefix('=') {
                Some(other) => like = Some(other.into()),
                None if word == "-" => {}
                None => components.push(COMPONENTS[component(word)?].yaml),
            }
        }
        let need = Need {
            since: numbers(since),
            components,
            like,
        };
        self.table.needs.entry(choice.into()).or_default().push(need);
        Ok(())
    }

    fn release(&mut self, name: &str, mut words: impl Iterator<Item = &'a str>) -> Result<(), String> {
        let default = words.next().ok_or("a default version is expected")?.into();
        let before = self.table.releases.last();
        let mut current: Vec<Box<str>> = before.map_or_else(Vec::new, |known| known.current.clone());
        for word in words {
            match word.split_at_checked(1) {
                Some(("+", version)) => current.push(version.into()),
                Some(("-", version)) => current.retain(|known| **known != *version),
                _ => return Err(format!("`{word}` is neither +VERSION nor -VERSION")),
            }
        }
        current.sort_by_cached_key(|version| numbers(version));
        let name = name.into();
        self.table.releases.push(Known {
            name,
            default,
            current,
        });
        Ok(())
    }

    fn version(&mut self, version: &'a str, base: Option<&str>) -> Result<(), String> {
        let row = match base {
            None => [0; COMPONENTS.len()],
            Some(base) => {
                let place = self.places.get(base);
                self.table.versions[*place.ok_or_else(|| format!("`{base}` is not above"))?].row
            }
        };
        self.places.insert(version, self.table.versions.len());
        self.table.versions.push(Entry {
            version: version.into(),
            numbers: numbers(version),
            row,
            variants: Vec::new(),
        });
        Ok(())
    }

    fn variant(&mut self, first: &str, mut words: impl Iterator<Item = &'a str>) -> Result<(), String> {
        let entry = self
            .table
            .versions
            .last_mut()
            .ok_or("a variant of which version?")?;
        entry.variants.push(Variant {
            first: first.into(),
            last: words.next().ok_or("a last release is expected")?.into(),
            exactly: words.map(Into::into).collect(),
            row: entry.row,
        });
        Ok(())
    }

    fn images(&mut self, names: &str, image: &str) -> Result<(), String> {
        let entry = self.table.versions.last_mut().ok_or("images of which version?")?;
        let stem = entry
            .version
            .rsplit_once('-')
            .map_or(&*entry.version, |(stem, _)| stem);
        let image = match image {
            "-" => String::new(),
            image => image.replace('*', stem),
        };
        let number = self.interner.number(&image).ok_or("too many images")?;
        let row: &mut Row = match entry.variants.last_mut() {
            Some(variant) => &mut variant.row,
            None => &mut entry.row,
        };
        for name in names.split(',') {
            match self.groups.get(name) {
                Some(members) => members.iter().for_each(|place| row[*place] = number),
                None => row[component(name)?] = number,
            }
        }
        Ok(())
    }
}

fn component(name: &str) -> Result<usize, String> {
    position(name).ok_or_else(|| format!("`{name}` is no component"))
}

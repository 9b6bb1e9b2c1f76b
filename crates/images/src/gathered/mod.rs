//! What sources ask for, gathered: each image once, with everyone who wants it and why.
//!
//! Every source of images (RKE's table, release lists, charts, manifests, plain lists) ends here, so that lists from
//! any mix of them can be put together, taken from one another, printed and explained in one way.

mod document;
mod search;

use std::collections::{BTreeMap, HashMap};

use landfall_oci::{Reference, ReferenceError};
use serde::{Deserialize, Serialize};

pub use self::document::DocumentError;
use crate::{Entry, List};

/// Who wants an image, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Why {
    /// The source in a few words: `rke v1.30.5-rancher1-1`, `chart cert-manager v1.15.3`, `list images.txt`.
    pub source: String,
    /// The part of the source: a component (`coredns`), an object and field
    /// (`Deployment cert-manager/cert-manager: containers[0].args`), a line. Empty when there is nothing to add.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub part: String,
    /// File and line that say so (`values.yaml:12`), where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Seen by the shape of a field only, in a place of which nothing is known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guess: bool,
}

/// One image that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The parsed name, `:latest` written out where it was implied.
    pub reference: Reference,
    /// Its reasons, sorted, each once.
    pub why: Vec<Why>,
}

/// Images by the text of their names as their sources write them (lists keep that text: `rancher/a:1`, not
/// `docker.io/rancher/a:1`), sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    images: BTreeMap<String, Wanted>,
    /// The text under which each image is kept.
    texts: HashMap<Reference, String>,
    /// What the person should know beside the list: things skipped, things that look wrong.
    pub remarks: Vec<Remark>,
}

/// Something that the person should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Which source it is about.
    pub source: String,
    /// File and line, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What, and what to do about it.
    pub message: String,
}

impl Gathered {
    /// Adds an image for this reason. Names that mean the same image (`a`, `docker.io/library/a:latest`) stay one: the
    /// first text stands.
    pub fn add(&mut self, text: &str, reference: Reference, why: Why) {
        let reference = reference.with_default_tag();
        let text = self
            .texts
            .entry(reference.clone())
            .or_insert_with(|| text.to_owned());
        let wanted = self.images.entry(text.clone()).or_insert_with(|| Wanted {
            reference,
            why: Vec::new(),
        });
        if let Err(position) = wanted.why.binary_search(&why) {
            wanted.why.insert(position, why);
        }
    }

    /// Adds the image that this text names.
    ///
    /// # Errors
    /// The text is no image reference; nothing was added.
    pub fn add_text(&mut self, text: &str, why: Why) -> Result<(), ReferenceError> {
        Reference::parse(text).map(|reference| self.add(text, reference, why))
    }

    /// Adds a remark.
    pub fn remark(&mut self, source: &str, place: Option<String>, message: impl Into<String>) {
        self.remarks.push(Remark {
            source: source.to_owned(),
            place,
            message: message.into(),
        });
    }

    /// Adds the images of a list that lies at `place` (a file's name), each with its line, and what was odd about it.
    pub fn add_list(&mut self, list: &List, source: &str, part: &str, place: &str) {
        for entry in &list.entries {
            let why = Why {
                source: source.to_owned(),
                part: part.to_owned(),
                place: Some(format!("{place}:{}", entry.line)),
                guess: false,
            };
            self.add(&entry.text, entry.reference.clone(), why);
        }
        for note in &list.notes {
            self.remark(
                source,
                Some(format!("{place}:{}", note.line)),
                note.message.as_str(),
            );
        }
    }

    /// Everything of another one besides.
    pub fn merge(&mut self, other: Self) {
        for (text, wanted) in other.images {
            for why in wanted.why {
                self.add(&text, wanted.reference.clone(), why);
            }
        }
        for remark in other.remarks {
            if !self.remarks.contains(&remark) {
                self.remarks.push(remark);
            }
        }
    }

    /// Takes an image away, whatever its name is written like; says whether it was there.
    pub fn remove(&mut self, reference: &Reference) -> bool {
        let reference = reference.clone().with_default_tag();
        let Some(text) = self.texts.remove(&reference) else {
            return false;
        };
        self.images.remove(&text).is_some()
    }

    /// Takes all of these away, by what the names mean and not by how they are written; says how many there were.
    pub fn minus<'a>(&mut self, others: impl IntoIterator<Item = &'a Reference>) -> usize {
        others.into_iter().filter(|other| self.remove(other)).count()
    }

    /// The image that this name means.
    #[must_use]
    pub fn get(&self, reference: &Reference) -> Option<(&str, &Wanted)> {
        let text = self.texts.get(&reference.clone().with_default_tag())?;
        self.images
            .get_key_value(text)
            .map(|(text, wanted)| (text.as_str(), wanted))
    }

    /// The images in the order of their texts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Wanted)> {
        self.images.iter().map(|(text, wanted)| (text.as_str(), wanted))
    }

    /// How many images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The same as the entries of a list, numbered as its lines would be.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let entry = |(position, (text, wanted)): (usize, (&str, &Wanted))| Entry {
            reference: wanted.reference.clone(),
            text: text.to_owned(),
            line: position + 1,
        };
        self.iter().enumerate().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(source: &str) -> Why {
        Why {
            source: source.into(),
            part: String::new(),
            place: None,
            guess: false,
        }
    }

    fn gathered(source: &str, names: &[&str]) -> Gathered {
        let mut gathered = Gathered::default();
        for name in names {
            gathered.add_text(name, why(source)).unwrap();
        }
        gathered
    }

    fn texts(gathered: &Gathered) -> Vec<&str> {
        gathered.iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn names_that_mean_one_image_stay_one() {
        let mut all = gathered("a", &["nginx", "rancher/b:1"]);
        all.merge(gathered(
            "b",
            &[
                "docker.io/library/nginx:latest",
                "docker.io/rancher/b:1",
                "index.docker.io/x",
            ],
        ));
        assert_eq!(texts(&all), ["index.docker.io/x", "nginx", "rancher/b:1"]);
        let (_, nginx) = all.iter().nth(1).unwrap();
        assert_eq!(nginx.why, [why("a"), why("b")]);
        // Once more the same changes nothing.
        let before = all.clone();
        all.merge(before.clone());
        assert_eq!(all, before);
    }

    #[test]
    fn minus_goes_by_meaning() {
        let mut all = gathered(
            "a",
            &[
                "nginx",
                "rancher/b:1",
                "rancher/b:2",
                "quay.io/c@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            ],
        );
        let gone =
            List::parse("docker.io/library/nginx:latest\ndocker.io/rancher/b:1\nquay.io/c:1\nother:1\n");
        assert_eq!(all.minus(gone.entries.iter().map(|entry| &entry.reference)), 2);
        assert_eq!(texts(&all).len(), 2);
        // What was taken away can come back under another text.
        all.add_text("docker.io/nginx", why("b")).unwrap();
        assert!(texts(&all).contains(&"docker.io/nginx"));
    }

    #[test]
    fn a_list_brings_its_lines_and_notes() {
        let mut all = Gathered::default();
        all.add_list(
            &List::parse("a:1\n b:2\nnot an image\n"),
            "list x.txt",
            "",
            "x.txt",
        );
        assert_eq!(texts(&all), ["a:1", "b:2"]);
        let places: Vec<_> = all
            .remarks
            .iter()
            .filter_map(|remark| remark.place.as_deref())
            .collect();
        assert_eq!(places, ["x.txt:2", "x.txt:3"]);
        let lines: Vec<_> = all.entries().iter().map(|entry| entry.line).collect();
        assert_eq!(lines, [1, 2]);
    }
}

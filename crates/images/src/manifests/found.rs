//! What a scan has found so far: images with their reasons, what is to be known beside them, what could not be read.

use std::collections::BTreeSet;
use std::fmt;

use landfall_oci::Reference;

use super::name::{Name, name};
use crate::gathered::{Gathered, Remark, Why};

/// More complaints than anyone reads.
const MAX_PROBLEMS: usize = 1000;

/// Something that could not be read; what else is there was read all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `file:line:column`, or `file:line`.
    pub place: String,
    /// What is wrong there, and what to do about it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Where a text stands, and how sure it is that it names an image.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    /// Object and field.
    pub(crate) part: String,
    /// File and line.
    pub(crate) place: Option<String>,
    /// Seen by the shape of the field only.
    pub(crate) guess: bool,
}

/// The collection that all parts of a scan put their findings into.
#[derive(Debug)]
pub(crate) struct Found {
    source: String,
    pub(crate) gathered: Gathered,
    pub(crate) problems: Vec<Problem>,
    remarked: BTreeSet<(Option<String>, String)>,
}

impl Found {
    pub(crate) fn new(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            gathered: Gathered::default(),
            problems: Vec::new(),
            remarked: BTreeSet::new(),
        }
    }

    /// A text that must be an image: what stands in a container's `image`.
    pub(crate) fn must_be_image(&mut self, text: &str, spot: &Spot) {
        match name(text) {
            _ if text.trim().is_empty() => {
                self.remark(spot, "is empty: something fills it in when it is installed")
            }
            Name::Templated => self.templated(text, spot),
            Name::Full(reference) | Name::Likely(reference) | Name::Word(reference) => {
                self.add(text.trim(), reference, spot);
            }
            Name::Not(reason) => match Reference::parse(text.trim()) {
                Ok(reference) => self.add(text.trim(), reference, spot),
                Err(_) => self.problem(
                    spot.place.clone().unwrap_or_default(),
                    format!("{}: {reason}; no node can pull it", spot.part),
                ),
            },
        }
    }

    /// An image, as it was found.
    pub(crate) fn add(&mut self, text: &str, reference: Reference, spot: &Spot) {
        let why = Why {
            source: self.source.clone(),
            part: spot.part.clone(),
            place: spot.place.clone(),
            guess: spot.guess,
        };
        self.gathered.add(text.trim(), reference, why);
    }

    /// A text that names an image only once something has filled it in.
    pub(crate) fn templated(&mut self, text: &str, spot: &Spot) {
        self.remark(
            spot,
            &format!(
                "`{}` is filled in later, so its image is not listed",
                shortened(text)
            ),
        );
    }

    /// Something to know about a field.
    pub(crate) fn remark(&mut self, spot: &Spot, message: &str) {
        self.remark_at(spot.place.clone(), format!("{} {message}", spot.part));
    }

    /// Something to know; the same is said once.
    pub(crate) fn remark_at(&mut self, place: Option<String>, message: String) {
        if self.remarked.len() < MAX_PROBLEMS && self.remarked.insert((place.clone(), message.clone())) {
            self.gathered.remarks.push(Remark {
                source: self.source.clone(),
                place,
                message,
            });
        }
    }

    /// Something that could not be read.
    pub(crate) fn problem(&mut self, place: String, message: String) {
        match self.problems.len() {
            count if count < MAX_PROBLEMS => self.problems.push(Problem { place, message }),
            MAX_PROBLEMS => self.problems.push(Problem {
                place,
                message: "there is more like this, which is not told any more".to_owned(),
            }),
            _ => {}
        }
    }
}

/// At most a line of it.
pub(crate) fn shortened(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

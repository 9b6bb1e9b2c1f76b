//! What sources ask for, gathered: each image once, with everyone who wants it and why.
//!
//! Every source of images (RKE's table, release lists, charts, manifests, plain lists) ends here, so that lists from
//! any mix of them can be put together, taken from one another, printed and explained in one way.

use std::collections::BTreeMap;

use landfall_oci::Reference;
use serde::{Deserialize, Serialize};

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
        let known = self
            .images
            .values_mut()
            .find(|wanted| wanted.reference == reference);
        let reasons = match known {
            Some(wanted) => &mut wanted.why,
            None => {
                let wanted = Wanted {
                    reference,
                    why: Vec::new(),
                };
                &mut self.images.entry(text.to_owned()).or_insert(wanted).why
            }
        };
        if let Err(position) = reasons.binary_search(&why) {
            reasons.insert(position, why);
        }
    }

    /// The images in the order of their texts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Wanted)> {
        self.images.iter().map(|(text, wanted)| (text.as_str(), wanted))
    }
}

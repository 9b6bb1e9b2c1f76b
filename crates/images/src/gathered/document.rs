//! The written form, JSON: what `--output json` prints, and what a later run reads with all its reasons.

use landfall_oci::Reference;
use serde::{Deserialize, Serialize};

use super::{Gathered, Remark, Wanted, Why};

/// Why a document cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// No JSON, or not of this form.
    #[error("this is no list that `landfall images … --output json` wrote: {0}")]
    Form(#[from] serde_json::Error),
    /// An image whose name is none.
    #[error("images[{position}]: {source}")]
    Name {
        /// Which one, from 0.
        position: usize,
        /// What is wrong with it.
        source: landfall_oci::ReferenceError,
    },
}

#[derive(Deserialize)]
struct Read {
    images: Vec<ReadImage>,
    #[serde(default)]
    remarks: Vec<Remark>,
}

/// An image with its reasons, or the bare name, as `images lint` and `list` print it.
#[derive(Deserialize)]
#[serde(untagged)]
enum ReadImage {
    Full {
        name: String,
        #[serde(default)]
        why: Vec<Why>,
    },
    Bare(String),
}

#[derive(Serialize)]
struct WrittenImage<'a> {
    name: &'a str,
    reference: &'a Reference,
    why: &'a [Why],
}

impl Gathered {
    /// As JSON: `images` (each with `name`, `reference` and `why`) and `remarks`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let image = |(name, wanted): (_, &'_ Wanted)| {
            serde_json::json!(WrittenImage {
                name,
                reference: &wanted.reference,
                why: &wanted.why,
            })
        };
        serde_json::json!({"images": self.iter().map(image).collect::<Vec<_>>(), "remarks": self.remarks})
    }

    /// Reads what [`Gathered::to_json`] wrote. Images that nobody is named for are wanted by `source`.
    ///
    /// # Errors
    /// [`DocumentError`], which says where.
    pub fn from_json(text: &str, source: &str) -> Result<Self, DocumentError> {
        let read: Read = serde_json::from_str(text)?;
        let mut gathered = Self {
            remarks: read.remarks,
            ..Self::default()
        };
        for (position, image) in read.images.into_iter().enumerate() {
            let (name, mut why) = match image {
                ReadImage::Full { name, why } => (name, why),
                ReadImage::Bare(name) => (name, Vec::new()),
            };
            if why.is_empty() {
                why.push(Why {
                    source: source.to_owned(),
                    part: String::new(),
                    place: None,
                    guess: false,
                });
            }
            for why in why {
                gathered
                    .add_text(&name, why)
                    .map_err(|source| DocumentError::Name { position, source })?;
            }
        }
        Ok(gathered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_the_same() {
        let mut gathered = Gathered::default();
        let why = Why {
            source: "rke v1".into(),
            part: "coredns".into(),
            place: Some("cluster.yml:3".into()),
            guess: true,
        };
        gathered.add_text("rancher/b:1", why).unwrap();
        gathered.remark("rke v1", None, "something");
        let text = gathered.to_json().to_string();
        assert_eq!(Gathered::from_json(&text, "x").unwrap(), gathered);
    }

    #[test]
    fn bare_names_are_wanted_by_the_file() {
        let read = Gathered::from_json(r#"{"images": ["a:1", {"name": "b"}]}"#, "list x.json").unwrap();
        assert!(
            read.iter()
                .all(|(_, wanted)| wanted.why[0].source == "list x.json")
        );
        assert_eq!(read.len(), 2);
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let error = |text: &str| Gathered::from_json(text, "x").unwrap_err().to_string();
        assert!(error(r#"{"images": ["a:1", "B:2"]}"#).starts_with("images[1]: "));
        assert!(error(r#"{"image": []}"#).contains("images"));
        assert!(error("[1").contains("line 1"));
    }
}

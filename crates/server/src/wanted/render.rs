//! The list for people and for `save`, and the same as JSON for programs.

use std::fmt::Write as _;
use std::net::IpAddr;

use landfall_oci::{Digest, Reference};
use serde::{Serialize, Serializer};

use crate::clock::rfc3339;

/// An image that was asked for and is not here, or not whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WantedImage {
    /// Its full name.
    pub reference: Reference,
    /// The name as an image list must write it.
    #[serde(rename = "name")]
    pub written: String,
    /// What it was wanted for, where that is known: `linux/arm64`.
    pub platforms: Vec<String>,
    /// Members that are not here, of an index that is.
    pub members: Vec<Digest>,
    /// Who has asked lately.
    pub clients: Vec<IpAddr>,
    /// When it was asked for first, in milliseconds since 1970.
    #[serde(rename = "first", serialize_with = "as_text")]
    pub first_ms: u64,
    /// When it was asked for last.
    #[serde(rename = "last", serialize_with = "as_text")]
    pub last_ms: u64,
    /// How many requests there were.
    pub count: u64,
}

fn as_text<S: Serializer>(unix_ms: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*unix_ms))
}

/// An image list as `save` reads it: one name a line, and what is known of it in comments above.
#[must_use]
pub fn image_list(images: &[WantedImage]) -> String {
    let mut text = String::new();
    for image in images {
        let last = rfc3339(image.last_ms);
        let often = match image.count {
            1 => "once".to_owned(),
            count => format!("{count} times"),
        };
        // Writing to a string cannot fail.
        let _ = write!(text, "# {often}, last {last}, by {}", words(&image.clients));
        if !image.platforms.is_empty() {
            let _ = write!(text, ", for {}", words(&image.platforms));
        }
        if !image.members.is_empty() {
            let _ = write!(
                text,
                "; its index is here, {} of its members not",
                image.members.len()
            );
        }
        let _ = write!(text, "\n{}\n", image.written);
    }
    text
}

fn words<T: ToString>(values: &[T]) -> String {
    values
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The same for programs: `{"images":[…]}`.
#[must_use]
pub fn json(images: &[WantedImage]) -> serde_json::Value {
    serde_json::json!({ "images": images })
}

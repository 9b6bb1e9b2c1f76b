//! YAML as a tree that knows where everything stands, read as Go's yaml.v2 reads it.
//!
//! yaml.v2 is YAML 1.1 with a scanner of its own descent: it refuses and accepts other texts than libyaml does
//! (`\/`, `%YAML 1.2`, `[a,:b]`), counts lines in its own way, and stops at the end of the first document.
//! All of that is rebuilt here, because a node says with those words why it does not start.

mod bytes;
mod decode;
mod error;
mod input;
mod node;
mod parser;
mod resolve;
mod scanner;
mod timestamp;
mod token;

pub use bytes::parse_bytes;
pub use decode::{Decoded, Decoder, Misfit, Step};
pub use error::YamlError;
pub use node::{Document, Kind, Node, Style};
pub use resolve::{Resolved, is_merge, resolve, short_tag};

use crate::SourceId;

/// Reads the first document of a text.
///
/// # Errors
/// What yaml.v2 refuses, in its words.
pub fn parse(source: SourceId, text: &str) -> Result<Document, YamlError> {
    parser::read(source, text, None)
}

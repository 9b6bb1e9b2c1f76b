//! Images that Kubernetes objects want: pods of all kinds, what programs are told by arguments and environment,
//! manifests within `ConfigMap`s, and custom resources by the shape of their fields.
//!
//! YAML or JSON as `kubectl`, `kustomize` and `helm template` write it. A document that cannot be read is a
//! [`Problem`]; the others are read all the same. What something fills in later (`{{ … }}`, `$(VAR)`) is remarked on,
//! never listed.

pub(crate) mod fields;
pub(crate) mod found;
pub(crate) mod known;
pub(crate) mod name;
mod object;
mod parts;
mod pod;
pub(crate) mod stream;
pub(crate) mod tree;
pub(crate) mod walk;

use landfall_diag::yaml::{YamlError, parse_bytes};
use landfall_diag::{Source, SourceId};

pub use found::Problem;

use crate::gathered::Gathered;
use found::Found;
use object::Objects;

/// What it takes in memory is some ten times its size.
const MAX_DOCUMENT: usize = 64 << 20;

/// Manifests, read file by file.
#[derive(Debug)]
pub struct Manifests {
    found: Found,
}

/// Where documents of a text come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file of the user: places are its lines.
    File,
    /// What `helm template` printed: places are the templates that it names.
    Helm,
}

impl Manifests {
    /// `source`: what reasons call all of it.
    #[must_use]
    pub fn new(source: impl Into<String>) -> Self {
        Self {
            found: Found::new(source),
        }
    }

    /// Reads one file, UTF-8 or UTF-16.
    pub fn read(&mut self, name: &str, bytes: &[u8], origin: Origin) {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.read_text(name, text, origin),
            Err(_) if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) => {
                let (text, _) = parse_bytes(SourceId(0), bytes);
                self.read_text(name, &text, origin);
            }
            Err(error) => {
                let good = &bytes[..error.valid_up_to()];
                let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
                self.found.problem(
                    format!("{name}:{line}"),
                    "this is no text; manifests are YAML or JSON in UTF-8".to_owned(),
                );
            }
        }
    }

    fn read_text(&mut self, name: &str, text: &str, origin: Origin) {
        let mut files = [name.to_owned()];
        for piece in stream::pieces(text) {
            if origin == Origin::Helm
                && let Some(template) = template(piece.text)
            {
                template.clone_into(&mut files[0]);
            }
            if piece.text.len() > MAX_DOCUMENT {
                let message = format!(
                    "one document of more than {} MiB is not read: have fewer objects in it",
                    MAX_DOCUMENT >> 20
                );
                self.found
                    .problem(format!("{}:{}", files[0], piece.line + 1), message);
                continue;
            }
            match tree::read(piece.text, 0, piece.line) {
                Ok(Some(tree)) => Objects {
                    found: &mut self.found,
                    files: &files,
                    without_lines: origin == Origin::Helm,
                    within: String::new(),
                    nesting: 0,
                }
                .document(&tree),
                Ok(None) => {}
                Err(error) => {
                    let (place, message) = complaint(&files[0], piece, &error);
                    self.found.problem(place, message);
                }
            }
        }
    }

    /// What was found, and what could not be read.
    #[must_use]
    pub fn finish(self) -> (Gathered, Vec<Problem>) {
        (self.found.gathered, self.found.problems)
    }
}

/// The template that Helm says a document is from.
fn template(text: &str) -> Option<&str> {
    let mut lines = text
        .lines()
        .take_while(|line| line.starts_with("---") || line.starts_with('#'));
    lines
        .find_map(|line| line.strip_prefix("# Source: "))
        .map(str::trim)
}

/// A mistake at its place in the whole file. yaml.v2 counts its lines within the document, so its own number goes.
pub(crate) fn complaint(file: &str, piece: stream::Piece<'_>, error: &YamlError) -> (String, String) {
    let place = Source::new(file, piece.text).place(error.span.start as usize);
    let message = error.message.trim_start_matches("yaml: ");
    let message = match message
        .strip_prefix("line ")
        .and_then(|rest| rest.split_once(": "))
    {
        Some((_, message)) => message,
        None => message,
    };
    let advice = match piece.text.contains("{{") {
        true => "; this looks like a template of a Helm chart, which `landfall images chart` reads",
        false => "; this document is left out, the others are read",
    };
    let line = place.line + piece.line as usize;
    (
        format!("{file}:{line}:{}", place.column),
        format!("{message}{advice}"),
    )
}

//! registries.yaml of K3s and RKE2 (also the JSON that Rancher writes): what is in the file, each value with its place.
//! What a node makes of it is told by its consumers, [`crate::k3s`] and [`crate::wharfie`].

mod decode;
mod model;
mod write;

pub use model::{AuthEntry, ConfigEntry, MirrorEntry, RegistriesYaml, YamlTls};
pub use write::{Target, Written, write};

use landfall_diag::SourceId;
use landfall_diag::yaml::{self, Decoder, Document, Misfit, YamlError};

/// A file, read: what its consumers decode, and beside it all that they do not.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The tree, with unknown fields, duplicates and what follows the first document. `None` if it is no YAML.
    pub document: Option<Document>,
    /// Every value of a wrong type, each with its place; all of them together make the error.
    pub misfits: Vec<Misfit>,
    /// What the consumers decode; or their words of refusal, with which the agent does not start.
    pub registries: Result<RegistriesYaml, YamlError>,
}

/// Reads a file as K3s, RKE2 and Rancher's system agent read it: yaml.v2, not strict.
#[must_use]
pub fn read(source: SourceId, text: &str) -> Reading {
    match yaml::parse(source, text) {
        Ok(document) => decoded(document),
        Err(error) => unreadable(error),
    }
}

/// The same for bytes that need not be UTF-8. Also gives the text that all spans are in.
#[must_use]
pub fn read_bytes(source: SourceId, bytes: &[u8]) -> (String, Reading) {
    match yaml::parse_bytes(source, bytes) {
        (text, Ok(document)) => (text, decoded(document)),
        (text, Err(error)) => (text, unreadable(error)),
    }
}

fn unreadable(error: YamlError) -> Reading {
    Reading {
        document: None,
        misfits: Vec::new(),
        registries: Err(error),
    }
}

fn decoded(document: Document) -> Reading {
    let mut decoder = Decoder::new();
    let filled = match &document.root {
        Some(root) => decode::registries(&mut decoder, root),
        None => Ok(RegistriesYaml::default()),
    };
    let misfits = decoder.misfits().to_vec();
    let registries = filled.and_then(|registries| decoder.finish().map(|()| registries));
    Reading {
        document: Some(document),
        misfits,
        registries,
    }
}

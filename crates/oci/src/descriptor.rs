//! Descriptors: media type, digest and size of a piece of content, with what else was said of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, MediaType, Platform};

/// Annotations, sorted so that what we write is the same each time.
pub type Annotations = BTreeMap<String, String>;

/// Names of the annotations that the house reads or writes.
pub mod annotation {
    /// The reference of an entry in an OCI layout's index.
    pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
    /// The full image name as containerd's importer wants it.
    pub const CONTAINERD_NAME: &str = "io.containerd.image.name";
    /// BuildKit: what kind of companion an index entry is (`attestation-manifest`).
    pub const DOCKER_REFERENCE_TYPE: &str = "vnd.docker.reference.type";
    /// BuildKit: the image manifest that a companion belongs to.
    pub const DOCKER_REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";
}

/// A descriptor (OCI image-spec, `descriptor.md`). Fields that the specification does not name survive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the content is.
    pub media_type: MediaType,
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Where else it may be fetched from (foreign layers).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Free-form key/value pairs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
    /// The content itself, base64, where it is tiny.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// For a manifest: the kind of artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// For a manifest in an index: what it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Whatever else stood there.
    #[serde(flatten)]
    pub extra: BTreeMap<String, serde_json::Value>,
}

impl Descriptor {
    /// A descriptor of these three facts alone.
    #[must_use]
    pub fn new(media_type: MediaType, digest: Digest, size: u64) -> Self {
        Self {
            media_type,
            digest,
            size,
            urls: Vec::new(),
            annotations: Annotations::new(),
            data: None,
            artifact_type: None,
            platform: None,
            extra: BTreeMap::new(),
        }
    }

    /// A layer that may have to come from [`Self::urls`] because its registry need not hold it.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.media_type.is_foreign_layer()
    }

    /// The image manifest that this index entry accompanies (a BuildKit attestation), if it is a companion.
    #[must_use]
    pub fn companion_of(&self) -> Option<Digest> {
        self.annotations.get(annotation::DOCKER_REFERENCE_TYPE)?;
        self.annotations
            .get(annotation::DOCKER_REFERENCE_DIGEST)?
            .parse()
            .ok()
    }
}

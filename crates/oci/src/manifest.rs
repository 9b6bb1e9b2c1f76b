//! Manifests and indexes: the raw bytes are the truth, the parsed view is for reading only.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Annotations, Descriptor, Digest, MediaType};

/// The largest manifest that we accept, the limit that registries and containerd share (4 MiB).
pub const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// A manifest as it was received: these bytes have this digest and are passed on unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawManifest {
    /// What it was served as, or what its own `mediaType` says.
    pub media_type: MediaType,
    /// Digest of [`Self::bytes`]. Whoever makes this value has computed it.
    pub digest: Digest,
    /// The bytes.
    pub bytes: Bytes,
}

/// One image's (or artifact's) manifest.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// The kind of artifact, where it is not an image.
    #[serde(default)]
    pub artifact_type: Option<String>,
    /// The image's configuration.
    pub config: Descriptor,
    /// The layers, base first.
    #[serde(default)]
    pub layers: Vec<Descriptor>,
    /// The manifest that this one is about (signatures, SBOMs).
    #[serde(default)]
    pub subject: Option<Descriptor>,
    /// Free-form key/value pairs.
    #[serde(default)]
    pub annotations: Annotations,
}

/// Several manifests under one digest: an OCI index or a Docker manifest list.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// The kind of artifact, where it is not an image.
    #[serde(default)]
    pub artifact_type: Option<String>,
    /// The members, in order of preference.
    #[serde(default)]
    pub manifests: Vec<Descriptor>,
    /// The manifest that this one is about.
    #[serde(default)]
    pub subject: Option<Descriptor>,
    /// Free-form key/value pairs.
    #[serde(default)]
    pub annotations: Annotations,
}

/// What a manifest turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum View {
    /// One image or artifact.
    Image(Box<Manifest>),
    /// Several.
    Index(Box<Index>),
}

/// Why bytes are not a manifest that we can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Docker schema 1.
    #[error(
        "this is a Docker schema 1 manifest, which no current client reads; \
         pull and push it once with a client from before 2023, or ask its publisher for a schema 2 image"
    )]
    Schema1,
    /// Over [`MAX_MANIFEST_BYTES`].
    #[error(
        "the manifest is larger than {MAX_MANIFEST_BYTES} bytes, the limit of registries and of containerd"
    )]
    TooLarge,
    /// Not the JSON of a manifest.
    #[error("the manifest is not valid: {reason}")]
    Invalid {
        /// What the JSON reader said.
        reason: String,
    },
    /// A type that is neither an image manifest nor an index.
    #[error("a manifest of media type `{media_type}` is not supported")]
    Unsupported {
        /// The type.
        media_type: MediaType,
    },
    /// Could be read as an image and as an index (GHSA-mc8v-mgrf-8f4m), or contradicts its Content-Type.
    #[error("the manifest is ambiguous: {reason}")]
    Ambiguous {
        /// Which two facts contradict each other.
        reason: String,
    },
}

/// The fields by which the kind of a manifest is told.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    #[serde(default)]
    schema_version: Option<u32>,
    #[serde(default)]
    media_type: Option<String>,
    config: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    manifests: Option<serde::de::IgnoredAny>,
}

impl RawManifest {
    /// Decides what these bytes are. `content_type` is what they were served or pushed as, `None` when nobody said.
    ///
    /// # Errors
    /// [`ManifestError`]: too large, not JSON, schema 1, an unknown type, or readable in two ways.
    pub fn new(
        content_type: Option<&MediaType>,
        digest: Digest,
        bytes: Bytes,
    ) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge);
        }
        let media_type = decide(content_type, &bytes)?;
        let manifest = Self {
            media_type,
            digest,
            bytes,
        };
        manifest.view()?;
        Ok(manifest)
    }

    /// The parsed view.
    ///
    /// # Errors
    /// [`ManifestError::Invalid`] when the JSON has not the shape of its type; never for a value made by [`Self::new`].
    pub fn view(&self) -> Result<View, ManifestError> {
        let invalid = |error: serde_json::Error| ManifestError::Invalid {
            reason: error.to_string(),
        };
        if self.media_type.is_index() {
            serde_json::from_slice(&self.bytes)
                .map(Box::new)
                .map(View::Index)
                .map_err(invalid)
        } else {
            serde_json::from_slice(&self.bytes)
                .map(View::Image)
                .map_err(invalid)
        }
    }

    /// A descriptor that points at this manifest.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.media_type.clone(), self.digest, self.bytes.len() as u64)
    }
}

fn decide(content_type: Option<&MediaType>, bytes: &[u8]) -> Result<MediaType, ManifestError> {
    let kind: Kind = serde_json::from_slice(bytes).map_err(|error| ManifestError::Invalid {
        reason: error.to_string(),
    })?;
    let stated = kind.media_type.as_deref().map(MediaType::new);
    let is_schema1 = |media_type: Option<&MediaType>| media_type.is_some_and(MediaType::is_schema1);
    if kind.schema_version == Some(1) || is_schema1(content_type) || is_schema1(stated.as_ref()) {
        return Err(ManifestError::Schema1);
    }
    // A registry that serves manifests as plain JSON or bytes has said nothing about their kind.
    let served = content_type.filter(|served| served.is_manifest());
    let looks_like_image = kind.config.is_some() || kind.layers.is_some();
    if looks_like_image && kind.manifests.is_some() {
        return Err(ManifestError::Ambiguous {
            reason: "it has both `manifests` and `config` or `layers`".to_owned(),
        });
    }
    if let (Some(served), Some(stated)) = (served, &stated)
        && served != stated
    {
        return Err(ManifestError::Ambiguous {
            reason: format!("it was sent as `{served}` and calls itself `{stated}`"),
        });
    }
    let media_type = match (stated, served) {
        (Some(stated), _) => stated,
        (None, Some(served)) => served.clone(),
        (None, None) if kind.manifests.is_some() => MediaType::OCI_INDEX,
        (None, None) => MediaType::OCI_MANIFEST,
    };
    if !media_type.is_manifest() {
        return Err(ManifestError::Unsupported { media_type });
    }
    if media_type.is_index() && looks_like_image || media_type.is_image_manifest() && kind.manifests.is_some()
    {
        return Err(ManifestError::Ambiguous {
            reason: format!("it is called `{media_type}` but has the fields of the other kind"),
        });
    }
    Ok(media_type)
}

impl View {
    /// Manifests below this one (empty for an image).
    #[must_use]
    pub fn children(&self) -> &[Descriptor] {
        match self {
            Self::Image(_) => &[],
            Self::Index(index) => &index.manifests,
        }
    }

    /// Config and layers (empty for an index).
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        let image = match self {
            Self::Image(manifest) => Some(manifest),
            Self::Index(_) => None,
        };
        image
            .into_iter()
            .flat_map(|manifest| std::iter::once(&manifest.config).chain(&manifest.layers))
    }

    /// The manifest that this one is about.
    #[must_use]
    pub fn subject(&self) -> Option<&Descriptor> {
        match self {
            Self::Image(manifest) => manifest.subject.as_ref(),
            Self::Index(index) => index.subject.as_ref(),
        }
    }

    /// `artifactType`; for an image without one, its config's media type (distribution-spec, referrers).
    #[must_use]
    pub fn artifact_type(&self) -> Option<&str> {
        match self {
            Self::Image(manifest) => manifest
                .artifact_type
                .as_deref()
                .or(Some(manifest.config.media_type.as_str())),
            Self::Index(index) => index.artifact_type.as_deref(),
        }
    }

    /// The manifest's own annotations.
    #[must_use]
    pub fn annotations(&self) -> &Annotations {
        match self {
            Self::Image(manifest) => &manifest.annotations,
            Self::Index(index) => &index.annotations,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: Digest = Digest::Sha256([0; 32]);

    fn raw(content_type: Option<&str>, json: &str) -> Result<RawManifest, ManifestError> {
        let content_type = content_type.map(MediaType::new);
        RawManifest::new(
            content_type.as_ref(),
            ZERO,
            Bytes::copy_from_slice(json.as_bytes()),
        )
    }

    #[test]
    fn ghsa_mc8v_mgrf_8f4m_one_body_is_never_two_things() {
        let both = format!(
            r#"{{"schemaVersion":2,"manifests":[],"layers":[],"config":{{"mediaType":"a","digest":"{ZERO}","size":1}}}}"#
        );
        assert!(matches!(raw(None, &both), Err(ManifestError::Ambiguous { .. })));
        let index =
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
        assert!(raw(None, index).is_ok());
        assert!(raw(Some("application/json"), index).is_ok());
        let wrong = raw(Some(MediaType::OCI_MANIFEST.as_str()), index);
        assert!(matches!(wrong, Err(ManifestError::Ambiguous { .. })));
    }

    #[test]
    fn schema_1_and_strangers_are_named() {
        assert_eq!(
            raw(None, r#"{"schemaVersion":1,"fsLayers":[]}"#),
            Err(ManifestError::Schema1)
        );
        let stranger = raw(None, r#"{"schemaVersion":2,"mediaType":"text/html"}"#);
        assert!(matches!(stranger, Err(ManifestError::Unsupported { .. })));
        assert!(matches!(raw(None, "<html>"), Err(ManifestError::Invalid { .. })));
        let huge = " ".repeat(MAX_MANIFEST_BYTES + 1);
        assert_eq!(raw(None, &huge), Err(ManifestError::TooLarge));
    }
}

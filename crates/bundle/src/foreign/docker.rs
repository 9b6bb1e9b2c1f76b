//! docker-archives: what `docker save`, podman, skopeo, crane and Rancher's script write.
//!
//! Such an archive has lost its manifests, and in most cases its layers' compressed form. Each image gets a manifest that
//! depends on the archive's content alone: its config byte for byte, layers that still are compressed as they are, the
//! others in our gzip, the document in the form in which Docker writes it. (So an archive whose layers were never
//! unpacked, such as RKE2's, leads back to the very manifest that Docker pushed.)

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use bytes::Bytes;
use landfall_codec::Compression;
use landfall_oci::{Descriptor, Digest, MediaType, Platform, Reference};
use serde::{Deserialize, Serialize};
use serde_json::ser::PrettyFormatter;

use super::intake::{Form, Held, Intake};
use super::pieces::{no_two_of_one_name, two_images};
use super::spool::Stored;
use crate::catalog::BundleImage;
use crate::reader::{Place, Refused};
use crate::{Bundle, BundleError, Span};

/// The largest config that is read, in bytes.
const MAX_CONFIG: u64 = 8 << 20;
const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// One image of `manifest.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Saved {
    pub(super) config: String,
    #[serde(default)]
    pub(super) repo_tags: Option<Vec<String>>,
    #[serde(default)]
    pub(super) layers: Option<Vec<String>>,
}

/// The fields of a config that we look at.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Config {
    #[serde(flatten)]
    pub(super) platform: Platform,
    #[serde(default)]
    pub(super) rootfs: RootFs,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RootFs {
    #[serde(default)]
    pub(super) diff_ids: Vec<String>,
}

/// Why one image cannot be used, or why nothing can.
pub(super) enum Fault {
    Image(String),
    Archive(BundleError),
}

impl From<BundleError> for Fault {
    fn from(error: BundleError) -> Self {
        Self::Archive(error)
    }
}

/// What is made of an archive.
#[derive(Default)]
pub(super) struct Made {
    blobs: HashMap<Digest, Span>,
    images: Vec<BundleImage>,
    refused: Vec<Refused>,
    /// Layers that were gone through already: how they are in the archive → descriptor, digest of what is in them.
    layers: HashMap<Digest, (Descriptor, Digest)>,
}

/// Makes a bundle of the images that `manifest.json` names.
pub(super) fn bundle(mut intake: Intake<'_>) -> Result<Bundle, BundleError> {
    let saved = list(&intake)?;
    let mut made = Made::default();
    for image in &saved {
        let root = made.image(&mut intake, image);
        let names = image.repo_tags.as_deref().unwrap_or_default();
        made.add(names, &image.config, root)?;
    }
    made.finish(intake)
}

/// The images of `manifest.json`.
pub(super) fn list(intake: &Intake<'_>) -> Result<Vec<Saved>, BundleError> {
    let bytes = match intake.find("manifest.json") {
        Some(held) => intake.bytes(held)?,
        None => None,
    };
    let bytes =
        bytes.ok_or_else(|| crate::reader::not_a_bundle(intake.path, "its manifest.json is no JSON"))?;
    let saved: Vec<Saved> = parse(intake.path, "manifest.json", &bytes)?;
    let same_name = two_of_one_name(&saved);
    match same_name {
        Some((name, one, other)) => Err(two_images(intake.path, name, one, other)),
        None => Ok(saved),
    }
}

/// Docker takes the last one without a word.
fn two_of_one_name(saved: &[Saved]) -> Option<(String, &str, &str)> {
    let mut seen: BTreeMap<String, &Saved> = BTreeMap::new();
    for image in saved {
        for tag in image.repo_tags.iter().flatten() {
            let name = reference(tag).map_or_else(|| tag.clone(), |reference| reference.to_string());
            match seen.insert(name.clone(), image) {
                Some(other) if other.config != image.config => {
                    return Some((name, &other.config, &image.config));
                }
                _ => {}
            }
        }
    }
    None
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(
    path: &Path,
    entry: &str,
    bytes: &[u8],
) -> Result<T, BundleError> {
    serde_json::from_slice(bytes).map_err(|source| BundleError::Json {
        path: path.to_owned(),
        entry: entry.to_owned(),
        source,
    })
}

/// A name of `RepoTags`, whole.
pub(super) fn reference(tag: &str) -> Option<Reference> {
    Reference::parse(tag).ok().map(Reference::with_default_tag)
}

/// A config, with its bytes as they are.
pub(super) fn config(intake: &Intake<'_>, name: &str) -> Result<(Held, Bytes, Config), Fault> {
    let held = crate::walk::clean(name)
        .ok()
        .and_then(|name| intake.find(&name).copied());
    let held = held.ok_or_else(|| Fault::Image(format!("its config `{name}` is not in the archive")))?;
    if held.len > MAX_CONFIG {
        return Err(Fault::Image(format!(
            "its config `{name}` has {} bytes",
            held.len
        )));
    }
    let bytes = intake.bytes(&held)?;
    let bytes = bytes.ok_or_else(|| Fault::Image(format!("its config `{name}` is no JSON")))?;
    let config: Config = serde_json::from_slice(&bytes)
        .map_err(|error| Fault::Image(format!("its config `{name}` cannot be read: {error}")))?;
    check_config_name(name, &held.digest)?;
    Ok((held, bytes, config))
}

/// `<hex>.json` and `blobs/sha256/<hex>` promise a digest.
fn check_config_name(name: &str, found: &Digest) -> Result<(), Fault> {
    let base = name.rsplit('/').next().unwrap_or(name);
    let hex = base.strip_suffix(".json").unwrap_or(base);
    let promised: Option<Digest> = format!("sha256:{}", hex.strip_prefix("sha256:").unwrap_or(hex))
        .parse()
        .ok();
    match promised {
        Some(promised) if promised != *found => Err(Fault::Image(format!(
            "its config `{name}` has the digest {found}: the archive is damaged or was changed"
        ))),
        _ => Ok(()),
    }
}

impl Made {
    /// The root of one image, with everything that belongs to it put among the blobs.
    fn image(&mut self, intake: &mut Intake<'_>, saved: &Saved) -> Result<Descriptor, Fault> {
        let (held, _, config) = config(intake, &saved.config)?;
        let names = saved.layers.as_deref().unwrap_or_default();
        let diff_ids = &config.rootfs.diff_ids;
        if names.len() != diff_ids.len() {
            let counts = (diff_ids.len(), names.len());
            return Err(Fault::Image(format!(
                "its config names {} layers, manifest.json {}",
                counts.0, counts.1
            )));
        }
        let mut layers = Vec::with_capacity(names.len());
        for (name, diff_id) in names.iter().zip(diff_ids) {
            let (layer, found) = self.layer(intake, name)?;
            if found.to_string() != *diff_id {
                return Err(Fault::Image(format!(
                    "its layer `{name}` should have the digest {diff_id} and has {found}: the archive is damaged or \
                     was changed; save it again"
                )));
            }
            layers.push(layer);
        }
        if let Some(span) = intake.raw(&held)? {
            self.blobs.insert(held.digest, span);
        }
        let root = self.manifest(intake, (held.digest, held.len), layers)?;
        let platform = Some(config.platform);
        Ok(Descriptor { platform, ..root })
    }

    /// A layer as it will be pushed, and the digest of what is in it.
    pub(super) fn layer(
        &mut self,
        intake: &mut Intake<'_>,
        name: &str,
    ) -> Result<(Descriptor, Digest), Fault> {
        let held = crate::walk::clean(name)
            .ok()
            .and_then(|name| intake.find(&name).copied());
        let held = held.ok_or_else(|| Fault::Image(format!("its layer `{name}` is not in the archive")))?;
        let key = held.stored.map(|stored| stored.digest);
        if let Some(known) = key.and_then(|key| self.layers.get(&key)) {
            return Ok(known.clone());
        }
        let (stored, diff_id) = intake.packed(&held).map_err(|error| match error {
            BundleError::Unreadable { source, .. } => Fault::Image(format!("its layer `{name}`: {source}")),
            other => Fault::Archive(other),
        })?;
        let media_type = match held.form {
            Form::Compressed(Compression::Zstd) => MediaType::new(OCI_LAYER_ZSTD),
            _ => MediaType::DOCKER_LAYER_GZIP,
        };
        self.blobs.insert(stored.digest, stored.span);
        let layer = Descriptor::new(media_type, stored.digest, stored.span.len);
        if let Some(key) = key {
            self.layers.insert(key, (layer.clone(), diff_id));
        }
        Ok((layer, diff_id))
    }

    /// Writes the manifest of a config and its layers.
    pub(super) fn manifest(
        &mut self,
        intake: &mut Intake<'_>,
        config: (Digest, u64),
        mut layers: Vec<Descriptor>,
    ) -> Result<Descriptor, BundleError> {
        // Docker's own types have none for zstd.
        let is_oci = layers
            .iter()
            .any(|layer| layer.media_type != MediaType::DOCKER_LAYER_GZIP);
        let (media_type, config_type) = match is_oci {
            true => (MediaType::OCI_MANIFEST, MediaType::OCI_CONFIG),
            false => (MediaType::DOCKER_MANIFEST, MediaType::DOCKER_CONFIG),
        };
        for layer in &mut layers {
            if is_oci && layer.media_type == MediaType::DOCKER_LAYER_GZIP {
                layer.media_type = MediaType::OCI_LAYER_GZIP;
            }
        }
        let config = Descriptor::new(config_type, config.0, config.1);
        let document = ManifestFile {
            schema_version: 2,
            media_type: media_type.as_str(),
            config: Part::of(&config),
            layers: layers.iter().map(Part::of).collect(),
        };
        let stored = intake.spool.put(&document.encode()?)?;
        self.blobs.insert(stored.digest, stored.span);
        Ok(Descriptor::new(media_type, stored.digest, stored.span.len))
    }

    pub(super) fn keep(&mut self, stored: &Stored) {
        self.blobs.insert(stored.digest, stored.span);
    }

    /// Gives an image its names, or notes why there is none.
    pub(super) fn add(
        &mut self,
        names: &[String],
        id: &str,
        root: Result<Descriptor, Fault>,
    ) -> Result<(), BundleError> {
        match root {
            Ok(root) if names.is_empty() => self.images.push(BundleImage {
                reference: None,
                name: root.digest.to_string(),
                root,
            }),
            Ok(root) => self.images.extend(names.iter().map(|name| BundleImage {
                reference: reference(name),
                name: name.clone(),
                root: root.clone(),
            })),
            Err(Fault::Archive(error)) => return Err(error),
            Err(Fault::Image(reason)) => {
                let refused = |name: &str| Refused {
                    reference: reference(name),
                    name: name.to_owned(),
                    reason: reason.clone(),
                };
                match names {
                    [] => self.refused.push(refused(id)),
                    names => self.refused.extend(names.iter().map(|name| refused(name))),
                }
            }
        }
        Ok(())
    }

    pub(super) fn finish(self, intake: Intake<'_>) -> Result<Bundle, BundleError> {
        let path = intake.path;
        no_two_of_one_name(path, &self.images)?;
        let (file, spool) = intake.spool.into_file();
        let place = Place::File {
            file,
            path: spool,
            blobs: self.blobs,
        };
        Ok(Bundle::of_parts(path, place, self.images, self.refused))
    }
}

/// A manifest as Docker writes it: fields in this order, three blanks for each level.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ManifestFile<'a> {
    schema_version: u32,
    media_type: &'a str,
    config: Part<'a>,
    layers: Vec<Part<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    media_type: &'a str,
    size: u64,
    digest: Digest,
}

impl<'a> Part<'a> {
    fn of(descriptor: &'a Descriptor) -> Self {
        Self {
            media_type: descriptor.media_type.as_str(),
            size: descriptor.size,
            digest: descriptor.digest,
        }
    }
}

impl ManifestFile<'_> {
    fn encode(&self) -> Result<Vec<u8>, BundleError> {
        let mut out = Vec::new();
        let formatter = PrettyFormatter::with_indent(b"   ");
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
        let written = self.serialize(&mut serializer);
        written.map_err(|error| BundleError::inconsistent(format!("manifest: {error}")))?;
        Ok(out)
    }
}

//! Images from files: layers with fixed dates and owners, so that the same files give the same digests. For
//! Landfall's own image and for the demo's.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use flate2::{Compression, GzBuilder};
use landfall_bundle::{BlobInfo, BundleError, Contents, Image, Layout, Writer, WriterOptions};
use landfall_hash::Sink;
use landfall_oci::{Algorithm, Descriptor, Digest, MediaType, Platform, RawManifest, Reference, tar};
use serde_json::json;

use crate::own_files::RootFile;

/// Images under construction, with their manifests and blobs.
#[derive(Debug, Default)]
pub(crate) struct Images {
    pub(crate) named: Vec<(Reference, RawManifest)>,
    pub(crate) manifests: BTreeMap<Digest, RawManifest>,
    /// Configs and layers; `true` for a config.
    pub(crate) blobs: BTreeMap<Digest, (Bytes, bool)>,
}

/// How a container of the image starts.
#[derive(Debug, Default)]
pub(crate) struct Start<'a> {
    pub(crate) entrypoint: &'a [&'a str],
    pub(crate) command: &'a [&'a str],
}

impl Images {
    /// One platform's manifest with one layer of these files.
    pub(crate) fn manifest(
        &mut self,
        platform: &Platform,
        files: &[RootFile],
        start: &Start<'_>,
    ) -> std::io::Result<RawManifest> {
        let layer = layer(files);
        let diff_id = landfall_hash::digest(Algorithm::Sha256, &layer);
        let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(6));
        gzip.write_all(&layer)?;
        let layer = self.blob(MediaType::OCI_LAYER_GZIP, gzip.finish()?, false);
        let config = json!({
            "architecture": platform.architecture, "os": platform.os,
            "config": {
                "Entrypoint": start.entrypoint, "Cmd": start.command, "WorkingDir": "/",
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"],
            },
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            "history": [{"created_by": "landfall"}],
        });
        let config = self.blob(MediaType::OCI_CONFIG, config.to_string().into_bytes(), true);
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": [layer],
        });
        self.keep(manifest.to_string())
    }

    /// An index of these manifests.
    pub(crate) fn index(&mut self, members: &[(Platform, RawManifest)]) -> std::io::Result<RawManifest> {
        let members: Vec<_> = members
            .iter()
            .map(|(platform, manifest)| Descriptor {
                platform: Some(platform.clone()),
                ..manifest.descriptor()
            })
            .collect();
        let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": members});
        self.keep(index.to_string())
    }

    /// Gives a manifest its name.
    pub(crate) fn name(&mut self, reference: Reference, manifest: RawManifest) {
        self.named.push((reference, manifest));
    }

    fn keep(&mut self, json: String) -> std::io::Result<RawManifest> {
        let bytes = Bytes::from(json);
        let digest = landfall_hash::digest(Algorithm::Sha256, &bytes);
        let manifest = RawManifest::new(None, digest, bytes).map_err(std::io::Error::other)?;
        self.manifests.insert(digest, manifest.clone());
        Ok(manifest)
    }

    fn blob(&mut self, media_type: MediaType, bytes: Vec<u8>, is_config: bool) -> Descriptor {
        let digest = landfall_hash::digest(Algorithm::Sha256, &bytes);
        let size = bytes.len() as u64;
        self.blobs.insert(digest, (Bytes::from(bytes), is_config));
        Descriptor::new(media_type, digest, size)
    }
}

/// A plain tar of the files and the directories above them.
fn layer(files: &[RootFile]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directories = BTreeSet::new();
    for file in files {
        for (end, _) in file.name.match_indices('/') {
            let directory = &file.name[..=end];
            if directories.insert(directory.to_owned()) {
                out.extend(tar::encode_directory(directory));
            }
        }
        out.extend(tar::encode_with_mode(
            &file.name,
            file.bytes.len() as u64,
            file.mode,
        ));
        out.extend_from_slice(&file.bytes);
        out.resize(out.len().next_multiple_of(tar::BLOCK as usize), 0);
    }
    out.resize(out.len() + 2 * tar::BLOCK as usize, 0);
    out
}

impl Images {
    /// Writes them as a bundle. Blocking.
    pub(crate) fn write(&self, path: &Path, overwrite: bool) -> Result<(), BundleError> {
        let images = self.named.iter().map(|(reference, manifest)| Image {
            reference: reference.clone(),
            asked: reference.familiar(),
            source: "made by landfall".to_owned(),
            root: manifest.descriptor(),
            platforms: Vec::new(),
        });
        let info = |(digest, (bytes, is_config)): (&Digest, &(Bytes, bool))| {
            (
                *digest,
                BlobInfo {
                    size: bytes.len() as u64,
                    is_config: *is_config,
                },
            )
        };
        let contents = Contents {
            images: images.collect(),
            manifests: self.manifests.clone(),
            blobs: self.blobs.iter().map(info).collect(),
            missing: Vec::new(),
        };
        let options = WriterOptions {
            overwrite,
            ..WriterOptions::default()
        };
        let (writer, _) = Writer::open_with(path, Layout::plan(&contents)?, options)?;
        for pending in writer.pending() {
            if let Some((bytes, _)) = self.blobs.get(&pending.digest) {
                let mut sink = writer.sink(&pending.digest, 0)?;
                sink.write(bytes).map_err(|source| BundleError::Io {
                    action: "write",
                    path: path.to_owned(),
                    source,
                })?;
                writer.complete(&pending.digest)?;
            }
        }
        writer.finish()?;
        Ok(())
    }
}

//! Small images made here, and a caller that fills a writer as `transfer` does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use landfall_bundle::{BlobInfo, Contents, Image, Layout, Resume, Writer, WriterOptions};
use landfall_hash::{Hasher, Sink};
use landfall_oci::{Algorithm, Descriptor, Digest, MediaType, Platform, RawManifest};
use serde_json::json;

/// Where tests write: memory, when there is some, for thousands of fsyncs.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Bytes that look like nothing else with another seed.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// A registry in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) images: Vec<Image>,
    pub(crate) manifests: BTreeMap<Digest, RawManifest>,
    pub(crate) blobs: BTreeMap<Digest, (Vec<u8>, bool)>,
}

impl World {
    pub(crate) fn blob(&mut self, media_type: MediaType, bytes: Vec<u8>, is_config: bool) -> Descriptor {
        self.blob_by(Algorithm::Sha256, media_type, bytes, is_config)
    }

    pub(crate) fn blob_by(
        &mut self,
        algorithm: Algorithm,
        media_type: MediaType,
        bytes: Vec<u8>,
        is_config: bool,
    ) -> Descriptor {
        let digest = landfall_hash::digest(algorithm, &bytes);
        let size = bytes.len() as u64;
        self.blobs.insert(digest, (bytes, is_config));
        Descriptor::new(media_type, digest, size)
    }

    pub(crate) fn manifest(&mut self, json: serde_json::Value) -> RawManifest {
        let bytes = Bytes::from(json.to_string());
        let digest = landfall_hash::digest(Algorithm::Sha256, &bytes);
        let manifest = RawManifest::new(None, digest, bytes).unwrap();
        self.manifests.insert(digest, manifest.clone());
        manifest
    }

    /// One platform's manifest over these layers.
    pub(crate) fn image(&mut self, platform: &str, layers: &[Vec<u8>]) -> RawManifest {
        let platform: Platform = platform.parse().unwrap();
        let ids: Vec<_> = layers
            .iter()
            .map(|layer| landfall_hash::digest(Algorithm::Sha256, layer))
            .collect();
        let config = json!({
            "architecture": platform.architecture, "os": platform.os, "config": {},
            "rootfs": {"type": "layers", "diff_ids": ids},
        });
        let config = self.blob(MediaType::OCI_CONFIG, config.to_string().into_bytes(), true);
        let layers: Vec<_> = layers
            .iter()
            .map(|layer| self.blob(MediaType::OCI_LAYER, layer.clone(), false))
            .collect();
        self.manifest(json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": layers,
        }))
    }

    pub(crate) fn index(&mut self, members: &[(&str, &RawManifest)]) -> RawManifest {
        let members: Vec<_> = members
            .iter()
            .map(|(platform, manifest)| Descriptor {
                platform: Some(platform.parse().unwrap()),
                ..manifest.descriptor()
            })
            .collect();
        self.manifest(json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": members}))
    }

    pub(crate) fn name(&mut self, reference: &str, root: &RawManifest) {
        self.images.push(Image {
            reference: reference.parse().unwrap(),
            asked: reference.to_owned(),
            source: reference.to_owned(),
            root: root.descriptor(),
            platforms: vec![Platform::new("linux", "amd64")],
        });
    }

    pub(crate) fn contents(&self) -> Contents {
        let info = |(digest, (bytes, is_config)): (&Digest, &(Vec<u8>, bool))| {
            let size = bytes.len() as u64;
            let is_config = *is_config;
            (*digest, BlobInfo { size, is_config })
        };
        Contents {
            images: self.images.clone(),
            manifests: self.manifests.clone(),
            blobs: self.blobs.iter().map(info).collect(),
            missing: Vec::new(),
        }
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::plan(&self.contents()).unwrap()
    }

    /// The finished bundle's bytes, put together here from the plan alone.
    pub(crate) fn expected(&self) -> Vec<u8> {
        let layout = self.layout();
        let mut out = vec![0; usize::try_from(layout.total()).unwrap()];
        let mut put = |offset: u64, bytes: &[u8]| {
            let offset = usize::try_from(offset).unwrap();
            out[offset..offset + bytes.len()].copy_from_slice(bytes);
        };
        for entry in layout.entries() {
            put(
                entry.header,
                &landfall_oci::tar::encode(&entry.name, entry.content.len),
            );
            put(entry.content.offset, entry.bytes.as_deref().unwrap_or_default());
        }
        for (digest, span) in layout.to_fetch() {
            put(span.offset, &self.blobs[&digest].0);
        }
        out
    }

    /// Writes the bundle in one go.
    pub(crate) fn write(&self, path: &Path) -> PathBuf {
        let (writer, resume) = Writer::open(path, self.layout()).unwrap();
        assert_eq!(resume, Resume::default());
        self.fill(&writer);
        writer.finish().unwrap()
    }

    /// Does all that is pending; returns what was fetched, in bytes.
    pub(crate) fn fill(&self, writer: &Writer) -> u64 {
        writer
            .pending()
            .iter()
            .map(|pending| self.fetch(writer, &pending.digest))
            .sum()
    }

    /// The caller's part for one blob; returns the bytes that were fetched.
    pub(crate) fn fetch(&self, writer: &Writer, digest: &Digest) -> u64 {
        let bytes = &self.blobs[digest].0;
        let mut fetched = 0;
        for _ in 0..2 {
            let pending = writer
                .pending()
                .into_iter()
                .find(|pending| pending.digest == *digest)
                .unwrap();
            let mut hasher = Hasher::new(digest.algorithm());
            let prefix = writer.prefix(digest).unwrap();
            let there = usize::try_from(pending.written).unwrap();
            hasher.update(&prefix.read_at(0, there).unwrap());
            let mut sink = writer.sink(digest, pending.written).unwrap();
            for chunk in bytes[there..].chunks(700) {
                sink.write(chunk).unwrap();
                hasher.update(chunk);
                fetched += chunk.len() as u64;
            }
            if hasher.finish() == *digest {
                writer.complete(digest).unwrap();
                return fetched;
            }
            writer.reset(digest).unwrap();
        }
        panic!("{digest}: wrong twice");
    }
}

/// Three images, one with two platforms, sharing a layer.
pub(crate) fn world() -> World {
    let mut world = World::default();
    let base = noise(1, 5000);
    let amd = world.image("linux/amd64", &[base.clone(), noise(2, 3000)]);
    let arm = world.image("linux/arm64", &[noise(3, 2500)]);
    let index = world.index(&[("linux/arm64", &arm), ("linux/amd64", &amd)]);
    let plain = world.image("linux/amd64", &[base, noise(4, 512), Vec::new()]);
    world.name("docker.io/library/busybox:1.36", &index);
    world.name("quay.io/team/app:v2", &plain);
    world.name("docker.io/rancher/tool:1", &plain);
    world
}

/// The same, one image newer and one gone: what a second run may find.
pub(crate) fn later_world() -> World {
    let mut world = World::default();
    let base = noise(1, 5000);
    let amd = world.image("linux/amd64", &[base, noise(2, 3000)]);
    world.name("docker.io/library/busybox:1.36", &amd);
    let newer = world.image("linux/amd64", &[noise(9, 4000)]);
    world.name("docker.io/rancher/tool:1", &newer);
    world
}

/// Options of a test: an epoch by name, and a record for every KiB.
pub(crate) fn options(epoch: &str) -> WriterOptions {
    WriterOptions {
        progress_step: 1024,
        epoch: Some(epoch.to_owned()),
        ..WriterOptions::default()
    }
}

/// The files in a folder, sorted.
pub(crate) fn listing(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A plain tar of these files, for layouts that we would never write.
pub(crate) fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, bytes) in files {
        out.extend(landfall_oci::tar::encode(name, bytes.len() as u64));
        out.extend_from_slice(bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

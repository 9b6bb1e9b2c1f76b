//! Workloads: sets of images to move, as a whole in one value, with every manifest and blob that they consist of.
//!
//! A [`Workload`] is put together by hand (`add_layer`, `add_image`, `add_index`, `tag`) or by a [`Recipe`]. It can
//! be served by the fake registry, written as an OCI layout, or laid down as the storage of Debian's
//! docker-registry, which is far faster than pushing it there.

mod content;
pub mod elf;
pub mod layer;
mod layout;
mod machine;
mod recipe;
pub mod seeded;
mod storage;
pub mod windows;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use landfall_oci::{
    DOCKER_HUB, Descriptor, Digest, MediaType, Platform, RawManifest, Reference, Registry, Repository, Tag,
    annotation,
};
use serde_json::{Value, json};

pub use content::Content;
pub use layer::{Layer, LayerWriter};
pub use machine::MachineFiles;
pub use recipe::{Recipe, Stuff};
pub use windows::ForeignLayer;

use crate::digest::sha256;

/// Which of the two vocabularies a manifest is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// OCI media types.
    Oci,
    /// Docker schema 2.
    Docker,
}

/// A name and what it points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The path within the registry.
    pub repository: Repository,
    /// The tag.
    pub tag: Tag,
    /// The manifest or index behind it.
    pub root: Digest,
}

impl Image {
    /// `repository:tag`, as it stands in a list when the image is Docker Hub's.
    pub fn name(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }

    /// `registry/repository:tag`.
    pub fn name_in(&self, registry: &str) -> String {
        format!("{registry}/{}:{}", self.repository, self.tag)
    }

    /// The full reference within a registry.
    pub fn reference(&self, registry: &Registry) -> Reference {
        let target = landfall_oci::Target::Tag(self.tag.clone());
        Reference::new(registry.clone(), self.repository.clone(), target)
    }

    /// The full reference, as if the image were Docker Hub's.
    pub fn hub_reference(&self) -> Reference {
        self.reference(&DOCKER_HUB.parse().expect("a registry"))
    }
}

/// Images with all their content.
#[derive(Clone, Debug, Default)]
pub struct Workload {
    /// The names, in the order of the list.
    pub images: Vec<Image>,
    /// Every manifest and index.
    pub manifests: BTreeMap<Digest, RawManifest>,
    /// Every config and layer.
    pub blobs: BTreeMap<Digest, Content>,
}

impl Workload {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A few small images, all in memory: a multi-platform one, OCI and Docker types, shared bases.
    pub fn small(seed: u64) -> Self {
        Recipe::small(seed).build(None)
    }

    /// One runnable image `name` for linux/amd64 that prints `message`.
    pub fn hello(name: &str, message: &str) -> Self {
        let mut workload = Self::new();
        let layer = workload.add_file_layer(&[("hello", 0o755, &elf::amd64(message))]);
        let platform = Platform::new("linux", "amd64");
        let image = workload.add_image(Family::Oci, &platform, &[layer]);
        workload.tag(name, image.digest);
        workload
    }

    /// Adds a blob and says what it is called.
    pub fn add_blob(&mut self, media_type: MediaType, content: impl Into<Content>) -> Descriptor {
        let content = content.into();
        let descriptor = Descriptor::new(media_type, content.digest(), content.len());
        self.blobs.insert(descriptor.digest, content);
        descriptor
    }

    /// Adds a gzip layer of a few files `(name, mode, content)`.
    pub fn add_file_layer(&mut self, files: &[(&str, u32, &[u8])]) -> Layer {
        let mut writer = LayerWriter::new(Vec::new(), 6);
        for (name, mode, content) in files {
            writer
                .file(name, *mode, content.len() as u64, *content)
                .expect("memory takes everything");
        }
        let (bytes, layer) = writer.finish().expect("memory takes everything");
        self.blobs.insert(layer.digest, bytes.into());
        layer
    }

    /// Adds a layer that is no tar: `len` bytes from a seed, which take no room however many they are. Good for
    /// whoever only moves bytes; no runtime can unpack it.
    pub fn add_big_layer(&mut self, seed: u64, len: u64) -> Layer {
        let content = Content::Seeded { seed, len };
        let digest = content.digest();
        self.blobs.insert(digest, content);
        Layer {
            digest,
            size: len,
            diff_id: digest,
        }
    }

    /// Adds an image manifest and its config; the descriptor carries the platform.
    pub fn add_image(&mut self, family: Family, platform: &Platform, layers: &[Layer]) -> Descriptor {
        let config = self.add_config(family, platform, layers);
        let descriptors: Vec<_> = layers.iter().map(|layer| layer_json(family, layer)).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": family.manifest().as_str(),
            "config": config,
            "layers": descriptors,
        });
        let mut descriptor = self.add_manifest(family.manifest(), &manifest);
        descriptor.platform = Some(platform.clone());
        descriptor
    }

    fn add_config(&mut self, family: Family, platform: &Platform, layers: &[Layer]) -> Descriptor {
        let diff_ids: Vec<_> = layers.iter().map(|layer| layer.diff_id.to_string()).collect();
        let history: Vec<_> = layers
            .iter()
            .map(|_| json!({"created": CREATED, "created_by": "landfall testkit"}))
            .collect();
        let mut config = serde_json::to_value(platform).expect("a platform is JSON");
        config["created"] = CREATED.into();
        config["config"] = json!({"Entrypoint": ["/hello"], "Env": ["PATH=/bin"], "WorkingDir": "/"});
        config["rootfs"] = json!({"type": "layers", "diff_ids": diff_ids});
        config["history"] = history.into();
        self.add_blob(family.config(), config.to_string().into_bytes())
    }

    /// Adds an index over members that have been added.
    pub fn add_index(&mut self, family: Family, members: &[Descriptor]) -> Descriptor {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": family.index().as_str(),
            "manifests": members,
        });
        self.add_manifest(family.index(), &index)
    }

    /// Adds BuildKit's companion of an image (an in-toto statement), as an entry for the same index.
    pub fn add_attestation(&mut self, image: &Descriptor) -> Descriptor {
        let statement =
            json!({"_type": "https://in-toto.io/Statement/v0.1", "subject": image.digest.to_string()});
        let layer = self.add_blob(
            "application/vnd.in-toto+json".into(),
            statement.to_string().into_bytes(),
        );
        let platform = Platform {
            os: "unknown".to_owned(),
            architecture: "unknown".to_owned(),
            ..Platform::default()
        };
        // As BuildKit does, the config lists the statement as if it were a layer.
        let as_layer = Layer {
            digest: layer.digest,
            size: layer.size,
            diff_id: layer.digest,
        };
        let config = self.add_config(Family::Oci, &platform, &[as_layer]);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST.as_str(),
            "config": config,
            "layers": [layer],
        });
        let mut entry = self.add_manifest(MediaType::OCI_MANIFEST, &manifest);
        entry.platform = Some(platform);
        let notes = [
            (
                annotation::DOCKER_REFERENCE_TYPE,
                "attestation-manifest".to_owned(),
            ),
            (annotation::DOCKER_REFERENCE_DIGEST, image.digest.to_string()),
        ];
        entry.annotations = notes.map(|(key, value)| (key.to_owned(), value)).into();
        entry
    }

    /// Adds a manifest of any shape.
    pub fn add_manifest(&mut self, media_type: MediaType, json: &Value) -> Descriptor {
        let bytes = Bytes::from(json.to_string());
        let digest = sha256(&bytes);
        let raw = RawManifest {
            media_type,
            digest,
            bytes,
        };
        let descriptor = raw.descriptor();
        self.manifests.insert(digest, raw);
        descriptor
    }

    /// Gives a manifest the name `repository:tag`.
    pub fn tag(&mut self, name: &str, root: Digest) {
        let (repository, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
        self.images.push(Image {
            repository: repository
                .parse()
                .unwrap_or_else(|error| panic!("{name}: {error}")),
            tag: tag.parse().unwrap_or_else(|error| panic!("{name}: {error}")),
            root,
        });
    }

    /// The image of this name (`repository:tag`).
    #[track_caller]
    pub fn image(&self, name: &str) -> &Image {
        let found = self.images.iter().find(|image| image.name() == name);
        found.unwrap_or_else(|| panic!("the workload has no image {name}"))
    }

    /// A list of images as people keep it: one name per line, as from Docker Hub.
    pub fn list(&self) -> String {
        self.images.iter().map(|image| image.name() + "\n").collect()
    }

    /// The list with a registry before each name.
    pub fn list_in(&self, registry: &str) -> String {
        self.images
            .iter()
            .map(|image| image.name_in(registry) + "\n")
            .collect()
    }

    /// The manifests that a root consists of, children before parents, each once.
    pub fn closure(&self, root: Digest) -> Vec<&RawManifest> {
        let Some(manifest) = self.manifests.get(&root) else {
            return Vec::new();
        };
        let view = manifest.view().expect("the workload's own manifests are valid");
        let mut out: Vec<&RawManifest> = Vec::new();
        for child in view.children() {
            for inner in self.closure(child.digest) {
                if out.iter().all(|known| known.digest != inner.digest) {
                    out.push(inner);
                }
            }
        }
        out.push(manifest);
        out
    }

    /// The configs and layers of a root.
    pub fn blobs_of(&self, root: Digest) -> BTreeSet<Digest> {
        let mut digests = BTreeSet::new();
        for manifest in self.closure(root) {
            let view = manifest.view().expect("the workload's own manifests are valid");
            digests.extend(view.blobs().map(|blob| blob.digest));
        }
        digests
    }

    /// Bytes of all configs and layers, each once.
    pub fn blob_bytes(&self) -> u64 {
        self.blobs.values().map(Content::len).sum()
    }
}

/// When everything was made: times must not make two builds differ.
const CREATED: &str = "2024-01-01T00:00:00Z";

impl Family {
    fn manifest(self) -> MediaType {
        match self {
            Self::Oci => MediaType::OCI_MANIFEST,
            Self::Docker => MediaType::DOCKER_MANIFEST,
        }
    }

    fn index(self) -> MediaType {
        match self {
            Self::Oci => MediaType::OCI_INDEX,
            Self::Docker => MediaType::DOCKER_LIST,
        }
    }

    fn config(self) -> MediaType {
        match self {
            Self::Oci => MediaType::OCI_CONFIG,
            Self::Docker => MediaType::DOCKER_CONFIG,
        }
    }

    fn layer(self, is_tar: bool) -> MediaType {
        match (self, is_tar) {
            (Self::Oci, true) => MediaType::OCI_LAYER,
            (Self::Oci, false) => MediaType::OCI_LAYER_GZIP,
            (Self::Docker, true) => "application/vnd.docker.image.rootfs.diff.tar".into(),
            (Self::Docker, false) => MediaType::DOCKER_LAYER_GZIP,
        }
    }
}

fn layer_json(family: Family, layer: &Layer) -> Descriptor {
    let is_tar = layer.digest == layer.diff_id;
    Descriptor::new(family.layer(is_tar), layer.digest, layer.size)
}

#[cfg(test)]
mod tests;

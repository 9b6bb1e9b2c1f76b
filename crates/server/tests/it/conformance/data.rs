//! Data sets: blobs and manifests that belong together, in the order in which they are pushed.

use bytes::Bytes;
use landfall_hash::digest;
use landfall_oci::{Algorithm, Descriptor, Digest, MediaType, RawManifest};
use serde_json::{Value, json};

use crate::client::bytes;

#[derive(Clone, Default)]
pub(super) struct Data {
    pub(super) blobs: Vec<(Digest, Bytes)>,
    pub(super) manifests: Vec<RawManifest>,
    pub(super) tags: Vec<(String, Digest)>,
    pub(super) referrers: Vec<Referrer>,
    pub(super) algorithm: Option<Algorithm>,
}

/// What must stand in the answer of the referrers endpoint.
#[derive(Clone)]
pub(super) struct Referrer {
    pub(super) subject: Digest,
    pub(super) descriptor: Value,
}

impl Referrer {
    /// Its artifact type; none for an index that says none.
    pub(super) fn kind(&self) -> Option<&str> {
        self.descriptor["artifactType"].as_str()
    }

    pub(super) fn digest(&self) -> String {
        self.descriptor["digest"].as_str().unwrap().to_owned()
    }
}

impl Data {
    pub(super) fn by(algorithm: Algorithm) -> Self {
        Self {
            algorithm: Some(algorithm),
            ..Self::default()
        }
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm::Sha256)
    }

    pub(super) fn manifest_of(&self, digest: &Digest) -> &RawManifest {
        self.manifests
            .iter()
            .find(|found| found.digest == *digest)
            .unwrap()
    }

    pub(super) fn blob(&mut self, media_type: MediaType, content: Bytes) -> Value {
        let digest = digest(self.algorithm(), &content);
        let descriptor = Descriptor::new(media_type, digest, content.len() as u64);
        if self.blobs.iter().all(|(found, _)| *found != digest) {
            self.blobs.push((digest, content));
        }
        json!(descriptor)
    }

    pub(super) fn manifest(&mut self, manifest: &Value) -> RawManifest {
        let bytes = Bytes::from(serde_json::to_vec(manifest).unwrap());
        let raw = RawManifest::new(None, digest(self.algorithm(), &bytes), bytes).unwrap();
        self.manifests.push(raw.clone());
        raw
    }

    /// An image that differs from others by its seed; `more` goes into the manifest.
    pub(super) fn image(&mut self, seed: u64, layers: usize, more: Value) -> RawManifest {
        let config = Bytes::from(format!("{{\"seed\":{seed}}}"));
        let config = self.blob(MediaType::OCI_CONFIG, config);
        let layers: Vec<Value> = (0..layers)
            .map(|n| self.blob(MediaType::OCI_LAYER, bytes(seed + 100 * n as u64, 700)))
            .collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": layers,
        });
        self.manifest(&with(manifest, more))
    }

    /// An artifact: an empty config, a type, one layer of that type (or the empty one).
    pub(super) fn artifact(&mut self, seed: u64, kind: &str, more: Value) -> RawManifest {
        let empty = self.empty();
        let layer = match seed {
            0 => empty.clone(),
            _ => self.blob(MediaType::new(kind), bytes(seed, 300)),
        };
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "artifactType": kind,
            "config": empty, "layers": [layer],
        });
        self.manifest(&with(manifest, more))
    }

    /// The empty JSON object, as the image specification has it.
    pub(super) fn empty(&mut self) -> Value {
        self.blob(
            MediaType::new("application/vnd.oci.empty.v1+json"),
            Bytes::from_static(b"{}"),
        )
    }

    pub(super) fn index(&mut self, members: &[RawManifest], more: Value) -> RawManifest {
        let manifests: Vec<_> = members.iter().map(RawManifest::descriptor).collect();
        let index = json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": manifests,
        });
        self.manifest(&with(index, more))
    }

    pub(super) fn tag(&mut self, tag: &str, manifest: &RawManifest) {
        self.tags.push((tag.to_owned(), manifest.digest));
    }

    /// Notes that a manifest is about another. The specification: the type of an image is its config's where it has
    /// none of its own, an index has only its own, annotations are copied.
    pub(super) fn refers(&mut self, subject: &Digest, referrer: &RawManifest) {
        let json: Value = serde_json::from_slice(&referrer.bytes).unwrap();
        let mut descriptor = json!({
            "mediaType": referrer.media_type, "digest": referrer.digest, "size": referrer.bytes.len(),
        });
        for kind in [&json["artifactType"], &json["config"]["mediaType"]] {
            if kind.is_string() && descriptor["artifactType"].is_null() {
                descriptor["artifactType"] = kind.clone();
            }
        }
        if json["annotations"].is_object() {
            descriptor["annotations"] = json["annotations"].clone();
        }
        self.referrers.push(Referrer {
            subject: *subject,
            descriptor,
        });
    }
}

fn with(mut manifest: Value, more: Value) -> Value {
    let more = more.as_object().unwrap().clone();
    manifest.as_object_mut().unwrap().extend(more);
    manifest
}

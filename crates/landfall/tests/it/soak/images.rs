//! Small images without end: some layers shared with others, so that mounts, skipped uploads and collections meet.

use bytes::Bytes;
use landfall_oci::{Descriptor, MediaType, RawManifest};
use landfall_testkit::digest::sha256;
use serde_json::json;

/// Layers that many images have in common.
const SHARED: u64 = 12;
/// Bytes of the largest layer.
const LARGEST: u64 = 192 * 1024;

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// An image that fits into memory.
pub(crate) struct Image {
    pub(crate) manifest: RawManifest,
    pub(crate) blobs: Vec<(Descriptor, Bytes)>,
}

impl Image {
    /// One to three layers and a config; `number` makes it unlike any other.
    pub(crate) fn new(dice: &mut Dice, number: u64) -> Self {
        let config = format!(r#"{{"architecture":"amd64","os":"linux","number":{number}}}"#);
        let mut blobs = vec![blob(MediaType::OCI_CONFIG, config.into_bytes())];
        for _ in 0..=dice.below(2) {
            let seed = match dice.below(2) {
                0 => dice.below(SHARED),
                _ => SHARED + number * 4 + blobs.len() as u64,
            };
            let layer = blob(MediaType::OCI_LAYER_GZIP, noise(seed));
            if blobs.iter().all(|(known, _)| known.digest != layer.0.digest) {
                blobs.push(layer);
            }
        }
        let named: Vec<&Descriptor> = blobs.iter().map(|(descriptor, _)| descriptor).collect();
        let text = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": named[0],
            "layers": &named[1..],
        });
        let bytes = Bytes::from(serde_json::to_vec(&text).unwrap());
        let media_type = MediaType::OCI_MANIFEST;
        let manifest = RawManifest::new(Some(&media_type), sha256(&bytes), bytes).unwrap();
        Self { manifest, blobs }
    }
}

fn blob(media_type: MediaType, bytes: Vec<u8>) -> (Descriptor, Bytes) {
    let descriptor = Descriptor::new(media_type, sha256(&bytes), bytes.len() as u64);
    (descriptor, bytes.into())
}

fn noise(seed: u64) -> Vec<u8> {
    let mut dice = Dice::new(seed + 1);
    let length = 1 + dice.below(LARGEST);
    (0..length).map(|_| dice.below(256) as u8).collect()
}

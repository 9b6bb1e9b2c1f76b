//! A smaller index for registries that refuse one with members missing: same members in the same order, less the
//! ones that were left out, and a note of the index that it was made from.

use bytes::Bytes;
use landfall_oci::{Digest, RawManifest};
use serde_json::Value;

/// Annotation that names the index which a pruned one was made from.
pub(crate) const ORIGINAL: &str = "io.landfall.index.original";

/// The index with only the members for which `keep` says so; everything else in it stays. `None` when it is no index.
/// The same input gives the same bytes, so that a second run finds the first one's result.
pub(crate) fn prune(index: &RawManifest, keep: impl Fn(&Digest) -> bool) -> Option<RawManifest> {
    let mut value: Value = serde_json::from_slice(&index.bytes).ok()?;
    let members = value.get_mut("manifests")?.as_array_mut()?;
    members.retain(|member| {
        let digest = member
            .get("digest")
            .and_then(Value::as_str)
            .and_then(|text| text.parse().ok());
        digest.is_some_and(|digest| keep(&digest))
    });
    // Docker's manifest list has no annotations; strict readers of it would stumble.
    if index.media_type == landfall_oci::MediaType::OCI_INDEX {
        let annotations = value
            .as_object_mut()?
            .entry("annotations")
            .or_insert_with(|| Value::Object(Default::default()));
        annotations
            .as_object_mut()?
            .insert(ORIGINAL.to_owned(), Value::String(index.digest.to_string()));
    }
    let bytes = Bytes::from(serde_json::to_vec(&value).ok()?);
    let digest = landfall_hash::digest(index.digest.algorithm(), &bytes);
    RawManifest::new(Some(&index.media_type), digest, bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_oci::{Algorithm, Descriptor, MediaType, View};

    #[test]
    fn members_keep_their_bytes_and_order() {
        let member = |byte: u8| Descriptor::new(MediaType::OCI_MANIFEST, Digest::Sha256([byte; 32]), 7);
        let members: Vec<_> = [1, 2, 3].map(member).into();
        let json = serde_json::json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX.as_str(), "manifests": members, "odd": {"x": 1},
        });
        let bytes = Bytes::from(serde_json::to_vec(&json).unwrap());
        let digest = landfall_hash::digest(Algorithm::Sha256, &bytes);
        let index = RawManifest::new(None, digest, bytes).unwrap();
        let pruned = prune(&index, |digest| digest.as_bytes()[0] != 2).unwrap();
        let View::Index(view) = pruned.view().unwrap() else {
            panic!()
        };
        assert_eq!(view.manifests, [member(1), member(3)]);
        assert_eq!(view.annotations[ORIGINAL], digest.to_string());
        assert!(std::str::from_utf8(&pruned.bytes).unwrap().contains("\"odd\""));
        assert_eq!(
            prune(&index, |digest| digest.as_bytes()[0] != 2).unwrap().digest,
            pruned.digest
        );
    }
}

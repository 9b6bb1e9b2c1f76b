//! From a collection to what a bundle is to hold.

use std::collections::BTreeMap;

use landfall_bundle::{BlobInfo, Contents, Image, Missing};

use crate::Collection;

/// What stands in a bundle as the source of images that came from a mirror. Not its address: the same list from two
/// mirrors with the same content must give the same bundle, bit for bit.
const MIRROR: &str = "a mirror (--from)";

/// The contents of the bundle for this collection.
pub(crate) fn contents(collection: &Collection, from_mirror: bool) -> Contents {
    let images = collection.images.iter().map(|image| Image {
        reference: image.reference.clone(),
        asked: image.asked.clone(),
        source: if from_mirror {
            MIRROR.to_owned()
        } else {
            image.source.clone()
        },
        root: image.root.clone(),
        platforms: image.platforms.clone(),
    });
    let blobs = collection.blobs.iter().map(|(digest, blob)| {
        (
            *digest,
            BlobInfo {
                size: blob.descriptor.size,
                is_config: blob.is_config,
            },
        )
    });
    let missing = collection.failed.iter().map(|failure| Missing {
        asked: failure.asked.clone(),
        reference: failure.reference.clone(),
        reason: failure.reason.clone(),
    });
    Contents {
        images: images.collect(),
        manifests: collection.manifests.clone(),
        blobs: blobs.collect::<BTreeMap<_, _>>(),
        missing: missing.collect(),
    }
}

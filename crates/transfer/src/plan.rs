//! The plan: what a run will do, known before the first layer moves, for people and as JSON.

use std::collections::BTreeMap;

use landfall_oci::{Digest, Reference};
use serde::Serialize;

use crate::{Collection, Failure, PlannedPlace};

/// One image of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedImage {
    /// Its name.
    pub reference: Reference,
    /// Where it comes from.
    pub from: String,
    /// Where it goes.
    pub to: String,
    /// What the name points at.
    pub digest: Digest,
    /// Its platforms, where an index names them.
    pub platforms: Vec<String>,
    /// Bytes of its blobs, shared ones counted in full.
    pub bytes: u64,
    /// What people should know about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// What a run will do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The images.
    pub images: Vec<PlannedImage>,
    /// Names that do not resolve.
    pub unresolved: Vec<Failure>,
    /// Projects and repositories that the target lacks, and what becomes of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<PlannedPlace>,
    /// Unique blobs.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, bytes that are there already.
    pub bytes_there: u64,
    /// Of these, bytes that have to move.
    pub bytes_to_move: u64,
    /// Bytes by platform, shared ones counted for each that uses them.
    pub bytes_by_platform: BTreeMap<String, u64>,
    /// Disk space that the result needs (save only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_needed: Option<u64>,
    /// Disk space that there is (save only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_free: Option<u64>,
}

impl Plan {
    /// The plan for a collection of which these blobs are there already; `to` says where an image goes.
    #[must_use]
    pub fn new(collection: &Collection, bytes_there: u64, to: impl Fn(usize, &Reference) -> String) -> Self {
        let size = |digest: &Digest| {
            collection
                .blobs
                .get(digest)
                .map_or(0, |blob| blob.descriptor.size)
        };
        let images = collection
            .images
            .iter()
            .enumerate()
            .map(|(position, image)| PlannedImage {
                reference: image.reference.clone(),
                from: image.source.clone(),
                to: to(position, &image.reference),
                digest: image.root.digest,
                platforms: image.platforms.iter().map(ToString::to_string).collect(),
                bytes: image.blobs.iter().map(size).sum(),
                remark: image.remark.clone(),
            });
        let bytes = collection.blob_bytes();
        Self {
            images: images.collect(),
            unresolved: collection.failed.clone(),
            places: Vec::new(),
            blobs: collection.blobs.len(),
            bytes,
            bytes_there,
            bytes_to_move: bytes.saturating_sub(bytes_there),
            bytes_by_platform: bytes_by_platform(collection),
            disk_needed: None,
            disk_free: None,
        }
    }
}

/// What each platform alone would take: the figure behind the advice to choose platforms. Images without an index
/// count for every platform.
fn bytes_by_platform(collection: &Collection) -> BTreeMap<String, u64> {
    let size = |digest: &Digest| {
        collection
            .blobs
            .get(digest)
            .map(|blob| (*digest, blob.descriptor.size))
    };
    let mut common: BTreeMap<Digest, u64> = BTreeMap::new();
    let mut by_platform: BTreeMap<String, BTreeMap<Digest, u64>> = BTreeMap::new();
    for image in &collection.images {
        if !image.root.media_type.is_index() {
            common.extend(image.blobs.iter().filter_map(size));
        }
        let views = image
            .manifests
            .iter()
            .filter_map(|digest| collection.manifests.get(digest)?.view().ok());
        for member in views.flat_map(|view| view.children().to_vec()) {
            let platform = member.platform.as_ref().filter(|platform| !platform.is_unknown());
            let view = collection
                .manifests
                .get(&member.digest)
                .and_then(|manifest| manifest.view().ok());
            if let (Some(platform), Some(view)) = (platform, view) {
                let blobs = by_platform
                    .entry(format!("{}/{}", platform.os, platform.architecture))
                    .or_default();
                blobs.extend(view.blobs().filter_map(|blob| size(&blob.digest)));
            }
        }
    }
    let total = |mut blobs: BTreeMap<Digest, u64>| {
        blobs.extend(&common);
        blobs.values().sum()
    };
    by_platform
        .into_iter()
        .map(|(platform, blobs)| (platform, total(blobs)))
        .collect()
}

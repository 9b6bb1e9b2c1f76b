//! What a bundle is to hold: the input of the planner, all of it known before the first layer moves.

use std::collections::BTreeMap;

use landfall_oci::{Descriptor, Digest, Platform, RawManifest, Reference};

use crate::BundleError;

/// One name and what it stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The full name under which it is kept.
    pub reference: Reference,
    /// What was asked: the list entry's text.
    pub asked: String,
    /// From where it was taken (another registry's reference, when a mirror was used).
    pub source: String,
    /// The manifest or index that the name resolved to.
    pub root: Descriptor,
    /// Platforms kept; empty for an artifact.
    pub platforms: Vec<Platform>,
}

/// A config or layer, to be fetched while the bundle is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its length in bytes.
    pub size: u64,
    /// Configs lie in front, with the manifests.
    pub is_config: bool,
}

/// Something that was asked for and is not in the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The list entry's text.
    pub asked: String,
    /// Its full name, where it could be read.
    pub reference: Option<Reference>,
    /// Why it is not there.
    pub reason: String,
}

/// All that a bundle is to hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// The names, in any order.
    pub images: Vec<Image>,
    /// Every manifest and index that is kept, bytes in memory. One that no image leads to is a referrer.
    pub manifests: BTreeMap<Digest, RawManifest>,
    /// Every config and layer that is kept.
    pub blobs: BTreeMap<Digest, BlobInfo>,
    /// What could not be had.
    pub missing: Vec<Missing>,
}

impl Contents {
    /// Puts contents together, taking the blobs from the manifests. Foreign layers are left out unless
    /// `include_foreign`.
    ///
    /// # Errors
    /// [`BundleError::Inconsistent`] when two manifests give one blob two sizes.
    pub fn gather(
        images: Vec<Image>,
        manifests: BTreeMap<Digest, RawManifest>,
        missing: Vec<Missing>,
        include_foreign: bool,
    ) -> Result<Self, BundleError> {
        let mut blobs = BTreeMap::new();
        for manifest in manifests.values() {
            let view = manifest.view().map_err(|source| {
                BundleError::inconsistent(format!("manifest {}: {source}", manifest.digest))
            })?;
            for (position, blob) in view.blobs().enumerate() {
                let is_known_manifest = manifests.contains_key(&blob.digest);
                if is_known_manifest || blob.is_foreign() && !include_foreign {
                    continue;
                }
                add_blob(&mut blobs, blob, position == 0)?;
            }
        }
        Ok(Self {
            images,
            manifests,
            blobs,
            missing,
        })
    }
}

fn add_blob(
    blobs: &mut BTreeMap<Digest, BlobInfo>,
    blob: &Descriptor,
    is_config: bool,
) -> Result<(), BundleError> {
    let info = blobs.entry(blob.digest).or_insert(BlobInfo {
        size: blob.size,
        is_config,
    });
    if info.size != blob.size {
        return Err(BundleError::inconsistent(format!(
            "two manifests give {} different sizes, {} and {}",
            blob.digest, info.size, blob.size
        )));
    }
    info.is_config |= is_config;
    Ok(())
}

//! What a set of images consists of: every manifest and every blob once, with all the places that have it.

use std::collections::{BTreeMap, BTreeSet};

use landfall_oci::{Descriptor, Digest, Platform, RawManifest, Reference, Registry, Repository};

use crate::tree::Content;
use crate::{Class, Failure, TransferError};

/// One image of the set.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its own name, the one it keeps in a bundle.
    pub reference: Reference,
    /// The name as it was asked for.
    pub asked: String,
    /// Where it was found.
    pub source: String,
    /// The manifest that the name points at.
    pub root: Descriptor,
    /// Its manifests, parents before children.
    pub manifests: Vec<Digest>,
    /// Its configs and layers (foreign layers only when they are to be carried).
    pub blobs: Vec<Digest>,
    /// The platforms kept, where an index names them.
    pub platforms: Vec<Platform>,
    /// Members of the index that were left out.
    pub omitted: Vec<Descriptor>,
}

/// A config or layer, with every repository that has it.
#[derive(Clone, Debug)]
pub struct UniqueBlob {
    /// As a manifest describes it.
    pub descriptor: Descriptor,
    /// An image's configuration.
    pub is_config: bool,
    /// Where it may be fetched from, best first; empty for a bundle's.
    pub sources: Vec<(Registry, Repository)>,
}

/// Images with all that belongs to them.
#[derive(Clone, Debug, Default)]
pub struct Collection {
    /// The images, in the order of the list.
    pub images: Vec<Image>,
    /// Every manifest, once.
    pub manifests: BTreeMap<Digest, RawManifest>,
    /// Every blob, once.
    pub blobs: BTreeMap<Digest, UniqueBlob>,
    /// What could not be had.
    pub failed: Vec<Failure>,
}

/// How an image enters a collection.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its own name.
    pub reference: Reference,
    /// The name as it was asked for.
    pub asked: String,
    /// Where it was found, for people.
    pub source: String,
    /// The repository that its blobs can be fetched from.
    pub origin: Option<(Registry, Repository)>,
}

impl Collection {
    /// Adds an image. Foreign layers are left where they are unless `include_foreign`.
    ///
    /// # Errors
    /// [`TransferError::SizeConflict`] when two manifests disagree about the size of a blob: one of them lies.
    pub fn add(
        &mut self,
        found: Found,
        content: Content,
        include_foreign: bool,
    ) -> Result<(), TransferError> {
        let wanted = |descriptor: &Descriptor| include_foreign || !descriptor.is_foreign();
        let blobs: Vec<_> = content
            .blobs
            .into_values()
            .filter(|blob| wanted(&blob.descriptor))
            .collect();
        for blob in &blobs {
            let digest = blob.descriptor.digest;
            if let Some(known) = self.blobs.get(&digest)
                && known.descriptor.size != blob.descriptor.size
            {
                let sizes = (known.descriptor.size, blob.descriptor.size);
                return Err(TransferError::SizeConflict { digest, sizes });
            }
        }
        let image = Image {
            reference: found.reference,
            asked: found.asked,
            source: found.source,
            root: content.root,
            manifests: content.manifests.iter().map(|manifest| manifest.digest).collect(),
            blobs: blobs.iter().map(|blob| blob.descriptor.digest).collect(),
            platforms: content.platforms,
            omitted: content.omitted,
        };
        for blob in blobs {
            let entry = self
                .blobs
                .entry(blob.descriptor.digest)
                .or_insert_with(|| UniqueBlob {
                    descriptor: blob.descriptor,
                    is_config: false,
                    sources: Vec::new(),
                });
            entry.is_config |= blob.is_config;
            if let Some(origin) = &found.origin
                && !entry.sources.contains(origin)
            {
                entry.sources.push(origin.clone());
            }
        }
        self.manifests.extend(
            content
                .manifests
                .into_iter()
                .map(|manifest| (manifest.digest, manifest)),
        );
        self.images.push(image);
        Ok(())
    }

    /// Bytes of all blobs.
    #[must_use]
    pub fn blob_bytes(&self) -> u64 {
        self.blobs.values().map(|blob| blob.descriptor.size).sum()
    }

    /// Blobs by size, biggest first: the order in which the last one to finish finishes earliest.
    #[must_use]
    pub fn biggest_first(&self) -> Vec<Digest> {
        let mut order: Vec<_> = self
            .blobs
            .iter()
            .map(|(digest, blob)| (blob.descriptor.size, *digest))
            .collect();
        order.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
        order.into_iter().map(|(_, digest)| digest).collect()
    }

    /// Takes images that need one of these blobs out of the collection, and whatever only they needed.
    pub fn drop_images_with(&mut self, lost: &BTreeMap<Digest, (Class, String)>) {
        let (failed, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.images)
            .into_iter()
            .partition(|image| image.blobs.iter().any(|digest| lost.contains_key(digest)));
        for image in failed {
            let why = image.blobs.iter().find_map(|digest| lost.get(digest));
            let (class, reason) = why.cloned().unwrap_or((Class::Unavailable, String::new()));
            self.failed.push(Failure {
                reference: image.reference,
                asked: image.asked,
                reason,
                class,
            });
        }
        self.images = kept;
        let blobs: BTreeSet<_> = self
            .images
            .iter()
            .flat_map(|image| &image.blobs)
            .copied()
            .collect();
        let manifests: BTreeSet<_> = self
            .images
            .iter()
            .flat_map(|image| &image.manifests)
            .copied()
            .collect();
        self.blobs.retain(|digest, _| blobs.contains(digest));
        self.manifests.retain(|digest, _| manifests.contains(digest));
    }
}

//! What a set of images consists of: every manifest and every blob once, with all the places that have it.

use std::collections::{BTreeMap, BTreeSet};

use landfall_images::{Mapping, place_all};
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
    /// What people should know about it.
    pub remark: Option<String>,
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
    /// How many of the failed were refused for their own sake: they do not hold up the others.
    pub refused: usize,
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
    /// Where each image goes, in the order of [`Self::images`].
    ///
    /// # Errors
    /// [`TransferError::Places`] when a name has no place there, or two have one.
    pub(crate) fn targets(&self, mapping: &Mapping) -> Result<Vec<Reference>, TransferError> {
        let references = self
            .images
            .iter()
            .map(|image| (&image.reference, image.asked.as_str()));
        let placements = place_all(mapping, references).map_err(TransferError::Places)?;
        Ok(placements.into_iter().map(|placement| placement.target).collect())
    }

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
            remark: None,
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

    /// Whether something could not be had without which a run is not to go on unless it was told so.
    #[must_use]
    pub fn is_held_up(&self) -> bool {
        self.failed.len() > self.refused
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
                reference: Some(image.reference),
                asked: image.asked,
                reason,
                class,
            });
        }
        self.images = kept;
        self.forget_unneeded();
    }

    /// Leaves only what the images that are left consist of.
    pub(crate) fn forget_unneeded(&mut self) {
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

#[cfg(test)]
mod tests {
    use landfall_oci::MediaType;

    use super::*;
    use crate::tree::Blob;

    fn content(image: u8, blobs: &[(u8, u64)]) -> Content {
        let blob = |(byte, size): &(u8, u64)| {
            let digest = Digest::Sha256([*byte; 32]);
            let descriptor = Descriptor::new(MediaType::OCI_LAYER_GZIP, digest, *size);
            (
                digest,
                Blob {
                    descriptor,
                    is_config: false,
                },
            )
        };
        Content {
            root: Descriptor::new(MediaType::OCI_MANIFEST, Digest::Sha256([image; 32]), 1),
            manifests: Vec::new(),
            blobs: blobs.iter().map(blob).collect(),
            platforms: Vec::new(),
            omitted: Vec::new(),
        }
    }

    fn found(name: &str) -> Found {
        let reference: Reference = name.parse().unwrap();
        let origin = Some((reference.registry().clone(), reference.repository().clone()));
        Found {
            asked: name.to_owned(),
            source: name.to_owned(),
            reference,
            origin,
        }
    }

    #[test]
    fn shared_blobs_are_one_with_every_source_and_the_biggest_is_first() {
        let mut collection = Collection::default();
        collection
            .add(found("a:1"), content(1, &[(10, 5), (11, 50)]), false)
            .unwrap();
        collection
            .add(found("b:1"), content(2, &[(11, 50), (12, 7)]), false)
            .unwrap();
        assert_eq!(collection.blob_bytes(), 62);
        assert_eq!(collection.blobs[&Digest::Sha256([11; 32])].sources.len(), 2);
        let order: Vec<_> = collection
            .biggest_first()
            .iter()
            .map(|digest| digest.as_bytes()[0])
            .collect();
        assert_eq!(order, [11, 12, 10]);
    }

    #[test]
    fn two_sizes_for_one_blob_are_a_lie() {
        let mut collection = Collection::default();
        collection
            .add(found("a:1"), content(1, &[(10, 5)]), false)
            .unwrap();
        let error = collection
            .add(found("b:1"), content(2, &[(10, 6)]), false)
            .unwrap_err();
        assert!(matches!(error, TransferError::SizeConflict { sizes: (5, 6), .. }));
        assert_eq!(collection.images.len(), 1);
    }

    #[test]
    fn a_lost_blob_takes_its_images_and_only_theirs_along() {
        let mut collection = Collection::default();
        collection
            .add(found("a:1"), content(1, &[(10, 5), (11, 50)]), false)
            .unwrap();
        collection
            .add(found("b:1"), content(2, &[(11, 50), (12, 7)]), false)
            .unwrap();
        let lost = BTreeMap::from([(Digest::Sha256([10; 32]), (Class::Corrupt, "wrong".to_owned()))]);
        collection.drop_images_with(&lost);
        assert_eq!(collection.failed[0].asked, "a:1");
        assert_eq!(collection.failed[0].class, Class::Corrupt);
        assert_eq!(collection.blobs.len(), 2);
    }
}

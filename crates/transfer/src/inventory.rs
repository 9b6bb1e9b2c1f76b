//! What a push finds at its target before anything moves: names that answer with the right digest, and blobs. From it
//! come the plan's "there already" and everything that a rerun leaves out.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};
use landfall_oci::{Digest, RawManifest, Registry, Repository};

use crate::collection::Image;
use crate::prune::prune;
use crate::push::{Push, SMALL_AT_ONCE, place};
use crate::{Class, TransferError};

/// What the target has before anything moves.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    /// Images whose name answers with the right digest already, by position.
    pub(crate) complete: BTreeMap<usize, Digest>,
    /// Blobs that the first repository that needs them has already.
    pub(crate) there: BTreeSet<Digest>,
    /// Blobs that it does not have. What is in neither set could not be asked for.
    pub(crate) missing: BTreeSet<Digest>,
}

impl Inventory {
    /// Bytes that need not move: blobs that are there, and blobs that only complete images need.
    pub(crate) fn bytes_there(&self, push: &Push<'_>) -> u64 {
        let needed: BTreeSet<_> = push
            .incomplete(self)
            .flat_map(|(_, image)| &image.blobs)
            .collect();
        let there = |digest: &Digest| !needed.contains(digest) || self.there.contains(digest);
        let blobs = push.collection.blobs.iter().filter(|(digest, _)| there(digest));
        blobs.map(|(_, blob)| blob.descriptor.size).sum()
    }
}

impl Push<'_> {
    /// Asks the target what it has: every name, and every blob in the first repository that needs it.
    pub(crate) async fn inventory(&self) -> Result<Inventory, TransferError> {
        let heads: Vec<_> = stream::iter(self.collection.images.iter().zip(self.targets).enumerate())
            .map(|(position, (image, target))| async move {
                let place = place(target, image.root.digest);
                let head = self
                    .client
                    .head_manifest(target.registry(), target.repository(), &place)
                    .await;
                head.map(|head| {
                    (
                        position,
                        head.map(|head| head.digest)
                            .filter(|found| self.is_of(image, found)),
                    )
                })
            })
            .buffer_unordered(SMALL_AT_ONCE)
            .collect()
            .await;
        let mut inventory = Inventory::default();
        for head in heads {
            // A registry that will not say is asked again, in earnest, by the push itself; only an unreachable one,
            // or one that refuses us, makes the plan impossible.
            match head.map_err(TransferError::from) {
                Ok((position, Some(digest))) => {
                    inventory.complete.insert(position, digest);
                }
                Ok(_) => {}
                Err(error) if matches!(error.class(), Class::Unreachable | Class::Credentials) => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        let homes = self.homes(&inventory);
        let answers: Vec<_> = stream::iter(homes.iter())
            .map(|(digest, repositories)| self.ask_for(*digest, repositories))
            .buffer_unordered(SMALL_AT_ONCE)
            .filter_map(|answer| async move { answer })
            .collect()
            .await;
        for (digest, is_there) in answers {
            let set = if is_there {
                &mut inventory.there
            } else {
                &mut inventory.missing
            };
            set.insert(digest);
        }
        Ok(inventory)
    }

    async fn ask_for(
        &self,
        digest: Digest,
        repositories: &[(Registry, Repository)],
    ) -> Option<(Digest, bool)> {
        let (registry, repository) = repositories.first()?;
        let is_there = self.client.has_blob(registry, repository, &digest).await.ok()?;
        Some((digest, is_there))
    }

    fn incomplete<'s>(&'s self, inventory: &'s Inventory) -> impl Iterator<Item = (usize, &'s Image)> + 's {
        self.collection
            .images
            .iter()
            .enumerate()
            .filter(|(position, _)| !inventory.complete.contains_key(position))
    }

    /// For each blob that has to be in a repository: all repositories that need it, in the order of the list.
    pub(crate) fn homes(&self, inventory: &Inventory) -> BTreeMap<Digest, Vec<(Registry, Repository)>> {
        let mut homes: BTreeMap<Digest, Vec<_>> = BTreeMap::new();
        for (position, image) in self.incomplete(inventory) {
            let target = &self.targets[position];
            let home = (target.registry().clone(), target.repository().clone());
            for digest in &image.blobs {
                let entry = homes.entry(*digest).or_default();
                if !entry.contains(&home) {
                    entry.push(home.clone());
                }
            }
        }
        homes
    }

    /// The smaller index that a strict registry gets instead of one with members left out.
    pub(crate) fn pruned(&self, image: &Image) -> Option<RawManifest> {
        let kept: BTreeSet<_> = image.manifests.iter().collect();
        let root = self.manifest(&image.root.digest).ok()?;
        prune(root, |digest| kept.contains(digest)).filter(|_| !image.omitted.is_empty())
    }

    /// Whether a name that answers with this digest is this image.
    fn is_of(&self, image: &Image, found: &Digest) -> bool {
        image.root.digest == *found || self.pruned(image).is_some_and(|pruned| pruned.digest == *found)
    }
}

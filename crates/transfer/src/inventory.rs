//! What a push finds at its target before anything moves: names that answer with the right digest, and blobs. From it
//! come the plan's "there already" and everything that a rerun leaves out.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};
use landfall_oci::{Digest, RawManifest, Registry, Repository};

use crate::collection::Image;
use crate::prune::prune;
use crate::push::{Push, SMALL_AT_ONCE, place};
use crate::{Class, TransferError};

/// What the registry answered for one name.
type Answered = (usize, Result<Option<Digest>, TransferError>);

/// What the target has before anything moves.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    /// Images whose name answers with the right digest already, by position.
    pub(crate) complete: BTreeMap<usize, Digest>,
    /// Images whose name answers with anything, by position: their repository is there.
    pub(crate) found: BTreeSet<usize>,
    /// Names of which the registry would not say anything.
    pub(crate) unsaid: BTreeMap<usize, TransferError>,
    /// Images that cannot be pushed, with the reason.
    pub(crate) barred: BTreeMap<usize, (Class, String)>,
    /// Blobs that the first repository that needs them has already.
    pub(crate) there: BTreeSet<Digest>,
    /// Blobs that it does not have. What is in neither set could not be asked for.
    pub(crate) missing: BTreeSet<Digest>,
}

impl Inventory {
    /// Whether the registry refused us a name.
    pub(crate) fn is_denied(&self, position: usize) -> bool {
        let error = self.unsaid.get(&position);
        error.is_some_and(|error| error.class() == Class::Credentials)
    }

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
    /// Asks the target what each name has.
    ///
    /// # Errors
    /// [`TransferError`] when nobody answers: then there can be no plan.
    pub(crate) async fn ask_names(&self) -> Result<Inventory, TransferError> {
        let answers: Vec<Answered> =
            stream::iter(self.collection.images.iter().zip(self.targets).enumerate())
                .map(|(position, (image, target))| async move {
                    let found = self.found_under(target, &place(target, image.root.digest)).await;
                    (position, found.map_err(TransferError::from))
                })
                .buffer_unordered(SMALL_AT_ONCE)
                .collect()
                .await;
        let mut inventory = Inventory::default();
        for (position, answer) in answers {
            match answer {
                Ok(Some(digest)) => {
                    inventory.found.insert(position);
                    if self.is_of(&self.collection.images[position], &digest) {
                        inventory.complete.insert(position, digest);
                    }
                }
                Ok(None) => {}
                Err(error) if error.class() == Class::Unreachable => return Err(error),
                // A registry that will not say is asked again, in earnest, by the push itself.
                Err(error) => {
                    inventory.unsaid.insert(position, error);
                }
            }
        }
        Ok(inventory)
    }

    /// Asks for every blob in the first repository that needs it, unless that is known to be missing.
    pub(crate) async fn ask_blobs(
        &self,
        inventory: &mut Inventory,
        is_missing: impl Fn(&Repository) -> bool,
    ) {
        let homes = self.homes(inventory);
        let (nowhere, homes): (BTreeMap<_, _>, BTreeMap<_, _>) = homes
            .into_iter()
            .partition(|(_, repositories)| repositories.first().is_some_and(|(_, name)| is_missing(name)));
        inventory.missing.extend(nowhere.into_keys());
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
        let barred = |position: &usize| inventory.barred.contains_key(position);
        for (position, image) in self
            .incomplete(inventory)
            .filter(|(position, _)| !barred(position))
        {
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
    pub(crate) fn is_of(&self, image: &Image, found: &Digest) -> bool {
        image.root.digest == *found || self.pruned(image).is_some_and(|pruned| pruned.digest == *found)
    }
}

//! The push, shared by `load` and `copy`: each unique blob once per registry, mounted into the other repositories;
//! manifests children first; the tag last, so that an image appears whole or not at all; then the registry is asked
//! what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::stream::{self, StreamExt};
use landfall_client::{Ask, Client, ClientError, Pushed};
use landfall_hash::HashService;
use landfall_oci::{Digest, RawManifest, Reference, Registry, Repository, Target};
use tokio::sync::OnceCell;

use crate::collection::{Collection, Image, UniqueBlob};
use crate::destination::{DestinationOptions, Kind};
use crate::inventory::Inventory;
use crate::origin::{Counted, Origin};
use crate::{Class, Event, Failure, How, Plan, Report, Reporter, Success, THERE, TransferError};

/// Small requests (HEAD, mount, manifest) under way at once.
pub(crate) const SMALL_AT_ONCE: usize = 16;

/// A push of these images, each to its target.
pub(crate) struct Push<'a> {
    pub(crate) collection: &'a Collection,
    /// Where each image goes, in the order of [`Collection::images`].
    pub(crate) targets: &'a [Reference],
    pub(crate) origin: Origin,
    pub(crate) client: &'a Client,
    pub(crate) hash: &'a HashService,
    pub(crate) reporter: Arc<dyn Reporter>,
    pub(crate) jobs: usize,
    pub(crate) counts: Counts,
    pub(crate) destination: &'a DestinationOptions,
    /// What product the target is, once that was asked.
    pub(crate) kind: OnceCell<Kind>,
}

/// Blobs that did not arrive in a repository, with the reason.
type Lost = BTreeMap<(Repository, Digest), (Class, String)>;

/// What has been moved so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    blobs: AtomicUsize,
    bytes: AtomicU64,
    mounted: AtomicUsize,
}

impl Push<'_> {
    /// The plan of this push.
    pub(crate) fn plan(&self, inventory: &Inventory) -> Plan {
        Plan::new(self.collection, inventory.bytes_there(self), |position, _| {
            self.targets[position].to_string()
        })
    }

    /// Does it.
    pub(crate) async fn run(&self, inventory: &Inventory, plan: Plan) -> Report {
        let lost = self.push_blobs(inventory).await;
        let pushed = Mutex::default();
        let (lost, pushed) = (&lost, &pushed);
        let mut results = BTreeMap::new();
        for wave in waves(&self.collection.images, self.targets) {
            let finished: Vec<_> = stream::iter(wave)
                .map(|position| async move {
                    let image = &self.collection.images[position];
                    let result = self.finish_image(position, image, inventory, lost, pushed).await;
                    (position, result)
                })
                .buffered(SMALL_AT_ONCE)
                .collect()
                .await;
            results.extend(finished);
        }
        let mut report = Report {
            plan,
            failed: self.collection.failed.clone(),
            blobs_moved: self.counts.blobs.load(Ordering::Relaxed),
            bytes_moved: self.counts.bytes.load(Ordering::Relaxed),
            blobs_mounted: self.counts.mounted.load(Ordering::Relaxed),
            ..Report::default()
        };
        for failure in &report.failed {
            self.reporter.event(&Event::ImageFailed { failure });
        }
        for (position, result) in results {
            let image = &self.collection.images[position];
            match result {
                Ok(success) => report.done.push(success),
                Err((class, reason)) => {
                    let failure = Failure {
                        reference: Some(image.reference.clone()),
                        asked: image.asked.clone(),
                        reason,
                        class,
                    };
                    self.reporter.event(&Event::ImageFailed { failure: &failure });
                    report.failed.push(failure);
                }
            }
        }
        report
    }

    /// Every blob to every repository that needs it; returns those that did not arrive, and where.
    async fn push_blobs(&self, inventory: &Inventory) -> Lost {
        let homes = self.homes(inventory);
        let homes = &homes;
        let order = self.collection.biggest_first();
        let lost: Vec<Lost> = stream::iter(order.into_iter().filter(|digest| homes.contains_key(digest)))
            .map(|digest| self.place(digest, &homes[&digest], inventory))
            .buffer_unordered(self.jobs.max(1))
            .collect()
            .await;
        lost.into_iter().flatten().collect()
    }

    /// One blob: uploaded to the first repository that takes it, mounted from there into the others. A repository that
    /// refuses it spoils its own images only.
    async fn place(&self, digest: Digest, homes: &[(Registry, Repository)], inventory: &Inventory) -> Lost {
        let mut lost = Lost::new();
        let Some(blob) = self.collection.blobs.get(&digest) else {
            return lost;
        };
        let size = blob.descriptor.size;
        for (position, (registry, first)) in homes.iter().enumerate() {
            match self.bring(blob, registry, first, inventory, position).await {
                Ok(how) => {
                    self.reporter.event(&Event::BlobFinished { digest, size, how });
                    lost.extend(self.mount_all(blob, first, &homes[position + 1..]).await);
                    return lost;
                }
                Err(error) => {
                    let why = self.told(error).await;
                    // What is wrong with the blob, this machine or the way there is so for every repository.
                    let is_theirs = !matches!(why.0, Class::Corrupt | Class::Local | Class::Unreachable);
                    let spoilt = if is_theirs {
                        &homes[position..=position]
                    } else {
                        &homes[position..]
                    };
                    lost.extend(
                        spoilt
                            .iter()
                            .map(|(_, repository)| ((repository.clone(), digest), why.clone())),
                    );
                    if !is_theirs {
                        return lost;
                    }
                }
            }
        }
        lost
    }

    /// One blob into the first repository, or, when those before it refused, into the next.
    async fn bring(
        &self,
        blob: &UniqueBlob,
        registry: &Registry,
        repository: &Repository,
        inventory: &Inventory,
        position: usize,
    ) -> Result<How, TransferError> {
        let digest = blob.descriptor.digest;
        if position == 0 && inventory.there.contains(&digest) {
            return Ok(How::AlreadyThere);
        }
        let size = blob.descriptor.size;
        self.reporter.event(&Event::BlobStarted {
            digest,
            size,
            already: 0,
        });
        // The inventory asked the first repository only.
        let is_known_missing = position == 0 && inventory.missing.contains(&digest);
        let ask = if is_known_missing { Ask::Never } else { Ask::First };
        self.upload(
            blob,
            registry,
            repository,
            &self.origin.siblings(blob, registry),
            ask,
        )
        .await
    }

    async fn mount_all(
        &self,
        blob: &UniqueBlob,
        from: &Repository,
        others: &[(Registry, Repository)],
    ) -> Lost {
        let mounts = stream::iter(others).map(|(registry, repository)| async move {
            let from = std::slice::from_ref(from);
            let error = self
                .upload(blob, registry, repository, from, Ask::AfterMount)
                .await
                .err()?;
            let why = self.told(error).await;
            Some(((repository.clone(), blob.descriptor.digest), why))
        });
        mounts
            .buffer_unordered(4)
            .filter_map(|lost| async move { lost })
            .collect()
            .await
    }

    async fn upload(
        &self,
        blob: &UniqueBlob,
        registry: &Registry,
        repository: &Repository,
        mount_from: &[Repository],
        ask: Ask,
    ) -> Result<How, TransferError> {
        let descriptor = &blob.descriptor;
        let Some(source) = self.origin.source(blob, self.hash) else {
            return Err(TransferError::BlobMissing {
                digest: descriptor.digest,
            });
        };
        let counted = Counted {
            source: source.as_source(),
            reporter: Arc::clone(&self.reporter),
            digest: descriptor.digest,
            position: Arc::default(),
        };
        let pushed = self
            .client
            .push_blob(registry, repository, descriptor, &counted, mount_from, ask)
            .await;
        match pushed {
            Ok(Pushed::AlreadyThere) => Ok(How::AlreadyThere),
            Ok(Pushed::Mounted(_)) => {
                self.counts.mounted.fetch_add(1, Ordering::Relaxed);
                Ok(How::Mounted)
            }
            Ok(Pushed::Uploaded) => {
                self.counts.blobs.fetch_add(1, Ordering::Relaxed);
                self.counts.bytes.fetch_add(descriptor.size, Ordering::Relaxed);
                Ok(How::Moved)
            }
            Err(error) => Err(source
                .blame(&descriptor.digest, self.hash)
                .await
                .unwrap_or_else(|| error.into())),
        }
    }

    async fn finish_image(
        &self,
        position: usize,
        image: &Image,
        inventory: &Inventory,
        lost: &Lost,
        pushed: &Mutex<BTreeSet<(Repository, Digest)>>,
    ) -> Result<Success, (Class, String)> {
        let target = &self.targets[position];
        let finished = |digest, remark: Option<String>| {
            self.reporter.event(&Event::ImageFinished {
                reference: &image.reference,
                target: Some(target),
            });
            Success {
                reference: image.reference.clone(),
                target: target.to_string(),
                digest,
                remark,
            }
        };
        if let Some(digest) = inventory.complete.get(&position) {
            return Ok(finished(*digest, Some(THERE.to_owned())));
        }
        if let Some(reason) = inventory.barred.get(&position) {
            return Err(reason.clone());
        }
        let lost = |digest: &Digest| lost.get(&(target.repository().clone(), *digest));
        if let Some(reason) = image.blobs.iter().find_map(lost) {
            return Err(reason.clone());
        }
        let there = match self.push_manifests(image, target, pushed).await {
            Ok((digest, remark)) => self.verify(target, digest).await.map(|()| (digest, remark)),
            Err(error) => Err(error),
        };
        match there {
            Ok((digest, remark)) => {
                let remarks: Vec<_> = image.remark.clone().into_iter().chain(remark).collect();
                let remark = (!remarks.is_empty()).then(|| remarks.join("; "));
                Ok(finished(digest, remark))
            }
            Err(error) => Err(self.told(error).await),
        }
    }

    /// Children first; the root last, under its tag. Returns the digest that the name now has.
    async fn push_manifests(
        &self,
        image: &Image,
        target: &Reference,
        pushed: &Mutex<BTreeSet<(Repository, Digest)>>,
    ) -> Result<(Digest, Option<String>), TransferError> {
        let (registry, repository) = (target.registry(), target.repository());
        let Some((root, children)) = image.manifests.split_first() else {
            return Err(TransferError::Nothing);
        };
        for digest in children.iter().rev() {
            let known = (repository.clone(), *digest);
            let lock = || pushed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let is_there = lock().contains(&known);
            if !is_there {
                let manifest = self.manifest(digest)?;
                self.client
                    .push_manifest(registry, repository, &Target::Digest(*digest), manifest)
                    .await
                    .map_err(|error| about_urls(manifest, error))?;
                // Only now: another image's index must not overtake the member that it lists.
                lock().insert(known);
            }
        }
        let root = self.manifest(root)?;
        let place = place(target, root.digest);
        let error = match self
            .client
            .push_manifest(registry, repository, &place, root)
            .await
        {
            Ok(()) => {
                let mut pushed = pushed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                pushed.insert((repository.clone(), root.digest));
                return Ok((root.digest, None));
            }
            Err(error) => error,
        };
        // Registries name different codes for an index with members missing; only a refusal counts, not a fault.
        let refuses_gaps = matches!(error, ClientError::Refused { .. } | ClientError::NotFound { .. });
        if image.omitted.is_empty() || !refuses_gaps || target.digest().is_some() {
            return match self.after_refusal(image, target, error).await {
                Err(TransferError::Client(source)) => Err(about_urls(root, source)),
                settled => settled,
            };
        }
        let pruned = self.pruned(image).ok_or(TransferError::Nothing)?;
        let pushed = self
            .client
            .push_manifest(registry, repository, &place, &pruned)
            .await;
        if let Err(error) = pushed {
            return self.after_refusal(image, target, error).await;
        }
        let remark = format!(
            "the registry refuses an index with platforms left out, so a smaller one was pushed ({} instead of {})",
            pruned.digest, root.digest
        );
        Ok((pruned.digest, Some(remark)))
    }

    pub(crate) fn manifest(&self, digest: &Digest) -> Result<&RawManifest, TransferError> {
        self.collection
            .manifests
            .get(digest)
            .ok_or(TransferError::BlobMissing { digest: *digest })
    }

    async fn verify(&self, target: &Reference, pushed: Digest) -> Result<(), TransferError> {
        let place = place(target, pushed);
        match self.found_under(target, &place).await? {
            Some(found) if found == pushed => Ok(()),
            other => Err(TransferError::NotAsPushed {
                target: target.to_string(),
                pushed,
                found: other.map_or("nothing".to_owned(), |found| found.to_string()),
            }),
        }
    }
}

/// Images in the order in which they are finished: those of one wave at once. An index comes after the images that
/// have its members under names of their own, and one manifest under several tags of a repository is pushed under one
/// after the other: docker-registry answers 500 to two writers of one manifest.
fn waves(images: &[Image], targets: &[Reference]) -> Vec<Vec<usize>> {
    let mut tags: BTreeMap<(&Repository, &Digest), usize> = BTreeMap::new();
    let mut waves: Vec<Vec<usize>> = Vec::new();
    let mut lists = Vec::new();
    let roots: BTreeSet<_> = images
        .iter()
        .zip(targets)
        .map(|(image, target)| (target.repository(), &image.root.digest))
        .collect();
    for (position, (image, target)) in images.iter().zip(targets).enumerate() {
        let is_named = |member: &Digest| roots.contains(&(target.repository(), member));
        if image.manifests.iter().skip(1).any(is_named) {
            lists.push(position);
            continue;
        }
        let earlier = tags.entry((target.repository(), &image.root.digest)).or_default();
        if waves.len() == *earlier {
            waves.push(Vec::new());
        }
        waves[*earlier].push(position);
        *earlier += 1;
    }
    waves.push(lists);
    waves
}

/// A refusal, with what it may be about when the manifest has layers that are to be fetched from elsewhere:
/// docker-registry answers a bare 500 to those. A 415 is about the manifest's own media type.
fn about_urls(manifest: &RawManifest, error: ClientError) -> TransferError {
    let has_urls = manifest
        .view()
        .is_ok_and(|view| view.blobs().any(|blob| !blob.urls.is_empty()));
    let is_media_type = error.refusal().is_some_and(|refusal| refusal.status == 415);
    let error = TransferError::from(error);
    match (error.class(), error) {
        (Class::Unavailable | Class::Unusable, TransferError::Client(source))
            if has_urls && !is_media_type =>
        {
            TransferError::ForeignRefused {
                source: Box::new(source),
            }
        }
        (_, error) => error,
    }
}

/// Under what an image is pushed and asked for: its tag, or the digest of what has none.
pub(crate) fn place(target: &Reference, digest: Digest) -> Target {
    target
        .tag()
        .map_or(Target::Digest(digest), |tag| Target::Tag(tag.clone()))
}

#[cfg(test)]
mod tests {
    use landfall_oci::{Descriptor, MediaType};

    use super::*;

    #[test]
    fn lists_follow_their_members_and_tags_of_one_manifest_each_other() {
        let image = |manifests: &[u8]| {
            let digest = |byte: &u8| Digest::Sha256([*byte; 32]);
            Image {
                reference: "a".parse().unwrap(),
                asked: String::new(),
                source: String::new(),
                root: Descriptor::new(MediaType::OCI_MANIFEST, digest(&manifests[0]), 1),
                manifests: manifests.iter().map(digest).collect(),
                blobs: Vec::new(),
                platforms: Vec::new(),
                omitted: Vec::new(),
                remark: None,
            }
        };
        let images = [&[9, 1, 2][..], &[1], &[1], &[2], &[8, 7], &[1]].map(image);
        let names = ["r/a:list", "r/a:1", "r/a:one", "r/a:2", "r/a:other", "r/b:1"];
        let targets = names.map(|name| name.parse::<Reference>().unwrap());
        assert_eq!(waves(&images, &targets), [vec![1, 3, 4, 5], vec![2], vec![0]]);
    }
}

//! The push, shared by `load` and `copy`: each unique blob once per registry, mounted into the other repositories;
//! manifests children first; the tag last, so that an image appears whole or not at all; then the registry is asked
//! what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use landfall_client::{Ask, BlobSource, Client, ClientError, Pushed};
use landfall_hash::HashService;
use landfall_oci::{Digest, RawManifest, Reference, Registry, Repository, Target};

use crate::collection::{Collection, Image, UniqueBlob};
use crate::origin::Origin;
use crate::prune::prune;
use crate::{Class, Event, Failure, How, Plan, Report, Reporter, Success, TransferError};

/// Small requests (HEAD, mount, manifest) under way at once.
const SMALL_AT_ONCE: usize = 16;

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
}

/// What has been moved so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    blobs: AtomicUsize,
    bytes: AtomicU64,
    mounted: AtomicUsize,
}

/// What the target has before anything moves.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    /// Images whose name answers with the right digest already, by position, and that digest.
    complete: BTreeMap<usize, Digest>,
    /// Blobs that the first repository that needs them has already.
    there: BTreeSet<Digest>,
    /// Blobs that it does not have. What is in neither set could not be asked for.
    missing: BTreeSet<Digest>,
}

impl Inventory {
    /// Bytes that need not move: blobs that are there, and blobs that only complete images need.
    fn bytes_there(&self, push: &Push<'_>) -> u64 {
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
                let head = self
                    .client
                    .head_manifest(target.registry(), target.repository(), &target.target())
                    .await;
                head.map(|head| {
                    (
                        position,
                        head.map(|head| head.digest)
                            .filter(|digest| self.is_ours(image, digest)),
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

    /// Whether this is what a name should answer with: the image, or the smaller index that an earlier run had to
    /// push instead.
    fn is_ours(&self, image: &Image, found: &Digest) -> bool {
        let pruned = || {
            self.manifest(&image.root.digest)
                .ok()
                .and_then(|root| pruned(image, root))
        };
        *found == image.root.digest
            || (!image.omitted.is_empty() && pruned().is_some_and(|pruned| pruned.digest == *found))
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
    fn homes(&self, inventory: &Inventory) -> BTreeMap<Digest, Vec<(Registry, Repository)>> {
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
        let results: Vec<_> = stream::iter(self.collection.images.iter().enumerate())
            .map(|(position, image)| async move {
                (
                    position,
                    self.finish_image(position, image, inventory, lost, pushed).await,
                )
            })
            .buffered(SMALL_AT_ONCE)
            .collect()
            .await;
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
                        reference: image.reference.clone(),
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

    /// Every blob to every repository that needs it; returns those that did not arrive.
    async fn push_blobs(&self, inventory: &Inventory) -> BTreeMap<Digest, (Class, String)> {
        let homes = self.homes(inventory);
        let homes = &homes;
        let order = self.collection.biggest_first();
        stream::iter(order.into_iter().filter(|digest| homes.contains_key(digest)))
            .map(|digest| async move {
                let blob = self.collection.blobs.get(&digest)?;
                let error = self.place(blob, &homes[&digest], inventory).await.err()?;
                Some((digest, (error.class(), error.describe())))
            })
            .buffer_unordered(self.jobs.max(1))
            .filter_map(|lost| async move { lost })
            .collect()
            .await
    }

    /// One blob: uploaded to the first repository, mounted from there into the others.
    async fn place(
        &self,
        blob: &UniqueBlob,
        homes: &[(Registry, Repository)],
        inventory: &Inventory,
    ) -> Result<(), TransferError> {
        let digest = blob.descriptor.digest;
        let Some(((registry, first), others)) = homes.split_first() else {
            return Ok(());
        };
        let size = blob.descriptor.size;
        let how = if inventory.there.contains(&digest) {
            How::AlreadyThere
        } else {
            self.reporter.event(&Event::BlobStarted {
                digest,
                size,
                already: 0,
            });
            let siblings = self.origin.siblings(blob, registry);
            let ask = if inventory.missing.contains(&digest) {
                Ask::Never
            } else {
                Ask::First
            };
            self.upload(blob, registry, first, &siblings, ask).await?
        };
        self.reporter.event(&Event::BlobFinished { digest, size, how });
        let mounts = stream::iter(others).map(|(registry, repository)| async move {
            let from = std::slice::from_ref(first);
            self.upload(blob, registry, repository, from, Ask::AfterMount)
                .await
                .map(|_| ())
        });
        let mut mounts = std::pin::pin!(mounts.buffer_unordered(4));
        while let Some(mounted) = mounts.next().await {
            mounted?;
        }
        Ok(())
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
        lost: &BTreeMap<Digest, (Class, String)>,
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
            let remark = match *digest == image.root.digest {
                true => "already there",
                false => "already there, as an index without the platforms that were left out",
            };
            return Ok(finished(*digest, Some(remark.to_owned())));
        }
        if let Some(reason) = image.blobs.iter().find_map(|digest| lost.get(digest)) {
            return Err(reason.clone());
        }
        let told = |error: TransferError| (error.class(), error.describe());
        let (digest, remark) = self.push_manifests(image, target, pushed).await.map_err(told)?;
        self.verify(target, digest).await.map_err(told)?;
        Ok(finished(digest, remark))
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
            let fresh = pushed
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .insert((repository.clone(), *digest));
            if fresh {
                let manifest = self.manifest(digest)?;
                self.client
                    .push_manifest(registry, repository, &Target::Digest(*digest), manifest)
                    .await?;
            }
        }
        let root = self.manifest(root)?;
        let place = target
            .tag()
            .map_or(Target::Digest(root.digest), |tag| Target::Tag(tag.clone()));
        let error = match self
            .client
            .push_manifest(registry, repository, &place, root)
            .await
        {
            Ok(()) => return Ok((root.digest, None)),
            Err(error) => error,
        };
        // Registries name different codes for an index with members missing; only a refusal counts, not a fault.
        let refuses_gaps = matches!(error, ClientError::Refused { .. } | ClientError::NotFound { .. });
        if image.omitted.is_empty() || !refuses_gaps || target.digest().is_some() {
            return Err(error.into());
        }
        let pruned = pruned(image, root).ok_or(TransferError::Nothing)?;
        self.client
            .push_manifest(registry, repository, &place, &pruned)
            .await?;
        let remark = format!(
            "the registry refuses an index with platforms left out, so a smaller one was pushed ({} instead of {})",
            pruned.digest, root.digest
        );
        Ok((pruned.digest, Some(remark)))
    }

    fn manifest(&self, digest: &Digest) -> Result<&RawManifest, TransferError> {
        self.collection
            .manifests
            .get(digest)
            .ok_or(TransferError::BlobMissing { digest: *digest })
    }

    async fn verify(&self, target: &Reference, pushed: Digest) -> Result<(), TransferError> {
        let place = target
            .tag()
            .map_or(Target::Digest(pushed), |tag| Target::Tag(tag.clone()));
        let head = self
            .client
            .head_manifest(target.registry(), target.repository(), &place)
            .await?;
        match head {
            Some(head) if head.digest == pushed => Ok(()),
            other => Err(TransferError::NotAsPushed {
                target: target.to_string(),
                pushed,
                found: other.map_or("nothing".to_owned(), |head| head.digest.to_string()),
            }),
        }
    }
}

/// The index of an image with only the members that are here.
fn pruned(image: &Image, root: &RawManifest) -> Option<RawManifest> {
    let kept: BTreeSet<_> = image.manifests.iter().collect();
    prune(root, |digest| kept.contains(digest))
}

/// Tells the reporter of each chunk that leaves, and takes it back when the upload has to begin again.
struct Counted<'a> {
    source: &'a dyn BlobSource,
    reporter: Arc<dyn Reporter>,
    digest: Digest,
    position: Arc<AtomicU64>,
}

#[async_trait::async_trait]
impl BlobSource for Counted<'_> {
    fn size(&self) -> u64 {
        self.source.size()
    }

    async fn open(&self, offset: u64) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        let digest = self.digest;
        let before = self.position.swap(offset, Ordering::Relaxed);
        if before > offset {
            self.reporter.event(&Event::BlobRestarted {
                digest,
                bytes: before - offset,
            });
        }
        let (reporter, position) = (Arc::clone(&self.reporter), Arc::clone(&self.position));
        let counted = self.source.open(offset).await?.inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                let bytes = chunk.len() as u64;
                position.fetch_add(bytes, Ordering::Relaxed);
                reporter.event(&Event::BlobMoved { digest, bytes });
            }
        });
        Ok(counted.boxed())
    }
}

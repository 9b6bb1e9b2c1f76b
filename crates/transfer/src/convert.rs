//! `convert`: images from any number of bundles and archives into one bundle, or one layout folder, of ours.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use futures_util::stream::{self, StreamExt};
use landfall_bundle::{
    Bundle, BundleError, Contents, Layout, LayoutDir, Missing, Writer, WriterOptions, space,
};
use landfall_hash::{HashService, Sink};
use landfall_oci::{Descriptor, Digest, Platform, PlatformSet, Reference, View};

use crate::fetch::blocking;
use crate::load::collect_platforms;
use crate::{
    Collection, Disagreement, Event, How, Plan, Report, Reporter, Success, TransferError, UniqueBlob,
    contents,
};

/// What a conversion needs to know.
#[derive(Clone, Debug)]
pub struct ConvertOptions {
    /// What to write.
    pub output: PathBuf,
    /// Write an OCI layout folder, not a file.
    pub into_folder: bool,
    /// Platforms to take along.
    pub platforms: PlatformSet,
    /// Of an index of which one member is left, only that member: importers that ask for all platforms want them all.
    pub flatten: bool,
    /// Of two images of one name the first counts; else that is an error.
    pub first_wins: bool,
    /// Write what can be written although some images cannot be used.
    pub allow_missing: bool,
    /// Replace a file that is there.
    pub overwrite: bool,
    /// Blobs copied at once.
    pub jobs: usize,
    /// Only make the plan.
    pub dry_run: bool,
}

/// Puts the images of these bundles into one. Images that cannot be used are in the report, not an error; then nothing is
/// written unless [`ConvertOptions::allow_missing`].
///
/// # Errors
/// [`TransferError`] where nothing can begin: two inputs disagree about a name, an image has none, the output cannot be
/// written.
pub async fn convert(
    bundles: Vec<Bundle>,
    options: &ConvertOptions,
    hash: &HashService,
    reporter: &Arc<dyn Reporter>,
) -> Result<Report, TransferError> {
    let wanted = options.clone();
    let merging = tokio::task::spawn_blocking(move || Merged::of(bundles, &wanted));
    let run = Convert {
        merged: merging.await??,
        options,
        hash,
        reporter,
        blobs: AtomicUsize::new(0),
        bytes: AtomicU64::new(0),
    };
    run.run().await
}

/// Everything that is to be written, and in which bundle each blob is.
struct Merged {
    collection: Collection,
    contents: Contents,
    holders: BTreeMap<Digest, Bundle>,
}

impl Merged {
    fn of(bundles: Vec<Bundle>, options: &ConvertOptions) -> Result<Self, TransferError> {
        let mut merged = Collection::default();
        let mut holders: BTreeMap<Digest, Bundle> = BTreeMap::new();
        let mut names: BTreeMap<String, (Digest, PathBuf)> = BTreeMap::new();
        let mut missing = Vec::new();
        for bundle in &bundles {
            let mut found = collect_platforms(bundle, &options.platforms)?;
            if options.flatten {
                flatten(&mut found);
            }
            let mut kept = Vec::with_capacity(found.images.len());
            for mut image in std::mem::take(&mut found.images) {
                let name = image.reference.to_string();
                let mine = (image.root.digest, bundle.path().to_owned());
                match names.get(&name) {
                    Some((other, _)) if *other == mine.0 || options.first_wins => continue,
                    Some(other) => return Err(disagreement(name, other.clone(), mine)),
                    None => names.insert(name.clone(), mine),
                };
                image.source = source(bundle, &image.reference);
                kept.push(image);
            }
            found.images = kept;
            found.forget_unneeded();
            for digest in found.blobs.keys() {
                holders.entry(*digest).or_insert_with(|| bundle.clone());
            }
            merged.images.append(&mut found.images);
            merged.manifests.append(&mut found.manifests);
            merged.blobs.append(&mut found.blobs);
            merged.failed.append(&mut found.failed);
            referrers(bundle, &mut merged, &mut holders)?;
            missing.extend(told_missing(bundle));
        }
        let mut contents = contents::contents(&merged, false);
        contents.missing.extend(missing);
        Ok(Self {
            collection: merged,
            contents,
            holders,
        })
    }
}

/// See [`ConvertOptions::flatten`].
fn flatten(collection: &mut Collection) {
    for image in &mut collection.images {
        let view = |digest: &Digest| collection.manifests.get(digest)?.view().ok();
        let Some(View::Index(index)) = view(&image.root.digest) else {
            continue;
        };
        let is_companion = |member: &Descriptor| {
            member.companion_of().is_some() || member.platform.as_ref().is_some_and(Platform::is_unknown)
        };
        let mut members = index.manifests.iter().filter(|member| !is_companion(member));
        let mut kept = members.by_ref().filter_map(|member| match view(&member.digest) {
            Some(View::Image(manifest)) => Some((member, manifest)),
            _ => None,
        });
        if let (Some((member, manifest)), None) = (kept.next(), kept.next()) {
            let blobs = std::iter::once(&manifest.config)
                .chain(&manifest.layers)
                .map(|blob| blob.digest);
            image.root = Descriptor::new(member.media_type.clone(), member.digest, member.size);
            image.manifests = vec![member.digest];
            image.blobs = blobs
                .filter(|digest| collection.blobs.contains_key(digest))
                .collect();
            image.omitted.clear();
        }
    }
    collection.forget_unneeded();
}

fn disagreement(name: String, one: (Digest, PathBuf), other: (Digest, PathBuf)) -> TransferError {
    TransferError::Disagree(Box::new(Disagreement {
        name,
        digests: (one.0, other.0),
        paths: (one.1, other.1),
    }))
}

/// What a bundle says of where an image is from; of an archive only the image's own name is known. (Not the path of the
/// archive: the same archive gives the same bundle, wherever it lies.)
fn source(bundle: &Bundle, reference: &Reference) -> String {
    let name = reference.to_string();
    let images = bundle
        .info()
        .map(|info| info.images.as_slice())
        .unwrap_or_default();
    let told = images.iter().find(|image| image.name == name);
    told.map_or(name, |image| image.source.clone())
}

/// What is about the images and travels with them.
fn referrers(
    bundle: &Bundle,
    merged: &mut Collection,
    holders: &mut BTreeMap<Digest, Bundle>,
) -> Result<(), TransferError> {
    let referrers = bundle
        .info()
        .map(|info| info.referrers.as_slice())
        .unwrap_or_default();
    for referrer in referrers {
        let is_wanted = referrer
            .subject
            .is_none_or(|subject| merged.manifests.contains_key(&subject));
        if !is_wanted || !bundle.contains(&referrer.digest) {
            continue;
        }
        let manifest = bundle.manifest(&referrer.digest)?;
        let view = manifest.view().map_err(|source| TransferError::Manifest {
            name: referrer.digest.to_string(),
            source,
        })?;
        for (position, blob) in view.blobs().enumerate() {
            let blob: &Descriptor = blob;
            holders.entry(blob.digest).or_insert_with(|| bundle.clone());
            merged.blobs.entry(blob.digest).or_insert_with(|| UniqueBlob {
                descriptor: blob.clone(),
                is_config: position == 0,
                sources: Vec::new(),
            });
        }
        merged.manifests.insert(referrer.digest, manifest);
    }
    Ok(())
}

fn told_missing(bundle: &Bundle) -> impl Iterator<Item = Missing> {
    let missing = bundle.info().map(|info| info.missing.clone()).unwrap_or_default();
    missing.into_iter().map(|missing| Missing {
        asked: missing.asked,
        reference: missing.name.and_then(|name| Reference::parse(&name).ok()),
        reason: missing.reason,
    })
}

struct Convert<'a> {
    merged: Merged,
    options: &'a ConvertOptions,
    hash: &'a HashService,
    reporter: &'a Arc<dyn Reporter>,
    blobs: AtomicUsize,
    bytes: AtomicU64,
}

impl Convert<'_> {
    async fn run(mut self) -> Result<Report, TransferError> {
        let plan = self.plan().await?;
        self.reporter.event(&Event::Planned { plan: &plan });
        let failed = self.merged.collection.failed.clone();
        for failure in &failed {
            self.reporter.event(&Event::ImageFailed { failure });
        }
        let is_blocked =
            self.merged.collection.images.is_empty() || !failed.is_empty() && !self.options.allow_missing;
        let mut report = Report {
            plan,
            failed,
            dry_run: self.options.dry_run,
            ..Report::default()
        };
        if self.options.dry_run || is_blocked {
            return Ok(report);
        }
        match self.options.into_folder {
            true => self.write_folder().await?,
            false => self.write_file().await?,
        }
        report.blobs_moved = self.blobs.load(Ordering::Relaxed);
        report.bytes_moved = self.bytes.load(Ordering::Relaxed);
        let images = std::mem::take(&mut self.merged.collection.images);
        report.done = images.into_iter().map(|image| self.success(image)).collect();
        Ok(report)
    }

    fn success(&self, image: crate::Image) -> Success {
        let reference = &image.reference;
        self.reporter.event(&Event::ImageFinished {
            reference,
            target: None,
        });
        Success {
            digest: image.root.digest,
            target: self.options.output.display().to_string(),
            reference: image.reference,
            remark: None,
        }
    }

    async fn plan(&self) -> Result<Plan, TransferError> {
        let output = self.options.output.display().to_string();
        let mut plan = Plan::new(&self.merged.collection, 0, |_, _| output.clone());
        if !self.options.into_folder {
            let (path, layout) = (self.options.output.clone(), Layout::plan(&self.merged.contents)?);
            let space = blocking(move || space(&path, &layout)).await?;
            (plan.disk_needed, plan.disk_free) = (Some(space.needed), Some(space.free));
        }
        Ok(plan)
    }

    async fn write_file(&self) -> Result<(), TransferError> {
        let layout = Layout::plan(&self.merged.contents)?;
        let (path, overwrite) = (self.options.output.clone(), self.options.overwrite);
        let options = WriterOptions {
            overwrite,
            ..WriterOptions::default()
        };
        let (writer, _) = blocking(move || Writer::open_with(&path, layout, options)).await?;
        let pending = writer.pending();
        let written = self.each(pending.iter().map(|pending| pending.digest), async |digest| {
            let (begun, this) = (writer.clone(), digest);
            let sink = blocking(move || {
                begun.reset(&this)?;
                begun.sink(&this, 0)
            });
            self.copy(&digest, sink.await?).await?;
            let writer = writer.clone();
            blocking(move || writer.complete(&digest)).await
        });
        if let Err(error) = written.await {
            // It costs no network to begin again, and the next run may well have another plan.
            blocking(move || writer.discard()).await?;
            return Err(error);
        }
        blocking(move || writer.finish()).await.map(|_| ())
    }

    async fn write_folder(&self) -> Result<(), TransferError> {
        let root = self.options.output.clone();
        let folder = blocking(move || LayoutDir::open(&root)).await?;
        let blobs = &self.merged.contents.blobs;
        self.each(blobs.keys().copied(), async |digest| {
            let (there, size) = (folder.clone(), blobs[&digest].size);
            if blocking(move || there.has(&digest, size)).await? {
                return Ok(());
            }
            let into = folder.clone();
            let (new, sink) = blocking(move || into.blob(&digest, size)).await?;
            self.copy(&digest, sink).await?;
            blocking(move || new.commit()).await
        })
        .await?;
        let manifests: Vec<_> = self.merged.contents.manifests.values().cloned().collect();
        let images = self.merged.contents.images.clone();
        blocking(move || {
            manifests
                .iter()
                .try_for_each(|manifest| folder.manifest(manifest))?;
            folder.publish(&images)
        })
        .await
    }

    /// Does something with each blob, several at once.
    async fn each(
        &self,
        blobs: impl Iterator<Item = Digest>,
        work: impl AsyncFn(Digest) -> Result<(), TransferError>,
    ) -> Result<(), TransferError> {
        let mut order: Vec<_> = blobs.map(|digest| (self.size(&digest), digest)).collect();
        order.sort_by(|one, other| other.cmp(one));
        let work = &work;
        let running = stream::iter(order)
            .map(|(size, digest)| async move {
                work(digest).await?;
                self.blobs.fetch_add(1, Ordering::Relaxed);
                let how = How::Moved;
                self.reporter.event(&Event::BlobFinished { digest, size, how });
                Ok::<(), TransferError>(())
            })
            .buffer_unordered(self.options.jobs.max(1));
        let mut running = std::pin::pin!(running);
        while let Some(done) = running.next().await {
            done?;
        }
        Ok(())
    }

    fn size(&self, digest: &Digest) -> u64 {
        self.merged.contents.blobs.get(digest).map_or(0, |blob| blob.size)
    }

    /// A blob's bytes from its bundle into a sink, and compared with its digest on the way.
    async fn copy(&self, digest: &Digest, sink: impl Sink) -> Result<(), TransferError> {
        let digest = *digest;
        let holder = self.merged.holders.get(&digest).ok_or(TransferError::Nothing)?;
        let size = self.size(&digest);
        let event = Event::BlobStarted {
            digest,
            size,
            already: 0,
        };
        self.reporter.event(&event);
        let opened = holder.clone();
        let extent = tokio::task::spawn_blocking(move || opened.blob(&digest)).await?;
        let extent = extent
            .filter(|extent| extent.len == size)
            .ok_or_else(|| missing(holder.path(), &digest))?;
        let mut hashed = self.hash.stream_into(digest.algorithm(), Box::new(sink));
        let mut pieces = std::pin::pin!(extent.stream(0..size));
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|source| BundleError::Io {
                action: "read",
                path: holder.path().to_owned(),
                source,
            })?;
            let bytes = piece.len() as u64;
            hashed.update(piece).await?;
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
            self.reporter.event(&Event::BlobMoved { digest, bytes });
        }
        let found = hashed.finish().await?;
        match found == digest {
            true => Ok(()),
            false => Err(TransferError::Bundle(BundleError::WrongDigest {
                path: holder.path().to_owned(),
                expected: Box::new(digest),
                found: Box::new(found),
            })),
        }
    }
}

fn missing(path: &Path, digest: &Digest) -> TransferError {
    TransferError::Bundle(BundleError::NotInBundle {
        path: path.to_owned(),
        digest: Box::new(*digest),
    })
}

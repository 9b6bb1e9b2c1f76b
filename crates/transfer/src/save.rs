//! `save`: a list becomes one bundle file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use landfall_bundle::{Bundle, BundleError, Layout, Pending, Resume, Writer, WriterOptions, verify};
use landfall_client::Client;
use landfall_hash::HashService;
use landfall_images::Entry;
use landfall_oci::Digest;
use tokio::task::JoinHandle;

use crate::fetch::{Fetcher, blocking, is_local};
use crate::resolve::{ResolveOptions, resolve};
use crate::windows::{self, WindowsOptions};
use crate::{Class, Collection, Event, How, Plan, Report, Reporter, Success, THERE, TransferError, contents};

/// What was written is made to outlast a power cut whenever there is so much of it, or so long after the last time.
/// It also keeps the disk busy while the network is: the last sync of a run then has little left to do.
const SYNC_BYTES: u64 = 64 << 20;
const SYNC_EVERY: Duration = Duration::from_secs(10);

/// What a save needs to know.
#[derive(Clone, Debug)]
pub struct SaveOptions {
    /// How names are resolved.
    pub resolve: ResolveOptions,
    /// Images that are to have Windows members.
    pub windows: Option<WindowsOptions>,
    /// The bundle to write.
    pub output: PathBuf,
    /// Replace a file that is there, unless it is the very bundle that this run would make.
    pub overwrite: bool,
    /// Close the bundle without images that cannot be had.
    pub allow_missing: bool,
    /// Blobs fetched at once.
    pub jobs: usize,
    /// Only make the plan.
    pub dry_run: bool,
}

/// Saves a list. Images that cannot be had are in the report, not an error; then no bundle is finished unless
/// [`SaveOptions::allow_missing`], and what was fetched stays for the next run.
///
/// # Errors
/// [`TransferError`] where the run as a whole cannot go on: the output cannot be written.
pub async fn save(
    entries: &[Entry],
    options: &SaveOptions,
    client: &Client,
    hash: &HashService,
    reporter: &Arc<dyn Reporter>,
) -> Result<Report, TransferError> {
    let collection = match &options.windows {
        None => resolve(entries, &options.resolve, client, reporter).await,
        Some(windows) => windows::resolve(entries, windows, &options.resolve, client, None, reporter).await,
    };
    let run = Save {
        options,
        client,
        hash,
        reporter,
        moved: Moved::default(),
    };
    run.run(collection).await
}

#[derive(Default)]
struct Moved {
    blobs: AtomicUsize,
    bytes: AtomicU64,
}

struct Save<'a> {
    options: &'a SaveOptions,
    client: &'a Client,
    hash: &'a HashService,
    reporter: &'a Arc<dyn Reporter>,
    moved: Moved,
}

impl Save<'_> {
    async fn run(&self, mut collection: Collection) -> Result<Report, TransferError> {
        let plan = self.plan(&collection).await?;
        self.reporter.event(&Event::Planned { plan: &plan });
        let blocked =
            collection.images.is_empty() || (collection.is_held_up() && !self.options.allow_missing);
        if self.options.dry_run || blocked {
            return Ok(self.report(plan, Vec::new(), collection));
        }
        let is_there = match self.is_there_already(&collection).await {
            // It is to be replaced, whatever it is.
            Err(_) if self.options.overwrite => false,
            settled => settled?,
        };
        if is_there {
            let done = collection
                .images
                .iter()
                .map(|image| self.success(image, Some(THERE)))
                .collect();
            return Ok(self.report(plan, done, collection));
        }
        let mut partial = 0;
        loop {
            let writer = self.open(&collection).await?;
            let lost = self.fetch_all(&collection, &writer).await?;
            collection.drop_images_with(&lost);
            if lost.is_empty() {
                self.finish(writer).await?;
                break;
            }
            if collection.images.is_empty() || !self.options.allow_missing {
                partial = collection.images.len();
                collection.images.clear();
                break;
            }
            // Without the images that were lost the bundle has another layout: what was fetched is carried over.
        }
        let done = collection
            .images
            .iter()
            .map(|image| self.success(image, None))
            .collect();
        Ok(Report {
            partial,
            ..self.report(plan, done, collection)
        })
    }

    /// The very bundle that this run would make is there: the same command a second time, or after a kill in its
    /// last instant. Its blobs are hashed before that is believed.
    async fn is_there_already(&self, collection: &Collection) -> Result<bool, TransferError> {
        let layout = self.layout(collection)?;
        let path = self.options.output.clone();
        let opened = blocking(move || match layout.is_at(&path)? {
            true => Bundle::open(&path).map(Some),
            false => Ok(None),
        });
        let Some(bundle) = opened.await? else {
            return Ok(false);
        };
        Ok(verify(&bundle, self.hash, |_| {}).await?.is_right())
    }

    async fn plan(&self, collection: &Collection) -> Result<Plan, TransferError> {
        let output = self.options.output.display().to_string();
        let layout = self.layout(collection)?;
        let path = self.options.output.clone();
        let (there, needed, free) = tokio::task::spawn_blocking(move || {
            let space = landfall_bundle::space(&path, &layout)?;
            Ok::<_, TransferError>((space.already_there, space.needed, space.free))
        })
        .await??;
        let mut plan = Plan::new(collection, there, |_, _| output.clone());
        plan.disk_needed = Some(needed);
        plan.disk_free = Some(free);
        Ok(plan)
    }

    fn layout(&self, collection: &Collection) -> Result<Layout, TransferError> {
        Ok(Layout::plan(&contents::contents(
            collection,
            self.options.resolve.from.is_some(),
        ))?)
    }

    async fn open(&self, collection: &Collection) -> Result<Writer, TransferError> {
        let layout = self.layout(collection)?;
        let path = self.options.output.clone();
        let options = WriterOptions {
            overwrite: self.options.overwrite,
            ..WriterOptions::default()
        };
        let (writer, resume) =
            tokio::task::spawn_blocking(move || Writer::open_with(&path, layout, options)).await??;
        if resume != Resume::default() {
            self.reporter.event(&Event::Note {
                message: &continued(&resume),
            });
        }
        Ok(writer)
    }

    /// Fetches every blob that is not there yet; returns those that could not be had, with the reason.
    async fn fetch_all(
        &self,
        collection: &Collection,
        writer: &Writer,
    ) -> Result<BTreeMap<Digest, (Class, String)>, TransferError> {
        let supply = self.options.resolve.supply(self.client);
        let fetcher = Fetcher {
            supply: &supply,
            hash: self.hash,
            reporter: self.reporter,
        };
        let pending: BTreeMap<_, _> = writer
            .pending()
            .into_iter()
            .map(|blob| (blob.digest, blob))
            .collect();
        let order = collection.biggest_first();
        for digest in order.iter().filter(|digest| !pending.contains_key(digest)) {
            let size = collection.blobs[digest].descriptor.size;
            self.reporter.event(&Event::BlobFinished {
                digest: *digest,
                size,
                how: How::AlreadyThere,
            });
        }
        let work = order.iter().filter_map(|digest| pending.get(digest).cloned());
        let fetches = stream::iter(work)
            .map(|blob| self.fetch_one(fetcher, collection, blob, writer))
            .buffer_unordered(self.options.jobs.max(1));
        let mut fetches = std::pin::pin!(fetches);
        let mut lost = BTreeMap::new();
        let mut syncer = Syncer::new(writer);
        while let Some((digest, result)) = fetches.next().await {
            match result {
                Ok(()) => syncer.tick().await?,
                Err(error) if is_local(&error) => return Err(error),
                Err(error) => {
                    lost.insert(digest, (error.class(), error.describe()));
                }
            }
        }
        syncer.finish().await?;
        Ok(lost)
    }

    async fn fetch_one(
        &self,
        fetcher: Fetcher<'_>,
        collection: &Collection,
        pending: Pending,
        writer: &Writer,
    ) -> (Digest, Result<(), TransferError>) {
        let (digest, size, written) = (pending.digest, pending.size, pending.written);
        let result = match collection.blobs.get(&digest) {
            Some(blob) => fetcher.fetch_to_bundle(blob, pending, writer).await,
            None => Err(TransferError::Nothing),
        };
        if result.is_ok() {
            self.moved.blobs.fetch_add(1, Ordering::Relaxed);
            self.moved
                .bytes
                .fetch_add(size.saturating_sub(written), Ordering::Relaxed);
            self.reporter.event(&Event::BlobFinished {
                digest,
                size,
                how: How::Moved,
            });
        }
        (digest, result)
    }

    async fn finish(&self, writer: Writer) -> Result<(), TransferError> {
        tokio::task::spawn_blocking(move || writer.finish()).await??;
        Ok(())
    }

    fn success(&self, image: &crate::collection::Image, remark: Option<&str>) -> Success {
        self.reporter.event(&Event::ImageFinished {
            reference: &image.reference,
            target: None,
        });
        Success {
            reference: image.reference.clone(),
            target: self.options.output.display().to_string(),
            digest: image.root.digest,
            remark: remark.map(str::to_owned).or_else(|| image.remark.clone()),
        }
    }

    fn report(&self, plan: Plan, done: Vec<Success>, collection: Collection) -> Report {
        for failure in &collection.failed {
            self.reporter.event(&Event::ImageFailed { failure });
        }
        Report {
            plan,
            done,
            failed: collection.failed,
            blobs_moved: self.moved.blobs.load(Ordering::Relaxed),
            bytes_moved: self.moved.bytes.load(Ordering::Relaxed),
            blobs_mounted: 0,
            dry_run: self.options.dry_run,
            partial: 0,
        }
    }
}

/// What an earlier run left, for people.
fn continued(resume: &Resume) -> String {
    format!(
        "continuing an earlier run: {} blobs ({} bytes) are there, {} more bytes are checked instead of fetched",
        resume.done_blobs + resume.carried_blobs,
        resume.done_bytes,
        resume.prefix_bytes
    )
}

/// Syncs beside the fetches, one sync at a time.
struct Syncer<'a> {
    writer: &'a Writer,
    running: Option<JoinHandle<Result<(), BundleError>>>,
    last: Instant,
}

impl<'a> Syncer<'a> {
    fn new(writer: &'a Writer) -> Self {
        Self {
            writer,
            running: None,
            last: Instant::now(),
        }
    }

    /// Begins a sync if it is time for one.
    ///
    /// # Errors
    /// What the sync before it ended with: a writer whose sync failed never finishes.
    async fn tick(&mut self) -> Result<(), TransferError> {
        let is_due = self.writer.unsynced_bytes() >= SYNC_BYTES || self.last.elapsed() >= SYNC_EVERY;
        let is_idle = self.running.as_ref().is_none_or(JoinHandle::is_finished);
        if is_due && is_idle {
            self.finish().await?;
            let writer = self.writer.clone();
            self.running = Some(tokio::task::spawn_blocking(move || writer.sync()));
            self.last = Instant::now();
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), TransferError> {
        match self.running.take() {
            Some(running) => Ok(running.await??),
            None => Ok(()),
        }
    }
}

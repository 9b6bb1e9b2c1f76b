//! `pull` into an OCI layout directory: one image, beside those that are there already.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use landfall_bundle::{Image, LayoutDir};
use landfall_client::Client;
use landfall_hash::HashService;
use landfall_images::Entry;
use landfall_oci::RawManifest;

use crate::fetch::{Fetcher, blocking};
use crate::resolve::{ResolveOptions, resolve};
use crate::{Collection, Event, How, Plan, Report, Reporter, Success, TransferError, UniqueBlob};

/// What a pull needs to know.
#[derive(Clone, Debug)]
pub struct PullOptions {
    /// How the name is resolved.
    pub resolve: ResolveOptions,
    /// The directory.
    pub directory: PathBuf,
    /// Blobs fetched at once.
    pub jobs: usize,
    /// Only make the plan.
    pub dry_run: bool,
}

/// Pulls images into a directory. What cannot be had is in the report; its name does not appear in the directory.
///
/// # Errors
/// [`TransferError`] where the directory cannot be written or an image's bytes cannot be had.
pub async fn pull(
    entries: &[Entry],
    options: &PullOptions,
    client: &Client,
    hash: &HashService,
    reporter: &Arc<dyn Reporter>,
) -> Result<Report, TransferError> {
    let collection = resolve(entries, &options.resolve, client, reporter).await;
    let place = options.directory.display().to_string();
    let plan = Plan::new(&collection, 0, |_, _| place.clone());
    reporter.event(&Event::Planned { plan: &plan });
    let mut report = Report {
        plan,
        failed: collection.failed.clone(),
        dry_run: options.dry_run,
        ..Report::default()
    };
    if options.dry_run || collection.images.is_empty() {
        return Ok(report);
    }
    let root = options.directory.clone();
    let directory = blocking(move || LayoutDir::open(&root)).await?;
    let supply = options.resolve.supply(client);
    let fetcher = Fetcher {
        supply: &supply,
        hash,
        reporter,
    };
    let fetches = stream::iter(collection.biggest_first())
        .map(|digest| fetch(fetcher, &collection.blobs[&digest], &directory))
        .buffer_unordered(options.jobs.max(1));
    let mut fetches = std::pin::pin!(fetches);
    while let Some(moved) = fetches.next().await {
        if let Some(bytes) = moved? {
            report.blobs_moved += 1;
            report.bytes_moved += bytes;
        }
    }
    publish(&collection, directory.clone()).await?;
    report.done = collection
        .images
        .iter()
        .map(|image| success(image, &place, reporter))
        .collect();
    Ok(report)
}

/// The bytes that had to move; `None` when the directory had them.
async fn fetch(
    fetcher: Fetcher<'_>,
    blob: &UniqueBlob,
    directory: &LayoutDir,
) -> Result<Option<u64>, TransferError> {
    let (digest, size) = (blob.descriptor.digest, blob.descriptor.size);
    let there = directory.clone();
    let is_there = blocking(move || there.has(&digest, size)).await?;
    let how = if is_there { How::AlreadyThere } else { How::Moved };
    if !is_there {
        fetcher.fetch_to_directory(blob, directory).await?;
    }
    fetcher.reporter.event(&Event::BlobFinished { digest, size, how });
    Ok((!is_there).then_some(size))
}

/// Manifests, then the names.
async fn publish(collection: &Collection, directory: LayoutDir) -> Result<(), TransferError> {
    let manifests: Vec<RawManifest> = collection.manifests.values().cloned().collect();
    let images: Vec<Image> = crate::contents::contents(collection, false).images;
    blocking(move || {
        manifests
            .iter()
            .try_for_each(|manifest| directory.manifest(manifest))?;
        directory.publish(&images)
    })
    .await
}

fn success(image: &crate::Image, place: &str, reporter: &Arc<dyn Reporter>) -> Success {
    reporter.event(&Event::ImageFinished {
        reference: &image.reference,
        target: None,
    });
    Success {
        reference: image.reference.clone(),
        target: place.to_owned(),
        digest: image.root.digest,
        remark: None,
    }
}

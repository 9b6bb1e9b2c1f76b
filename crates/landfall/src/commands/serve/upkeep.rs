//! What a server does beside answering: collections on a schedule, abandoned uploads, the list of missing images.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use landfall_server::Metrics;
use landfall_server::metrics::Exposition;
use landfall_store::{CollectOptions, Collected, DirectoryOptions, StoreError};

use super::Settings;
use crate::control::{Policy, Workshop, collection_summary};
use crate::failure::Failure;

/// How often garbage is collected when nobody says.
const EVERY: Duration = Duration::from_secs(24 * 3600);

/// The first time comes sooner, for servers that are started every day.
const FIRST: Duration = Duration::from_secs(3600);

/// What upkeep goes by.
pub(super) fn policy(settings: &Settings) -> Result<Policy, Failure> {
    let default = CollectOptions::default();
    Ok(Policy {
        collect: CollectOptions {
            grace: settings.gc_grace.map(|age| age.0),
            untagged_after: settings.gc_untagged_after.map(|age| age.0),
            keep_trash: settings.gc_keep_trash.map_or(default.keep_trash, |age| age.0),
            ..default
        },
        retention: settings.retention()?,
    })
}

/// Keeps the directory clean for as long as the program runs, unless it is to be left as it is.
pub(super) fn start(workshop: &Arc<Workshop>, settings: &Settings, metrics: &Metrics) {
    let ran = Arc::new(Ran::default());
    let shown = Arc::clone(&ran);
    metrics.register(move |text| shown.show(text));
    let every = settings.gc_every.map_or(EVERY, |age| age.0);
    if every.is_zero() || workshop.read_only {
        return;
    }
    let workshop = Arc::clone(workshop);
    tokio::spawn(async move {
        let mut wait = every.min(FIRST);
        loop {
            tokio::time::sleep(wait).await;
            wait = every;
            match once(&workshop).await {
                Ok(collected) => ran.add(&collected),
                Err(failure) => {
                    ran.failed.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(target: "landfall::upkeep", %failure, "the collection was given up");
                }
            }
        }
    });
}

/// How the collections of this run went.
#[derive(Default)]
struct Ran {
    done: AtomicU64,
    failed: AtomicU64,
    blobs: AtomicU64,
    bytes: AtomicU64,
}

impl Ran {
    fn add(&self, collected: &Collected) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.blobs.fetch_add(collected.blobs, Ordering::Relaxed);
        self.bytes.fetch_add(collected.bytes, Ordering::Relaxed);
    }

    fn show(&self, text: &mut Exposition) {
        for (name, help, count) in [
            (
                "landfall_collections_total",
                "Collections on schedule.",
                &self.done,
            ),
            (
                "landfall_collections_failed_total",
                "Collections that were given up.",
                &self.failed,
            ),
            (
                "landfall_collected_blobs_total",
                "Files that collections removed.",
                &self.blobs,
            ),
            (
                "landfall_collected_bytes_total",
                "Bytes that collections removed.",
                &self.bytes,
            ),
        ] {
            text.counter(name, help, count.load(Ordering::Relaxed));
        }
    }
}

async fn once(workshop: &Workshop) -> Result<Collected, Failure> {
    let policy = workshop.policy();
    let store = &workshop.store;
    let stale = DirectoryOptions::default().upload_expiry;
    let uploads = store
        .remove_stale_uploads(stale)
        .await
        .map_err(crate::control::failure)?;
    if !policy.retention.is_empty() {
        let rules = policy.retention;
        let retained = store
            .retain(rules, false, Arc::new(()))
            .await
            .map_err(crate::control::failure)?;
        tracing::info!(target: "landfall::upkeep", removed = retained.removed, seen = retained.seen, "retention");
    }
    let options = policy.collect;
    let keep_trash = options.keep_trash;
    let collected = match store.collect(options, Arc::new(())).await {
        // Somebody collects by hand at this moment.
        Err(StoreError::Conflict { reason }) => {
            tracing::info!(target: "landfall::upkeep", reason, "the collection is left to another one");
            return Ok(Collected::default());
        }
        done => done.map_err(crate::control::failure)?,
    };
    let summary = collection_summary(&collected, false, keep_trash);
    tracing::info!(target: "landfall::upkeep", uploads, summary = summary["text"].as_str().unwrap_or_default(), "collection");
    Ok(collected)
}

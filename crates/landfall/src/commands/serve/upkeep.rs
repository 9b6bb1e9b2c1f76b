//! What a server does beside answering: collections on a schedule, abandoned uploads, the list of missing images.

use std::sync::Arc;
use std::time::Duration;

use landfall_store::{CollectOptions, DirectoryOptions, DirectoryStore};

use super::Settings;
use crate::control::{Workshop, collection_summary};
use crate::failure::Failure;

/// How often garbage is collected when nobody says.
const EVERY: Duration = Duration::from_secs(24 * 3600);

/// What a server's upkeep goes by.
pub(super) fn collect_options(settings: &Settings) -> CollectOptions {
    let default = CollectOptions::default();
    CollectOptions {
        grace: settings.gc_grace.map(|age| age.0),
        untagged_after: settings.gc_untagged_after.map(|age| age.0),
        keep_trash: settings.gc_keep_trash.map_or(default.keep_trash, |age| age.0),
        ..default
    }
}

/// Keeps the directory clean for as long as the program runs.
pub(super) fn start(workshop: Arc<Workshop>, settings: &Settings) {
    let every = settings.gc_every.map_or(EVERY, |age| age.0);
    if every.is_zero() {
        return;
    }
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(every).await;
            if let Err(failure) = once(&workshop).await {
                tracing::error!(target: "landfall::upkeep", %failure, "the collection was given up; nothing was removed");
            }
        }
    });
}

async fn once(workshop: &Workshop) -> Result<(), Failure> {
    let store: &DirectoryStore = &workshop.store;
    let stale = DirectoryOptions::default().upload_expiry;
    let uploads = store
        .remove_stale_uploads(stale)
        .await
        .map_err(crate::control::failure)?;
    if !workshop.retention.is_empty() {
        let rules = workshop.retention.clone();
        let retained = store
            .retain(rules, false, Arc::new(()))
            .await
            .map_err(crate::control::failure)?;
        tracing::info!(target: "landfall::upkeep", removed = retained.removed, seen = retained.seen, "retention");
    }
    let options = workshop.collect.clone();
    let keep_trash = options.keep_trash;
    let collected = store
        .collect(options, Arc::new(()))
        .await
        .map_err(crate::control::failure)?;
    let summary = collection_summary(&collected, false, keep_trash);
    tracing::info!(target: "landfall::upkeep", uploads, summary = summary["text"].as_str().unwrap_or_default(), "collection");
    Ok(())
}

//! `copy`: from registry to registry, streaming, with nothing on disk.

use std::sync::Arc;

use landfall_client::Client;
use landfall_hash::HashService;
use landfall_images::{Entry, Mapping, place_all};
use tokio::sync::OnceCell;

use crate::destination::DestinationOptions;
use crate::origin::Origin;
use crate::push::{Counts, Push};
use crate::resolve::{ResolveOptions, resolve};
use crate::windows::{self, WindowsOptions};
use crate::{Event, Report, Reporter, TransferError};

/// What a copy needs to know.
#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// How names are resolved.
    pub resolve: ResolveOptions,
    /// Images that are to have Windows members.
    pub windows: Option<WindowsOptions>,
    /// Where the images go.
    pub mapping: Mapping,
    /// Copy what can be had, although some images cannot.
    pub allow_missing: bool,
    /// Blobs copied at once.
    pub jobs: usize,
    /// Only make the plan.
    pub dry_run: bool,
    /// What may be done at the target besides.
    pub destination: DestinationOptions,
}

/// Copies a list. Images that cannot be had or placed are in the report, not an error.
///
/// # Errors
/// [`TransferError`] where nothing can begin: names collide, the target does not answer.
pub async fn copy(
    entries: &[Entry],
    options: &CopyOptions,
    client: &Client,
    hash: &HashService,
    reporter: &Arc<dyn Reporter>,
) -> Result<Report, TransferError> {
    // Names first: a collision is found without asking anybody.
    place_all(
        &options.mapping,
        entries
            .iter()
            .map(|entry| (&entry.reference, entry.text.as_str())),
    )
    .map_err(TransferError::Places)?;
    let collection = match &options.windows {
        None => resolve(entries, &options.resolve, client, reporter).await,
        Some(windows) => {
            let target = Some(&options.mapping);
            windows::resolve(entries, windows, &options.resolve, client, target, reporter).await
        }
    };
    let targets = collection.targets(&options.mapping)?;
    let push = Push {
        collection: &collection,
        targets: &targets,
        origin: Origin::Registries(options.resolve.supply(client)),
        client,
        hash,
        reporter: Arc::clone(reporter),
        jobs: options.jobs,
        counts: Counts::default(),
        destination: &options.destination,
        kind: OnceCell::new(),
    };
    if collection.is_held_up() && !options.allow_missing {
        let plan = push.survey(options.dry_run).await?.plan;
        for failure in &collection.failed {
            reporter.event(&Event::ImageFailed { failure });
        }
        return Ok(Report {
            failed: collection.failed.clone(),
            plan,
            dry_run: options.dry_run,
            ..Report::default()
        });
    }
    push.go(options.dry_run).await
}

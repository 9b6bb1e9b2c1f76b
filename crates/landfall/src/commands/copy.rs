//! `copy`.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Instant;

use landfall_transfer::{CopyOptions, ResolveOptions, copy};

use super::load::mapping;
use super::save::resolve_options;
use super::{Context, windows};
use crate::args::Copy;
use crate::connect::{self, Audience};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::summary::Ending;
use crate::{lists, progress};

pub(crate) async fn run(args: Copy, context: Context) -> Result<Exit, Failure> {
    let mut entries = lists::from_names(&args.images)?;
    if let Some(path) = &args.list {
        connect::check_stdin(&args.registry, path)?;
        let listed = lists::read(path, context.quiet)?;
        entries.extend(listed);
    }
    let mut seen = HashSet::new();
    entries.retain(|entry| seen.insert(entry.reference.clone()));
    let windows = windows::options(&args.windows, args.list.as_deref(), context.quiet)?;
    let mapping = mapping(args.target, &args.registry)?;
    let engine = connect::engine(
        &args.registry,
        Audience::Registry(mapping.destination.registry.clone()),
    )?;
    let options = CopyOptions {
        resolve: ResolveOptions {
            include_foreign: windows::carries_foreign(
                &args.foreign,
                windows.as_ref(),
                args.source.include_foreign,
            ),
            ..resolve_options(args.source)
        },
        windows,
        mapping,
        allow_missing: args.allow_missing,
        jobs: usize::from(args.run.jobs),
        dry_run: args.run.dry_run,
        destination: args.destination.into(),
    };
    let output = args.run.output.output;
    let reporter = progress::reporter(output, context.quiet || args.run.dry_run);
    let started = Instant::now();
    let report = copy(&entries, &options, &engine.client, &engine.hash, &reporter).await?;
    drop(reporter);
    let failed_list = args
        .run
        .failed_list
        .unwrap_or_else(|| PathBuf::from("landfall-copy.failed.txt"));
    Ok(Ending {
        verb: "copy",
        output,
        failed_list,
        elapsed: started.elapsed(),
    }
    .tell(&report))
}

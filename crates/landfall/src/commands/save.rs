//! `save`.

use std::time::Instant;

use landfall_images::Mapping;
use landfall_transfer::{ResolveOptions, SaveOptions, save};

use super::{Context, windows};
use crate::args::{Save, SourceArgs};
use crate::connect::{self, Audience};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::summary::Ending;
use crate::{lists, progress};

pub(crate) async fn run(args: Save, context: Context) -> Result<Exit, Failure> {
    connect::check_stdin(&args.registry, &args.list.list)?;
    let entries = lists::read(&args.list.list, context.quiet)?;
    let windows = windows::options(&args.windows, Some(&args.list.list), context.quiet)?;
    let audience = match &args.source.from {
        Some(from) => Audience::Registry(from.registry.clone()),
        None => {
            let more = windows.iter().flat_map(|windows| &windows.list);
            Audience::of(entries.iter().chain(more).map(|entry| entry.reference.registry()))
        }
    };
    let engine = connect::engine(&args.registry, audience)?;
    let failed_list = args
        .run
        .failed_list
        .unwrap_or_else(|| connect::beside(&args.out, ".failed.txt"));
    let options = SaveOptions {
        resolve: ResolveOptions {
            include_foreign: windows::carries_foreign(
                &args.foreign,
                windows.as_ref(),
                args.source.include_foreign,
            ),
            ..resolve_options(args.source)
        },
        windows,
        output: args.out,
        overwrite: args.overwrite,
        allow_missing: args.allow_missing,
        jobs: usize::from(args.run.jobs),
        dry_run: args.run.dry_run,
    };
    let output = args.run.output.output;
    let reporter = progress::reporter(output, context.quiet || args.run.dry_run);
    let started = Instant::now();
    let report = save(&entries, &options, &engine.client, &engine.hash, &reporter).await?;
    drop(reporter);
    Ok(Ending {
        verb: "save",
        output,
        failed_list,
        elapsed: started.elapsed(),
    }
    .tell(&report))
}

pub(crate) fn resolve_options(source: SourceArgs) -> ResolveOptions {
    ResolveOptions {
        from: source.from.map(Mapping::to),
        platforms: source.platform,
        include_foreign: source.include_foreign,
        routes: None,
    }
}

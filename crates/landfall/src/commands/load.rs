//! `load`.

use std::path::PathBuf;
use std::time::Instant;

use landfall_images::Mapping;
use landfall_transfer::{LoadOptions, Selection, load_from};

use super::{Context, windows};
use crate::args::{Load, RegistryArgs, RunArgs, SpoolArgs, TargetArgs};
use crate::cluster::ClusterFile;
use crate::connect::{self, Audience, Engine};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::summary::Ending;
use crate::{archives, lists, progress};

pub(crate) async fn run(args: Load, context: Context) -> Result<Exit, Failure> {
    let only = match &args.list {
        Some(path) => {
            connect::check_stdin(&args.registry, path)?;
            let entries = lists::read(path, context.quiet)?;
            entries.into_iter().map(|entry| entry.reference).collect()
        }
        None => Vec::new(),
    };
    let windows = windows::options(&args.windows, args.list.as_deref(), context.quiet)?;
    let mapping = mapping(args.target, &args.registry)?;
    let engine = connect::engine(
        &args.registry,
        Audience::Registry(mapping.destination.registry.clone()),
    )?;
    let options = LoadOptions {
        bundle: args.bundle,
        selection: Selection::Mapped { mapping, only },
        windows,
        jobs: usize::from(args.run.jobs),
        dry_run: args.run.dry_run,
        destination: args.destination.into(),
    };
    deliver("load", &engine, options, &args.spool, args.run, context).await
}

/// Brings images to a registry and tells how it went, for each command (`verb`) that does.
pub(crate) async fn deliver(
    verb: &'static str,
    engine: &Engine,
    options: LoadOptions,
    spool: &SpoolArgs,
    run: RunArgs,
    context: Context,
) -> Result<Exit, Failure> {
    let output = run.output.output;
    let started = Instant::now();
    let quiet = context.quiet || output == Output::Json;
    let bundle = archives::open(&options.bundle, spool, quiet).await?;
    let reporter = progress::reporter(output, context.quiet || run.dry_run);
    let report = load_from(bundle, &options, &engine.client, &engine.hash, &reporter).await?;
    drop(reporter);
    let default = || PathBuf::from(format!("landfall-{verb}.failed.txt"));
    Ok(Ending {
        verb,
        output,
        failed_list: run.failed_list.unwrap_or_else(default),
        elapsed: started.elapsed(),
    }
    .tell(&report))
}

/// Where images go: where `-r` says, or to the default registry of `--cluster`.
pub(crate) fn mapping(target: TargetArgs, registry: &RegistryArgs) -> Result<Mapping, Failure> {
    let destination = match (target.registry, &registry.cluster) {
        (Some(destination), _) => destination,
        (None, Some(file)) => ClusterFile::read(file)?.target()?,
        (None, None) => return Err(Failure::usage("-r says where the images go")),
    };
    Ok(Mapping {
        rules: target.map,
        rancher_names: target.rancher_names,
        ..Mapping::to(destination)
    })
}

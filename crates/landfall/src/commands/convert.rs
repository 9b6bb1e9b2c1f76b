//! `convert`: whatever holds images becomes a bundle.

use std::time::Instant;

use landfall_bundle::Bundle;
use landfall_transfer::{ConvertOptions, Report, convert};

use super::Context;
use crate::args::{Convert, SpoolArgs, WriteArgs};
use crate::connect::{self, hash_service};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::summary::Ending;
use crate::{archives, progress};

pub(crate) async fn run(args: Convert, context: Context) -> Result<Exit, Failure> {
    let named = args.repository().map_err(Failure::usage)?;
    let mut bundles = open(&args.inputs, &args.spool, &args.write, context).await?;
    if let Some((registry, repository)) = named {
        for bundle in &mut bundles {
            *bundle = bundle.with_names_below(&registry, &repository);
        }
    }
    let text = args.out.as_os_str().as_encoded_bytes();
    let options = ConvertOptions {
        into_folder: text.ends_with(b"/") || args.out.is_dir(),
        output: args.out,
        platforms: args.platform,
        flatten: false,
        first_wins: args.first_wins,
        allow_missing: args.write.allow_missing,
        overwrite: args.write.overwrite,
        jobs: usize::from(args.write.jobs),
        dry_run: args.write.dry_run,
    };
    let (exit, _) = write("convert", bundles, &options, &args.write, context).await?;
    Ok(exit)
}

/// Opens all inputs of a run.
pub(super) async fn open(
    inputs: &[std::path::PathBuf],
    spool: &SpoolArgs,
    write: &WriteArgs,
    context: Context,
) -> Result<Vec<Bundle>, Failure> {
    let quiet = context.quiet || write.output.output == Output::Json;
    let mut bundles = Vec::with_capacity(inputs.len());
    for input in inputs {
        bundles.push(archives::open(input, spool, quiet).await?);
    }
    Ok(bundles)
}

/// Writes them as one, and tells how it went.
pub(super) async fn write(
    verb: &'static str,
    bundles: Vec<Bundle>,
    options: &ConvertOptions,
    args: &WriteArgs,
    context: Context,
) -> Result<(Exit, Report), Failure> {
    let output = args.output.output;
    let reporter = progress::reporter(output, context.quiet || args.dry_run);
    let started = Instant::now();
    let report = convert(bundles, options, &hash_service(), &reporter).await?;
    drop(reporter);
    let beside = || connect::beside(&options.output, ".failed.txt");
    let exit = Ending {
        verb,
        output,
        failed_list: args.failed_list.clone().unwrap_or_else(beside),
        elapsed: started.elapsed(),
    }
    .tell(&report);
    Ok((exit, report))
}

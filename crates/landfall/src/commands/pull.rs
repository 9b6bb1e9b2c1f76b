//! `pull`: one image into an OCI layout directory, or into a tar (which is a bundle of one).

use std::path::PathBuf;
use std::time::Instant;

use landfall_images::Entry;
use landfall_oci::Reference;
use landfall_transfer::{PullOptions, SaveOptions, pull, save};

use super::Context;
use super::registries::Routed;
use super::save::resolve_options;
use crate::args::{Format, NodeArgs, Pull, RegistryArgs};
use crate::connect::{self, Audience};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress;
use crate::summary::Ending;

pub(crate) async fn run(args: Pull, context: Context) -> Result<Exit, Failure> {
    let text = args.image.familiar();
    let entries = [Entry {
        reference: args.image.with_default_tag(),
        text,
        line: 1,
    }];
    let image = &entries[0].reference;
    let (engine, routed) = match args.registries {
        None => {
            let from = args.source.from.as_ref();
            let registry = from.map_or(image.registry(), |from| &from.registry);
            let engine = connect::engine(&args.registry, Audience::Registry(registry.clone()))?;
            (engine, None)
        }
        Some(file) => {
            let engine = connect::anonymous(&args.registry)?;
            let routed = routed(file, args.format.format, args.node, args.registry, image.clone());
            (engine, Some(routed.await?))
        }
    };
    let mut resolve = resolve_options(args.source);
    resolve.routes = routed.as_ref().map(Routed::routes);
    let (jobs, dry_run, output) = (
        usize::from(args.run.jobs),
        args.run.dry_run,
        args.run.output.output,
    );
    let failed_list = args
        .run
        .failed_list
        .unwrap_or_else(|| connect::beside(&args.out, ".failed.txt"));
    let reporter = progress::reporter(output, context.quiet || dry_run);
    let started = Instant::now();
    let is_tar = args.out.extension().is_some_and(|extension| extension == "tar") && !args.out.is_dir();
    let report = if is_tar {
        let (overwrite, allow_missing) = (args.overwrite, false);
        let options = SaveOptions {
            resolve,
            windows: None,
            output: args.out,
            overwrite,
            allow_missing,
            jobs,
            dry_run,
        };
        save(&entries, &options, &engine.client, &engine.hash, &reporter).await?
    } else {
        let options = PullOptions {
            resolve,
            directory: args.out,
            jobs,
            dry_run,
        };
        pull(&entries, &options, &engine.client, &engine.hash, &reporter).await?
    };
    drop(reporter);
    if let Some(routed) = &routed {
        routed.tell(output, &report);
    }
    Ok(Ending {
        verb: "pull",
        output,
        failed_list,
        elapsed: started.elapsed(),
    }
    .tell(&report))
}

async fn routed(
    file: PathBuf,
    format: Option<Format>,
    node: NodeArgs,
    registry: RegistryArgs,
    image: Reference,
) -> Result<Routed, Failure> {
    let read = move || Routed::new(file, format, &node, &registry, &image);
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|error| Failure::new(Exit::Local, error.to_string()))?
}

//! `push`: one image from an OCI layout, under the name given.

use std::path::PathBuf;
use std::time::Instant;

use landfall_transfer::{LoadOptions, Selection, load};

use super::Context;
use crate::args::Push;
use crate::connect::{self, Audience};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress;
use crate::summary::Ending;

pub(crate) async fn run(args: Push, context: Context) -> Result<Exit, Failure> {
    let engine = connect::engine(&args.registry, Audience::Registry(args.target.registry().clone()))?;
    let options = LoadOptions {
        bundle: args.layout,
        selection: Selection::One {
            pick: args.image,
            target: args.target,
        },
        jobs: usize::from(args.run.jobs),
        dry_run: args.run.dry_run,
    };
    let output = args.run.output.output;
    let reporter = progress::reporter(output, context.quiet || args.run.dry_run);
    let started = Instant::now();
    let report = load(&options, &engine.client, &engine.hash, &reporter).await?;
    drop(reporter);
    let failed_list = args
        .run
        .failed_list
        .unwrap_or_else(|| PathBuf::from("landfall-push.failed.txt"));
    Ok(Ending {
        verb: "push",
        output,
        failed_list,
        elapsed: started.elapsed(),
    }
    .tell(&report))
}

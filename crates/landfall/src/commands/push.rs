//! `push`: one image from an OCI layout, under the name given.

use landfall_transfer::{LoadOptions, Selection};

use super::Context;
use super::load::deliver;
use crate::args::Push;
use crate::connect::{self, Audience};
use crate::exit::Exit;
use crate::failure::Failure;

pub(crate) async fn run(args: Push, context: Context) -> Result<Exit, Failure> {
    let engine = connect::engine(&args.registry, Audience::Registry(args.target.registry().clone()))?;
    let options = LoadOptions {
        bundle: args.layout,
        selection: Selection::One {
            pick: args.image,
            target: args.target,
        },
        windows: None,
        jobs: usize::from(args.run.jobs),
        dry_run: args.run.dry_run,
        destination: args.destination.into(),
    };
    deliver("push", &engine, options, &args.spool, args.run, context).await
}

//! The landfall program: arguments, progress, reports, exit codes. What it does is in the crates below it.

mod archives;
mod args;
mod cluster;
mod commands;
mod connect;
mod control;
mod exit;
mod failure;
mod fetch;
mod human;
mod lists;
mod logs;
mod make_image;
mod moment;
mod out;
mod own_files;
mod progress;
mod summary;
mod whole_file;

use std::process::ExitCode;

use crate::args::{Cli, Command};
use crate::commands::Context;
use crate::exit::Exit;
use crate::failure::Failure;

fn main() -> ExitCode {
    let cli = Cli::typed();
    let logs = logs::start(cli.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            out::error(&format!("cannot start: {error}"));
            return Exit::Local.into();
        }
    };
    let context = Context { quiet: cli.quiet };
    // A server answers an interrupt by finishing what it is sending; everything else just stops.
    let is_server = matches!(cli.command, Command::Serve(_));
    let run = commands::run(cli.command, context, logs);
    let ended = runtime.block_on(async move {
        if is_server {
            run.await
        } else {
            until_interrupted(run).await
        }
    });
    // Blocking work that nobody waits for any more (a fetch that was given up) must not hold up the end.
    runtime.shutdown_background();
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            out::error(&failure);
            failure.exit.into()
        }
    }
}

/// Ctrl-C ends a run at once: everything durable is durable already, and a rerun continues.
async fn until_interrupted(run: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    tokio::select! {
        ended = run => ended,
        _ = tokio::signal::ctrl_c() => Err(Failure::new(Exit::Interrupted, "interrupted; the same command continues")),
    }
}

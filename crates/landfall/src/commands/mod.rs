//! One file per command: from what was typed to what is done.

mod copy;
mod demo;
mod images;
mod inspect;
mod list;
mod load;
mod man;
mod pull;
mod push;
mod save;
mod self_image;
mod serve;
mod verify;

use crate::args::Command;
use crate::exit::Exit;
use crate::failure::Failure;

/// What every command is told besides its own arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) quiet: bool,
}

/// Runs a command to its end.
pub(crate) async fn run(command: Command, context: Context) -> Result<Exit, Failure> {
    match command {
        Command::Save(args) => save::run(args, context).await,
        Command::Load(args) => load::run(args, context).await,
        Command::Copy(args) => copy::run(args, context).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Pull(args) => pull::run(args, context).await,
        Command::Push(args) => push::run(args, context).await,
        Command::Inspect(args) => inspect::run(&args),
        Command::List(args) => list::run(&args),
        Command::Verify(args) => verify::run(args, context).await,
        Command::Images(args) => images::run(args),
        Command::Demo(args) => demo::run(args).await,
        Command::SelfImage(args) => self_image::run(args).await,
        Command::Completions(args) => Ok(man::completions(&args)),
        Command::Man(args) => man::pages(&args),
    }
}

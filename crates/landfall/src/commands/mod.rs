//! One file per command: from what was typed to what is done.

mod convert;
mod copy;
mod demo;
mod export;
mod images;
mod inspect;
mod list;
mod load;
mod man;
mod pull;
mod push;
mod rancher;
mod registries;
mod save;
mod self_image;
mod serve;
mod upkeep;
mod verify;
mod windows;

pub(crate) use self::serve::Settings;
use crate::args::Command;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::logs::Logs;

/// What every command is told besides its own arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) quiet: bool,
}

/// Runs a command to its end.
pub(crate) async fn run(command: Command, context: Context, logs: Logs) -> Result<Exit, Failure> {
    match command {
        Command::Save(args) => save::run(args, context).await,
        Command::Load(args) => load::run(args, context).await,
        Command::Copy(args) => copy::run(args, context).await,
        Command::Serve(args) => serve::run(*args, logs).await,
        Command::Gc(args) => upkeep::gc(args, context).await,
        Command::Scrub(args) => upkeep::scrub(args, context).await,
        Command::Wanted(args) => upkeep::wanted(args, context).await,
        Command::Tags(args) => upkeep::tags(args, context).await,
        Command::Pull(args) => pull::run(args, context).await,
        Command::Push(args) => push::run(args, context).await,
        Command::Inspect(args) => blocking(move || inspect::run(&args, context)).await,
        Command::List(args) => blocking(move || list::run(&args, context)).await,
        Command::Convert(args) => convert::run(*args, context).await,
        Command::Export(args) => export::run(*args, context).await,
        Command::Verify(args) => verify::run(args, context).await,
        Command::Images(args) => images::run(args, context).await,
        Command::Registries(args) => registries::run(args).await,
        Command::RancherSaveImages(args) => rancher::save(args.words, context).await,
        Command::RancherLoadImages(args) => rancher::load(args.words, context).await,
        Command::Demo(args) => demo::run(args).await,
        Command::SelfImage(args) => self_image::run(args).await,
        Command::Completions(args) => Ok(man::completions(&args)),
        Command::Man(args) => blocking(move || man::pages(&args)).await,
    }
}

/// Work that only reads and writes files of this machine.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|error| Failure::new(Exit::Local, error.to_string()))?
}

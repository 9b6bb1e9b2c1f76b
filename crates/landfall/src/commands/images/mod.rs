//! `images`: which images there are to carry, and what is wrong with a list of them.

mod chart;
mod compile;
mod file;
mod lint;
mod manifests;
mod output;
mod rke;

pub(crate) use self::output::tell;
use super::blocking;
use crate::args::{Images, ImagesCommand};
use crate::exit::Exit;
use crate::failure::Failure;

pub(crate) async fn run(args: Images) -> Result<Exit, Failure> {
    match args.command {
        ImagesCommand::Chart(args) => chart::run(*args).await,
        ImagesCommand::Compile(args) => compile::run(args).await,
        ImagesCommand::Lint(args) => blocking(move || lint::run(&args)).await,
        ImagesCommand::Rke(args) => rke::run(*args).await,
        ImagesCommand::Manifests(args) => blocking(move || manifests::run(&args)).await,
    }
}

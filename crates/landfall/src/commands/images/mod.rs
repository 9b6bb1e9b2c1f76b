//! `images`: which images there are to carry, and what is wrong with a list of them.

mod chart;
mod compile;
mod file;
mod lint;
mod manifests;
mod online;
mod output;
mod rancher;
mod release;
mod rke;

pub(crate) use self::chart::{CHART_CONTENT, MAX_CHART, unpack_chart};
pub(crate) use self::output::tell;
use super::{Context, blocking};
use crate::args::{Images, ImagesCommand};
use crate::exit::Exit;
use crate::failure::Failure;

pub(crate) async fn run(args: Images, context: Context) -> Result<Exit, Failure> {
    match args.command {
        ImagesCommand::Compile(args) => compile::run(*args).await,
        ImagesCommand::Rke(args) => rke::run(*args).await,
        ImagesCommand::K3s(args) => release::k3s(*args).await,
        ImagesCommand::Rke2(args) => release::rke2(*args).await,
        ImagesCommand::Rancher(args) => rancher::run(*args).await,
        ImagesCommand::Chart(args) => chart::run(*args).await,
        ImagesCommand::Manifests(args) => blocking(move || manifests::run(&args)).await,
        ImagesCommand::Lint(args) => lint::run(*args, context).await,
    }
}

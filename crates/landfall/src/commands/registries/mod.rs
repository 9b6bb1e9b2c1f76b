//! `registries`: what a node is told about registries, and what it makes of it.

mod apply;
mod check;
mod configuration;
mod diff;
mod exits;
mod explain;
mod gather;
mod probe;
mod render;
mod rewrite;
mod veil;

use super::blocking;
use crate::args::{Registries, RegistriesCommand};
use crate::exit::Exit;
use crate::failure::Failure;

pub(crate) async fn run(args: Registries) -> Result<Exit, Failure> {
    match args.command {
        RegistriesCommand::Check(args) => blocking(move || check::run(&args)).await,
        RegistriesCommand::Explain(args) => blocking(move || explain::run(&args)).await,
        RegistriesCommand::Exits(args) => blocking(move || exits::run(&args)).await,
        RegistriesCommand::Render(args) => blocking(move || render::run(&args)).await,
        RegistriesCommand::Probe(args) => probe::run(args).await,
        RegistriesCommand::Diff(args) => blocking(move || diff::run(&args)).await,
        RegistriesCommand::Rewrite(args) => blocking(move || rewrite::run(&args)).await,
        RegistriesCommand::Apply(args) => blocking(move || apply::run(&args)).await,
    }
}

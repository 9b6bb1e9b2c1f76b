//! `registries`: what a node is told about registries, and what it makes of it.

mod apply;
mod certs_d;
mod check;
mod configuration;
mod diff;
mod exits;
mod explain;
mod gather;
mod given;
mod probe;
mod reasons;
mod render;
mod rewrite;
mod routed;
mod veil;
mod way;
mod words;

use std::path::PathBuf;

pub(crate) use self::configuration::Wanted;
use self::gather::Gathered;
pub(super) use self::routed::Routed;
pub(crate) use self::veil::veiled;
use super::blocking;
use crate::args::{NodeArgs, Registries, RegistriesCommand};
use crate::exit::Exit;
use crate::failure::Failure;

/// What the files of a configuration want, for whoever acts on it.
pub(crate) fn wanted(paths: &[PathBuf]) -> Result<Wanted, Failure> {
    configuration::wanted(Gathered::read(paths, None)?, &NodeArgs::default(), false)
}

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

//! `registries exits`.

use crate::args::Exits;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) fn run(args: &Exits) -> Result<Exit, Failure> {
    Err(Failure::usage(format!("{args:?}")))
}

//! `registries diff`.

use crate::args::Diff;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) fn run(args: &Diff) -> Result<Exit, Failure> {
    Err(Failure::usage(format!("{args:?}")))
}

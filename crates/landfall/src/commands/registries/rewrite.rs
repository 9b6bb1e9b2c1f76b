//! `registries rewrite`.

use crate::args::Rewrite;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) fn run(args: &Rewrite) -> Result<Exit, Failure> {
    Err(Failure::usage(format!("{args:?}")))
}

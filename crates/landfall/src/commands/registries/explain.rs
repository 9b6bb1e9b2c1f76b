//! `registries explain`.

use crate::args::Explain;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) fn run(args: &Explain) -> Result<Exit, Failure> {
    Err(Failure::usage(format!("{args:?}")))
}

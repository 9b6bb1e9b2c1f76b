//! `registries check`.

use crate::args::Check;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) fn run(args: &Check) -> Result<Exit, Failure> {
    Err(Failure::usage(format!("{args:?}")))
}

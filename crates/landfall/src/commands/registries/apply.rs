//! `registries apply`.

use crate::args::Apply;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) fn run(args: &Apply) -> Result<Exit, Failure> {
    Err(Failure::usage(format!("{args:?}")))
}

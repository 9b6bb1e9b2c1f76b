//! `registries render`.

use crate::args::Render;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) fn run(args: &Render) -> Result<Exit, Failure> {
    Err(Failure::usage(format!("{args:?}")))
}

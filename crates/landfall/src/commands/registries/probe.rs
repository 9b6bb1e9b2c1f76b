//! `registries probe`.

use crate::args::Probe;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) async fn run(args: Probe) -> Result<Exit, Failure> {
    Err(Failure::usage(format!("{args:?}")))
}

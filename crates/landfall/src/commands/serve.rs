//! serve
use crate::{args::Serve, exit::Exit, failure::Failure};
pub(crate) async fn run(_: Serve) -> Result<Exit, Failure> { Err(Failure::usage("not yet")) }

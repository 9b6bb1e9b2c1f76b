//! `images compile`: one list from any mix of sources.

use std::path::Path;

use landfall_images::gathered::Gathered;

use super::{blocking, file, rke, tell};
use crate::args::Compile;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) async fn run(args: Compile) -> Result<Exit, Failure> {
    let mut gathered = Gathered::default();
    for spec in &args.specs {
        gathered.merge(gather(spec).await?);
    }
    blocking(move || tell(gathered, &args.list)).await
}

/// The images of one SPEC.
async fn gather(spec: &str) -> Result<Gathered, Failure> {
    match spec.split_once(':') {
        Some(("rke", version)) => rke::spec(version),
        Some(("cluster", path)) => rke::cluster_spec(path).await,
        Some((kind @ ("k3s" | "rke2" | "rancher" | "chart" | "manifests"), _)) => Err(Failure::usage(
            format!("{spec}: sources of kind `{kind}` are not read yet"),
        )),
        _ => {
            let path = Path::new(spec).to_owned();
            let read = tokio::task::spawn_blocking(move || file::read(&path)).await;
            read.map_err(|error| Failure::new(Exit::Local, error.to_string()))?
        }
    }
}

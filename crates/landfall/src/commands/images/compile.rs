//! `images compile`: one list from any mix of sources.

use std::path::{Path, PathBuf};

use landfall_images::gathered::Gathered;
use landfall_images::manifests::Problem;
use landfall_images::release::Distribution;
use landfall_net::client::TransportOptions;

use super::{blocking, chart, file, manifests, rancher, release, rke};
use crate::args::{ChartGiven, Compile, RegistryArgs};
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) async fn run(args: Compile) -> Result<Exit, Failure> {
    let sources = Sources {
        base: args.release_url.as_deref(),
        transport: connect::transport(&args.registry),
        registry: &args.registry,
    };
    let (mut gathered, mut problems) = (Gathered::default(), Vec::new());
    for spec in &args.specs {
        let (more, wrong) = sources.gather(spec).await?;
        gathered.merge(more);
        problems.extend(wrong);
    }
    blocking(move || manifests::finish(gathered, problems, &args.list)).await
}

/// Images, and what could not be read.
type Found = (Gathered, Vec<Problem>);

/// How sources are reached.
struct Sources<'a> {
    base: Option<&'a str>,
    transport: TransportOptions,
    registry: &'a RegistryArgs,
}

impl Sources<'_> {
    /// The images of one SPEC: each kind ends in the function that its own command has, too.
    async fn gather(&self, spec: &str) -> Result<Found, Failure> {
        let (base, transport) = (self.base, &self.transport);
        let gathered = match spec.split_once(':') {
            Some(("rke", version)) => rke::spec(version)?,
            Some(("k3s", version)) => release::gather(Distribution::K3s, version, base, transport).await?,
            Some(("rke2", version)) => release::gather(Distribution::Rke2, version, base, transport).await?,
            Some(("rancher", version)) => rancher::gather(version, base, transport).await?,
            Some(("chart", place)) => {
                return chart::gather(place, &ChartGiven::default(), self.registry).await;
            }
            Some(("manifests", place)) => {
                let places = [PathBuf::from(place)];
                return reading(move || manifests::gather(&places)).await;
            }
            Some(("cluster", place)) => return rke::cluster_spec(place, transport).await,
            _ => {
                let path = Path::new(spec).to_owned();
                reading(move || file::read(&path)).await?
            }
        };
        Ok((gathered, Vec::new()))
    }
}

/// Files are read on a thread that may block.
async fn reading<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let read = tokio::task::spawn_blocking(work).await;
    read.map_err(|error| Failure::new(Exit::Local, error.to_string()))?
}

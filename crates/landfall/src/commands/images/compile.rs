//! `images compile`: one list from any mix of sources.

use std::path::{Path, PathBuf};

use landfall_images::gathered::Gathered;
use landfall_images::manifests::Problem;
use landfall_images::release::Distribution;
use landfall_net::client::TransportOptions;

use super::{blocking, chart, file, manifests, rancher, release, rke};
use crate::args::{ChartGiven, Compile};
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) async fn run(args: Compile) -> Result<Exit, Failure> {
    let sources = Sources {
        args: &args,
        transport: connect::transport(&args.registry),
    };
    let (mut gathered, mut problems) = (Gathered::default(), Vec::new());
    for spec in &args.specs {
        let (more, wrong) = sources.gather(spec).await?;
        gathered.merge(more);
        problems.extend(wrong);
    }
    blocking(move || manifests::finish(gathered, problems, &args.list)).await
}

/// How sources are reached.
struct Sources<'a> {
    args: &'a Compile,
    transport: TransportOptions,
}

impl Sources<'_> {
    /// The images of one SPEC, and what of it could not be read: each kind ends in the function that its own command
    /// has, too.
    async fn gather(&self, spec: &str) -> Result<(Gathered, Vec<Problem>), Failure> {
        let (base, transport) = (self.args.release_url.as_deref(), &self.transport);
        let gathered = match spec.split_once(':') {
            Some(("rke", version)) => rke::spec(version),
            Some(("cluster", path)) => rke::cluster_spec(path).await,
            Some(("k3s", version)) => release::gather(Distribution::K3s, version, base, transport).await,
            Some(("rke2", version)) => release::gather(Distribution::Rke2, version, base, transport).await,
            Some(("rancher", version)) => rancher::gather(version, base, transport).await,
            Some(("chart", place)) => {
                return chart::gather(place, &ChartGiven::default(), &self.args.registry).await;
            }
            Some(("manifests", place)) => {
                let places = vec![PathBuf::from(place)];
                return blocking(move || manifests::gather(&places)).await;
            }
            _ => {
                let path = Path::new(spec).to_owned();
                blocking(move || file::read(&path)).await
            }
        };
        Ok((gathered?, Vec::new()))
    }
}

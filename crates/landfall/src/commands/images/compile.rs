//! `images compile`: one list from any mix of sources.

use std::path::Path;

use landfall_images::gathered::Gathered;
use landfall_images::release::Distribution;
use landfall_net::client::TransportOptions;

use super::{blocking, file, rancher, release, tell};
use crate::args::Compile;
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) async fn run(args: Compile) -> Result<Exit, Failure> {
    let sources = Sources {
        base: args.release_url.as_deref(),
        transport: connect::transport(&args.registry),
    };
    let mut gathered = Gathered::default();
    for spec in &args.specs {
        gathered.merge(sources.gather(spec).await?);
    }
    blocking(move || tell(gathered, &args.list)).await
}

/// How sources are reached.
struct Sources<'a> {
    base: Option<&'a str>,
    transport: TransportOptions,
}

impl Sources<'_> {
    /// The images of one SPEC: each kind ends in the function that its own command has, too.
    async fn gather(&self, spec: &str) -> Result<Gathered, Failure> {
        let (base, transport) = (self.base, &self.transport);
        match spec.split_once(':') {
            Some(("k3s", version)) => release::gather(Distribution::K3s, version, base, transport).await,
            Some(("rke2", version)) => release::gather(Distribution::Rke2, version, base, transport).await,
            Some(("rancher", version)) => rancher::gather(version, base, transport).await,
            Some((kind @ ("rke" | "cluster" | "chart" | "manifests"), _)) => {
                let advice =
                    "use `landfall images …` of that name with --output json, and give its file here";
                Err(Failure::usage(format!(
                    "{spec}: `{kind}` is no SPEC yet; {advice}"
                )))
            }
            _ => {
                let path = Path::new(spec).to_owned();
                let read = tokio::task::spawn_blocking(move || file::read(&path)).await;
                read.map_err(|error| Failure::new(Exit::Local, error.to_string()))?
            }
        }
    }
}

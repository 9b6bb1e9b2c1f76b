//! What can be typed after `images rke`.

use clap::Args;

use super::{ListOutput, RegistryArgs};

/// The images of RKE: of a version of Kubernetes, of all that a release offers, or of a cluster.yml.
#[derive(Debug, Args)]
#[command(
    disable_version_flag = true,
    after_help = "\
With --cluster the images are named as RKE pulls them, below the default registry of private_registries;
--upstream names them as that registry is filled. What RKE drops or ignores in cluster.yml is told beside the list,
and so is everything that it refuses.

Examples:
  landfall images rke --version v1.30.5-rancher1-1 > images.txt
  landfall images rke --cluster cluster.yml --needed --output table
  landfall images rke --cluster cluster.yml --upstream > images.txt
  landfall images rke --all --rke v1.5.14
  landfall images rke --all --kdm data.json --rke v1.8.5"
)]
pub(crate) struct Rke {
    /// A version of Kubernetes as RKE names it (may be given several times; default: the release's own default).
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["all", "cluster"])]
    pub(crate) version: Vec<String>,
    /// Every version that the release offers.
    #[arg(long, short = 'a', conflicts_with = "cluster")]
    pub(crate) all: bool,
    /// The release of RKE (default: the newest that knows the version).
    #[arg(long, value_name = "RELEASE")]
    pub(crate) rke: Option<String>,
    /// Only what a cluster runs, by its choices of network, ingress, DNS and so on, and what its backups need.
    #[arg(long)]
    pub(crate) needed: bool,
    /// Names without the default registry of cluster.yml: the list to fill that registry by.
    #[arg(long, requires = "cluster")]
    pub(crate) upstream: bool,
    /// Another table: a data.json of kontainer-driver-metadata, as a file or URL.
    #[arg(long, value_name = "FILE|URL", env = "RANCHER_METADATA_URL")]
    pub(crate) kdm: Option<String>,
    #[command(flatten)]
    pub(crate) list: ListOutput,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

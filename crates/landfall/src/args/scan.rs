//! What can be typed after `images chart` and `images manifests`.

use std::path::PathBuf;

use clap::Args;

use super::{ListOutput, RegistryArgs};

/// The images of Helm charts: rendered with helm where it is on the PATH, else by a static scan.
#[derive(Debug, Args)]
#[command(
    disable_version_flag = true,
    after_help = "\
CHART is a folder, a .tgz, a URL of one, oci://REGISTRY/PATH[:VERSION], or a name in the repository of --repo.

With helm on the PATH the chart is rendered (hooks and tests too, custom resource definitions not), and what only the
static scan of values and templates sees is told beside the list; --include-unrendered lists it.

Examples:
  landfall images chart cert-manager-v1.15.3.tgz
  landfall images chart ./my-chart -f values.yaml --set ingress.enabled=true --output table
  landfall images chart cert-manager --repo https://charts.jetstack.io --version v1.15.3
  landfall images chart oci://registry.example/charts/app:1.2.3 --static"
)]
pub(crate) struct ChartArgs {
    /// Charts.
    #[arg(value_name = "CHART", required = true)]
    pub(crate) charts: Vec<String>,
    #[command(flatten)]
    pub(crate) given: ChartGiven,
    #[command(flatten)]
    pub(crate) list: ListOutput,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// What a chart is rendered with, and where it is from.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "The chart")]
pub(crate) struct ChartGiven {
    /// Values laid over the chart's own (may be given several times; the last wins).
    #[arg(long = "values", short = 'f', value_name = "FILE")]
    pub(crate) values: Vec<PathBuf>,
    /// One value, or several with commas between them: a.b=c,d=e (may be given several times).
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// This version of the chart (default: the newest that is no pre-release).
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// The chart repository that CHART is a name in.
    #[arg(long, value_name = "URL")]
    pub(crate) repo: Option<String>,
    /// Render for this version of Kubernetes.
    #[arg(long, value_name = "VERSION")]
    pub(crate) kube_version: Option<String>,
    /// Render as if the cluster had this API (may be given several times).
    #[arg(long, value_name = "API")]
    pub(crate) api_versions: Vec<String>,
    /// Do not run helm.
    #[arg(long = "static")]
    pub(crate) static_scan: bool,
    /// Also list what only the static scan sees: parts that these values turn off.
    #[arg(long, conflicts_with = "static_scan")]
    pub(crate) include_unrendered: bool,
}

/// The images of Kubernetes objects: YAML and JSON files, what kubectl and kustomize print.
#[derive(Debug, Args)]
#[command(after_help = "\
Folders are searched for .yaml, .yml and .json; links in them are not followed. A document that cannot be read is told
with its line, the others are read (exit code 1).

Examples:
  landfall images manifests deploy/ crds.yaml
  kubectl kustomize overlays/prod | landfall images manifests -
  kubectl get pods -A -o json | landfall images manifests - --output table")]
pub(crate) struct ManifestsArgs {
    /// Files, folders, - for standard input.
    #[arg(value_name = "FILE|DIR|-", required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) list: ListOutput,
}

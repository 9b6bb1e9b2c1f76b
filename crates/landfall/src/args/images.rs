//! What can be typed after `images`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use landfall_images::release::{Architecture, CNIS, DefaultRegistry};
use landfall_images::{Destination, Rule};

use super::{ChartArgs, ManifestsArgs, OutputArg, RegistryArgs, Rke, SourceArgs};

/// Which images: lists from any source, put together, explained, checked.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  landfall images lint rancher-images.txt")]
pub(crate) struct Images {
    #[command(subcommand)]
    pub(crate) command: ImagesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImagesCommand {
    Compile(Box<Compile>),
    Rke(Box<Rke>),
    K3s(Box<K3s>),
    Rke2(Box<Rke2>),
    Rancher(Box<Rancher>),
    Chart(Box<ChartArgs>),
    Manifests(ManifestsArgs),
    Lint(Box<Lint>),
}

/// One list from any mix of sources, sorted, each image once, with everyone who wants it.
#[derive(Debug, Args)]
#[command(after_help = "\
A SPEC is a list file, what --output json wrote (its reasons are kept), - for standard input, or
  rke:VERSION  k3s:VERSION  rke2:VERSION  rancher:VERSION   what that release needs
  cluster:FILE                                              what an RKE cluster.yml needs
  chart:PATH   manifests:PATH                               what a chart, or Kubernetes objects, name
A file whose name begins like one of these is written ./rke:…

Examples:
  landfall images compile rancher-images.txt k3s:v1.30.4+k3s1 chart:cert-manager-v1.15.3.tgz > images.txt
  landfall images compile new.txt --minus old.txt --output table
  landfall images compile images.json --explain rancher/mirrored-pause:3.6")]
pub(crate) struct Compile {
    /// Where images come from.
    #[arg(value_name = "SPEC", required = true)]
    pub(crate) specs: Vec<String>,
    /// Fetch releases from here, and not from the projects' own downloads (as `images k3s` has it).
    #[arg(long, value_name = "URL|DIR")]
    pub(crate) release_url: Option<String>,
    #[command(flatten)]
    pub(crate) list: ListOutput,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// What a release of K3s needs: its own list, and the images that Rancher needs besides.
#[derive(Debug, Args)]
#[command(
    disable_version_flag = true,
    after_help = "\
Examples:
  landfall images k3s --version v1.30.4+k3s1 > images.txt
  landfall images k3s k3s-images.txt --version v1.30.4+k3s1 --system-default-registry registry.example:5000"
)]
pub(crate) struct K3s {
    #[command(flatten)]
    pub(crate) release: ReleaseArgs,
}

/// What a release of RKE2 needs: its own lists, whole or by network plugin, and the images that Rancher needs besides.
#[derive(Debug, Args)]
#[command(
    disable_version_flag = true,
    after_help = "\
Examples:
  landfall images rke2 --version v1.34.3+rke2r3 > images.txt
  landfall images rke2 --version v1.34.3+rke2r3 --cni cilium,multus --with traefik
  landfall images rke2 rke2-images-core.linux-amd64.txt rke2-images-cilium.linux-amd64.txt --no-companions
  landfall images rke2 --version v1.34.3+rke2r3 --release-url /media/usb/rke2 --windows --cni calico"
)]
pub(crate) struct Rke2 {
    #[command(flatten)]
    pub(crate) release: ReleaseArgs,
    /// Only the core and these network plugins (default: everything).
    #[arg(long, value_name = "CNI", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(CNIS))]
    pub(crate) cni: Vec<String>,
    /// Besides, these parts with a list of their own: traefik, ingress-nginx, vsphere, harvester.
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    pub(crate) with: Vec<String>,
    /// Images of Windows nodes, too.
    #[arg(long)]
    pub(crate) windows: bool,
    /// Processor of the Linux nodes: amd64 or arm64.
    #[arg(long, value_name = "ARCH", default_value = "amd64")]
    pub(crate) arch: Architecture,
}

/// Where a release's lists come from, and what is made of them.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The release's list files, or their URLs (default: those of --version, from the project's downloads).
    #[arg(value_name = "FILE|URL")]
    pub(crate) files: Vec<String>,
    /// The release, as v1.30.4+k3s1 (may be given several times, where no file is).
    #[arg(long = "version", value_name = "VERSION")]
    pub(crate) versions: Vec<String>,
    /// Fetch from here: a URL or a folder, with the version as the folder below it, or {version}, {tag} or {project} in it.
    #[arg(long, value_name = "URL|DIR")]
    pub(crate) release_url: Option<String>,
    /// Leave out system-agent-installer and -upgrade, which the lists lack and Rancher needs.
    #[arg(long)]
    pub(crate) no_companions: bool,
    /// Names as nodes with this system-default-registry ask for them.
    #[arg(long, value_name = "HOST[:PORT][/PATH]")]
    pub(crate) system_default_registry: Option<DefaultRegistry>,
    #[command(flatten)]
    pub(crate) list: ListOutput,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// Rancher's own list, with who wants each image, and what it is known to lack.
#[derive(Debug, Args)]
#[command(
    disable_version_flag = true,
    after_help = "\
Files are told apart by what is in them: a list, a sources file (image source,source), an origins file (name url).

Examples:
  landfall images rancher --version v2.9.0 --add-missing > images.txt
  landfall images rancher rancher-images.txt rancher-images-sources.txt --output table
  landfall images rancher --version v2.9.0 --windows --explain rancher/shell:v0.2.1"
)]
pub(crate) struct Rancher {
    /// The release's files, or their URLs (default: those of --version, from the project's downloads).
    #[arg(value_name = "FILE|URL")]
    pub(crate) files: Vec<String>,
    /// The release, as v2.9.0 (may be given several times).
    #[arg(long = "version", value_name = "VERSION")]
    pub(crate) versions: Vec<String>,
    /// Fetch from here: a URL or a folder, with the version as the folder below it, or {version} or {project} in it.
    #[arg(long, value_name = "URL|DIR")]
    pub(crate) release_url: Option<String>,
    /// The release's Windows images, too.
    #[arg(long)]
    pub(crate) windows: bool,
    /// Add the images that the list is known to lack, where they are certain.
    #[arg(long)]
    pub(crate) add_missing: bool,
    #[command(flatten)]
    pub(crate) list: ListOutput,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// Read lists and say what is odd about them; with --online, whether their images exist.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall images lint rancher-images.txt
  landfall images lint images.txt --output json
  landfall images lint images.txt -r registry.example:5000 --map quay.io=quay --map ghcr.io=quay
  landfall images lint rancher-images.txt --windows-list rancher-windows-images.txt
  landfall images lint images.txt --online --from mirror.example:5000 --platform linux/amd64

Exit code 1: a line that cannot be used, images that clash or do not exist; with --strict also what is missing.")]
pub(crate) struct Lint {
    /// The lists (`-` for standard input).
    #[arg(value_name = "LIST", required = true)]
    pub(crate) lists: Vec<PathBuf>,
    /// The registry that the images are to go to: names that would clash there are errors.
    #[arg(long = "registry", short = 'r', value_name = "REGISTRY[/PATH]")]
    pub(crate) target: Option<Destination>,
    /// Names below PREFIX go below PATH (may be given several times; the longest prefix wins).
    #[arg(long, value_name = "PREFIX=PATH", requires = "target")]
    pub(crate) map: Vec<Rule>,
    /// Put rancher/ before names without a path, as Rancher's scripts do.
    #[arg(long, requires = "target")]
    pub(crate) rancher_names: bool,
    /// The list of Windows images that goes with LIST.
    #[arg(long, value_name = "FILE")]
    pub(crate) windows_list: Option<PathBuf>,
    /// Ask the registries: does each image exist, for which platforms, how large is it?
    #[arg(long)]
    pub(crate) online: bool,
    /// Exit code 1 for warnings, too.
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArg,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// How a list of images is given out: what every source of images shares.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "The list")]
pub(crate) struct ListOutput {
    /// How to print it.
    #[arg(long, value_name = "FORMAT", default_value = "txt")]
    pub(crate) output: ListFormat,
    /// Say who wants this image and why, in place of the list (exit code 1 if nobody does).
    #[arg(long, value_name = "IMAGE")]
    pub(crate) explain: Option<String>,
    /// Leave out what is in this list (a list file, or what --output json wrote; may be given several times).
    #[arg(long, value_name = "LIST")]
    pub(crate) minus: Vec<PathBuf>,
    /// Write it to this file, whole or not at all, and not to standard output.
    #[arg(long = "out", short = 'o', value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// `--output` of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ListFormat {
    /// One image per line: a list that save, copy and load read.
    #[default]
    Txt,
    /// Each image with its reasons, and the remarks.
    Json,
    /// One line for each reason: image, reference, source, part, place, guess.
    Csv,
    /// The same for people.
    Table,
}

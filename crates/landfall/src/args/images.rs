//! What can be typed after `images`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Rke;
use super::{ChartArgs, ManifestsArgs, OutputArg};

/// Which images: lists from any source, put together, explained, checked.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  landfall images lint rancher-images.txt")]
pub(crate) struct Images {
    #[command(subcommand)]
    pub(crate) command: ImagesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImagesCommand {
    Chart(Box<ChartArgs>),
    Compile(Compile),
    Lint(Lint),
    Manifests(ManifestsArgs),
    Rke(Box<Rke>),
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
    #[command(flatten)]
    pub(crate) list: ListOutput,
}

/// Read a list and say what is odd about it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  landfall images lint rancher-images.txt\n  landfall images lint images.txt --output json"
)]
pub(crate) struct Lint {
    /// The list (`-` for standard input).
    #[arg(value_name = "LIST")]
    pub(crate) list: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArg,
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

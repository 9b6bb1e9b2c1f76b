//! `convert`, `export`, and what every command that opens archives takes.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use landfall_oci::{Platform, PlatformSet, Repository};

use super::OutputArg;

/// Where archives are unpacked.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SpoolArgs {
    /// Folder for what has to be unpacked (compressed archives, docker-archives); nothing is left in it
    /// [default: TMPDIR, else /var/tmp].
    #[arg(long, value_name = "DIR", env = "LANDFALL_SPOOL", hide_env = true)]
    pub(crate) spool: Option<PathBuf>,
}

/// Make a bundle of whatever holds images: archives of docker save, podman, skopeo, K3s, RKE2, hangar, hauler.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall convert rancher-images.tar.gz -o rancher.tar
  landfall convert k3s-airgap-images-amd64.tar.zst rke2-images.linux-amd64.tar.zst -o nodes.tar
  landfall convert haul.tar.zst -o store/ --platform linux/amd64
  landfall convert app.tar --name registry.example/team/app -o bundle.tar

Read are: docker-archives and OCI layouts, plain or in gzip, zstd, lz4, bzip2 (told by their bytes, whatever their
names); OCI layout folders; hangar's zip files; hauler's hauls and stores; folders of skopeo (dir:, sync); zarf packages;
all of these in parts (.001, .part001). load, push, serve, inspect, list and verify read them, too.
Layers that a docker-archive holds unpacked are compressed again, the same way each time: the same archive gives the same
digests.")]
pub(crate) struct Convert {
    /// The archives, bundles and folders.
    #[arg(value_name = "FILE|DIR", required = true)]
    pub(crate) inputs: Vec<PathBuf>,
    /// The bundle to write; an OCI layout folder when it ends in `/` or is a folder.
    #[arg(long = "out", short = 'o', value_name = "FILE|DIR/")]
    pub(crate) out: PathBuf,
    /// Platforms to take along: `all`, or a list such as linux/amd64,linux/arm64.
    #[arg(long, value_name = "PLATFORMS", default_value = "all")]
    pub(crate) platform: PlatformSet,
    /// The name of images that have only a tag, or none.
    #[arg(long, value_name = "REGISTRY/REPOSITORY")]
    pub(crate) name: Option<String>,
    /// Where two inputs disagree about a name, take the first.
    #[arg(long)]
    pub(crate) first_wins: bool,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
    #[command(flatten)]
    pub(crate) spool: SpoolArgs,
}

/// How a result is written.
#[derive(Debug, Args)]
pub(crate) struct WriteArgs {
    /// Replace the output if it exists.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Go without images that cannot be used (still exit code 1).
    #[arg(long)]
    pub(crate) allow_missing: bool,
    /// Only show the plan.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Blobs copied at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: u16,
    /// Where to write images that failed, as a list that -l reads (default: beside the output).
    #[arg(long, value_name = "FILE")]
    pub(crate) failed_list: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

/// Write what a node without any registry needs.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  landfall export k3s rancher.tar -o node/ --platform linux/arm64")]
pub(crate) struct Export {
    #[command(subcommand)]
    pub(crate) command: ExportCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExportCommand {
    /// Write the images of a bundle as K3s imports them at its start.
    K3s(ExportNode),
    /// Write the images of a bundle as RKE2 imports them at its start.
    Rke2(ExportNode),
}

/// The files for a node.
#[derive(Debug, Args)]
#[command(after_help = "\
DIR is laid out like the node's data directory: DIR/agent/images/ARCHIVE. With -o /var/lib/rancher/k3s it is in its place
at once. registries.yaml, when asked for, is written to DIR/registries.yaml and belongs in /etc/rancher/k3s or
/etc/rancher/rke2 (never below agent/images: RKE2 takes every file there for images).")]
pub(crate) struct ExportNode {
    /// The bundle, or any archive that `convert` reads.
    #[arg(value_name = "FILE")]
    pub(crate) bundle: PathBuf,
    /// The folder to write into.
    #[arg(long = "out", short = 'o', value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// The node's platform.
    #[arg(long, value_name = "PLATFORM", default_value = "linux/amd64")]
    pub(crate) platform: Platform,
    /// Keep indexes although only one of their members comes along, as in the archives that K3s itself publishes: digests
    /// of indexes are known to the node then, but other importers may miss the members left out.
    #[arg(long)]
    pub(crate) keep_index: bool,
    /// The archive's form. Layers are compressed already: the others cost time and save next to nothing.
    #[arg(long, value_name = "FORMAT", default_value = "tar")]
    pub(crate) format: ArchiveFormat,
    /// Write registries.yaml, too, from this configuration (anything that `registries render` reads).
    #[arg(long, value_name = "FILE")]
    pub(crate) registries: Option<PathBuf>,
    /// Write registries.yaml, too: the node asks this registry for whatever is not in the archive.
    #[arg(long, value_name = "HOST[:PORT]", conflicts_with = "registries")]
    pub(crate) server: Option<String>,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
    #[command(flatten)]
    pub(crate) spool: SpoolArgs,
}

/// The form of an archive for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ArchiveFormat {
    /// Plain.
    Tar,
    /// zstd.
    #[value(name = "tar.zst")]
    TarZst,
    /// gzip.
    #[value(name = "tar.gz")]
    TarGz,
}

impl Convert {
    /// The registry and repository of `--name`.
    pub(crate) fn repository(&self) -> Result<Option<(landfall_oci::Registry, Repository)>, String> {
        let Some(name) = &self.name else { return Ok(None) };
        let reference =
            landfall_oci::Reference::parse(name).map_err(|error| format!("--name {name}: {error}"))?;
        match (reference.tag(), reference.digest()) {
            (None, None) => Ok(Some((
                reference.registry().clone(),
                reference.repository().clone(),
            ))),
            _ => Err(format!(
                "--name {name}: without a tag; tags come from the archive"
            )),
        }
    }
}

//! The command line: exactly what can be typed. Names and flags are an interface; they are added, never renamed.

mod archives;
mod destination;
mod images;
mod rancher;
mod registries;
mod rke;
mod scan;
mod upkeep;
mod windows;

use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use landfall_images::{Destination, Rule};
use landfall_oci::{PlatformSet, Reference};

pub(crate) use self::archives::{
    ArchiveFormat, Convert, Export, ExportCommand, ExportNode, SpoolArgs, WriteArgs,
};
pub(crate) use self::destination::DestinationArgs;
pub(crate) use self::images::{
    Compile, Images, ImagesCommand, K3s, Lint, ListFormat, ListOutput, Rancher, ReleaseArgs, Rke2,
};
pub(crate) use self::rancher::{PlanFormat, RancherExtra, RancherLoad, RancherSave};
pub(crate) use self::registries::{
    Apply, Check, CheckOutput, Consumer, Diff, Exits, Explain, Format, FormatArg, NodeArgs, Probe, Program,
    Registries, RegistriesCommand, Render, Rewrite, Target,
};
pub(crate) use self::rke::Rke;
pub(crate) use self::scan::{ChartArgs, ChartGiven, ManifestsArgs};
pub(crate) use self::upkeep::{Gc, Scrub, TagHistory, TagUndo, Tags, TagsCommand, WantedArgs};
pub(crate) use self::windows::{ForeignArgs, IndexFormat, WindowsArgs};
use crate::commands::Settings;
use crate::exit;
use crate::progress::Output;

/// Supplies container images to Kubernetes clusters behind an air gap or on private registries.
#[derive(Debug, Parser)]
#[command(name = "landfall", version, after_help = exit::HELP, propagate_version = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// No progress, only the result.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// More about what happens (-v requests and decisions, -vv everything); LANDFALL_LOG takes a filter.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl Cli {
    /// The command line as it is shown: each of `serve`'s many settings says its environment variable once for all.
    pub(crate) fn shown() -> clap::Command {
        <Self as CommandFactory>::command().mut_subcommand("serve", |serve| {
            serve.mut_args(|arg| {
                let hidden = arg.get_action().takes_values();
                arg.hide_env(true).hide_possible_values(hidden)
            })
        })
    }

    /// What was typed; ends the program where that makes no sense.
    pub(crate) fn typed() -> Self {
        let words = rancher::by_name(std::env::args_os());
        Self::from_arg_matches(&Self::shown().get_matches_from(words)).unwrap_or_else(|error| error.exit())
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Save(Save),
    Load(Load),
    Copy(Copy),
    Serve(Box<Serve>),
    Gc(Gc),
    Scrub(Scrub),
    Wanted(WantedArgs),
    Tags(Tags),
    Pull(Pull),
    Push(Push),
    Inspect(Inspect),
    List(List),
    Verify(Verify),
    Convert(Box<Convert>),
    Export(Box<Export>),
    Images(Images),
    Registries(Registries),
    RancherSaveImages(RancherSave),
    RancherLoadImages(RancherLoad),
    Demo(Demo),
    SelfImage(SelfImage),
    Completions(Completions),
    Man(Man),
}

/// Fetch every image of a list and write one bundle file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall save -l rancher-images.txt -o rancher.tar
  landfall save -l images.txt -o bundle.tar --platform linux/amd64,linux/arm64
  landfall save -l images.txt -o bundle.tar --from mirror.example:5000/hub --dry-run
  landfall save -l rancher-images.txt -o rancher.tar --windows-list rancher-windows-images.txt \\
      --windows-versions 1809,ltsc2022

A run that was interrupted, even by a power cut, is continued by the same command.
The bundle is a plain tar: `landfall load`, `landfall serve`, docker load, ctr images import,
podman load and skopeo read it.")]
pub(crate) struct Save {
    #[command(flatten)]
    pub(crate) list: ListArg,
    /// The bundle to write.
    #[arg(long = "out", short = 'o', value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Replace FILE if it exists.
    #[arg(long)]
    pub(crate) overwrite: bool,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Finish without images that cannot be had (still exit code 1; landfall.json in the bundle names them).
    #[arg(long)]
    pub(crate) allow_missing: bool,
    #[command(flatten)]
    pub(crate) windows: WindowsArgs,
    #[command(flatten)]
    pub(crate) foreign: ForeignArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// Push a bundle's images into a registry, straight from the file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall load rancher.tar -r registry.example:5000
  landfall load rancher.tar -r harbor.example/rancher --username admin --password-stdin < password
  landfall load rancher.tar -r registry.example --map quay.io/jetstack=jetstack --dry-run
  landfall load rancher.tar -r harbor.example --create-missing=public

Names: docker.io is dropped, any other host becomes part of the path
(quay.io/a/b:1 -> registry.example:5000/quay.io/a/b:1); --map changes that.
A rerun pushes only what is missing. A tag appears when its image is whole.")]
pub(crate) struct Load {
    /// The bundle.
    #[arg(value_name = "FILE")]
    pub(crate) bundle: PathBuf,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Only the images of this list.
    #[arg(long = "list", short = 'l', value_name = "LIST")]
    pub(crate) list: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) spool: SpoolArgs,
    #[command(flatten)]
    pub(crate) destination: DestinationArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) windows: WindowsArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// Copy images from registry to registry, streaming, with nothing on disk.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall copy -l images.txt -r registry.example:5000
  landfall copy busybox:1.36 quay.io/jetstack/cert-manager-controller:v1.15.3 -r registry.example/mirror")]
pub(crate) struct Copy {
    /// Images to copy, besides those of the list.
    #[arg(value_name = "IMAGE")]
    pub(crate) images: Vec<String>,
    /// Image list: one per line (`-` for standard input).
    #[arg(
        long = "list",
        short = 'l',
        value_name = "LIST",
        required_unless_present = "images"
    )]
    pub(crate) list: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) destination: DestinationArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Copy what can be had although some images cannot (still exit code 1).
    #[arg(long)]
    pub(crate) allow_missing: bool,
    #[command(flatten)]
    pub(crate) windows: WindowsArgs,
    #[command(flatten)]
    pub(crate) foreign: ForeignArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// Answer as a registry: from bundles in place, from a directory, or both.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall serve rancher.tar --listen 0.0.0.0:5000 --tls-self-signed /var/lib/landfall/tls
  landfall serve --root /var/lib/landfall --htpasswd users --tls-cert tls.crt --tls-key tls.key
  landfall serve base.tar update.tar --root /var/lib/landfall

Bundles are read only and need no import; the directory takes pushes. What is in several places
comes from the first. On loopback addresses plain HTTP is the default, elsewhere it must be asked for.
Every option can also stand in --config FILE, under its own name, or in the environment: --tls-cert is
LANDFALL_SERVE_TLS_CERT. SIGHUP reads the files again. docs/serve.md says more.")]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Read settings from this file (TOML; the keys are the flags' names). Flags and LANDFALL_SERVE_… win over it.
    #[arg(long, value_name = "FILE", env = "LANDFALL_SERVE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Print the settings in force as such a file, and end.
    #[arg(long)]
    pub(crate) print_config: bool,
}

/// Fetch one image into an OCI layout directory or a tar file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall pull busybox:1.36 -o busybox/
  landfall pull registry.example:5000/rancher/rancher:v2.9.0 -o rancher.tar --platform linux/amd64
  landfall pull nginx:1.27 -o nginx.tar --registries /etc/rancher/rke2/registries.yaml

The output is a tar when its name ends in .tar, a directory otherwise. With --registries it is fetched as a node with
that configuration would fetch it: the same endpoints in the same order, with their rewrites, credentials and
certificates, each manifest and each layer from the first that has it; at the end it says which endpoint gave what.")]
pub(crate) struct Pull {
    /// The image.
    #[arg(value_name = "IMAGE")]
    pub(crate) image: Reference,
    /// Directory, or file that ends in .tar.
    #[arg(long = "out", short = 'o', value_name = "DIR|FILE.tar")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Replace the output if it exists.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Ask whom a node with this configuration asks (registries.yaml, a certs.d folder, a hosts.toml, a config.toml).
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["from", "username", "auth_file", "tls_ca", "client_cert", "insecure", "plain_http"]
    )]
    pub(crate) registries: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: FormatArg,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
}

/// Push one image from an OCI layout (directory or tar) under the name given.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall push busybox/ registry.example:5000/library/busybox:1.36
  landfall push rancher.tar registry.example:5000/rancher/rancher:v2.9.0 --image rancher/rancher:v2.9.0")]
pub(crate) struct Push {
    /// The layout.
    #[arg(value_name = "DIR|FILE")]
    pub(crate) layout: PathBuf,
    /// The name to push it under.
    #[arg(value_name = "IMAGE")]
    pub(crate) target: Reference,
    /// Which image of the layout, when it holds several.
    #[arg(long, value_name = "NAME")]
    pub(crate) image: Option<String>,
    #[command(flatten)]
    pub(crate) spool: SpoolArgs,
    #[command(flatten)]
    pub(crate) destination: DestinationArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// Show what a bundle holds: images, platforms, sizes, what is missing.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  landfall inspect bundle.tar --output json")]
pub(crate) struct Inspect {
    /// The bundle.
    #[arg(value_name = "FILE")]
    pub(crate) bundle: PathBuf,
    /// Unpack a docker-archive to tell the digests that its images will have, too.
    #[arg(long)]
    pub(crate) digests: bool,
    #[command(flatten)]
    pub(crate) spool: SpoolArgs,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

/// Print the names of a bundle's images, one per line: a list that `save` reads.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  landfall list bundle.tar > images.txt")]
pub(crate) struct List {
    /// The bundle.
    #[arg(value_name = "FILE")]
    pub(crate) bundle: PathBuf,
    #[command(flatten)]
    pub(crate) spool: SpoolArgs,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

/// Check every digest of a bundle and that every image is whole.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  landfall verify /media/usb/bundle.tar && landfall load /media/usb/bundle.tar -r registry.example"
)]
pub(crate) struct Verify {
    /// The bundle.
    #[arg(value_name = "FILE")]
    pub(crate) bundle: PathBuf,
    #[command(flatten)]
    pub(crate) spool: SpoolArgs,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

/// The whole journey on this machine, offline: list, save, serve, load, pull, run.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  landfall demo\n  landfall demo --keep /tmp/landfall")]
pub(crate) struct Demo {
    /// Work in this folder and leave it (default: a temporary folder, removed at the end).
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

/// Write Landfall's own container image, so that it can travel in a bundle and run in the cluster.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall self-image -o landfall.tar
  landfall push landfall.tar registry.example:5000/landfall/landfall:latest")]
pub(crate) struct SelfImage {
    /// The file to write: an OCI layout tar that docker load reads too.
    #[arg(long = "out", short = 'o', value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The image's name.
    #[arg(long, value_name = "IMAGE", default_value = concat!("landfall/landfall:v", env!("CARGO_PKG_VERSION")))]
    pub(crate) name: Reference,
    /// Replace the output if it exists.
    #[arg(long)]
    pub(crate) overwrite: bool,
}

/// Print a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  landfall completions bash > /etc/bash_completion.d/landfall")]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: Shell,
}

/// Write the manual pages into a directory.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  landfall man /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// The directory.
    pub(crate) directory: PathBuf,
}

/// Where the list comes from.
#[derive(Debug, Args)]
pub(crate) struct ListArg {
    /// Image list: one per line; comments, blanks, Windows line ends and log lines are understood (`-`: standard input).
    #[arg(long = "list", short = 'l', value_name = "LIST")]
    pub(crate) list: PathBuf,
}

/// Where images are fetched from.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// Fetch every image from this registry; the names of the list are kept.
    #[arg(long, value_name = "REGISTRY[/PATH]")]
    pub(crate) from: Option<Destination>,
    /// Platforms to carry: `all`, or a list such as linux/amd64,linux/arm/v7,windows(10.0.17763)/amd64.
    #[arg(long, value_name = "PLATFORMS", default_value = "all")]
    pub(crate) platform: PlatformSet,
    /// Carry foreign layers too (Windows base layers), fetched from their own urls.
    #[arg(long)]
    pub(crate) include_foreign: bool,
}

/// Where images go.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// The registry to push to, with a path if wanted.
    #[arg(
        long = "registry",
        short = 'r',
        value_name = "REGISTRY[/PATH]",
        required_unless_present = "cluster"
    )]
    pub(crate) registry: Option<Destination>,
    /// Names below PREFIX go below PATH (may be given several times; the longest prefix wins).
    #[arg(long, value_name = "PREFIX=PATH")]
    pub(crate) map: Vec<Rule>,
    /// Put rancher/ before names without a path, as Rancher's scripts do.
    #[arg(long)]
    pub(crate) rancher_names: bool,
}

/// How a run goes.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Only show the plan: images, unique blobs, bytes to move, bytes there already, what does not resolve.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Blobs moved at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: u16,
    /// Where to write images that failed, as a list that -l reads (default: beside the output, or in this folder).
    #[arg(long, value_name = "FILE")]
    pub(crate) failed_list: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

/// How the result is printed.
#[derive(Debug, Args)]
pub(crate) struct OutputArg {
    /// How to print the result.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
}

/// How registries are talked to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Registry access")]
pub(crate) struct RegistryArgs {
    /// User for the registry named on the command line (else Docker's and Podman's credential files are used).
    #[arg(long, value_name = "USER", env = "LANDFALL_USERNAME")]
    pub(crate) username: Option<String>,
    /// Its password; better given by --password-stdin or LANDFALL_PASSWORD.
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "LANDFALL_PASSWORD",
        hide_env_values = true,
        requires = "username"
    )]
    pub(crate) password: Option<String>,
    /// Read the password from standard input.
    #[arg(long, requires = "username", conflicts_with = "password")]
    pub(crate) password_stdin: bool,
    /// Credential file in the form of ~/.docker/config.json.
    #[arg(long, value_name = "FILE")]
    pub(crate) auth_file: Option<PathBuf>,
    /// An RKE cluster.yml: its private_registries are credentials; load and copy push to its default registry without -r.
    #[arg(long, value_name = "FILE")]
    pub(crate) cluster: Option<PathBuf>,
    /// Do not ask AWS, Google or Azure for tokens of their registries (also: LANDFALL_CLOUD_AUTH=off).
    #[arg(long)]
    pub(crate) no_cloud_credentials: bool,
    /// Trust this CA besides the system's (PEM; may be given several times).
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca: Vec<PathBuf>,
    /// Client certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub(crate) client_cert: Option<PathBuf>,
    /// Key of the client certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(crate) client_key: Option<PathBuf>,
    /// Do not check certificates.
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Talk plain HTTP (loopback registries are tried with it anyway).
    #[arg(long)]
    pub(crate) plain_http: bool,
    /// Attempts for each request.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) attempts: u32,
    /// Seconds without a byte after which a connection counts as dead.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) stall_timeout: u64,
}

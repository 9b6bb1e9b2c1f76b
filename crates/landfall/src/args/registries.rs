//! Arguments of `registries`: what a node is told about registries, and what it makes of it.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use landfall_oci::Reference;

use super::OutputArg;

/// What nodes are told about registries: check it, explain every pull, prove where they can go, render it anew.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall registries check /etc/rancher/rke2/registries.yaml
  landfall registries explain registries.yaml rancher/rancher:v2.9.0 --k3s-version v1.30.7
  landfall registries exits registries.yaml --disable-default-registry-endpoint
  landfall registries render registries.yaml --for containerd -o certs.d/

FILE is a registries.yaml (K3s, RKE2, or the JSON that Rancher writes), a certs.d directory, a hosts.toml, a
containerd config.toml, a registries.conf, a daemon.json, a Talos machine configuration or an RKE cluster.yml.
Which one it is is told by its name and content, or by --format.")]
pub(crate) struct Registries {
    #[command(subcommand)]
    pub(crate) command: RegistriesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RegistriesCommand {
    Check(Check),
    Explain(Explain),
    Exits(Exits),
    Render(Render),
    Probe(Probe),
    Diff(Diff),
    Rewrite(Rewrite),
    Apply(Apply),
}

/// Say what is wrong in a file, where, what comes of it on the node, and how to mend it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall registries check registries.yaml
  landfall registries check registries.yaml --fix
  landfall registries check registries.yaml --output sarif > registries.sarif

Exit code 0: nothing wrong (warnings may be printed); 1: errors were found, or warnings with --deny-warnings;
2: the arguments; 3: a file cannot be read.")]
pub(crate) struct Check {
    /// The files (`-` for standard input).
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) format: FormatArg,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Mend what can be mended without a guess, in the file itself.
    #[arg(long)]
    pub(crate) fix: bool,
    /// With --fix: print the change instead of making it.
    #[arg(long, requires = "fix")]
    pub(crate) dry_run: bool,
    /// Look at certificates and keys below this folder, as if it were the node's root.
    #[arg(long, value_name = "DIR")]
    pub(crate) files_root: Option<PathBuf>,
    /// Do not look at the certificates and keys that the file names.
    #[arg(long, conflicts_with = "files_root")]
    pub(crate) no_files: bool,
    /// Warnings count as errors.
    #[arg(long)]
    pub(crate) deny_warnings: bool,
    /// How to print what was found.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: CheckOutput,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckOutput {
    /// With the lines of the file.
    Text,
    /// One line each.
    Short,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0, for code review and CI.
    Sarif,
}

/// Show every attempt that a node makes to pull an image, in order, each with the lines that caused it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall registries explain registries.yaml nginx:1.27
  landfall registries explain registries.yaml -l rancher-images.txt --output json
  landfall registries explain /etc/containerd/certs.d quay.io/jetstack/cert-manager-controller:v1.15.3

What is a file's or folder's name is the configuration, everything else an image; without a file, the node's own
is read (/etc/rancher/rke2 or k3s).")]
pub(crate) struct Explain {
    /// Configuration files, then images.
    #[arg(value_name = "FILE|IMAGE", required_unless_present_any = ["list", "image"])]
    pub(crate) given: Vec<String>,
    /// An image, whatever files there are.
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Vec<Reference>,
    /// Image list: one per line (`-` for standard input).
    #[arg(long = "list", short = 'l', value_name = "LIST")]
    pub(crate) list: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: FormatArg,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Which program pulls.
    #[arg(long, value_name = "CONSUMER", default_value = "both")]
    pub(crate) consumer: Consumer,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

/// Which program reads registries.yaml.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Consumer {
    /// The node's containerd: every pod.
    Containerd,
    /// Wharfie: RKE2's runtime image, Rancher's installers.
    Wharfie,
    /// Containerd, and wharfie where it does something else.
    Both,
}

/// List the hosts that a node can still contact for any image whatsoever, or prove that there are none.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall registries exits registries.yaml --disable-default-registry-endpoint
  landfall registries exits registries.yaml --allow registry.example:5000

Exit code 0: no host beyond those allowed can be contacted; 1: some can. Mirrors that the file names are allowed
unless --allow is given.")]
pub(crate) struct Exits {
    /// The configuration.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// A host that nodes may contact, as `host[:port]` (may be given several times).
    #[arg(long, value_name = "HOST")]
    pub(crate) allow: Vec<String>,
    #[command(flatten)]
    pub(crate) format: FormatArg,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

/// Write the same intent for another program, and say what it cannot express.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall registries render registries.yaml --for containerd -o /etc/containerd/
  landfall registries render registries.yaml --for podman
  landfall registries render registries.yaml --for k3s --as-k3s -o rendered/
  landfall registries render cluster.yml --for rke2

Exit code 0: all was carried over; 1: it was written, but something could not be said in that format (it is listed).")]
pub(crate) struct Render {
    /// The configuration.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// The program to write for.
    #[arg(long = "for", value_name = "PROGRAM", default_value = "containerd")]
    pub(crate) target: Target,
    /// What K3s itself writes for containerd, byte for byte, with its faults.
    #[arg(long)]
    pub(crate) as_k3s: bool,
    /// Refuse the registries' own endpoints, wherever the program can be told so.
    #[arg(long)]
    pub(crate) deny_upstream: bool,
    /// Write a wildcard out for this registry, where the program has none (may be given several times).
    #[arg(long, value_name = "REGISTRY")]
    pub(crate) registry: Vec<String>,
    /// The wildcard's endpoint is `landfall serve --upstreams`: where a program does not send `ns=`, put the registry's
    /// name before the repository.
    #[arg(long)]
    pub(crate) gateway: bool,
    /// Write files below this folder instead of printing them.
    #[arg(long = "out", short = 'o', value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Replace files that are there.
    #[arg(long, requires = "out")]
    pub(crate) overwrite: bool,
    /// Print passwords too (files always have them).
    #[arg(long, conflicts_with = "out")]
    pub(crate) show_secrets: bool,
    #[command(flatten)]
    pub(crate) format: FormatArg,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

/// A program to write for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// registries.yaml for K3s.
    K3s,
    /// registries.yaml for RKE2.
    Rke2,
    /// certs.d and credentials for containerd.
    Containerd,
    /// registries.conf, auth.json and certs.d for CRI-O.
    Crio,
    /// registries.conf, auth.json and certs.d for Podman, Buildah and Skopeo.
    Podman,
    /// daemon.json, certs.d and config.json for Docker.
    Docker,
    /// hosts.toml files for nerdctl.
    Nerdctl,
    /// machine.registries for Talos.
    Talos,
    /// private_registries for RKE.
    Rke,
}

/// Ask every endpoint for real, as containerd would: name, connection, TLS, credentials, manifest. No layer is pulled.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall registries probe registries.yaml rancher/rancher:v2.9.0
  landfall registries probe /etc/containerd/certs.d nginx:1.27 --output json

Exit code 0: the image can be had from the first endpoint; 1: it can be had, but only from a later one (or only some
of several images can); 5: from none, or the node would ask nobody; 2: the arguments; 3: a file cannot be read.

What is a file's or folder's name is the configuration, everything else an image; without a file, the node's own
is read (/etc/rancher/rke2 or k3s).")]
pub(crate) struct Probe {
    /// Configuration files, then images.
    #[arg(value_name = "FILE|IMAGE", required_unless_present = "image")]
    pub(crate) given: Vec<String>,
    /// An image, whatever files there are.
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Vec<Reference>,
    /// Seconds for each step.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(crate) timeout: u64,
    #[command(flatten)]
    pub(crate) format: FormatArg,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

/// Which images of a list would be pulled differently: by another file, or by another version of K3s.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall registries diff old.yaml new.yaml -l rancher-images.txt
  landfall registries diff registries.yaml -l images.txt --from-version v1.28.5 --to-version v1.29

Images with the same change are told together. `v1.28` means the newest patch of that line.

Exit code 0: nothing changes; 1: something does.")]
pub(crate) struct Diff {
    /// The configuration now.
    #[arg(value_name = "OLD")]
    pub(crate) old: PathBuf,
    /// The configuration to come (default: the same).
    #[arg(value_name = "NEW", required_unless_present = "to_version")]
    pub(crate) new: Option<PathBuf>,
    /// Image list: one per line (`-` for standard input).
    #[arg(
        long = "list",
        short = 'l',
        value_name = "LIST",
        required_unless_present = "image"
    )]
    pub(crate) list: Option<PathBuf>,
    /// An image, besides those of the list.
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Vec<Reference>,
    /// The version of K3s or RKE2 now.
    #[arg(long, value_name = "VERSION", requires = "to_version")]
    pub(crate) from_version: Option<String>,
    /// The version to come.
    #[arg(long, value_name = "VERSION", requires = "from_version")]
    pub(crate) to_version: Option<String>,
    /// Which program pulls.
    #[arg(long, value_name = "CONSUMER", default_value = "containerd")]
    pub(crate) consumer: Consumer,
    #[command(flatten)]
    pub(crate) format: FormatArg,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

/// Try rewrite rules: what they make of names, where they overlap, what Go would refuse.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall registries rewrite --rule '^rancher/(.*)=mirror/$1' rancher/rancher
  landfall registries rewrite --registries registries.yaml -l rancher-images.txt

Exit code 0: the rules are sound; 1: one is refused by Go, two overlap, or a result is no repository.")]
pub(crate) struct Rewrite {
    /// Images or repositories.
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// A rule: Go pattern, `=`, replacement (may be given several times).
    #[arg(
        long,
        value_name = "PATTERN=REPLACEMENT",
        required_unless_present = "registries"
    )]
    pub(crate) rule: Vec<String>,
    /// Take the rules of this registries.yaml.
    #[arg(long, value_name = "FILE")]
    pub(crate) registries: Option<PathBuf>,
    /// Image list: one per line (`-` for standard input).
    #[arg(long = "list", short = 'l', value_name = "LIST")]
    pub(crate) list: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

/// On a node: write containerd's certs.d, keep what others wrote, with no restart.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall registries apply registries.yaml --certs-d /etc/containerd/certs.d --dry-run
  landfall registries apply registries.yaml --certs-d /etc/containerd/certs.d
  landfall registries apply --undo --certs-d /etc/containerd/certs.d

containerd reads certs.d at every pull. Credentials are not in it: what cannot be applied is listed.

Exit code 0: certs.d is as FILE wants it; 1: it is, but FILE says things that certs.d cannot (they are listed), or
names certificates that are not there, or there was nothing to undo; 2: the arguments, or FILE; 3: nothing was
changed, because files of others are in the way or the system refused. A dry run ends with the code that the run
would end with.")]
pub(crate) struct Apply {
    /// The configuration.
    #[arg(value_name = "FILE", required_unless_present = "undo")]
    pub(crate) files: Vec<PathBuf>,
    /// containerd's `config_path`.
    #[arg(long, value_name = "DIR", default_value = "/etc/containerd/certs.d")]
    pub(crate) certs_d: PathBuf,
    /// Refuse the registries' own endpoints.
    #[arg(long)]
    pub(crate) deny_upstream: bool,
    /// Only show what would change.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Take back what was last applied.
    #[arg(long, conflicts_with_all = ["files", "deny_upstream"])]
    pub(crate) undo: bool,
    /// Write also where another program's file stands (it comes back with --undo); with --undo: also over later changes.
    #[arg(long)]
    pub(crate) replace_foreign: bool,
    #[command(flatten)]
    pub(crate) format: FormatArg,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

/// What kind of file it is.
#[derive(Debug, Args)]
pub(crate) struct FormatArg {
    /// What FILE is, when name and content do not tell.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
}

/// A kind of configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// registries.yaml of K3s and RKE2, also as JSON.
    RegistriesYaml,
    /// A certs.d directory, a hosts.toml, or nerdctl's hosts_dir.
    HostsToml,
    /// containerd's config.toml.
    ContainerdConfig,
    /// registries.conf of Podman and CRI-O.
    RegistriesConf,
    /// daemon.json of Docker.
    DaemonJson,
    /// A Talos machine configuration.
    Talos,
    /// cluster.yml of RKE.
    ClusterYml,
}

/// On what node.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "The node")]
pub(crate) struct NodeArgs {
    /// Its program.
    #[arg(long, value_name = "PROGRAM", default_value = "k3s")]
    pub(crate) program: Program,
    /// Its version of K3s or RKE2 (`v1.30.7`, `v1.33.3+rke2r1`) [default: the newest known].
    #[arg(long, value_name = "VERSION")]
    pub(crate) k3s_version: Option<String>,
    /// Its containerd, where K3s or RKE2 bring none (`1.6`, `1.7`, `2.1`) [default: the newest known].
    #[arg(long, value_name = "VERSION")]
    pub(crate) containerd_version: Option<String>,
    /// It runs with this flag.
    #[arg(long)]
    pub(crate) disable_default_registry_endpoint: bool,
    /// It runs with the embedded registry; the address of its supervisor.
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:6443")]
    pub(crate) embedded_registry: Option<String>,
    /// It runs Windows.
    #[arg(long)]
    pub(crate) windows: bool,
}

/// A node's program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Program {
    /// K3s.
    #[default]
    K3s,
    /// RKE2.
    Rke2,
    /// containerd as its own project ships it.
    Containerd,
}

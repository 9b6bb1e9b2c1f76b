//! Arguments of the commands that look after a registry's directory.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use landfall_oci::{Digest, Reference};
use landfall_store::{Age, RunId};

use super::OutputArg;
use crate::human::Amount;

/// Which directory.
#[derive(Debug, Args)]
pub(crate) struct RootArg {
    /// Directory of the registry (`serve --root`). A server that runs on it is asked to do the work.
    #[arg(long, value_name = "DIR", env = "LANDFALL_SERVE_ROOT")]
    pub(crate) root: PathBuf,
}

/// Remove from a registry's directory what no image needs any more.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall gc --root /var/lib/landfall --dry-run
  landfall gc --root /var/lib/landfall --untagged-after 30d
  landfall gc --root /var/lib/landfall --undo 1787300000000

Safe while the registry is in use. What every tag, index and subject needs stays; manifests without a tag
stay too, unless --untagged-after is given. What goes lies in the trash first and can be brought back.")]
pub(crate) struct Gc {
    #[command(flatten)]
    pub(crate) root: RootArg,
    /// Only say what would go, and why.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// What was pushed or asked for less than so long ago stays [default: 1h, or what the server was told].
    #[arg(long, value_name = "TIME")]
    pub(crate) grace: Option<Age>,
    /// Manifests that had no tag, index or subject for so long go too.
    #[arg(long, value_name = "TIME")]
    pub(crate) untagged_after: Option<Age>,
    /// Empty the trash of what has lain there for so long; 0 keeps nothing [default: 7d, or what the server was told].
    #[arg(long, value_name = "TIME")]
    pub(crate) keep_trash: Option<Age>,
    /// First remove the tags whose time is over by the retention rules.
    #[arg(long)]
    pub(crate) retain: bool,
    /// The settings file with those rules (`serve --config`), when no server runs or to try others.
    #[arg(long, value_name = "FILE", requires = "retain", env = "LANDFALL_SERVE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Bring back what a run removed.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["dry_run", "grace", "untagged_after", "keep_trash", "retain"])]
    pub(crate) undo: Option<RunId>,
    /// List the runs whose removals can be brought back.
    #[arg(long, conflicts_with_all = ["dry_run", "grace", "untagged_after", "keep_trash", "retain", "undo"])]
    pub(crate) trash: bool,
    /// Say why this manifest or blob is kept: the way from a tag to it.
    #[arg(long, value_name = "DIGEST", conflicts_with_all = ["dry_run", "grace", "untagged_after", "keep_trash", "retain", "undo", "trash"])]
    pub(crate) why: Option<Digest>,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

/// Hash everything in a registry's directory again, and mend what can be mended.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall scrub --root /var/lib/landfall
  landfall scrub --root /var/lib/landfall --heal-from rancher.tar --quarantine --rate 50MB

Exit code 4 when something is wrong and was not healed.")]
pub(crate) struct Scrub {
    #[command(flatten)]
    pub(crate) root: RootArg,
    /// Take the right bytes from this bundle or layout (may be given several times).
    #[arg(long, value_name = "BUNDLE")]
    pub(crate) heal_from: Vec<PathBuf>,
    /// Move wrong bytes aside, so that nobody is sent them.
    #[arg(long)]
    pub(crate) quarantine: bool,
    /// Read no more than this each second.
    #[arg(long, value_name = "BYTES")]
    pub(crate) rate: Option<Amount>,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

/// Print which images were asked for and are not there: a list that `save` reads.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall wanted --root /var/lib/landfall > next-trip.txt
  landfall wanted --root /var/lib/landfall --forget docker.io/library/busybox:1.36")]
pub(crate) struct WantedArgs {
    #[command(flatten)]
    pub(crate) root: RootArg,
    /// Take this image off the list (may be given several times).
    #[arg(long, value_name = "IMAGE")]
    pub(crate) forget: Vec<Reference>,
    /// Take all images off the list.
    #[arg(long, conflicts_with = "forget")]
    pub(crate) forget_all: bool,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

/// What tags of a registry's directory pointed at, and pointing them there again.
#[derive(Debug, Args)]
pub(crate) struct Tags {
    #[command(subcommand)]
    pub(crate) command: TagsCommand,
}

/// See [`Tags`].
#[derive(Debug, Subcommand)]
pub(crate) enum TagsCommand {
    /// Every change of a tag, the newest first; or what it pointed at as of a time.
    History(TagHistory),
    /// Point a tag at what it pointed at before.
    Undo(TagUndo),
}

/// See [`TagsCommand::History`].
#[derive(Debug, Args)]
pub(crate) struct TagHistory {
    /// REPOSITORY:TAG, as in the registry.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) root: RootArg,
    /// What it pointed at then: 2026-08-01, 2026-08-01T12:00, or 3d for three days ago.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

/// See [`TagsCommand::Undo`].
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landfall tags undo team/app:prod --root /var/lib/landfall
  landfall tags undo team/app:prod --root /var/lib/landfall --to 2026-08-01
  landfall tags undo team/app:prod --root /var/lib/landfall --to 7")]
pub(crate) struct TagUndo {
    /// REPOSITORY:TAG, as in the registry.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) root: RootArg,
    /// The number of a change, or a time as for `history --at` [default: what it was before the last change].
    #[arg(long, value_name = "CHANGE|TIME")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArg,
}

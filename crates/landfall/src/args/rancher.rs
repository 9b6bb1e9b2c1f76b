//! Rancher's save and load scripts: their words are read by `commands::rancher`, ours beside them by clap.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, Parser};
use landfall_oci::PlatformSet;

use super::{DestinationArgs, IndexFormat, OutputArg, RegistryArgs};

/// Do what rancher-save-images.sh does, without Docker and with an honest end (-h for its words).
#[derive(Debug, Args)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(crate) struct RancherSave {
    /// The script's own words, and ours.
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<OsString>,
}

/// Do what rancher-load-images.sh does, without Docker and with an honest end (-h for its words).
#[derive(Debug, Args)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(crate) struct RancherLoad {
    /// The script's own words, and ours.
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<OsString>,
}

/// What the scripts do not have.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true, disable_version_flag = true)]
pub(crate) struct RancherExtra {
    /// Platforms to carry (default: all).
    #[arg(long, value_name = "PLATFORMS", default_value = "all")]
    pub(crate) platform: PlatformSet,
    /// Only show the plan.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// With --dry-run: the plan, or the calls of docker that the script would make.
    #[arg(long, value_name = "FORMAT", default_value = "plan", requires = "dry_run")]
    pub(crate) format: PlanFormat,
    /// Blobs moved at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: u16,
    /// Where to write images that failed.
    #[arg(long, value_name = "FILE")]
    pub(crate) failed_list: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArg,
    /// End with 0 whatever is missing, as the scripts do.
    #[arg(long)]
    pub(crate) compat_exit_zero: bool,
    /// The media type of lists for Windows.
    #[arg(long, value_name = "FORMAT", default_value = "docker")]
    pub(crate) index_format: IndexFormat,
    /// Make lists for Windows without members that are not there.
    #[arg(long)]
    pub(crate) allow_missing_members: bool,
    /// No progress, only the result.
    #[arg(long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) destination: DestinationArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum PlanFormat {
    /// Images and bytes.
    Plan,
    /// Docker calls, one per line.
    Ops,
}

/// A command line on which the program is called by a script's name gets that command put in.
pub(super) fn by_name(mut words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let Some(program) = words.next() else {
        return Vec::new();
    };
    let name = Path::new(&program)
        .file_name()
        .map(|name| name.to_string_lossy().to_ascii_lowercase());
    let name = name.unwrap_or_default();
    let (stem, is_ps1) = match name.strip_suffix(".ps1") {
        Some(stem) => (stem, true),
        None => (name.strip_suffix(".sh").unwrap_or(&name), false),
    };
    let is_script = ["rancher-save-images", "rancher-load-images"].contains(&stem);
    let mut line = vec![program.clone()];
    if is_script {
        line.push(stem.into());
        line.extend(is_ps1.then(|| "--ps1".into()));
    }
    line.extend(words);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_known_by_its_name() {
        let cases = [
            ("/usr/bin/landfall", vec!["landfall", "-h"]),
            ("./rancher-save-images.sh", vec!["x", "rancher-save-images", "-h"]),
            ("rancher-load-images", vec!["x", "rancher-load-images", "-h"]),
            (
                "C/rancher-load-images.PS1",
                vec!["x", "rancher-load-images", "--ps1", "-h"],
            ),
            ("rancher-load-images.txt", vec!["x", "-h"]),
        ];
        for (name, expected) in cases {
            let line = by_name([name, "-h"].map(OsString::from).into_iter());
            assert_eq!(line[1..], expected[1..], "{name}");
        }
    }
}

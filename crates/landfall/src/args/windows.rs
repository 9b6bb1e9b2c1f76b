//! Flags for images that have Windows members.

use std::path::PathBuf;

use clap::Args;
use landfall_transfer::windows::Version;

/// Which images get Windows members, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Windows")]
pub(crate) struct WindowsArgs {
    /// The Windows list: its images get a manifest list of their Windows members (and of the Linux image, when the
    /// other list has the same name).
    #[arg(long, value_name = "LIST", alias = "windows-image-list")]
    pub(crate) windows_list: Option<PathBuf>,
    /// Windows versions, in the order of the lists to be made: 1809, ltsc2019, ltsc2022, 2025, 20H2, 10.0.17763, …
    #[arg(
        long,
        value_name = "VERSIONS",
        value_delimiter = ',',
        default_value = "1809",
        requires = "windows_list"
    )]
    pub(crate) windows_versions: Vec<Version>,
    /// The media type of the lists to be made.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "docker",
        requires = "windows_list"
    )]
    pub(crate) index_format: IndexFormat,
    /// Make lists without members that are not there (else such an image is refused, and the others go on).
    #[arg(long, requires = "windows_list")]
    pub(crate) allow_missing_members: bool,
}

/// Foreign layers, where images are fetched.
#[derive(Debug, Args)]
#[command(next_help_heading = "Windows")]
pub(crate) struct ForeignArgs {
    /// Leave foreign layers (Windows base layers) where they are; with --windows-list they are carried by default.
    #[arg(long, conflicts_with = "include_foreign")]
    pub(crate) no_include_foreign: bool,
}

/// `--index-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum IndexFormat {
    /// Docker's manifest list, as `docker manifest create` makes it.
    Docker,
    /// An OCI image index.
    Oci,
}

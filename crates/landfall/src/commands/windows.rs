//! From the Windows flags to what a transfer is to do about them.

use std::path::Path;

use landfall_transfer::windows::{self, WindowsOptions};

use crate::args::{ForeignArgs, IndexFormat, WindowsArgs};
use crate::failure::Failure;
use crate::lists;

/// Reads the Windows list, if one is named. `list` is where the other list comes from.
pub(super) fn options(
    args: &WindowsArgs,
    list: Option<&Path>,
    quiet: bool,
) -> Result<Option<WindowsOptions>, Failure> {
    let Some(path) = &args.windows_list else {
        return Ok(None);
    };
    let is_stdin = |path: &Path| path.as_os_str() == "-";
    if is_stdin(path) && list.is_none_or(is_stdin) {
        return Err(Failure::usage(
            "--windows-list: standard input can hold one list; give this one as a file",
        ));
    }
    let mut versions = args.windows_versions.clone();
    let mut seen = Vec::new();
    versions.retain(|version| {
        let is_new = !seen.contains(version);
        seen.push(version.clone());
        is_new
    });
    Ok(Some(WindowsOptions {
        list: lists::read(path, quiet)?,
        versions,
        format: match args.index_format {
            IndexFormat::Docker => windows::IndexFormat::Docker,
            IndexFormat::Oci => windows::IndexFormat::Oci,
        },
        allow_missing_members: args.allow_missing_members,
    }))
}

/// Whether foreign layers travel: without them a Windows image is nothing behind an air gap.
pub(super) fn carries_foreign(args: &ForeignArgs, windows: Option<&WindowsOptions>, asked: bool) -> bool {
    asked || windows.is_some() && !args.no_include_foreign
}

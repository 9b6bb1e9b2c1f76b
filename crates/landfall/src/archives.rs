//! Opening whatever holds images: where it is unpacked, and a bar while that goes on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use landfall_bundle::Bundle;
use landfall_bundle::foreign::{self, Look, Progress, Workshop};

use crate::args::SpoolArgs;
use crate::exit::Exit;
use crate::failure::Failure;

/// Opens it, unpacking where that is needed.
pub(crate) async fn open(path: &Path, spool: &SpoolArgs, quiet: bool) -> Result<Bundle, Failure> {
    let (path, spool) = (path.to_owned(), spool.clone());
    let opened = tokio::task::spawn_blocking(move || with_bar(&path, &spool, quiet, foreign::open));
    opened
        .await
        .map_err(|error| Failure::new(Exit::Local, error.to_string()))?
}

/// As [`open`]. Blocking.
pub(crate) fn unpack(path: &Path, spool: &SpoolArgs, quiet: bool) -> Result<Bundle, Failure> {
    with_bar(path, spool, quiet, foreign::open)
}

/// Says what is in it, without unpacking layers. Blocking.
pub(crate) fn look(path: &Path, spool: &SpoolArgs, quiet: bool) -> Result<Look, Failure> {
    with_bar(path, spool, quiet, foreign::look)
}

fn with_bar<T>(
    path: &Path,
    spool: &SpoolArgs,
    quiet: bool,
    open: impl FnOnce(&Path, &Workshop) -> Result<T, landfall_bundle::BundleError>,
) -> Result<T, Failure> {
    let bar = if quiet {
        ProgressBar::hidden()
    } else {
        ProgressBar::new(0)
    };
    let template =
        "reading [{bar:32}] {decimal_bytes} of {decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left";
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    let told = bar.clone();
    let progress = move |progress: Progress| {
        told.set_length(progress.of);
        told.set_position(progress.read);
    };
    let workshop = Workshop {
        progress: Some(Arc::new(progress)),
        ..workshop(spool)
    };
    let opened = open(path, &workshop);
    bar.finish_and_clear();
    Ok(opened?)
}

/// Where archives are unpacked.
pub(crate) fn workshop(spool: &SpoolArgs) -> Workshop {
    let named = spool
        .spool
        .clone()
        .or_else(|| std::env::var_os("TMPDIR").map(PathBuf::from));
    named.map_or_else(Workshop::usual, Workshop::new)
}

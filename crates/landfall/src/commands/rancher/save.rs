//! `rancher-save-images`.

use std::time::Instant;

use landfall_images::Entry;
use landfall_transfer::{Report, ResolveOptions, SaveOptions, save};

use super::words::Dialect;
use super::{Call, done, ops};
use crate::connect::{self, Audience};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::summary::Ending;
use crate::{out, progress};

pub(super) async fn run(call: Call) -> Result<Exit, Failure> {
    let list = call.list()?;
    if call.wants_ops() {
        out::result(&(ops::save(&call.words, &list.all()).join("\n") + "\n"));
        return Ok(Exit::Complete);
    }
    // The names in the archive are those that docker would have pulled.
    let list = list.named(|text| call.words.source_name(text));
    let windows = call.windows_list()?.named(|text| call.words.source_name(text));
    let bad: Vec<_> = list.bad.iter().chain(&windows.bad).cloned().collect();
    let entries = list.images();
    let windows = call.windows(windows.entries)?;
    let engine = connect::engine(
        &call.extra.registry,
        Audience::of(entries.iter().map(|entry| entry.reference.registry())),
    )?;
    let options = SaveOptions {
        resolve: ResolveOptions {
            platforms: call.extra.platform.clone(),
            include_foreign: windows.is_some() || call.words.dialect == Dialect::PowerShell,
            ..ResolveOptions::default()
        },
        windows,
        output: call.images().to_owned(),
        overwrite: true,
        allow_missing: true,
        jobs: usize::from(call.extra.jobs),
        dry_run: call.extra.dry_run,
    };
    let output = call.extra.output.output;
    let reporter = progress::reporter(output, call.quiet || call.extra.dry_run);
    let started = Instant::now();
    let mut report = save(&entries, &options, &engine.client, &engine.hash, &reporter).await?;
    drop(reporter);
    if !call.extra.dry_run {
        tell(&call, &list.all(), &bad, &report);
    }
    report.failed.extend(bad);
    // The list for the next run is read with the same words: without the source, without the release.
    let (source, suffix) = (call.words.source_name(""), call.suffix()?);
    for failure in &mut report.failed {
        let asked = failure.asked.strip_prefix(&source).unwrap_or(&failure.asked);
        failure.asked = asked.strip_suffix(&suffix).unwrap_or(asked).to_owned();
    }
    let ending = Ending {
        verb: "rancher-save-images",
        output,
        failed_list: call.failed_list(),
        elapsed: started.elapsed(),
    };
    Ok(ending.tell(&report))
}

/// The lines of the scripts, for each image in the order of the list.
fn tell(call: &Call, entries: &[Entry], bad: &[landfall_transfer::Failure], report: &Report) {
    let mut pulled = 0;
    for entry in entries {
        let is_done = done(report, &entry.reference).is_some();
        pulled += usize::from(is_done);
        match (call.words.dialect, is_done) {
            (Dialect::Shell, true) => call.tell(&format!("Image pull success: {}", entry.text)),
            (Dialect::Shell, false) => call.tell(&format!("Image pull failed: {}", entry.text)),
            (Dialect::PowerShell, _) => call.tell(&format!("Pulling {}", entry.text)),
        }
    }
    for line in bad.iter().filter(|_| call.words.dialect == Dialect::Shell) {
        call.tell(&format!("Image pull failed: {}", line.asked));
    }
    let images = &call.words.images;
    match (call.words.dialect, report.done.is_empty()) {
        (Dialect::Shell, false) => call.tell(&format!("Creating {images} with {pulled} images")),
        (Dialect::Shell, true) => call.tell(&format!("No docker images pulled; skipping {images}.")),
        (Dialect::PowerShell, false) => {}
        (Dialect::PowerShell, true) => {
            call.tell("Could not save empty images to host");
            call.tell(&format!(
                "Please verify the images of '{}' existing or not",
                call.words.list
            ));
        }
    }
    let is_misnamed = !images.ends_with(".tar");
    if !report.done.is_empty() && is_misnamed && !call.quiet {
        out::progress(&format!(
            "note: {images} is a plain tar, its layers are compressed already: docker load, the load script and landfall read it"
        ));
    }
}

//! `rancher-load-images`.

use std::collections::BTreeMap;
use std::time::Instant;

use landfall_images::{Destination, Entry, Mapping};
use landfall_transfer::{ListedOptions, Report, lacking, load_listed};

use super::charts::Charts;
use super::words::Dialect;
use super::{Call, done, ops};
use crate::args::SpoolArgs;
use crate::connect::{self, Audience};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::summary::Ending;
use crate::{archives, out, progress};

pub(super) async fn run(call: Call) -> Result<Exit, Failure> {
    let destination: Destination = call.words.registry.parse()?;
    let mapping = Mapping::of_scripts(destination);
    let is_powershell = call.words.dialect == Dialect::PowerShell;
    if is_powershell && !call.wants_ops() && !call.images().exists() {
        call.tell(&format!("Could not find '{}'", call.words.images));
    }
    let linux = call.list()?;
    let windows = call.windows_list()?;
    if call.wants_ops() {
        let ops = ops::load(&call.words, &mapping, &linux.all(), &windows.entries)?;
        out::result(&(ops.join("\n") + "\n"));
        return Ok(Exit::Complete);
    }
    let spool = SpoolArgs {
        spool: std::env::var_os("LANDFALL_SPOOL").map(Into::into),
    };
    let opened = archives::open(call.images(), &spool, call.quiet).await;
    if is_powershell && opened.is_err() {
        call.tell(&format!("Could not load '{}'", call.words.images));
    }
    let bundle = opened?;
    let engine = connect::engine(
        &call.extra.registry,
        Audience::Registry(mapping.destination.registry.clone()),
    )?;
    let mut options = ListedOptions {
        entries: linux.entries.clone(),
        reworded: linux.reworded.clone(),
        beside: None,
        absent: BTreeMap::new(),
        source: (!call.words.source.is_empty()).then(|| call.words.source.clone()),
        mapping: mapping.clone(),
        windows: call.windows(windows.entries.clone())?,
        destination: call.extra.destination.into(),
        jobs: usize::from(call.extra.jobs),
        dry_run: call.extra.dry_run,
    };
    let (lacking, workshop) = (lacking(&bundle, &options), archives::workshop(&spool));
    let finding = tokio::task::spawn_blocking(move || Charts::find(&lacking, &workshop.folder));
    let charts = finding
        .await
        .map_err(|error| Failure::new(Exit::Local, error.to_string()))??;
    (options.beside, options.absent) = (charts.bundle.clone(), charts.absent.clone());
    let output = call.extra.output.output;
    let reporter = progress::reporter(output, call.quiet || call.extra.dry_run);
    let started = Instant::now();
    let mut report = load_listed(&bundle, &options, &engine.client, &engine.hash, &reporter).await?;
    drop(reporter);
    if !call.extra.dry_run {
        tell(&call, &mapping, &linux.all(), &windows.entries, &report)?;
    }
    report.failed.extend(linux.bad.into_iter().chain(windows.bad));
    let suffix = call.suffix()?;
    for failure in &mut report.failed {
        failure.asked = failure
            .asked
            .strip_suffix(&suffix)
            .unwrap_or(&failure.asked)
            .to_owned();
    }
    let ending = Ending {
        verb: "rancher-load-images",
        output,
        failed_list: call.failed_list(),
        elapsed: started.elapsed(),
    };
    Ok(ending.tell(&report))
}

/// The lines of the scripts.
fn tell(
    call: &Call,
    mapping: &Mapping,
    linux: &[Entry],
    windows: &[Entry],
    report: &Report,
) -> Result<(), Failure> {
    if call.words.dialect == Dialect::PowerShell {
        for entry in linux {
            call.tell(&format!("Tagging {}", ops::target(mapping, entry)?));
        }
        return Ok(());
    }
    for list in ops::lists(&call.words, mapping, linux, windows)? {
        if done(report, &list.entry.reference).is_some() {
            call.tell(&format!(
                "Preparing manifest {}, list[{}]",
                list.name,
                list.members.join(" ")
            ));
        }
    }
    Ok(())
}

//! The end of a run: the plan or the report as text or JSON, the list of failures, the exit code.

use std::path::{Path, PathBuf};
use std::time::Duration;

use landfall_transfer::{Failure, PlaceAction, Plan, PlannedPlace, Report, THERE};
use serde_json::json;

use crate::exit::Exit;
use crate::progress::Output;
use crate::{human, out};

/// How to end a run.
#[derive(Debug)]
pub(crate) struct Ending<'a> {
    pub(crate) verb: &'a str,
    pub(crate) output: Output,
    pub(crate) failed_list: PathBuf,
    pub(crate) elapsed: Duration,
}

impl Ending<'_> {
    /// Prints it and gives the exit code.
    pub(crate) fn tell(&self, report: &Report) -> Exit {
        let exit = Exit::of_report(report);
        let failed_list = self.write_failed(report);
        match (self.output, report.dry_run) {
            (Output::Json, true) => out::result(&format!("{:#}\n", json!(report.plan))),
            (Output::Json, false) => {
                let line = json!({
                    "event": "report", "verb": self.verb, "exit_code": exit as u8, "report": report,
                    "seconds": self.elapsed.as_secs_f64(),
                    "failed_list": failed_list.as_ref().map(|path| path.display().to_string()),
                });
                out::result(&format!("{line}\n"));
            }
            (Output::Text, true) => out::result(&plan_text(&report.plan, &report.failed)),
            (Output::Text, false) => out::result(&self.text(report, failed_list.as_deref())),
        }
        exit
    }

    fn text(&self, report: &Report, failed_list: Option<&Path>) -> String {
        let mut text = String::new();
        let there = report
            .done
            .iter()
            .filter(|success| success.remark.as_deref() == Some(THERE))
            .count();
        if there > 0 {
            text += &format!("note: {} there already\n", human::count(there, "image"));
        }
        for success in &report.done {
            if let Some(remark) = success.remark.as_deref().filter(|remark| *remark != THERE) {
                text += &format!("note: {}: {remark}\n", success.target);
            }
        }
        for failure in &report.failed {
            text += &format!("FAILED  {}\n        {}\n", failure.asked, failure.reason);
        }
        let total = report.done.len() + report.failed.len() + report.partial;
        let moved = format!(
            "{} of {} moved in {}",
            human::bytes(report.bytes_moved),
            human::bytes(report.plan.bytes),
            human::duration(self.elapsed)
        );
        let mounted = match report.blobs_mounted {
            0 => String::new(),
            mounted => format!(", {} mounted", human::count(mounted, "blob")),
        };
        text += &format!(
            "{}: {} of {} complete; {moved}{mounted}\n",
            self.verb,
            report.done.len(),
            human::count(total, "image")
        );
        if report.partial > 0 {
            let kept = human::count(report.partial, "image");
            text += &format!(
                "{kept} fetched and kept beside the output: the same command continues, --allow-missing goes without the failed ones\n"
            );
        }
        if let Some(path) = failed_list {
            text += &format!(
                "the failed images are in {}, a list for the next run: -l {}\n",
                path.display(),
                path.display()
            );
        }
        text
    }

    /// Failed images as a list that `-l` reads, each under the reason. A list of an earlier run that no longer holds
    /// is removed, so that nobody feeds it back.
    fn write_failed(&self, report: &Report) -> Option<PathBuf> {
        if report.dry_run {
            return None;
        }
        if report.failed.is_empty() {
            let ours =
                std::fs::read_to_string(&self.failed_list).is_ok_and(|text| text.starts_with(FAILED_HEADING));
            if ours {
                let _ = std::fs::remove_file(&self.failed_list);
            }
            return None;
        }
        let mut text = FAILED_HEADING.to_owned();
        for failure in &report.failed {
            text += &format!(
                "# {}\n{}\n",
                failure.reason.replace(['\n', '\r'], " "),
                failure.asked
            );
        }
        match std::fs::write(&self.failed_list, text) {
            Ok(()) => Some(self.failed_list.clone()),
            Err(error) => {
                out::progress(&format!(
                    "note: cannot write {}: {error}",
                    self.failed_list.display()
                ));
                None
            }
        }
    }
}

const FAILED_HEADING: &str = "# images that failed, written by landfall\n";

/// What becomes of something that the target lacks.
fn place_text(place: &PlannedPlace) -> String {
    let PlannedPlace { kind, name, .. } = place;
    let images = human::count(place.images, "image");
    match place.action {
        PlaceAction::Create => format!("CREATE      {kind} {name} (for {images})\n"),
        PlaceAction::CreateUnlessThere => format!(
            "CREATE      {kind} {name} (for {images}), unless it is there: the registry does not show it to this user\n"
        ),
        PlaceAction::Missing => format!("MISSING     {kind} {name} ({images} would fail)\n"),
    }
}

/// The plan as a table and its sums.
/// Also what of it `failed` in the planning, or would.
pub(crate) fn plan_text(plan: &Plan, failed: &[Failure]) -> String {
    let rows: Vec<_> = plan
        .images
        .iter()
        .map(|image| {
            let platforms = match image.platforms.as_slice() {
                [] => "-".to_owned(),
                platforms => platforms.join(" "),
            };
            vec![
                image.reference.familiar(),
                image.digest.short(),
                human::bytes(image.bytes),
                image.to.clone(),
                platforms,
            ]
        })
        .collect();
    let mut text = match rows.is_empty() {
        true => String::new(),
        false => human::table(&["IMAGE", "DIGEST", "SIZE>", "TO", "PLATFORMS"], &rows),
    };
    for image in &plan.images {
        if let Some(remark) = &image.remark {
            text += &format!("note: {}: {remark}\n", image.reference.familiar());
        }
    }
    for failure in &plan.unresolved {
        text += &format!("UNRESOLVED  {}\n            {}\n", failure.asked, failure.reason);
    }
    // What does not resolve is in both; the rest would fail at the target.
    for failure in failed.iter().filter(|failure| !plan.unresolved.contains(failure)) {
        text += &format!("WOULD FAIL  {}\n            {}\n", failure.asked, failure.reason);
    }
    for place in &plan.places {
        text += &place_text(place);
    }
    let rows = [
        ("images", plan.images.len().to_string()),
        ("unresolved", plan.unresolved.len().to_string()),
        ("unique blobs", plan.blobs.to_string()),
        ("bytes", human::bytes(plan.bytes)),
        ("there already", human::bytes(plan.bytes_there)),
        ("to move", human::bytes(plan.bytes_to_move)),
    ];
    text += "\n";
    for (name, value) in rows {
        text += &format!("{name:<14}{value:>12}\n");
    }
    if let (Some(needed), Some(free)) = (plan.disk_needed, plan.disk_free) {
        text += &format!(
            "{:<14}{:>12} of {} free\n",
            "disk needed",
            human::bytes(needed),
            human::bytes(free)
        );
    }
    if plan.bytes_by_platform.len() > 1 {
        for (platform, bytes) in &plan.bytes_by_platform {
            text += &format!(
                "{:<14}{:>12} for --platform {platform} alone\n",
                "",
                human::bytes(*bytes)
            );
        }
    }
    text
}

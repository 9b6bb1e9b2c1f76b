//! `verify`: every digest of a bundle, and that every image is whole.

use std::time::Instant;

use landfall_bundle::{Finding, Problem, Report, VerifyEvent, verify};
use serde_json::json;

use super::Context;
use crate::args::Verify;
use crate::connect::hash_service;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::{archives, human, out};

pub(crate) async fn run(args: Verify, context: Context) -> Result<Exit, Failure> {
    let started = Instant::now();
    let quiet = context.quiet || args.output.output == Output::Json;
    let bundle = archives::open(&args.bundle, &args.spool, quiet).await?;
    let bar = bar(quiet);
    let report = verify(&bundle, &hash_service(), |event| match event {
        VerifyEvent::Started { bytes, .. } => bar.set_length(bytes),
        VerifyEvent::Hashed { bytes } => bar.inc(bytes),
        VerifyEvent::Checked { .. } => {}
    })
    .await?;
    bar.finish_and_clear();
    match args.output.output {
        Output::Json => out::result(&format!("{:#}\n", document(&report))),
        Output::Text => {
            for finding in &report.findings {
                out::result(&format!("WRONG  {}: {}\n", finding.digest, describe(finding)));
                out::result(&format!("       needed by: {}\n", finding.images.join(", ")));
            }
            for refused in &report.refused {
                out::result(&format!("WRONG  {}: {}\n", refused.name, refused.reason));
            }
            let figures = (human::count(report.blobs, "blob"), human::bytes(report.bytes));
            let verdict = match report.findings.len() + report.refused.len() {
                0 => "all right".to_owned(),
                wrong => format!("{wrong} wrong: carry the bundle across again"),
            };
            out::result(&format!(
                "{}, {} checked in {}: {verdict}\n",
                figures.0,
                figures.1,
                human::duration(started.elapsed())
            ));
        }
    }
    Ok(if report.is_right() {
        Exit::Complete
    } else {
        Exit::Damaged
    })
}

fn bar(quiet: bool) -> indicatif::ProgressBar {
    match quiet {
        true => indicatif::ProgressBar::hidden(),
        false => indicatif::ProgressBar::new(0).with_style(
            indicatif::ProgressStyle::with_template("verifying [{bar:32}] {decimal_bytes} of {decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left")
                .unwrap_or_else(|_| indicatif::ProgressStyle::default_bar()),
        ),
    }
}

fn describe(finding: &Finding) -> String {
    match &finding.problem {
        Problem::WrongDigest { found } => format!("its bytes have the digest {found}"),
        Problem::WrongSize { declared, actual } => format!("it has {actual} bytes instead of {declared}"),
        Problem::Missing {
            needed_by: Some(manifest),
        } => format!("it is not there, and {manifest} needs it"),
        Problem::Missing { needed_by: None } => "it is not there".to_owned(),
        Problem::NotAManifest { reason } => format!("it is no manifest: {reason}"),
        Problem::Unreadable { reason } => format!("it cannot be read: {reason}"),
    }
}

fn document(report: &Report) -> serde_json::Value {
    let findings = report.findings.iter().map(
        |finding| json!({"digest": finding.digest, "problem": describe(finding), "images": finding.images}),
    );
    let refused = report
        .refused
        .iter()
        .map(|refused| json!({"image": refused.name, "problem": refused.reason}));
    json!({
        "refused": refused.collect::<Vec<_>>(),
        "right": report.is_right(), "blobs": report.blobs, "bytes": report.bytes,
        "left_out": report.omitted, "foreign": report.foreign, "unneeded": report.unneeded,
        "findings": findings.collect::<Vec<_>>(),
    })
}

//! Findings for people, for `grep`, for programs, and for code review.

use std::io::IsTerminal as _;

use landfall_diag::render::{self, Style, Tool};
use landfall_diag::{Severity, hidden};
use landfall_registries::lint;
use serde_json::{Value, json};

use super::Examined;
use crate::args::{Check, CheckOutput};
use crate::{human, out};

const TOOL: Tool<'static> = Tool {
    name: "landfall",
    version: env!("CARGO_PKG_VERSION"),
    uri: None,
};

/// `is_filter`: standard output is for the mended text.
pub(super) fn all(all: &[Examined], args: &Check, is_filter: bool) {
    match args.output {
        CheckOutput::Json => out::result(&format!("{:#}\n", document(all, args))),
        CheckOutput::Sarif => out::result(&format!("{:#}\n", sarif(all))),
        CheckOutput::Text | CheckOutput::Short => {
            for examined in all {
                text(examined, args, is_filter);
            }
        }
    }
}

fn text(examined: &Examined, args: &Check, is_filter: bool) {
    let style = Style {
        colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() && !is_filter,
        ..Style::default()
    };
    let drawn = match args.output {
        CheckOutput::Short => render::render_short(&examined.sources, &examined.findings),
        _ => render::render_text(&examined.sources, &examined.findings, style),
    };
    match &examined.mended {
        Some(mended) if is_filter => {
            out::progress(drawn.trim_end());
            out::result(&mended.text);
        }
        Some(mended) if args.dry_run => out::result(&format!("{}{drawn}", mended.diff)),
        _ => out::result(&drawn),
    }
    out::progress(&summary(examined, args));
}

/// `registries.yaml: 2 errors, 1 warning; 1 can be mended with --fix`
fn summary(examined: &Examined, args: &Check) -> String {
    let nouns = [
        (Severity::Error, "error"),
        (Severity::Warning, "warning"),
        (Severity::Note, "note"),
    ];
    let counts: Vec<String> = nouns
        .iter()
        .map(|(severity, noun)| (examined.count(*severity), noun))
        .filter(|(number, _)| *number > 0)
        .map(|(number, noun)| human::count(number, noun))
        .collect();
    let found = match counts.is_empty() {
        true => "nothing wrong".to_owned(),
        false => counts.join(", "),
    };
    let fixes = fixable(examined);
    let more = match &examined.mended {
        Some(mended) if args.dry_run => format!("; {} would be mended", mended.applied),
        Some(mended) => format!("; {} mended", mended.applied),
        None if fixes > 0 => format!("; {fixes} can be mended with --fix"),
        None => String::new(),
    };
    format!("{}: {found}{more}", hidden::visible(&examined.name))
}

fn fixable(examined: &Examined) -> usize {
    examined
        .findings
        .iter()
        .filter(|found| found.fix.is_some())
        .count()
}

fn document(all: &[Examined], args: &Check) -> Value {
    let total = |severity| all.iter().map(|examined| examined.count(severity)).sum::<usize>();
    json!({
        "errors": total(Severity::Error),
        "warnings": total(Severity::Warning),
        "notes": total(Severity::Note),
        "files": all.iter().map(|examined| json!({
            "file": examined.name,
            "errors": examined.count(Severity::Error),
            "warnings": examined.count(Severity::Warning),
            "notes": examined.count(Severity::Note),
            "fixable": fixable(examined),
            "mended": examined.mended.as_ref().map(|mended| mended.applied),
            "diff": examined.mended.as_ref().filter(|_| args.dry_run).map(|mended| &mended.diff),
            "findings": render::json_objects(&examined.sources, &examined.findings).into_iter()
                .map(|found| with_file(found, &examined.name))
                .collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}

/// What is about a file as a whole is in that file, too.
fn with_file(mut found: Value, name: &str) -> Value {
    if found["file"].is_null() {
        found["file"] = json!(name);
    }
    found
}

/// One run over all files.
fn sarif(all: &[Examined]) -> Value {
    let mut log = of_one(all.first());
    for examined in all.iter().skip(1) {
        let mut other = of_one(Some(examined));
        let more = other["runs"][0]["results"].take();
        if let (Some(results), Value::Array(more)) = (log["runs"][0]["results"].as_array_mut(), more) {
            results.extend(more);
        }
    }
    log
}

fn of_one(examined: Option<&Examined>) -> Value {
    let Some(examined) = examined else {
        let text = render::render_sarif(&landfall_diag::Sources::default(), &[], TOOL, lint::RULES);
        return serde_json::from_str(&text).unwrap_or_default();
    };
    let text = render::render_sarif(&examined.sources, &examined.findings, TOOL, lint::RULES);
    let mut log: Value = serde_json::from_str(&text).unwrap_or_default();
    for result in log["runs"][0]["results"].as_array_mut().into_iter().flatten() {
        if result["locations"].as_array().is_none_or(Vec::is_empty) {
            let file = json!({"physicalLocation": {"artifactLocation": {"uri": uri(&examined.name)}}});
            result["locations"] = json!([file]);
        }
    }
    log
}

/// A name as a reference.
fn uri(name: &str) -> String {
    name.replace('%', "%25")
        .replace(' ', "%20")
        .replace('<', "%3C")
        .replace('>', "%3E")
}

//! What is wrong with rules, whatever names they are tried on: the checks of registries.yaml that are about rewrites.

use landfall_diag::{Diagnostic, Severity};
use landfall_registries::go::regex::{BadResult, Overlap, witness};
use landfall_registries::k3s::{Options, Program};
use landfall_registries::lint::{self, Input, OnNode};

use super::rules::{Entry, Rule, Rules, Text};

/// The checks that are about rewrites.
const CODES: [&str; 8] = ["L19", "L20", "L21", "L22", "L23", "L24", "L25", "L26"];

/// All findings, text by text, in the order of their places.
pub(super) fn all(rules: &Rules) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for text in &rules.texts {
        found.extend(of_text(text));
    }
    for rule in rules.entries.iter().flat_map(|Entry { rules, .. }| rules) {
        found.extend(never(rule));
        found.extend(too_new(rule));
    }
    found.sort_by_key(|one| {
        let place = one.primary.as_ref().map(|label| label.span);
        place.map(|span| (span.source, span.start))
    });
    found
}

fn of_text(text: &Text) -> Vec<Diagnostic> {
    let found = lint::check(&Input {
        source: text.source,
        text: &text.text,
        reading: &text.reading,
        options: &Options::new(Program::K3s),
        node: &OnNode::unknown(),
    });
    let about_rules = found.into_iter().filter(|one| CODES.contains(&one.code));
    match text.is_typed {
        true => about_rules.map(advised).collect(),
        false => about_rules.collect(),
    }
}

/// What was typed is not changed: the change is told.
fn advised(mut found: Diagnostic) -> Diagnostic {
    if let Some(fix) = found.fix.take() {
        let new: Vec<String> = fix.edits.iter().map(|edit| bare(&edit.text)).collect();
        found.help = Some(match new.iter().all(|text| fix.title.contains(text)) {
            true => fix.title,
            false => format!("{}: {}", fix.title, new.join(", ")),
        });
    }
    found
}

/// Without the quotes that a file needs.
fn bare(text: &str) -> String {
    serde_json::from_str(text).unwrap_or_else(|_| text.to_owned())
}

fn never(rule: &Rule) -> Option<Diagnostic> {
    let regex = rule.regex.as_ref().ok()?;
    (witness(regex) == Overlap::Disjoint).then(|| {
        let message = "no repository can match this pattern";
        Diagnostic::at("L24", Severity::Warning, rule.pattern.span, message)
            .consequence("the rule never does anything")
            .help("rules see the repository alone: no registry, no tag, no digest, and small letters only")
    })
}

fn too_new(rule: &Rule) -> Option<Diagnostic> {
    let minor = rule.regex.as_ref().ok()?.needs_go()?;
    let message = "older releases refuse this pattern";
    let found = Diagnostic::at("L19", Severity::Warning, rule.pattern.span, message);
    Some(found.consequence(format!(
        "programs that were built with a Go before 1.{minor} go on without the rule"
    )))
}

/// What is wrong with a result.
pub(super) fn bad(what: BadResult) -> &'static str {
    match what {
        BadResult::Empty => "nothing is left of the name",
        BadResult::LeadingSlash => "begins with a slash: the token is asked for another repository",
        BadResult::UpperCase => "has capitals, which no registry has",
        _ => "is no repository",
    }
}

//! The rules, what is wrong with them, and what becomes of the names: for people and for programs.

use std::fmt::Write as _;

use landfall_diag::render;
use serde_json::{Value, json};

use super::Tried;
use super::findings::bad;
use super::names::Named;
use super::rules::{Entry, Rule};
use crate::human;

/// Collisions that are told.
const COLLISIONS: usize = 10;

pub(super) fn text(tried: &Tried) -> String {
    let mut out = String::new();
    for entry in &tried.rules.entries {
        rules(tried, entry, &mut out);
    }
    if tried.rules.entries.is_empty() {
        out.push_str("No mirror has rules: names stay as they are.\n");
    }
    if !tried.findings.is_empty() {
        out.push('\n');
        out.push_str(&render::render_text(
            &tried.rules.sources,
            &tried.findings,
            render::Style::default(),
        ));
    }
    if !tried.names.all.is_empty() {
        out.push('\n');
        names(tried, &mut out);
    }
    out
}

fn line(out: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{words}");
}

fn rules(tried: &Tried, entry: &Entry, out: &mut String) {
    match &entry.key {
        Some(key) => {
            let place = tried.rules.sources.shown(entry.at);
            line(
                out,
                format_args!("Rules of the mirror `{key}` ({place}), in no order:"),
            );
        }
        None => line(out, format_args!("Rules, in no order:")),
    }
    for (index, rule) in entry.rules.iter().enumerate() {
        let (pattern, replacement) = (&rule.pattern.value, &rule.replacement);
        let refused = match &rule.regex {
            Err(error) if error.by_go => "   (refused by Go)",
            Err(_) => "   (not tried)",
            Ok(_) => "",
        };
        line(
            out,
            format_args!("  {}. `{pattern}` -> `{replacement}`{refused}", index + 1),
        );
    }
}

fn names(tried: &Tried, out: &mut String) {
    let all = &tried.names.all;
    let changed: Vec<&Named> = all.iter().filter(|named| !named.results.is_empty()).collect();
    let rows: Vec<Vec<String>> = changed.iter().flat_map(|named| rows(tried, named)).collect();
    if !rows.is_empty() {
        out.push_str(&human::table(
            &["NAME", "RULE", "REPOSITORY ASKED FOR", ""],
            &rows,
        ));
        out.push('\n');
    }
    let by_chance = all.iter().filter(|named| named.is_by_chance()).count();
    let none = all.iter().filter(|named| named.entry.is_none()).count();
    let same = all.len() - changed.len();
    let mut words = format!(
        "{}: {} rewritten, {same} as they are",
        human::count(all.len(), "name"),
        changed.len()
    );
    if none > 0 {
        let _ = write!(words, " ({none} of them have no rules)");
    }
    if by_chance > 0 {
        let _ = write!(words, "; {by_chance} by chance");
    }
    line(out, format_args!("{words}."));
    for (to, from) in tried.names.collisions.iter().take(COLLISIONS) {
        line(
            out,
            format_args!("warning: {} all become `{to}`", from.join(", ")),
        );
    }
    let more = tried.names.collisions.len().saturating_sub(COLLISIONS);
    if more > 0 {
        line(
            out,
            format_args!("warning: {more} more repositories are what several become"),
        );
    }
}

/// One row per rule that changes the name.
fn rows(tried: &Tried, named: &Named) -> Vec<Vec<String>> {
    let key = named
        .entry
        .and_then(|entry| tried.rules.entries[entry].key.as_deref());
    let chance = named.is_by_chance();
    let row = |(index, result): (usize, &super::names::Result)| {
        let number = result.rule + 1;
        let mut notes: Vec<String> = Vec::new();
        if chance && index == 0 {
            notes.push("the node chooses by chance".to_owned());
        }
        notes.extend(result.bad.map(|what| format!("error: {}", bad(what))));
        vec![
            if index == 0 {
                named.text.clone()
            } else {
                String::new()
            },
            key.map_or_else(|| number.to_string(), |key| format!("{key} {number}")),
            result.text.clone(),
            notes.join("; "),
        ]
    };
    named.results.iter().enumerate().map(row).collect()
}

pub(super) fn json(tried: &Tried) -> Value {
    json!({
        "sound": tried.is_sound(),
        "entries": tried.rules.entries.iter().map(|entry| json!({
            "mirror": entry.key,
            "rules": entry.rules.iter().map(|rule| rule_object(tried, rule)).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "findings": render::json_objects(&tried.rules.sources, &tried.findings),
        "names": tried.names.all.iter().map(name_object).collect::<Vec<_>>(),
        "collisions": tried.names.collisions.iter()
            .map(|(to, from)| json!({"repository": to, "of": from}))
            .collect::<Vec<_>>(),
    })
}

fn rule_object(tried: &Tried, rule: &Rule) -> Value {
    json!({
        "pattern": rule.pattern.value,
        "replacement": rule.replacement,
        "place": tried.rules.sources.shown(rule.pattern.span),
        "error": rule.regex.as_ref().err().map(|error| json!({
            "message": error.message, "advice": error.advice, "by_go": error.by_go,
            "bytes": {"start": error.span.start, "end": error.span.end},
        })),
    })
}

fn name_object(named: &Named) -> Value {
    json!({
        "name": named.text,
        "registry": named.registry,
        "repository": named.repository,
        "entry": named.entry,
        "by_chance": named.is_by_chance(),
        "results": named.results.iter().map(|result| json!({
            "rule": result.rule,
            "repository": result.text,
            "error": result.bad.map(bad),
        })).collect::<Vec<_>>(),
    })
}

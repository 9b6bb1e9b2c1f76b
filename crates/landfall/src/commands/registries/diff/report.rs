//! The changes, for people and for programs.

use std::fmt::Write as _;

use landfall_diag::Span;
use landfall_registries::containerd::LogLine;
use landfall_registries::diff::{Change, Detail, Kind};
use serde_json::{Value, json};

use super::super::configuration::Configured;
use super::group::{By, Group};
use super::{Changed, Compared};
use crate::human;

/// Images of a group that are named.
const EXAMPLES: usize = 3;

pub(super) fn text(compared: &Compared) -> String {
    let mut out = String::new();
    if !compared.facts.is_empty() {
        out.push_str("What the releases do differently:\n");
        for Changed { fact, gained } in &compared.facts {
            let sign = if *gained { "now" } else { "no longer" };
            line(
                &mut out,
                format_args!("  {sign}: {} ({})", fact.what, fact.source),
            );
        }
        out.push('\n');
    }
    let groups = &compared.groups;
    let (of, differing) = (human::count(groups.of, "image"), groups.differing());
    let (old, new) = &compared.names;
    if differing == 0 {
        line(
            &mut out,
            format_args!("{of}: nothing changes from {old} to {new}."),
        );
        return out;
    }
    line(
        &mut out,
        format_args!(
            "From {old} to {new}: {differing} of {of} would be pulled differently, {} as before.",
            groups.of - differing
        ),
    );
    for group in &groups.all {
        out.push('\n');
        told(compared, group, &mut out);
    }
    out
}

fn told(compared: &Compared, group: &Group, out: &mut String) {
    let named: Vec<String> = group
        .images
        .iter()
        .take(EXAMPLES)
        .map(ToString::to_string)
        .collect();
    let rest = group.images.len().saturating_sub(EXAMPLES);
    let more = if rest == 0 {
        String::new()
    } else {
        format!(" and {rest} more")
    };
    let by = match group.by {
        By::Containerd => "",
        By::Wharfie => ", by wharfie",
    };
    let count = human::count(group.images.len(), "image");
    line(out, format_args!("{count}{by}: {}{more}", named.join(", ")));
    let repositories = &group.difference.repositories;
    for (change, repositories) in group.difference.changes.iter().zip(repositories) {
        let at = places(compared, change.old_at, change.new_at);
        line(out, format_args!("  {}{at}", heading(change)));
        for detail in &change.details {
            let at = places(compared, detail.old_at, detail.new_at);
            line(out, format_args!("      {}{at}", words(detail)));
            if let ("repository", Some((old, new))) = (detail.what, repositories) {
                line(out, format_args!("        {old} -> {new}"));
            }
        }
    }
    for LogLine { text, span } in &group.logged {
        let at = places(compared, None, *span);
        line(out, format_args!("  ! the node logs: {text}{at}"));
    }
}

fn line(out: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{words}");
}

fn heading(change: &Change) -> String {
    let subject = &change.subject;
    match change.kind {
        Kind::Added { to } => format!("+ {subject} is asked {}", nth(to)),
        Kind::Removed { from } => format!("- {subject} is not asked any more (was {})", nth(from)),
        Kind::Moved { from, to } => format!("~ {subject} is asked {} (was {})", nth(to), nth(from)),
        Kind::Changed { to } => format!("~ {subject} ({})", nth(to)),
        Kind::Skipped => format!("~ {subject}"),
        Kind::Failed => "~ the pull as a whole".to_owned(),
    }
}

fn nth(position: usize) -> String {
    let ending = match (position % 10, position % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{position}{ending}")
}

fn words(detail: &Detail) -> String {
    let what = match detail.what {
        "url" => "URL",
        "namespace" => "registry's name",
        "tls" => "TLS",
        "fallback" => "fallback",
        "error" => "no request",
        "scope" => "token",
        "skipped" => "passed over",
        other => other,
    };
    match (&detail.old, &detail.new) {
        (None, Some(new)) => format!("{what}: {new}"),
        (Some(old), None) => format!("{what}: no longer {old}"),
        (Some(old), Some(new)) => format!("{what}: {old} -> {new}"),
        (None, None) => what.to_owned(),
    }
}

/// `  [old.yaml:4:9 -> new.yaml:5:9]`
fn places(compared: &Compared, old: Option<Span>, new: Option<Span>) -> String {
    let old = old.and_then(|span| compared.old.shown(span));
    let new = new.and_then(|span| compared.new.shown(span));
    match (old, new) {
        (None, None) => String::new(),
        (Some(one), None) | (None, Some(one)) => format!("  [{one}]"),
        (Some(old), Some(new)) if old == new => format!("  [{old}]"),
        (Some(old), Some(new)) => format!("  [{old} -> {new}]"),
    }
}

pub(super) fn json(compared: &Compared) -> Value {
    let groups = &compared.groups;
    let differing = groups.differing();
    let fact = |changed: &Changed| {
        json!({
            "what": changed.fact.what, "source": changed.fact.source,
            "old": !changed.gained, "new": changed.gained,
        })
    };
    json!({
        "old": compared.names.0,
        "new": compared.names.1,
        "images": groups.of,
        "different": differing,
        "same": groups.of - differing,
        "facts": compared.facts.iter().map(fact).collect::<Vec<_>>(),
        "groups": groups.all.iter().map(|group| object(compared, group)).collect::<Vec<_>>(),
    })
}

fn object(compared: &Compared, group: &Group) -> Value {
    let repositories = &group.difference.repositories;
    let changes = group.difference.changes.iter().zip(repositories);
    let logged = |line: &LogLine| json!({"text": line.text, "place": shown(&compared.new, line.span)});
    json!({
        "by": match group.by { By::Containerd => "containerd", By::Wharfie => "wharfie" },
        "images": group.images.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "changes": changes.map(|(change, repositories)| {
            let (kind, from, to) = match change.kind {
                Kind::Added { to } => ("added", None, Some(to)),
                Kind::Removed { from } => ("removed", Some(from), None),
                Kind::Moved { from, to } => ("moved", Some(from), Some(to)),
                Kind::Changed { to } => ("changed", None, Some(to)),
                Kind::Skipped => ("skipped", None, None),
                Kind::Failed => ("failed", None, None),
            };
            json!({
                "kind": kind, "from": from, "to": to, "endpoint": change.subject,
                "old_place": shown(&compared.old, change.old_at),
                "new_place": shown(&compared.new, change.new_at),
                "repositories": repositories.as_ref().map(|(old, new)| json!({"old": old, "new": new})),
                "details": change.details.iter().map(|detail| json!({
                    "what": detail.what, "old": detail.old, "new": detail.new,
                    "old_place": shown(&compared.old, detail.old_at),
                    "new_place": shown(&compared.new, detail.new_at),
                })).collect::<Vec<_>>(),
            })
        }).collect::<Vec<_>>(),
        "logged": group.logged.iter().map(logged).collect::<Vec<_>>(),
    })
}

fn shown(side: &Configured, span: Option<Span>) -> Option<String> {
    span.and_then(|span| side.shown(span))
}

//! SARIF 2.1.0, the format that code hosts and editors read findings from.

use serde_json::{Value, json};

use super::in_text;
use crate::{Diagnostic, Fix, Severity, Sources, Span};

/// Who found it.
#[derive(Clone, Copy, Debug)]
pub struct Tool<'a> {
    /// The program's name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Where it is described.
    pub uri: Option<&'a str>,
}

/// What a rule is about, whether or not it was broken.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// Its stable name: `L01`.
    pub id: &'a str,
    /// A name that says what it is about: `unescaped-rewrite`.
    pub name: &'a str,
    /// In one sentence.
    pub summary: &'a str,
    /// All that there is to say; may be empty.
    pub explanation: &'a str,
    /// How bad it is as a rule.
    pub severity: Severity,
}

/// One log of one run. `rules`: all that were looked at.
#[must_use]
pub fn render_sarif(
    sources: &Sources,
    diagnostics: &[Diagnostic],
    tool: Tool<'_>,
    rules: &[Rule<'_>],
) -> String {
    let results: Vec<_> = diagnostics
        .iter()
        .map(|diagnostic| result(sources, diagnostic, rules))
        .collect();
    let mut driver = json!({
        "name": tool.name,
        "version": tool.version,
        "rules": rules.iter().map(rule).collect::<Vec<_>>(),
    });
    set(&mut driver, "informationUri", tool.uri.map(Value::from));
    let log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

/// The format has no null: what is not there is left out.
fn set(object: &mut Value, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        object[key] = value;
    }
}

fn rule(rule: &Rule<'_>) -> Value {
    let mut object = json!({
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "defaultConfiguration": {"level": rule.severity.word()},
    });
    let explanation = Some(rule.explanation).filter(|text| !text.is_empty());
    set(
        &mut object,
        "fullDescription",
        explanation.map(|text| json!({"text": text})),
    );
    object
}

fn result(sources: &Sources, diagnostic: &Diagnostic, rules: &[Rule<'_>]) -> Value {
    let mut lines = vec![diagnostic.message.clone()];
    lines.extend(
        diagnostic
            .consequences
            .iter()
            .map(|text| format!("What happens: {text}")),
    );
    lines.extend(diagnostic.help.iter().map(|text| format!("Help: {text}")));
    let mut object = json!({
        "ruleId": diagnostic.code,
        "level": diagnostic.severity.word(),
        "message": {"text": lines.join("\n")},
        "locations": diagnostic.primary.iter()
            .filter_map(|label| location(sources, label.span, &label.text))
            .collect::<Vec<_>>(),
    });
    let index = rules.iter().position(|rule| rule.id == diagnostic.code);
    set(&mut object, "ruleIndex", index.map(Value::from));
    let related: Vec<_> = diagnostic
        .secondary
        .iter()
        .filter_map(|label| location(sources, label.span, &label.text))
        .enumerate()
        .map(|(id, mut place)| {
            place["id"] = json!(id);
            place
        })
        .collect();
    set(
        &mut object,
        "relatedLocations",
        Some(json!(related)).filter(|_| !related.is_empty()),
    );
    let fix = diagnostic.fix.as_ref().and_then(|fix| fix_object(sources, fix));
    set(&mut object, "fixes", fix.map(|fix| json!([fix])));
    object
}

fn location(sources: &Sources, span: Span, words: &str) -> Option<Value> {
    let mut object = json!({
        "physicalLocation": {"artifactLocation": artifact(sources, span)?, "region": region(sources, span)?},
    });
    set(
        &mut object,
        "message",
        Some(json!({"text": words})).filter(|_| !words.is_empty()),
    );
    Some(object)
}

fn artifact(sources: &Sources, span: Span) -> Option<Value> {
    Some(json!({"uri": uri(sources.get(span.source)?.name())}))
}

/// Only lines and columns: byte offsets need the encoding, which readers guess.
fn region(sources: &Sources, span: Span) -> Option<Value> {
    let (source, range) = in_text(sources, span)?;
    let (start, end) = (source.place(range.start), source.place(range.end));
    Some(json!({
        "startLine": start.line, "startColumn": start.column,
        "endLine": end.line, "endColumn": end.column,
    }))
}

fn fix_object(sources: &Sources, fix: &Fix) -> Option<Value> {
    let mut changes: Vec<Value> = Vec::new();
    for edit in &fix.edits {
        let artifact = artifact(sources, edit.span)?;
        let replacement = json!({
            "deletedRegion": region(sources, edit.span)?,
            "insertedContent": {"text": edit.text},
        });
        let known = changes
            .iter_mut()
            .find(|change| change["artifactLocation"] == artifact);
        match known.and_then(|change| change["replacements"].as_array_mut()) {
            Some(replacements) => replacements.push(replacement),
            None => changes.push(json!({"artifactLocation": artifact, "replacements": [replacement]})),
        }
    }
    // The format wants at least one change.
    let object = json!({"description": {"text": fix.title}, "artifactChanges": changes});
    Some(object).filter(|_| !fix.edits.is_empty())
}

/// A path as a reference: `<stdin>` and blanks are not allowed in one.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    let path = path.replace('\\', "/");
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

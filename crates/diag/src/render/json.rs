//! For programs: one object per diagnostic.

use serde_json::{Value, json};

use super::in_text;
use crate::{Diagnostic, Label, Sources, Span};

/// One object per line. Lines and columns are counted from 1, columns in characters; bytes from 0; ends are
/// behind the last one.
#[must_use]
pub fn render_json(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for object in json_objects(sources, diagnostics) {
        out.push_str(&object.to_string());
        out.push('\n');
    }
    out
}

/// The objects of [`render_json`].
#[must_use]
pub fn json_objects(sources: &Sources, diagnostics: &[Diagnostic]) -> Vec<Value> {
    diagnostics
        .iter()
        .map(|diagnostic| object(sources, diagnostic))
        .collect()
}

fn object(sources: &Sources, diagnostic: &Diagnostic) -> Value {
    let mut object = json!({
        "code": diagnostic.code,
        "severity": diagnostic.severity.word(),
        "message": diagnostic.message,
        "file": null, "line": null, "column": null, "end_line": null, "end_column": null, "bytes": null,
        "label": diagnostic.primary.as_ref().map(|label| &label.text).filter(|text| !text.is_empty()),
        "labels": diagnostic.secondary.iter().map(|label| labelled(sources, label)).collect::<Vec<_>>(),
        "consequences": diagnostic.consequences,
        "help": diagnostic.help,
        "fix": diagnostic.fix.as_ref().map(|fix| json!({
            "title": fix.title,
            "edits": fix.edits.iter().map(|edit| {
                let mut object = place(sources, edit.span);
                object["text"] = json!(edit.text);
                object
            }).collect::<Vec<_>>(),
        })),
    });
    if let (Some(label), Value::Object(all)) = (&diagnostic.primary, &mut object)
        && let Value::Object(place) = place(sources, label.span)
    {
        all.extend(place);
    }
    object
}

fn labelled(sources: &Sources, label: &Label) -> Value {
    let mut object = place(sources, label.span);
    object["text"] = json!(label.text);
    object
}

fn place(sources: &Sources, span: Span) -> Value {
    let Some((source, range)) = in_text(sources, span) else {
        return json!({"file": null});
    };
    let (start, end) = (source.place(range.start), source.place(range.end));
    json!({
        "file": source.name(),
        "line": start.line, "column": start.column, "end_line": end.line, "end_column": end.column,
        "bytes": {"start": range.start, "end": range.end},
    })
}

//! Changes to a text that keep how it was written.

use landfall_diag::{Edit, Span};

/// Another text in the place of a scalar, in the quotes that it had.
pub(super) fn scalar(text: &str, span: Span, value: &str) -> Edit {
    let before = text.get(span.range()).unwrap_or_default();
    let written = match before.chars().next() {
        Some('\'') if !value.contains(['\n', '\r']) => format!("'{}'", value.replace('\'', "''")),
        Some('"') => double(value),
        _ if is_plain(value) => value.to_owned(),
        _ => double(value),
    };
    Edit { span, text: written }
}

/// In double quotes, as YAML and JSON read it.
pub(super) fn double(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

/// Whether a text stands for itself without quotes, wherever it is put.
fn is_plain(value: &str) -> bool {
    value.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/')
        && !value.ends_with(':')
        && value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._/:-+".contains(c))
}

/// Nothing in its place.
pub(super) fn remove(span: Span) -> Edit {
    Edit {
        span,
        text: String::new(),
    }
}

/// Takes an item out of a list; never the only one. `None` where the text around it is not simple.
pub(super) fn remove_item(text: &str, items: &[Span], index: usize) -> Option<Edit> {
    let span = *items.get(index)?;
    let (start, end) = line(text, span);
    let (before, after) = (
        text.get(start..span.range().start)?,
        text.get(span.range().end..end)?,
    );
    let alone = after.trim().is_empty() || after.trim_start().starts_with('#');
    if before.trim() == "-" && alone && items.len() > 1 {
        return Some(remove(whole_lines(text, span, start, end)));
    }
    let previous = *items.get(index.checked_sub(1)?)?;
    let between = text.get(previous.range().end..span.range().start)?;
    (between.trim() == ",").then(|| remove(Span::new(span.source, previous.range().end..span.range().end)))
}

/// Takes a key and its value out of a block mapping, where they have their lines for themselves.
pub(super) fn remove_pair(text: &str, pair: Span) -> Option<Edit> {
    let (start, end) = line(text, pair);
    let (before, after) = (
        text.get(start..pair.range().start)?,
        text.get(pair.range().end..end)?,
    );
    (before.trim().is_empty() && after.trim().is_empty()).then(|| remove(whole_lines(text, pair, start, end)))
}

/// From the start of the first line to the end of the last.
fn line(text: &str, span: Span) -> (usize, usize) {
    let range = span.range();
    let start = text
        .get(..range.start)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |at| at + 1);
    let end = text
        .get(range.end..)
        .and_then(|after| after.find('\n'))
        .map_or(text.len(), |at| range.end + at);
    (start, end)
}

/// With one of the line ends around.
fn whole_lines(text: &str, span: Span, start: usize, end: usize) -> Span {
    match end < text.len() {
        true => Span::new(span.source, start..end + 1),
        false => Span::new(span.source, start.saturating_sub(1)..end),
    }
}

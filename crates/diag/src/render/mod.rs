//! Diagnostics as text for people, as one line each for `grep`, and as JSON and SARIF for programs.

mod excerpt;
mod json;
mod sarif;
mod text;

pub use json::{json_objects, render_json};
pub use sarif::{Rule, Tool, render_sarif};
pub use text::{Style, render_short, render_text};

use crate::{Severity, Sources, Span};

impl Severity {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A span that is surely in its text, on the borders of characters.
fn in_text(sources: &Sources, span: Span) -> Option<(&crate::Source, std::ops::Range<usize>)> {
    let source = sources.get(span.source)?;
    let text = source.text();
    let start = text.floor_char_boundary(span.range().start.min(text.len()));
    let end = text
        .ceil_char_boundary(span.range().end.min(text.len()))
        .max(start);
    Some((source, start..end))
}

//! The texts that messages speak of, and lines and columns in them.

use crate::{SourceId, Span};

/// A text and its name (a path as the user typed it, or `<stdin>`).
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

/// A place as people count it: both from 1, the column in characters. A byte order mark at the start of the text
/// does not count, as editors do not show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl Source {
    /// A text under its name.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let lines = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            name: name.into(),
            text,
            lines,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text itself.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line and column of a byte.
    #[must_use]
    pub fn place(&self, byte: usize) -> Place {
        let line = self.lines.partition_point(|&start| start <= byte).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        let end = self.text.floor_char_boundary(byte.min(self.text.len()));
        let before = self.text.get(start..end).unwrap_or_default();
        let before = if start == 0 {
            before.strip_prefix('\u{feff}').unwrap_or(before)
        } else {
            before
        };
        Place {
            line,
            column: before.chars().count() + 1,
        }
    }
}

/// All texts of one run.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    all: Vec<Source>,
}

impl Sources {
    /// Takes a text in.
    pub fn add(&mut self, source: Source) -> SourceId {
        let id = SourceId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(source);
        id
    }

    /// One of them. `None` for an id of other `Sources`.
    #[must_use]
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.all.get(id.0 as usize)
    }

    /// `name:line:column` of a span's first byte.
    #[must_use]
    pub fn shown(&self, span: Span) -> String {
        self.get(span.source).map_or_else(String::new, |source| {
            let place = source.place(span.start as usize);
            format!("{}:{}:{}", source.name(), place.line, place.column)
        })
    }
}

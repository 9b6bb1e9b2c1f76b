//! A piece of a source as it is drawn: hidden characters are replaced by marks, and places know where they went.

use std::ops::Range;

use crate::hidden::{ends_line, is_hidden, mark};

/// Whole lines of a text.
pub(super) struct Excerpt {
    pub(super) text: String,
    /// The number of the first line.
    pub(super) line: usize,
    /// The first byte in the source.
    start: usize,
    end: usize,
    /// Ends of replaced characters: in the source, and here.
    moved: Vec<(usize, usize)>,
}

impl Excerpt {
    /// The lines that a range touches.
    pub(super) fn new(text: &str, range: &Range<usize>) -> Self {
        let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
        // The last line is the one of the last byte, not the one behind its line end.
        let last = if range.end > range.start {
            range.end - 1
        } else {
            range.end
        };
        let last = text.floor_char_boundary(last);
        let end = text[last..].find('\n').map_or(text.len(), |at| last + at);
        let line = text[..start].matches('\n').count() + 1;
        let mut excerpt = Self {
            text: String::new(),
            line,
            start,
            end: end.max(range.end),
            moved: Vec::new(),
        };
        let end = excerpt.end;
        for (at, c) in text[start..end].char_indices().map(|(at, c)| (start + at, c)) {
            if c == '\t' {
                excerpt.text.push_str("→   ");
            } else if at == 0 && c == '\u{feff}' && !range.contains(&0) {
                // An ordinary mark at the start, which nobody speaks of.
            } else if ends_line(text, at, c) {
                // Drawn lines end in their own way.
            } else if is_hidden(c) {
                excerpt.text.push_str(&mark(c));
            } else {
                excerpt.text.push(c);
                continue;
            }
            excerpt.moved.push((at + c.len_utf8(), excerpt.text.len()));
        }
        excerpt
    }

    /// Where a byte of the source is here.
    pub(super) fn find(&self, byte: usize) -> usize {
        let byte = byte.clamp(self.start, self.end);
        let before = self.moved.partition_point(|(end, _)| *end <= byte);
        let (from, to) = before.checked_sub(1).map_or((self.start, 0), |at| self.moved[at]);
        (to + (byte - from)).min(self.text.len())
    }

    pub(super) fn range(&self, range: &Range<usize>) -> Range<usize> {
        self.find(range.start)..self.find(range.end)
    }
}

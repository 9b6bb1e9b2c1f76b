//! A rendered text that remembers which part of it came from where.

use std::ops::Range;

use landfall_diag::Span;

/// A file as K3s writes it, and where its parts come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// Ranges of bytes of the text, in order, and the places in registries.yaml that they were made of.
    pub origins: Vec<(Range<usize>, Span)>,
}

impl Rendered {
    /// The place in registries.yaml that a part of the text was made of: of the first origin that it touches.
    #[must_use]
    pub fn origin(&self, part: Range<usize>) -> Option<Span> {
        let first = self.origins.partition_point(|(range, _)| range.end <= part.start);
        let touched = self.origins.get(first..).unwrap_or_default();
        let touched = touched
            .iter()
            .take_while(|(range, _)| range.start < part.end.max(part.start + 1));
        touched
            .map(|(_, span)| *span)
            .reduce(|all, span| match all.source == span.source {
                true => all.to(span),
                false => all,
            })
    }

    /// What comes from no place.
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// What comes from one.
    pub(super) fn push_from(&mut self, text: &str, span: Span) {
        let start = self.text.len();
        self.text.push_str(text);
        self.origins.push((start..self.text.len(), span));
    }

    /// Without blank lines, but with one before each line that begins with `[`: `trimEmpty` of K3s.
    ///
    /// # Errors
    /// Go's error of a line that is too long.
    pub(super) fn squeezed(self) -> Result<Self, String> {
        const LONGEST: usize = 64 * 1024;
        let mut squeezed = Self::default();
        let mut origins = self.origins.into_iter().peekable();
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let end = start + line.len();
            if line.trim_end_matches('\n').len() >= LONGEST {
                return Err("bufio.Scanner: token too long".to_owned());
            }
            let body = line.strip_suffix('\n').unwrap_or(line);
            let body = body.strip_suffix('\r').unwrap_or(body);
            let shown = !body.trim().is_empty();
            if shown && body.starts_with('[') {
                squeezed.text.push('\n');
            }
            let moved = squeezed.text.len();
            while let Some((range, span)) = origins.peek().cloned().filter(|(range, _)| range.start < end) {
                let part = range.start.max(start)..range.end.min(start + body.len());
                if shown && part.start < part.end {
                    squeezed
                        .origins
                        .push((part.start - start + moved..part.end - start + moved, span));
                }
                if range.end > end {
                    break;
                }
                origins.next();
            }
            if shown {
                squeezed.text.push_str(body);
                squeezed.text.push('\n');
            }
            start = end;
        }
        Ok(squeezed)
    }
}

#[cfg(test)]
mod tests {
    use landfall_diag::SourceId;

    use super::*;

    fn span(at: usize) -> Span {
        Span::new(SourceId(0), at..at + 1)
    }

    #[test]
    fn squeezing_keeps_what_came_from_where() {
        let mut text = Rendered::default();
        text.push("\n \n[");
        text.push_from("a", span(1));
        text.push("]\n\n  b = \"");
        text.push_from("one\r\n\u{a0}\n[two", span(2));
        text.push("\"");
        let squeezed = text.squeezed().unwrap();
        assert_eq!(squeezed.text, "\n[a]\n  b = \"one\n\n[two\"\n");
        let shown: Vec<_> = squeezed
            .origins
            .iter()
            .map(|(range, span)| (&squeezed.text[range.clone()], *span))
            .collect();
        assert_eq!(shown, [("a", span(1)), ("one", span(2)), ("[two", span(2))]);
        assert_eq!(squeezed.origin(2..3), Some(span(1)));
        assert_eq!(squeezed.origin(3..4), None);
    }
}

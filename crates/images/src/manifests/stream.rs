//! A text of many documents, cut where one ends and the next begins, so that a broken one spoils no other and each is
//! read once.
//!
//! `---` or `...` at the start of a line ends a document wherever it stands, also within quotes. JSON values follow one
//! another with nothing between them.

use serde::de::IgnoredAny;

/// One document and the lines before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub(crate) text: &'a str,
    /// Lines of the whole text before it.
    pub(crate) line: u32,
}

/// Cuts a text into its documents. Pieces with nothing but comments are left out.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Vec::new();
    let mut lines = Lines::default();
    let rest = match text.trim_start().starts_with(['{', '[']) {
        true => json_values(text, &mut lines, &mut found),
        false => text,
    };
    yaml_documents(rest, lines.seen, &mut found);
    found
}

/// Counts line ends once, going forward.
#[derive(Default)]
struct Lines {
    seen: u32,
}

impl Lines {
    fn pass(&mut self, text: &str) {
        let ends = text.bytes().filter(|byte| *byte == b'\n').count();
        self.seen = self.seen.saturating_add(u32::try_from(ends).unwrap_or(u32::MAX));
    }
}

/// Takes as many JSON values as there are; gives what follows them.
fn json_values<'a>(text: &'a str, lines: &mut Lines, found: &mut Vec<Piece<'a>>) -> &'a str {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut start = 0;
    while let Some(Ok(_)) = values.next() {
        let end = values.byte_offset();
        let piece = &text[start..end];
        // A scalar at the top is no JSON file: `{a}: b` is YAML.
        if !piece.trim_start().starts_with(['{', '[']) {
            break;
        }
        found.push(Piece {
            text: piece,
            line: lines.seen,
        });
        lines.pass(piece);
        start = end;
    }
    let rest = &text[start..];
    // What follows on the same line belongs to it: this was YAML in brackets.
    let goes_on = rest.lines().next().is_some_and(|line| !line.trim().is_empty());
    if goes_on && let Some(last) = found.pop() {
        lines.seen = last.line;
        return &text[start - last.text.len()..];
    }
    rest
}

fn yaml_documents<'a>(text: &'a str, before: u32, found: &mut Vec<Piece<'a>>) {
    let (mut start, mut start_line) = (0, before);
    let (mut at, mut line) = (0, before);
    // Directives and comments before `---` belong to the document behind it.
    let mut has_content = false;
    for one in text.split_inclusive('\n') {
        let end = at + one.len();
        let marker = marker(one);
        if marker == Some("---") && has_content {
            push(found, &text[start..at], start_line);
            (start, start_line) = (at, line);
        }
        match marker {
            Some("---") => has_content = true,
            Some(_) => {
                push(found, &text[start..at], start_line);
                (start, start_line, has_content) = (end, line + 1, false);
            }
            None => has_content |= !is_prologue(one),
        }
        (at, line) = (end, line.saturating_add(1));
    }
    push(found, &text[start..], start_line);
}

fn push<'a>(found: &mut Vec<Piece<'a>>, text: &'a str, line: u32) {
    let is_empty = |one: &str| is_prologue(one) || one.trim_end() == "---";
    if !text.lines().all(is_empty) {
        found.push(Piece { text, line });
    }
}

fn marker(line: &str) -> Option<&str> {
    let marker = line.get(..3).filter(|marker| matches!(*marker, "---" | "..."))?;
    line[3..]
        .chars()
        .next()
        .is_none_or(char::is_whitespace)
        .then_some(marker)
}

/// Blank, a comment, a directive.
fn is_prologue(line: &str) -> bool {
    let text = line.trim();
    text.is_empty() || text.starts_with('#') || line.starts_with('%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(u32, &str)> {
        pieces(text)
            .into_iter()
            .map(|piece| (piece.line, piece.text))
            .collect()
    }

    #[test]
    fn documents_end_at_markers() {
        assert_eq!(cut("a: 1\n---\nb: 2\n"), [(0, "a: 1\n"), (1, "---\nb: 2\n")]);
        assert_eq!(
            cut("---\n---\na: 1\n--- # c\nb: 2"),
            [(1, "---\na: 1\n"), (3, "--- # c\nb: 2")]
        );
        assert_eq!(cut("a: 1\n...\n# x\nb: 2\n"), [(0, "a: 1\n"), (2, "# x\nb: 2\n")]);
        assert_eq!(cut("%YAML 1.1\n---\na: 1\n"), [(0, "%YAML 1.1\n---\na: 1\n")]);
        assert_eq!(cut("a: |\n  ---\n----\n"), [(0, "a: |\n  ---\n----\n")]);
        assert_eq!(
            cut("--- {a: 1}\n--- {b: 1}\n"),
            [(0, "--- {a: 1}\n"), (1, "--- {b: 1}\n")]
        );
        assert_eq!(cut("a: 1\r\n---\r\nb: 2\r\n").len(), 2);
        assert!(cut("\n# nothing\n---\n# more\n").is_empty());
    }

    #[test]
    fn json_values_follow_one_another() {
        assert_eq!(
            cut("{\"a\":1}\n{\"b\":2}\n"),
            [(0, "{\"a\":1}"), (0, "\n{\"b\":2}")]
        );
        assert_eq!(cut("{\"a\":1}{\"b\":2}").len(), 2);
        assert_eq!(
            cut("{\"a\":1}\n---\nb: 2\n"),
            [(0, "{\"a\":1}"), (0, "\n---\nb: 2\n")]
        );
        assert_eq!(cut("{a: 1, b: 2}\n"), [(0, "{a: 1, b: 2}\n")]);
        assert_eq!(cut("[1]: b\nc: d\n"), [(0, "[1]: b\nc: d\n")]);
    }
}

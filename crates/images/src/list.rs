//! The list reader: one image per line, as release assets have it and as people really keep it.
//!
//! Real lists carry Windows line ends, blanks, comments, log lines that `rke config -s` prints on its standard
//! output, the same image twice, and no newline at the end (where the scripts lose the last image). All of that is
//! read, and each oddity becomes a [`Note`] with its line, so that nothing is repaired in silence.

use std::collections::HashMap;
use std::fmt;

use landfall_oci::{Reference, ReferenceError};
use serde::Serialize;

/// One image of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The parsed name, `:latest` written out where it was implied.
    pub reference: Reference,
    /// The name as it stands in the list.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
}

/// What is odd about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// Not an image reference: the entry cannot be used. The only kind that is an error.
    BadReference,
    /// A line of a program's log, skipped.
    LogLine,
    /// An image that an earlier line already names.
    Duplicate,
    /// Windows line ends.
    CarriageReturn,
    /// Blanks around the name.
    Blanks,
    /// A byte order mark before the first line.
    ByteOrderMark,
    /// No newline after the last line, which the shell scripts therefore lose.
    NoFinalNewline,
    /// Neither tag nor digest: `latest` is meant.
    ImpliedLatest,
}

/// A remark about one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The line, from 1.
    pub line: usize,
    /// What kind of remark.
    pub kind: NoteKind,
    /// For people: what was seen and what was done about it.
    pub message: String,
}

impl Note {
    /// Whether the line could not be used.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.kind == NoteKind::BadReference
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// A list that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// The images, in the order of the list, each once.
    pub entries: Vec<Entry>,
    /// Everything odd, in the order of lines.
    pub notes: Vec<Note>,
}

impl List {
    /// Reads a list. Never fails: lines that are no image become notes of kind [`NoteKind::BadReference`].
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut reader = Reader::default();
        let body = match text.strip_prefix('\u{feff}') {
            Some(rest) => {
                reader.note(
                    1,
                    NoteKind::ByteOrderMark,
                    "byte order mark before the first line, skipped",
                );
                rest
            }
            None => text,
        };
        for (position, line) in body.lines().enumerate() {
            reader.line(position + 1, line);
        }
        let last = body.lines().count();
        if !body.is_empty() && !body.ends_with('\n') && reader.last_entry_line == last {
            let message = "no newline after the last line (shell loops lose this image; it is read here)";
            reader.note(last, NoteKind::NoFinalNewline, message);
        }
        reader.list
    }

    /// The notes that are errors.
    pub fn errors(&self) -> impl Iterator<Item = &Note> {
        self.notes.iter().filter(|note| note.is_error())
    }
}

#[derive(Default)]
struct Reader {
    list: List,
    seen: HashMap<Reference, usize>,
    last_entry_line: usize,
}

impl Reader {
    fn note(&mut self, line: usize, kind: NoteKind, message: impl Into<String>) {
        self.list.notes.push(Note {
            line,
            kind,
            message: message.into(),
        });
    }

    fn line(&mut self, number: usize, raw: &str) {
        // `lines` takes one carriage return off itself, but only before a newline that is there.
        let line = raw.trim_end_matches('\r');
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') || text.starts_with("//") {
            return;
        }
        if is_log_line(text) {
            self.note(number, NoteKind::LogLine, "a log line, not an image, skipped (rke prints them on its standard output; `rke --quiet` does not)");
            return;
        }
        let text = text
            .split_once(" #")
            .map_or(text, |(before, _)| before.trim_end());
        self.last_entry_line = number;
        if line.len() != line.trim().len() {
            self.note(
                number,
                NoteKind::Blanks,
                format!("blanks around `{text}`, dropped"),
            );
        }
        match Reference::parse(text) {
            Ok(reference) => self.entry(number, text, reference),
            Err(error) => self.note(number, NoteKind::BadReference, explain(text, &error)),
        }
    }

    fn entry(&mut self, number: usize, text: &str, reference: Reference) {
        if reference.tag().is_none() && reference.digest().is_none() {
            self.note(
                number,
                NoteKind::ImpliedLatest,
                format!("`{text}` has no tag, `latest` is taken"),
            );
        }
        let reference = reference.with_default_tag();
        if let Some(first) = self.seen.get(&reference) {
            self.note(
                number,
                NoteKind::Duplicate,
                format!("`{text}` stands on line {first} already"),
            );
            return;
        }
        self.seen.insert(reference.clone(), number);
        self.list.entries.push(Entry {
            reference,
            text: text.to_owned(),
            line: number,
        });
    }
}

/// What logrus prints, to a terminal (`INFO[0000] …`) and to a pipe (`time="…" level=info …`).
fn is_log_line(text: &str) -> bool {
    let on_terminal = ["INFO[", "WARN[", "ERRO[", "FATA[", "DEBU["];
    text.starts_with("time=") || on_terminal.iter().any(|level| text.starts_with(level))
}

fn explain(text: &str, error: &ReferenceError) -> String {
    let mut message = error.to_string();
    let words = text.split_whitespace().count();
    if text.starts_with("http://") || text.starts_with("https://") {
        message += "; write the name without the scheme";
    } else if words > 1 {
        message += &format!("; the line has {words} words, a list has one image per line");
    } else if text.starts_with(['"', '\'', '-']) {
        message += "; write the bare name, without quotes or list marks";
    }
    message
}

impl List {
    /// Reads a list from a file's bytes: UTF-8, or the UTF-16 that PowerShell's `>` writes.
    ///
    /// # Errors
    /// The offset of the first byte that is no text.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, usize> {
        let text = match bytes {
            [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
            [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
            _ => std::str::from_utf8(bytes)
                .map(str::to_owned)
                .map_err(|error| error.valid_up_to())?,
        };
        let mut list = Self::parse(&text);
        // One note for the whole list: one per line would bury the others.
        let returns = text.matches("\r\n").count();
        if let Some(first) = text.split('\n').position(|line| line.ends_with('\r')) {
            let message =
                format!("Windows line ends on {returns} lines, dropped (docker would refuse such names)");
            list.notes.push(Note {
                line: first + 1,
                kind: NoteKind::CarriageReturn,
                message,
            });
            list.notes.sort_by_key(|note| note.line);
        }
        Ok(list)
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units)
        .map(|decoded| decoded.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(list: &List) -> Vec<(usize, NoteKind)> {
        list.notes.iter().map(|note| (note.line, note.kind)).collect()
    }

    #[test]
    fn the_acceptance_list_gives_six_images() {
        let text = "a\n\na\nquay.io/x/y:3\nb:2\nc:1\r\n  d:4\ne:5";
        let list = List::parse_bytes(text.as_bytes()).unwrap();
        let names: Vec<_> = list.entries.iter().map(|entry| entry.text.as_str()).collect();
        assert_eq!(names, ["a", "quay.io/x/y:3", "b:2", "c:1", "d:4", "e:5"]);
        assert_eq!(
            kinds(&list),
            [
                (1, NoteKind::ImpliedLatest),
                (3, NoteKind::ImpliedLatest),
                (3, NoteKind::Duplicate),
                (6, NoteKind::CarriageReturn),
                (7, NoteKind::Blanks),
                (8, NoteKind::NoFinalNewline),
            ]
        );
    }

    #[test]
    fn log_lines_and_comments_are_no_images() {
        let text = "time=\"2024-01-01\" level=info msg=\"Generating\"\nINFO[0000] Generating\n# x\n// y\nrancher/a:1 # why\n";
        let list = List::parse(text);
        assert_eq!(list.entries.len(), 1);
        assert_eq!(list.entries[0].text, "rancher/a:1");
        assert_eq!(kinds(&list), [(1, NoteKind::LogLine), (2, NoteKind::LogLine)]);
    }

    #[test]
    fn bad_lines_are_errors_with_their_line() {
        let list = List::parse("ok:1\nhttps://reg/x:1\na b c\n- nginx\n");
        assert_eq!(list.entries.len(), 1);
        let errors: Vec<_> = list.errors().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 3);
        assert!(
            errors[0].starts_with("line 2: ") && errors[0].contains("without the scheme"),
            "{}",
            errors[0]
        );
        assert!(errors[1].contains("3 words"), "{}", errors[1]);
    }

    #[test]
    fn powershell_lists_are_utf_16() {
        let mut bytes = vec![0xff, 0xfe];
        bytes.extend("rancher/a:1\r\n".encode_utf16().flat_map(u16::to_le_bytes));
        let list = List::parse_bytes(&bytes).unwrap();
        assert_eq!(list.entries[0].text, "rancher/a:1");
        assert_eq!(List::parse_bytes(b"a\n\xff\xff"), Err(2));
    }
}

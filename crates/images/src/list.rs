//! The list reader: one image per line, as release assets have it and as people really keep it.
//!
//! Real lists carry Windows line ends, blanks, comments, log lines that `rke config -s` prints on its standard
//! output, the same image twice, and no newline at the end (where the scripts lose the last image). All of that is
//! read, and each oddity becomes a [`Note`] with its line, so that nothing is repaired in silence.

use std::collections::{HashMap, HashSet};
use std::fmt;

use landfall_oci::{Reference, ReferenceError, Tag};
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
    /// Not an image reference: the entry cannot be used. The only error of the reader.
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
    /// Three columns, `source target tag`, as hangar's lists have: the source is taken.
    ThreeColumns,
    /// The tag `latest`, written out.
    Latest,
    /// A tag beside a digest.
    TagAndDigest,
    /// A digest without a tag.
    DigestOnly,
    /// Two images would have one place in the target.
    Collision,
    /// An image has no place in the target.
    NoPlace,
    /// An image for Windows nodes.
    Windows,
    /// A name that begins another one, which Rancher's scripts mix up.
    PrefixPair,
    /// An image that another one needs is not in the list.
    Missing,
    /// The same, for some uses.
    PerhapsMissing,
    /// No image in the whole list.
    Empty,
    /// The registry does not have it.
    Absent,
    /// The registry could not be asked, or what it has cannot be used.
    Unchecked,
}

/// How much a note matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Worth knowing.
    Note,
    /// The list works, but something will be missed.
    Warning,
    /// The line, or the list, cannot be used as it is.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

impl NoteKind {
    /// How much it matters.
    #[must_use]
    pub fn level(self) -> Level {
        match self {
            Self::BadReference
            | Self::Collision
            | Self::NoPlace
            | Self::Empty
            | Self::Absent
            | Self::Unchecked => Level::Error,
            Self::Missing => Level::Warning,
            _ => Level::Note,
        }
    }
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
        self.kind.level() == Level::Error
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
    /// Names of images that an earlier line already has in other words: `docker.io/a:1` after `a:1`. Noted as
    /// duplicates; for who goes by the words.
    pub reworded: Vec<Entry>,
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

/// Registry, path, tag and digest at their longest have less.
const LONGEST_LINE: usize = 1024;

#[derive(Default)]
struct Reader {
    list: List,
    seen: HashMap<Reference, usize>,
    texts: HashSet<String>,
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
        if text.len() > LONGEST_LINE {
            let message = format!("a line of {} bytes is no image name", text.len());
            self.note(number, NoteKind::BadReference, message);
            return;
        }
        if line.len() != line.trim().len() {
            self.note(
                number,
                NoteKind::Blanks,
                format!("blanks around `{text}`, dropped"),
            );
        }
        match Reference::parse(text) {
            Ok(reference) => self.entry(number, text, reference),
            Err(_) if let Some((source, target)) = three_columns(text) => {
                self.note(
                    number,
                    NoteKind::ThreeColumns,
                    format!("three columns: `{source}` is taken; that it should become `{target}` is for --map to say"),
                );
                // Its parts were looked at one by one, so it is one.
                if let Ok(reference) = Reference::parse(&source) {
                    self.entry(number, &source, reference);
                }
            }
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
        let entry = Entry {
            reference: reference.with_default_tag(),
            text: text.to_owned(),
            line: number,
        };
        if let Some(first) = self.seen.get(&entry.reference) {
            self.note(
                number,
                NoteKind::Duplicate,
                format!("`{text}` stands on line {first} already"),
            );
            if self.texts.insert(text.to_owned()) {
                self.list.reworded.push(entry);
            }
            return;
        }
        self.seen.insert(entry.reference.clone(), number);
        self.texts.insert(text.to_owned());
        self.list.entries.push(entry);
    }
}

/// `image source,source`.
fn is_with_sources(text: &str) -> bool {
    let image = text.split_whitespace().next().unwrap_or_default();
    Reference::parse(image).is_ok_and(|read| read.tag().is_some())
}

/// What logrus prints, to a terminal (`INFO[0000] …`) and to a pipe (`time="…" level=info …`).
fn is_log_line(text: &str) -> bool {
    let on_terminal = ["INFO[", "WARN[", "ERRO[", "FATA[", "DEBU["];
    text.starts_with("time=") || on_terminal.iter().any(|level| text.starts_with(level))
}

/// `source target tag`: two names without a tag, at least one of them with a path, and a tag.
fn three_columns(text: &str) -> Option<(String, String)> {
    let words: Vec<_> = text.split_whitespace().collect();
    let &[source, target, tag] = words.as_slice() else {
        return None;
    };
    let is_bare = |name: &&str| {
        Reference::parse(name).is_ok_and(|read| read.tag().is_none() && read.digest().is_none())
    };
    let fits = [source, target].iter().all(is_bare)
        && [source, target].iter().any(|name| name.contains('/'))
        && tag.parse::<Tag>().is_ok();
    fits.then(|| (format!("{source}:{tag}"), format!("{target}:{tag}")))
}

fn explain(text: &str, error: &ReferenceError) -> String {
    // The text may hold anything, and goes to a terminal.
    let mut message: String = error
        .to_string()
        .chars()
        .flat_map(|c| match c.is_control() {
            true => c.escape_default().collect::<Vec<_>>(),
            false => vec![c],
        })
        .collect();
    let words = text.split_whitespace().count();
    let tag = text.rsplit_once(':').map_or("", |(_, tag)| tag);
    if text.starts_with("http://") || text.starts_with("https://") {
        message += "; write the name without the scheme";
    } else if words == 2 && is_with_sources(text) {
        message += "; a line of a …-sources.txt file? `landfall images rancher` reads these";
    } else if words > 1 {
        message += &format!("; the line has {words} words, a list has one image per line");
    } else if text.starts_with(['"', '\'', '-']) {
        message += "; write the bare name, without quotes or list marks";
    } else if tag.contains('+') {
        message += &format!(
            "; tags have no `+`: K3s and RKE2 write `{}`, charts `{}`",
            tag.replace('+', "-"),
            tag.replace('+', "_")
        );
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
            _ => match bytes.iter().position(|byte| *byte == 0) {
                Some(zero) => return Err(zero),
                None => std::str::from_utf8(bytes)
                    .map(str::to_owned)
                    .map_err(|error| error.valid_up_to())?,
            },
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
    fn three_columns_give_their_source() {
        let list = List::parse(
            "nginx reg:5000/mirror/nginx 1.25\nrancher/a:1 reg/a 1\nquay.io/x/y reg/y not:a-tag\na/b c/d\n",
        );
        let names: Vec<_> = list.entries.iter().map(|entry| entry.text.as_str()).collect();
        assert_eq!(names, ["nginx:1.25"]);
        let bad = NoteKind::BadReference;
        assert_eq!(
            kinds(&list),
            [(1, NoteKind::ThreeColumns), (2, bad), (3, bad), (4, bad)]
        );
        assert!(list.notes[0].message.contains("reg:5000/mirror/nginx:1.25"));
    }

    #[test]
    fn what_other_files_hold_is_told_with_advice() {
        let long = format!("a/{}", "b".repeat(4000));
        let list = List::parse(&format!(
            "rancher/a:1 core,rke2All\nrancher/charts/a:1.2.3_up4\nrancher/k3s-upgrade:v1.2.3+k3s1\nx\u{1b}[31m:1\n{long}\n"
        ));
        assert_eq!(list.entries.len(), 1);
        let errors: Vec<_> = list.errors().map(|note| note.message.as_str()).collect();
        assert!(errors[0].contains("landfall images rancher"), "{}", errors[0]);
        assert!(errors[1].contains("`v1.2.3-k3s1`"), "{}", errors[1]);
        assert!(!errors[2].contains('\u{1b}'), "{}", errors[2]);
        assert!(
            errors[3].contains("4002 bytes") && errors[3].len() < 100,
            "{}",
            errors[3]
        );
    }

    #[test]
    fn powershell_lists_are_utf_16() {
        let mut bytes = vec![0xff, 0xfe];
        bytes.extend("rancher/a:1\r\n".encode_utf16().flat_map(u16::to_le_bytes));
        let list = List::parse_bytes(&bytes).unwrap();
        assert_eq!(list.entries[0].text, "rancher/a:1");
        assert_eq!(List::parse_bytes(b"a\n\xff\xff"), Err(2));
        assert_eq!(List::parse_bytes(b"r\0a\0:\0"), Err(1));
    }
}

//! Lines, keys and values; and the rules of what may be defined twice.

use landfall_diag::{SourceId, Span, Spanned};

use super::tree::{open, reach, set};
use super::value::{Kind, Origin, Table, Value};
use super::{GoToml, TomlError};

/// Deeper nests are refused; go-toml stops at ten thousand, which would need its own stack.
const DEEPEST: usize = 200;

/// What was read, up to the first error.
#[derive(Clone, Debug)]
pub struct Document {
    /// All keys and values.
    pub root: Table,
    /// The `[headers]` (not the `[[double]]` ones), in order.
    pub headers: Vec<Vec<Spanned<String>>>,
    /// The keys of the lines above the first header, in order.
    pub top: Vec<String>,
    /// Why reading ended early.
    pub error: Option<TomlError>,
}

/// An error on its way out: where, how long, what.
pub(super) struct Fail {
    at: usize,
    length: usize,
    message: String,
}

impl Fail {
    pub(super) fn new(at: usize, length: usize, message: impl Into<String>) -> Self {
        Self {
            at,
            length,
            message: message.into(),
        }
    }
}

pub(super) type Scan<T> = Result<T, Fail>;
pub(super) type Key = Vec<Spanned<String>>;

/// Reads a document; never fails as a whole: what stood before the error is there.
#[must_use]
pub fn parse(source: SourceId, text: &str) -> Document {
    parse_as(source, text, GoToml::default())
}

/// The same, as an older library reads it.
#[must_use]
pub fn parse_as(source: SourceId, text: &str, library: GoToml) -> Document {
    // go-toml v1 passes over a byte order mark; its successor takes it for a key.
    let mark = if library == GoToml::V1 && text.starts_with('\u{feff}') {
        3
    } else {
        0
    };
    let mut parser = Parser {
        text,
        at: mark,
        source,
        library,
        depth: 0,
        twice: None,
    };
    let mut document = Document {
        root: Table::new(Origin::Header),
        headers: Vec::new(),
        top: Vec::new(),
        error: None,
    };
    let mut current = Vec::new();
    if let Err(fail) = parser.document(&mut document, &mut current) {
        document.error = Some(parser.error(fail));
    }
    document
}

pub(super) struct Parser<'a> {
    text: &'a str,
    at: usize,
    source: SourceId,
    library: GoToml,
    depth: usize,
    /// A key that an inline table has twice; told only if the line is well-formed.
    twice: Option<Fail>,
}

impl Parser<'_> {
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn library(&self) -> GoToml {
        self.library
    }

    pub(super) fn rest(&self) -> &[u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    pub(super) fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    pub(super) fn take(&mut self, bytes: usize) -> String {
        let text = self
            .text
            .get(self.at..self.at + bytes)
            .unwrap_or_default()
            .to_owned();
        self.at += bytes;
        text
    }

    pub(super) fn next_char(&mut self) -> Option<char> {
        let c = self.text.get(self.at..)?.chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub(super) fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// Steps over one line ending, if one is here.
    pub(super) fn newline(&mut self) -> bool {
        let length = match self.rest() {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => 0,
        };
        self.at += length;
        length > 0
    }

    fn span(&self, start: usize) -> Span {
        Span::new(self.source, start..self.at)
    }

    fn error(&self, fail: Fail) -> TomlError {
        let mut end = (fail.at + fail.length).min(self.text.len());
        // go-toml counts bytes; a character is shown whole.
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        TomlError {
            message: fail.message.into(),
            span: Span::new(self.source, fail.at.min(end)..end),
        }
    }

    fn document(&mut self, document: &mut Document, current: &mut Key) -> Scan<()> {
        let mut headed = false;
        loop {
            self.blanks();
            match self.peek() {
                None => return Ok(()),
                Some(b'\n' | b'\r' | b'#') => self.line_end()?,
                Some(b'[') => {
                    let start = self.at;
                    let (key, double) = self.header()?;
                    let at = self.span(start);
                    self.line_end()?;
                    if !double {
                        document.headers.push(key.clone());
                    }
                    open(&mut document.root, &key, double, at)?;
                    *current = key;
                    headed = true;
                }
                Some(_) => {
                    let (key, value) = self.key_value()?;
                    self.line_end()?;
                    if !headed {
                        document.top.extend(key.first().map(|part| part.value.clone()));
                    }
                    if let Some(table) = reach(&mut document.root, current) {
                        set(table, key, value)?;
                    }
                    if let Some(fail) = self.twice.take() {
                        return Err(fail);
                    }
                }
            }
        }
    }

    /// The end of a line, with a comment perhaps.
    fn line_end(&mut self) -> Scan<()> {
        self.blanks();
        if self.peek() == Some(b'#') {
            self.comment()?;
        }
        match self.peek() {
            None => Ok(()),
            Some(_) if self.newline() => Ok(()),
            Some(byte) => Err(self.unexpected_line(byte)),
        }
    }

    fn unexpected_line(&self, byte: u8) -> Fail {
        Fail::new(self.at, 1, format!("expected newline but got {}", unicode(byte)))
    }

    fn comment(&mut self) -> Scan<()> {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => break,
                b'\r' if self.rest().starts_with(b"\r\n") => break,
                b'\r' => {
                    let message = "carriage returns are not allowed in comments";
                    return Err(Fail::new(self.at, 1, message));
                }
                b if b != b'\t' && (b < 0x20 || b == 0x7f) => {
                    let message = "control characters are not allowed in comments";
                    return Err(Fail::new(self.at, 1, message));
                }
                _ => self.at += 1,
            }
        }
        Ok(())
    }

    fn header(&mut self) -> Scan<(Key, bool)> {
        let double = self.rest().starts_with(b"[[");
        self.skip(if double { 2 } else { 1 });
        self.blanks();
        let key = self.key()?;
        if self.library == GoToml::V1
            && let Some(part) = key.iter().find(|part| part.value.contains(']'))
        {
            let range = part.span.range();
            return Err(Fail::new(range.start, range.len(), "invalid table name"));
        }
        let (close, message) = match double {
            true => (&b"]]"[..], "expected ']]' to close array table name"),
            false => (&b"]"[..], "expected ']' to close table name"),
        };
        if !self.rest().starts_with(close) {
            return Err(Fail::new(self.at, 1, message));
        }
        self.skip(close.len());
        Ok((key, double))
    }

    fn key_value(&mut self) -> Scan<(Key, Value)> {
        let key = self.key()?;
        if self.peek() != Some(b'=') {
            return Err(Fail::new(self.at, 1, "expected '=' after key"));
        }
        self.skip(1);
        self.blanks();
        let value = self.value()?;
        Ok((key, value))
    }

    fn key(&mut self) -> Scan<Key> {
        let mut parts = Vec::new();
        loop {
            let start = self.at;
            let part = self.key_part()?;
            parts.push(Spanned::new(part, self.span(start)));
            self.blanks();
            if self.peek() != Some(b'.') {
                return Ok(parts);
            }
            self.skip(1);
            self.blanks();
        }
    }

    fn key_part(&mut self) -> Scan<String> {
        match self.peek() {
            None => Err(Fail::new(self.at, 0, "expected key but reached end of input")),
            Some(b'\'' | b'"') => self.string_key(),
            Some(byte) => {
                let bare = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
                let length = self.rest().iter().take_while(bare).count();
                if length == 0 {
                    let message = format!("invalid character at start of key: {}", unicode(byte));
                    return Err(Fail::new(self.at, 1, message));
                }
                Ok(self.take(length))
            }
        }
    }

    fn value(&mut self) -> Scan<Value> {
        let start = self.at;
        let kind = match self.peek() {
            None => return Err(Fail::new(start, 0, "expected value, not end of input")),
            Some(b'"' | b'\'') => Kind::String(self.string_value()?),
            Some(b't') => self.word("true", Kind::Bool(true))?,
            Some(b'f') => self.word("false", Kind::Bool(false))?,
            Some(b'i') => self.word("inf", Kind::Float("+Inf".to_owned()))?,
            Some(b'n') => self.word("nan", Kind::Float("NaN".to_owned()))?,
            Some(b'[' | b'{') => self.nested()?,
            Some(b'+' | b'-' | b'0'..=b'9') => self.number_or_date()?,
            Some(byte) => {
                let message = format!("unexpected character {} at start of value", unicode(byte));
                return Err(Fail::new(start, 1, message));
            }
        };
        Ok(Value {
            kind,
            span: self.span(start),
        })
    }

    fn word(&mut self, word: &str, kind: Kind) -> Scan<Kind> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(Fail::new(self.at, 1, format!("expected keyword \"{word}\"")));
        }
        self.skip(word.len());
        Ok(kind)
    }

    fn nested(&mut self) -> Scan<Kind> {
        if self.depth >= DEEPEST {
            let message =
                format!("arrays and inline tables are nested more than the maximum of {DEEPEST} levels deep");
            return Err(Fail::new(self.at, 1, message));
        }
        self.depth += 1;
        let kind = match self.peek() {
            Some(b'[') => self.array(),
            _ => self.inline(),
        };
        self.depth -= 1;
        kind
    }

    /// White space, line ends and comments between the parts of a nest.
    fn gap(&mut self) -> Scan<()> {
        loop {
            self.blanks();
            match self.peek() {
                Some(b'#') => self.comment()?,
                Some(b'\n' | b'\r') if self.newline() => {}
                Some(byte @ b'\r') => return Err(self.unexpected_line(byte)),
                _ => return Ok(()),
            }
        }
    }

    fn array(&mut self) -> Scan<Kind> {
        self.skip(1);
        let mut values = Vec::new();
        let mut after_value = false;
        loop {
            self.gap()?;
            match self.peek() {
                None => return Err(Fail::new(self.at, 0, "array is incomplete")),
                Some(b']') => {
                    self.skip(1);
                    return Ok(Kind::Array(values));
                }
                Some(b',') if after_value => {
                    self.skip(1);
                    after_value = false;
                }
                Some(b',') => {
                    let message = format!("expected value but got {}", unicode(b','));
                    return Err(Fail::new(self.at, 1, message));
                }
                Some(_) if after_value => {
                    let message = "expected ',' or ']' after array value";
                    return Err(Fail::new(self.at, 1, message));
                }
                Some(_) => {
                    values.push(self.value()?);
                    after_value = true;
                }
            }
        }
    }

    fn inline(&mut self) -> Scan<Kind> {
        self.skip(1);
        let mut table = Table::new(Origin::Inline);
        let (mut after_value, mut comma) = (false, false);
        loop {
            match self.library {
                GoToml::V2_4 => self.gap()?,
                _ => self.blanks(),
            }
            match self.peek() {
                Some(byte @ (b'}' | b'\n' | b'\r')) if comma && self.library != GoToml::V2_4 => {
                    let message = format!("invalid character at start of key: {}", char::from(byte));
                    return Err(Fail::new(self.at, 1, message));
                }
                None => return Err(Fail::new(self.at, 0, "inline table is incomplete")),
                Some(b'}') => {
                    self.skip(1);
                    return Ok(Kind::Table(table));
                }
                Some(b',') if after_value => {
                    self.skip(1);
                    (after_value, comma) = (false, true);
                }
                Some(b',') => {
                    return Err(Fail::new(self.at, 1, "unexpected comma in inline table"));
                }
                Some(_) if after_value => {
                    let message = "expected ',' or '}' after inline table key-value";
                    return Err(Fail::new(self.at, 1, message));
                }
                Some(_) => {
                    let (key, value) = self.key_value()?;
                    if let Err(fail) = set(&mut table, key, value) {
                        self.twice.get_or_insert(fail);
                    }
                    (after_value, comma) = (true, false);
                }
            }
        }
    }
}

/// Go's `%#U` of one byte.
pub(super) fn unicode(byte: u8) -> String {
    let printable = matches!(byte, 0x20..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    match printable {
        true => format!("U+{byte:04X} '{}'", char::from(byte)),
        false => format!("U+{byte:04X}"),
    }
}

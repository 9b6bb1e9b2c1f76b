//! The four kinds of strings.

use super::GoToml;
use super::parser::{Fail, Parser, Scan, unicode};

/// Which of the four, with the words its errors use.
#[derive(Clone, Copy)]
struct Style {
    quote: u8,
    multiline: bool,
}

impl Style {
    fn name(self) -> &'static str {
        match (self.quote, self.multiline) {
            (b'"', false) => "basic string",
            (b'"', true) => "multiline basic string",
            (_, false) => "literal string",
            (_, true) => "multiline literal string",
        }
    }

    fn unterminated(self) -> String {
        match (self.quote, self.multiline) {
            (b'"', true) => "multiline basic string not terminated by \"\"\"".to_owned(),
            (_, true) => "multiline literal string not terminated by '''".to_owned(),
            _ => format!("unterminated {}", self.name()),
        }
    }
}

impl Parser<'_> {
    /// A string that stands where a value may: three quotes open a long one.
    pub(super) fn string_value(&mut self) -> Scan<String> {
        let quote = self.peek().unwrap_or(b'"');
        let long = [quote; 3];
        if self.rest().starts_with(&long) {
            return self.string(Style {
                quote,
                multiline: true,
            });
        }
        self.string_key()
    }

    /// A string that stands where a key may: one line.
    pub(super) fn string_key(&mut self) -> Scan<String> {
        let quote = self.peek().unwrap_or(b'"');
        self.string(Style {
            quote,
            multiline: false,
        })
    }

    fn string(&mut self, style: Style) -> Scan<String> {
        self.skip(if style.multiline { 3 } else { 1 });
        if style.multiline {
            self.newline();
        }
        let mut out = String::new();
        loop {
            let Some(byte) = self.peek() else {
                return Err(Fail::new(self.at(), 0, style.unterminated()));
            };
            match byte {
                b if b == style.quote => {
                    if !style.multiline {
                        self.skip(1);
                        return Ok(out);
                    }
                    if self.quotes(style, &mut out)? {
                        return Ok(out);
                    }
                }
                b'\\' if style.quote == b'"' => self.escape(style, &mut out)?,
                _ => self.plain(style, byte, &mut out)?,
            }
        }
    }

    /// A run of quotes in a long string; whether it ended the string.
    fn quotes(&mut self, style: Style, out: &mut String) -> Scan<bool> {
        let run = self.rest().iter().take_while(|&&b| b == style.quote).count();
        if run > 5 {
            let message = format!("too many quotes at the end of a {}", style.name());
            return Err(Fail::new(self.at(), run, message));
        }
        let kept = if run >= 3 { run - 3 } else { run };
        out.extend(std::iter::repeat_n(char::from(style.quote), kept));
        self.skip(run);
        Ok(run >= 3)
    }

    fn plain(&mut self, style: Style, byte: u8, out: &mut String) -> Scan<()> {
        match byte {
            b'\n' | b'\r' if !style.multiline => {
                let message = format!("{}s cannot have new lines", style.name());
                return Err(Fail::new(self.at(), 1, message));
            }
            b'\r' if !self.rest().starts_with(b"\r\n") => {
                let message = "carriage returns must be followed by a newline character";
                return Err(Fail::new(self.at(), 1, message));
            }
            b'\t' | b'\n' | b'\r' => {}
            b if b < 0x20 || b == 0x7f => {
                let message = format!("{}s cannot have control characters", style.name());
                return Err(Fail::new(self.at(), 1, message));
            }
            _ => {}
        }
        if let Some(c) = self.next_char() {
            out.push(c);
        }
        Ok(())
    }

    fn escape(&mut self, style: Style, out: &mut String) -> Scan<()> {
        let start = self.at();
        self.skip(1);
        let Some(byte) = self.peek() else {
            return Err(Fail::new(start, 1, "need a character after \\"));
        };
        if style.multiline && matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return self.folded_line(start, byte);
        }
        let plain = match byte {
            b'"' | b'\\' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'e' if self.library() > GoToml::V1 => '\u{1b}',
            b'x' if self.library() > GoToml::V2 => return self.code_point(start, 2, out),
            b'u' => return self.code_point(start, 4, out),
            b'U' => return self.code_point(start, 8, out),
            _ => {
                let escape = if self.library() == GoToml::V2_4 {
                    "escape"
                } else {
                    "escaped"
                };
                let message = format!("invalid {escape} character {}", unicode(byte));
                return Err(Fail::new(start, 2, message));
            }
        };
        self.skip(1);
        out.push(plain);
        Ok(())
    }

    /// A backslash at a line's end swallows the white space behind it.
    fn folded_line(&mut self, start: usize, byte: u8) -> Scan<()> {
        self.blanks();
        if !self.newline() {
            let message = format!("invalid escape character {}", unicode(byte));
            return Err(Fail::new(start, 2, message));
        }
        loop {
            self.blanks();
            if !self.newline() {
                return Ok(());
            }
        }
    }

    fn code_point(&mut self, start: usize, digits: usize, out: &mut String) -> Scan<()> {
        self.skip(1);
        let rest = self.rest();
        if rest.len() < digits {
            let message = "unicode escape sequence is too short";
            return Err(Fail::new(start, rest.len() + 2, message));
        }
        let mut value = 0u32;
        for (index, &byte) in rest.iter().take(digits).enumerate() {
            let Some(digit) = char::from(byte).to_digit(16) else {
                let message = "invalid hexadecimal digit in unicode escape sequence";
                return Err(Fail::new(self.at() + index, 1, message));
            };
            value = value << 4 | digit;
        }
        let Some(c) = char::from_u32(value) else {
            let message = "escape sequence is not a valid unicode code point";
            return Err(Fail::new(start, digits + 2, message));
        };
        self.skip(digits);
        out.push(c);
        Ok(())
    }
}

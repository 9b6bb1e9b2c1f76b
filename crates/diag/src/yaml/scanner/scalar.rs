//! Scalars: plain, quoted and block.

use super::{Scanner, column};
use crate::yaml::Style;
use crate::yaml::error::Result;
use crate::yaml::input::Mark;
use crate::yaml::token::{Placed, Token};

/// Blanks and breaks between two words; what becomes of them is known only at the next word.
#[derive(Default)]
struct Gap {
    blanks: String,
    first_break: String,
    more_breaks: String,
    /// A line break was seen.
    broken: bool,
}

impl Gap {
    /// One break becomes a space, more become breaks.
    fn fold(&mut self, text: &mut String) {
        if !self.broken && self.blanks.is_empty() {
            return;
        }
        if !self.broken {
            text.push_str(&self.blanks);
        } else if self.first_break.starts_with('\n') {
            text.push_str(if self.more_breaks.is_empty() {
                " "
            } else {
                &self.more_breaks
            });
        } else {
            text.push_str(&self.first_break);
            text.push_str(&self.more_breaks);
        }
        *self = Self::default();
    }
}

impl Scanner<'_> {
    pub(super) fn scan_plain(&mut self) -> Result<()> {
        let indent = self.indent + 1;
        let start = self.input.mark;
        let mut end = start;
        let mut text = String::new();
        let mut gap = Gap::default();
        loop {
            self.input.ensure(4)?;
            if self.input.document_indicator().is_some() || self.input.at(0) == b'#' {
                break;
            }
            while !self.input.is_blank_or_end(0) && !self.ends_plain() {
                gap.fold(&mut text);
                self.input.read(&mut text);
                end = self.input.mark;
                self.input.ensure(2)?;
            }
            if !self.input.is_blank(0) && !self.input.is_break(0) {
                break;
            }
            self.input.ensure(1)?;
            self.scan_gap(&mut gap, Some((indent, start)))?;
            if self.flow == 0 && column(self.input.mark) < indent {
                break;
            }
        }
        if gap.broken {
            self.key_allowed = true;
        }
        self.push_scalar(text, Style::Plain, start, end);
        Ok(())
    }

    fn ends_plain(&self) -> bool {
        match self.input.at(0) {
            b':' => self.input.is_blank_or_end(1),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.flow > 0,
            _ => false,
        }
    }

    /// Blanks and breaks. `indent`: the column that a tab may not stand before, and where the scalar began.
    fn scan_gap(&mut self, gap: &mut Gap, indent: Option<(isize, Mark)>) -> Result<()> {
        while self.input.is_blank(0) || self.input.is_break(0) {
            if self.input.is_break(0) {
                self.input.ensure(2)?;
                if gap.broken {
                    self.input.read_line(&mut gap.more_breaks);
                } else {
                    gap.blanks.clear();
                    self.input.read_line(&mut gap.first_break);
                    gap.broken = true;
                }
            } else if !gap.broken {
                self.input.read(&mut gap.blanks);
            } else {
                match indent {
                    Some((indent, start))
                        if column(self.input.mark) < indent && self.input.at(0) == b'\t' =>
                    {
                        return self.fail(start, "found a tab character that violates indentation");
                    }
                    _ => self.input.skip(),
                }
            }
            self.input.ensure(1)?;
        }
        Ok(())
    }

    pub(super) fn scan_quoted(&mut self, style: Style) -> Result<()> {
        let quote = if style == Style::Single { b'\'' } else { b'"' };
        let start = self.input.mark;
        self.input.skip();
        let mut text = String::new();
        loop {
            self.input.ensure(4)?;
            if self.input.document_indicator().is_some() {
                return self.fail(start, "found unexpected document indicator");
            }
            if self.input.is_end(0) {
                return self.fail(start, "found unexpected end of stream");
            }
            let mut gap = Gap {
                broken: self.scan_quoted_word(quote, start, &mut text)?,
                ..Gap::default()
            };
            self.input.ensure(1)?;
            if self.input.at(0) == quote {
                break;
            }
            self.scan_gap(&mut gap, None)?;
            // Behind an escaped break there is no first break, and nothing is folded.
            gap.fold(&mut text);
        }
        self.input.skip();
        self.push_scalar(text, style, start, self.input.mark);
        Ok(())
    }

    /// Up to a blank or the closing quote. Says whether an escaped line break ended it.
    fn scan_quoted_word(&mut self, quote: u8, start: Mark, text: &mut String) -> Result<bool> {
        while !self.input.is_blank_or_end(0) {
            match (self.input.at(0), self.input.at(1)) {
                (b'\'', b'\'') if quote == b'\'' => {
                    text.push('\'');
                    self.input.skip();
                    self.input.skip();
                }
                (c, _) if c == quote => break,
                (b'\\', _) if quote == b'"' && self.input.is_break(1) => {
                    self.input.ensure(3)?;
                    self.input.skip();
                    self.input.skip_line();
                    return Ok(true);
                }
                (b'\\', escape) if quote == b'"' => self.scan_escape(escape, start, text)?,
                _ => self.input.read(text),
            }
            self.input.ensure(2)?;
        }
        Ok(false)
    }

    fn scan_escape(&mut self, escape: u8, start: Mark, text: &mut String) -> Result<()> {
        let (character, digits) = match escape {
            b'0' => ('\0', 0),
            b'a' => ('\x07', 0),
            b'b' => ('\x08', 0),
            b't' | b'\t' => ('\t', 0),
            b'n' => ('\n', 0),
            b'v' => ('\x0B', 0),
            b'f' => ('\x0C', 0),
            b'r' => ('\r', 0),
            b'e' => ('\x1B', 0),
            b' ' | b'"' | b'\'' | b'\\' => (char::from(escape), 0),
            b'N' => ('\u{85}', 0),
            b'_' => ('\u{A0}', 0),
            b'L' => ('\u{2028}', 0),
            b'P' => ('\u{2029}', 0),
            b'x' => ('\0', 2),
            b'u' => ('\0', 4),
            b'U' => ('\0', 8),
            // `\/` of JSON is here, too.
            _ => return self.fail(start, "found unknown escape character"),
        };
        self.input.skip();
        self.input.skip();
        if digits == 0 {
            text.push(character);
            return Ok(());
        }
        self.input.ensure(digits)?;
        let mut value = 0_u32;
        for ahead in 0..digits {
            let Some(digit) = char::from(self.input.at(ahead)).to_digit(16) else {
                return self.fail(start, "did not find expected hexdecimal number");
            };
            value = (value << 4) + digit;
        }
        let Some(character) = char::from_u32(value) else {
            return self.fail(start, "found invalid Unicode character escape code");
        };
        text.push(character);
        for _ in 0..digits {
            self.input.skip();
        }
        Ok(())
    }

    pub(super) fn scan_block(&mut self, style: Style) -> Result<()> {
        let start = self.input.mark;
        self.input.skip();
        let (keep, increment) = self.scan_block_header(start)?;
        let mut indent = match increment {
            0 => 0,
            more => self.indent.max(0) + more,
        };
        let mut gap = Gap::default();
        let mut text = String::new();
        let mut end = self.scan_block_breaks(&mut indent, &mut gap.more_breaks, start)?;
        self.input.ensure(1)?;
        let mut was_blank = false;
        while column(self.input.mark) == indent && !self.input.is_end(0) {
            let blank = self.input.is_blank(0);
            let folds = style == Style::Folded && !was_blank && !blank && gap.first_break.starts_with('\n');
            if !folds {
                text.push_str(&gap.first_break);
            } else if gap.more_breaks.is_empty() {
                text.push(' ');
            }
            text.push_str(&gap.more_breaks);
            gap = Gap::default();
            was_blank = blank;
            while !self.input.is_break_or_end(0) {
                self.input.read(&mut text);
                self.input.ensure(1)?;
            }
            self.input.ensure(2)?;
            self.input.read_line(&mut gap.first_break);
            end = self.scan_block_breaks(&mut indent, &mut gap.more_breaks, start)?;
        }
        if keep != Some(false) {
            text.push_str(&gap.first_break);
        }
        if keep == Some(true) {
            text.push_str(&gap.more_breaks);
        }
        self.push_scalar(text, style, start, end);
        Ok(())
    }

    /// What stands behind `|` or `>`: whether breaks at the end are kept, and by how much it is indented.
    fn scan_block_header(&mut self, start: Mark) -> Result<(Option<bool>, isize)> {
        let mut keep = None;
        let mut increment = 0;
        self.input.ensure(1)?;
        for _ in 0..2 {
            match self.input.at(0) {
                sign @ (b'+' | b'-') if keep.is_none() => keep = Some(sign == b'+'),
                b'0' if increment == 0 => {
                    return self.fail(start, "found an indentation indicator equal to 0");
                }
                digit @ b'1'..=b'9' if increment == 0 => increment = isize::from(digit - b'0'),
                _ => break,
            }
            self.input.skip();
            self.input.ensure(1)?;
        }
        self.end_line(start)?;
        Ok((keep, increment))
    }

    /// Blanks, a comment and a line break, and nothing else.
    pub(super) fn end_line(&mut self, start: Mark) -> Result<()> {
        self.input.ensure(1)?;
        while self.input.is_blank(0) {
            self.input.skip();
            self.input.ensure(1)?;
        }
        self.skip_comment()?;
        if !self.input.is_break_or_end(0) {
            return self.fail(start, "did not find expected comment or line break");
        }
        if self.input.is_break(0) {
            self.input.ensure(2)?;
            self.input.skip_line();
        }
        Ok(())
    }

    /// Indentation and empty lines; finds out the indentation if it is not known yet. Gives the end of the
    /// last break.
    fn scan_block_breaks(&mut self, indent: &mut isize, breaks: &mut String, start: Mark) -> Result<Mark> {
        let mut end = self.input.mark;
        let mut widest = 0;
        loop {
            self.input.ensure(1)?;
            while (*indent == 0 || column(self.input.mark) < *indent) && self.input.at(0) == b' ' {
                self.input.skip();
                self.input.ensure(1)?;
            }
            let here = column(self.input.mark);
            widest = widest.max(here);
            if (*indent == 0 || here < *indent) && self.input.at(0) == b'\t' {
                return self.fail(
                    start,
                    "found a tab character where an indentation space is expected",
                );
            }
            if !self.input.is_break(0) {
                break;
            }
            self.input.ensure(2)?;
            self.input.read_line(breaks);
            end = self.input.mark;
        }
        if *indent == 0 {
            *indent = widest.max(self.indent + 1).max(1);
        }
        Ok(end)
    }

    fn push_scalar(&mut self, text: String, style: Style, start: Mark, end: Mark) {
        self.queue.push_back(Placed {
            token: Token::Scalar { text, style },
            start,
            end,
        });
    }
}

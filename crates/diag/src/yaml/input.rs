//! The characters of a text, handed out as yaml.v2's reader does.
//!
//! That reader decodes 512 bytes at a time, and a forbidden character stops it as soon as the block that holds
//! it is needed: it decides which of two mistakes is reported. So the blocks are counted here too.

use super::error::{Problem, Result, Stage};

const BLOCK: usize = 512;
const BOM: &str = "\u{feff}";

/// A place while scanning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Characters before it.
    pub(super) index: usize,
    /// Lines before it.
    pub(super) line: usize,
    /// Characters before it in its line.
    pub(super) column: usize,
    /// Bytes before it.
    pub(super) byte: usize,
}

/// Where decoding stops, and what yaml.v2 says about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bad {
    pub(super) at: usize,
    /// Bytes of the character: it is looked at once all of them are in the block. `None`: the text ends within
    /// it, which is noticed when more is wanted.
    pub(super) width: Option<usize>,
    pub(super) text: &'static str,
}

pub(super) struct Input<'a> {
    text: &'a str,
    pub(super) mark: Mark,
    /// The first byte that is not decoded yet.
    decoded: usize,
    /// Where the next block ends.
    block_end: usize,
    /// The first byte of the decoded ones that are still kept.
    base: usize,
    /// Ends of text handed out.
    ends: usize,
    bad: Option<Bad>,
}

impl<'a> Input<'a> {
    /// `bad`: where `text` was cut off because the bytes there are no characters.
    pub(super) fn new(text: &'a str, bad: Option<Bad>) -> Self {
        let start = if text.starts_with(BOM) { BOM.len() } else { 0 };
        let control = text[start..]
            .char_indices()
            .find(|(_, c)| forbidden(*c))
            .map(|(at, c)| Bad {
                at: start + at,
                width: Some(c.len_utf8()),
                text: "control characters are not allowed",
            });
        Self {
            text,
            mark: Mark {
                byte: start,
                ..Mark::default()
            },
            decoded: start,
            block_end: BLOCK,
            base: start,
            ends: 0,
            bad: control.or(bad),
        }
    }

    /// Makes sure that the next `count` characters may be looked at.
    pub(super) fn ensure(&mut self, count: usize) -> Result<()> {
        // Most calls end here: even characters of four bytes are enough.
        if self.decoded >= self.mark.byte + 4 * count || self.unread(count) >= count {
            return Ok(());
        }
        self.base = self.mark.byte;
        while self.unread(count) < count {
            if self.decoded == self.text.len() && self.bad.is_none_or(|bad| bad.at != self.decoded) {
                self.ends += 1;
                break;
            }
            self.decode_block()?;
        }
        Ok(())
    }

    fn unread(&self, enough: usize) -> usize {
        let kept = self.text.get(self.mark.byte..self.decoded).unwrap_or_default();
        kept.chars().take(enough).count() + self.ends
    }

    fn decode_block(&mut self) -> Result<()> {
        let end = self.block_end.min(self.text.len());
        let is_met = |bad: &Bad| match bad.width {
            Some(width) => bad.at + width <= self.block_end,
            None => self.decoded == bad.at,
        };
        if let Some(bad) = self.bad.filter(is_met) {
            let width = self.text[bad.at.min(self.text.len())..]
                .chars()
                .next()
                .map_or(0, char::len_utf8);
            return Err(Box::new(Problem {
                stage: Stage::Reader,
                text: bad.text.to_owned(),
                line: 0,
                at: bad.at..bad.at + width,
                began: None,
            }));
        }
        self.decoded = self.text.floor_char_boundary(end).max(self.decoded);
        self.block_end = self.decoded + BLOCK;
        Ok(())
    }

    /// The byte `ahead` of here; 0 behind the end.
    pub(super) fn at(&self, ahead: usize) -> u8 {
        self.text
            .as_bytes()
            .get(self.mark.byte + ahead)
            .copied()
            .unwrap_or(0)
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.mark.byte..).unwrap_or_default()
    }

    /// The bytes of the character here.
    pub(super) fn here(&self) -> std::ops::Range<usize> {
        let start = self.mark.byte.min(self.text.len());
        start..start + self.rest().chars().next().map_or(0, char::len_utf8)
    }

    /// yaml.v2 looks for a byte order mark at the start of what it keeps, not at the place where it reads.
    pub(super) fn is_bom(&self) -> bool {
        self.text
            .as_bytes()
            .get(self.base..)
            .is_some_and(|kept| kept.starts_with(BOM.as_bytes()))
    }

    /// Goes past one character.
    pub(super) fn skip(&mut self) {
        self.mark.byte = self.here().end;
        self.mark.index += 1;
        self.mark.column += 1;
    }

    /// Copies one character.
    pub(super) fn read(&mut self, to: &mut String) {
        to.push_str(&self.text[self.here()]);
        self.skip();
    }

    /// Goes past a line break, if there is one.
    pub(super) fn skip_line(&mut self) {
        let width = match (self.at(0), self.at(1)) {
            (b'\r', b'\n') => 2,
            _ if self.is_break(0) => self.here().len(),
            _ => return,
        };
        let crlf = width == 2 && self.at(0) == b'\r';
        self.mark.byte += width;
        self.mark.index += if crlf { 2 } else { 1 };
        self.mark.column = 0;
        self.mark.line += 1;
    }

    /// Copies a line break as `\n`; U+2028 and U+2029 stay what they are.
    pub(super) fn read_line(&mut self, to: &mut String) {
        if !self.is_break(0) {
            return;
        }
        if self.at(0) == 0xE2 {
            to.push_str(&self.text[self.here()]);
        } else {
            to.push('\n');
        }
        self.skip_line();
    }

    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.at(ahead), b' ' | b'\t')
    }

    pub(super) fn is_break(&self, ahead: usize) -> bool {
        match self.at(ahead) {
            b'\r' | b'\n' => true,
            0xC2 => self.at(ahead + 1) == 0x85,
            0xE2 => self.at(ahead + 1) == 0x80 && matches!(self.at(ahead + 2), 0xA8 | 0xA9),
            _ => false,
        }
    }

    pub(super) fn is_end(&self, ahead: usize) -> bool {
        self.at(ahead) == 0
    }

    pub(super) fn is_break_or_end(&self, ahead: usize) -> bool {
        self.is_break(ahead) || self.is_end(ahead)
    }

    pub(super) fn is_blank_or_end(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_break_or_end(ahead)
    }

    /// A letter or digit of a name.
    pub(super) fn is_name(&self) -> bool {
        matches!(self.at(0), b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-')
    }

    /// `---` or `...` at the start of a line.
    pub(super) fn document_indicator(&self) -> Option<u8> {
        let c = self.at(0);
        let found = self.mark.column == 0
            && matches!(c, b'-' | b'.')
            && self.at(1) == c
            && self.at(2) == c
            && self.is_blank_or_end(3);
        found.then_some(c)
    }
}

fn forbidden(c: char) -> bool {
    !matches!(c,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}'
        | '\u{10000}'..='\u{10FFFF}')
}

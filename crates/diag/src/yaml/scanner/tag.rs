//! Anchors, aliases, tags and directives.

use super::Scanner;
use crate::yaml::error::Result;
use crate::yaml::input::Mark;
use crate::yaml::token::Token;

impl Scanner<'_> {
    pub(super) fn scan_anchor(&mut self) -> Result<()> {
        let start = self.input.mark;
        let is_alias = self.input.at(0) == b'*';
        self.input.skip();
        let name = self.scan_name()?;
        let ends_well = self.input.is_blank_or_end(0)
            || matches!(
                self.input.at(0),
                b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`'
            );
        if name.is_empty() || !ends_well {
            return self.fail(start, "did not find expected alphabetic or numeric character");
        }
        self.push(
            if is_alias {
                Token::Alias(name)
            } else {
                Token::Anchor(name)
            },
            start,
        );
        Ok(())
    }

    fn scan_name(&mut self) -> Result<String> {
        let mut name = String::new();
        self.input.ensure(1)?;
        while self.input.is_name() {
            self.input.read(&mut name);
            self.input.ensure(1)?;
        }
        Ok(name)
    }

    pub(super) fn scan_tag(&mut self) -> Result<()> {
        let start = self.input.mark;
        self.input.ensure(2)?;
        let (handle, suffix) = if self.input.at(1) == b'<' {
            self.input.skip();
            self.input.skip();
            let suffix = self.scan_uri("", start)?;
            if self.input.at(0) != b'>' {
                return self.fail(start, "did not find the expected '>'");
            }
            self.input.skip();
            (String::new(), suffix)
        } else {
            let handle = self.scan_handle(false, start)?;
            if handle.len() > 1 && handle.ends_with('!') {
                let suffix = self.scan_uri("", start)?;
                (handle, suffix)
            } else {
                match self.scan_uri(&handle, start)? {
                    suffix if suffix.is_empty() => (suffix, "!".to_owned()),
                    suffix => ("!".to_owned(), suffix),
                }
            }
        };
        self.input.ensure(1)?;
        if !self.input.is_blank_or_end(0) {
            return self.fail(start, "did not find expected whitespace or line break");
        }
        self.push(Token::Tag { handle, suffix }, start);
        Ok(())
    }

    /// `!`, `!name!`, or `!name` as the beginning of a tag.
    fn scan_handle(&mut self, directive: bool, start: Mark) -> Result<String> {
        self.input.ensure(1)?;
        if self.input.at(0) != b'!' {
            return self.fail(start, "did not find expected '!'");
        }
        self.input.skip();
        let mut handle = format!("!{}", self.scan_name()?);
        if self.input.at(0) == b'!' {
            self.input.read(&mut handle);
        } else if directive && handle != "!" {
            return self.fail(start, "did not find expected '!'");
        }
        Ok(handle)
    }

    /// What follows `head`, of which the first `!` does not count.
    fn scan_uri(&mut self, head: &str, start: Mark) -> Result<String> {
        let mut uri: Vec<u8> = head.as_bytes().get(1..).unwrap_or_default().to_vec();
        let mut found = !head.is_empty();
        self.input.ensure(1)?;
        while self.input.is_name() || b";/?:@&=+$,.!~*'()[]%".contains(&self.input.at(0)) {
            if self.input.at(0) == b'%' {
                self.scan_uri_escape(start, &mut uri)?;
            } else {
                uri.push(self.input.at(0));
                self.input.skip();
            }
            self.input.ensure(1)?;
            found = true;
        }
        if !found {
            return self.fail(start, "did not find expected tag URI");
        }
        Ok(String::from_utf8_lossy(&uri).into_owned())
    }

    /// All octets of one character, each as `%XX`.
    fn scan_uri_escape(&mut self, start: Mark, uri: &mut Vec<u8>) -> Result<()> {
        let mut width = None;
        while width != Some(0) {
            self.input.ensure(3)?;
            let digit = |ahead: usize| char::from(self.input.at(ahead)).to_digit(16);
            let (b'%', Some(high), Some(low)) = (self.input.at(0), digit(1), digit(2)) else {
                return self.fail(start, "did not find URI escaped octet");
            };
            let octet = u8::try_from((high << 4) + low).unwrap_or_default();
            let left = match width {
                None => match octet {
                    0x00..=0x7F => 1,
                    0xC0..=0xDF => 2,
                    0xE0..=0xEF => 3,
                    0xF0..=0xF7 => 4,
                    _ => return self.fail(start, "found an incorrect leading UTF-8 octet"),
                },
                Some(_) if octet & 0xC0 != 0x80 => {
                    return self.fail(start, "found an incorrect trailing UTF-8 octet");
                }
                Some(left) => left,
            };
            uri.push(octet);
            for _ in 0..3 {
                self.input.skip();
            }
            width = Some(left - 1);
        }
        Ok(())
    }

    pub(super) fn scan_directive(&mut self) -> Result<()> {
        let start = self.input.mark;
        self.input.skip();
        let name = self.scan_name()?;
        if name.is_empty() {
            return self.fail(start, "could not find expected directive name");
        }
        if !self.input.is_blank_or_end(0) {
            return self.fail(start, "found unexpected non-alphabetical character");
        }
        let token = match name.as_str() {
            "YAML" => self.scan_version(start)?,
            "TAG" => self.scan_tag_prefix(start)?,
            _ => return self.fail(start, "found unknown directive name"),
        };
        self.push(token, start);
        self.end_line(start)
    }

    fn scan_version(&mut self, start: Mark) -> Result<Token> {
        self.skip_blanks()?;
        let major = self.scan_number(start)?;
        if self.input.at(0) != b'.' {
            return self.fail(start, "did not find expected digit or '.' character");
        }
        self.input.skip();
        let minor = self.scan_number(start)?;
        Ok(Token::Version { major, minor })
    }

    fn skip_blanks(&mut self) -> Result<()> {
        self.input.ensure(1)?;
        while self.input.is_blank(0) {
            self.input.skip();
            self.input.ensure(1)?;
        }
        Ok(())
    }

    fn scan_number(&mut self, start: Mark) -> Result<u8> {
        let mut number = 0;
        let mut digits = 0;
        self.input.ensure(1)?;
        while self.input.at(0).is_ascii_digit() {
            digits += 1;
            if digits > 2 {
                return self.fail(start, "found extremely long version number");
            }
            number = number * 10 + (self.input.at(0) - b'0');
            self.input.skip();
            self.input.ensure(1)?;
        }
        if digits == 0 {
            return self.fail(start, "did not find expected version number");
        }
        Ok(number)
    }

    fn scan_tag_prefix(&mut self, start: Mark) -> Result<Token> {
        self.skip_blanks()?;
        let handle = self.scan_handle(true, start)?;
        self.input.ensure(1)?;
        if !self.input.is_blank(0) {
            return self.fail(start, "did not find expected whitespace");
        }
        self.skip_blanks()?;
        let prefix = self.scan_uri("", start)?;
        self.input.ensure(1)?;
        if !self.input.is_blank_or_end(0) {
            return self.fail(start, "did not find expected whitespace or line break");
        }
        Ok(Token::TagPrefix { handle, prefix })
    }
}

//! Numbers, dates and times: told apart and delimited; their values concern nobody here.

use super::parser::{Fail, Parser, Scan, unicode};
use super::value::Kind;

impl Parser<'_> {
    /// A value that begins with a digit or a sign.
    pub(super) fn number_or_date(&mut self) -> Scan<Kind> {
        let rest = self.rest();
        let digit = |at: usize| rest.get(at).is_some_and(u8::is_ascii_digit);
        let time = digit(0) && digit(1) && rest.get(2) == Some(&b':');
        let date = (0..4).all(digit) && rest.get(4) == Some(&b'-');
        if time || date {
            Ok(self.date())
        } else {
            self.number()
        }
    }

    fn date(&mut self) -> Kind {
        let rest = self.rest();
        let mut gap = None;
        let mut end = 0;
        while let Some(&byte) = rest.get(end) {
            match byte {
                b'0'..=b'9' | b':' | b'-' | b'+' | b'.' | b'Z' | b'z' => {}
                b'T' | b't' => _ = gap.get_or_insert(end),
                b' ' if rest.get(end + 1).is_some_and(u8::is_ascii_digit) => _ = gap.get_or_insert(end),
                _ => break,
            }
            end += 1;
        }
        let text = String::from_utf8_lossy(&rest[..end]).into_owned();
        let name = match gap {
            _ if text.as_bytes().get(2) == Some(&b':') => "local time",
            None => "local date",
            Some(gap) if text[gap + 1..].contains(['Z', 'z', '+', '-']) => "datetime",
            Some(_) => "local datetime",
        };
        self.skip(end);
        Kind::Date(text, name)
    }

    fn number(&mut self) -> Scan<Kind> {
        let rest = self.rest();
        let at = self.at();
        let fail = |offset: usize, message: &str| Fail::new(at + offset, 1, message);
        let sign = usize::from(matches!(rest.first(), Some(b'+' | b'-')));
        let Some(&first) = rest.get(sign) else {
            return Err(fail(0, "expected number after sign"));
        };
        for word in ["inf", "nan"] {
            if first == word.as_bytes()[0] {
                if !rest[sign..].starts_with(word.as_bytes()) {
                    return Err(Fail::new(at + sign, 1, format!("expected \"{word}\"")));
                }
                return Ok(Kind::Float(self.take(sign + 3)));
            }
        }
        if !first.is_ascii_digit() {
            let message = format!("expected digit but got {}", unicode(first));
            return Err(Fail::new(at + sign, 1, message));
        }
        if first == b'0' && matches!(rest.get(sign + 1), Some(b'x' | b'o' | b'b')) {
            return self.radix(sign);
        }
        let mut end = self.digits(sign + 1, |b| b.is_ascii_digit())?;
        if first == b'0' && end > sign + 1 {
            return Err(fail(sign, "integers cannot have leading zeroes"));
        }
        let mut float = false;
        if rest.get(end) == Some(&b'.') {
            end = self.more_digits(end + 1, "decimal point must be followed by a digit")?;
            float = true;
        }
        if matches!(rest.get(end), Some(b'e' | b'E')) {
            let signed = usize::from(matches!(rest.get(end + 1), Some(b'+' | b'-')));
            end = self.more_digits(end + 1 + signed, "exponent must contain at least one digit")?;
            float = true;
        }
        if rest.get(end).is_some_and(u8::is_ascii_alphabetic) {
            return Err(fail(end, "strings must be quoted"));
        }
        let text = self.take(end);
        Ok(if float {
            Kind::Float(text)
        } else {
            Kind::Integer(text)
        })
    }

    fn radix(&mut self, sign: usize) -> Scan<Kind> {
        let fail = |message: &str| Err(Fail::new(self.at(), 2, message));
        if sign > 0 {
            return fail("sign is not allowed on numbers with a radix prefix");
        }
        let base = match self.rest().get(1) {
            Some(b'x') => 16,
            Some(b'o') => 8,
            _ => 2,
        };
        let within = |byte: u8| char::from(byte).is_digit(base);
        if !self.rest().get(2).copied().is_some_and(within) {
            return fail("radix prefix must be followed by at least one digit");
        }
        let end = self.digits(3, within)?;
        Ok(Kind::Integer(self.take(end)))
    }

    fn more_digits(&self, from: usize, message: &str) -> Scan<usize> {
        if !self.rest().get(from).is_some_and(u8::is_ascii_digit) {
            return Err(Fail::new(self.at() + from, 1, message));
        }
        self.digits(from + 1, |b| b.is_ascii_digit())
    }

    /// The end of a run of digits with single underscores between them.
    fn digits(&self, from: usize, within: impl Fn(u8) -> bool) -> Scan<usize> {
        let rest = self.rest();
        let is = |at: usize| rest.get(at).copied().is_some_and(&within);
        let mut end = from;
        loop {
            if is(end) {
                end += 1;
            } else if rest.get(end) == Some(&b'_') {
                if !is(end + 1) {
                    let message = "number must have at least one digit between underscores";
                    return Err(Fail::new(self.at() + end, 2, message));
                }
                end += 2;
            } else {
                return Ok(end);
            }
        }
    }
}

//! The parts of a pattern that stand for characters: classes in brackets, and everything behind a backslash.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange, Look};

use super::error::{Code, RegexError};
use super::node::Kind;
use super::syntax::{Escape, Escaped, Parser};
use super::unicode;

type Result<T> = std::result::Result<T, RegexError>;

/// `[:name:]`, as pairs of first and last character.
const POSIX: &[(&str, &str)] = &[
    ("alnum", "09AZaz"),
    ("alpha", "AZaz"),
    ("ascii", "\0\x7f"),
    ("blank", "\t\t  "),
    ("cntrl", "\0\x1f\x7f\x7f"),
    ("digit", "09"),
    ("graph", "!~"),
    ("lower", "az"),
    ("print", " ~"),
    ("punct", "!/:@[`{~"),
    ("space", "\t\r  "),
    ("upper", "AZ"),
    ("word", "09AZ__az"),
    ("xdigit", "09AFaf"),
];

fn pairs(text: &str) -> ClassUnicode {
    let chars: Vec<char> = text.chars().collect();
    ClassUnicode::new(
        chars
            .chunks_exact(2)
            .map(|pair| ClassUnicodeRange::new(pair[0], pair[1])),
    )
}

/// Characters from one number to another; surrogates are no characters.
fn range(low: u32, high: u32) -> Option<ClassUnicodeRange> {
    let low = char::from_u32(low).unwrap_or('\u{e000}');
    let high = char::from_u32(high).unwrap_or('\u{d7ff}');
    (low <= high).then(|| ClassUnicodeRange::new(low, high))
}

impl Parser<'_> {
    /// A class in brackets.
    pub(super) fn class(&mut self) -> Result<()> {
        let start = self.pos;
        self.pos += 1;
        let negated = self.peek() == Some('^');
        self.pos += usize::from(negated);
        let (mut sets, mut ranges) = (Vec::new(), Vec::new());
        let mut first = true;
        while first || self.peek() != Some(']') {
            first = false;
            match self.class_set()? {
                // Their case is folded already.
                Some(set) => sets.extend(set.iter().copied()),
                None => ranges.extend(self.class_range(start)?),
            }
        }
        self.pos += 1;
        let mut set = ClassUnicode::new(ranges);
        if self.flags.fold {
            set = unicode::fold(&set);
        }
        set.union(&ClassUnicode::new(sets));
        if negated {
            set.negate();
        }
        if self.pattern[start..self.pos].contains('\\') {
            let what = Escaped::Class {
                set: set.clone(),
                negated,
            };
            self.escapes.push(Escape {
                range: start..self.pos,
                what,
            });
        }
        self.push(Kind::Class(set))
    }

    /// `[:alpha:]`, `\pL`, `\d` inside brackets.
    fn class_set(&mut self) -> Result<Option<ClassUnicode>> {
        if let Some(set) = self.posix()? {
            return Ok(Some(set));
        }
        match self.property()? {
            Some(set) => Ok(Some(set)),
            None => Ok(self.perl()),
        }
    }

    fn class_range(&mut self, class: usize) -> Result<Option<ClassUnicodeRange>> {
        let start = self.pos;
        let low = self.class_char(class)?;
        let rest = self.rest();
        let high = if rest.len() >= 2 && rest.starts_with('-') && !rest.starts_with("-]") {
            self.pos += 1;
            self.class_char(class)?
        } else {
            low
        };
        if high < low {
            return Err(self.error(Code::ClassRange, start..self.pos));
        }
        Ok(range(low, high))
    }

    fn class_char(&mut self, class: usize) -> Result<u32> {
        match self.peek() {
            None => {
                let shown = class..self.pattern.len();
                Err(Code::MissingBracket.error(self.pattern, shown, class..class + 1))
            }
            Some('\\') => self.character(),
            Some(c) => {
                self.pos += c.len_utf8();
                Ok(c.into())
            }
        }
    }

    fn posix(&mut self) -> Result<Option<ClassUnicode>> {
        let Some(inner) = self.rest().strip_prefix("[:") else {
            return Ok(None);
        };
        let Some(end) = inner.find(":]") else {
            return Ok(None);
        };
        let (name, negated) = match inner[..end].strip_prefix('^') {
            Some(name) => (name, true),
            None => (&inner[..end], false),
        };
        let chars = POSIX
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, chars)| *chars);
        let start = self.pos;
        self.pos += end + 4;
        let Some(chars) = chars else {
            return Err(self.error(Code::ClassRange, start..self.pos));
        };
        Ok(Some(self.signed(pairs(chars), negated)))
    }

    /// Case goes first, negation second: the order decides what `(?i)\W` is.
    fn signed(&self, set: ClassUnicode, negated: bool) -> ClassUnicode {
        let set = if self.flags.fold { unicode::fold(&set) } else { set };
        if negated { unicode::negate(set) } else { set }
    }

    /// `\d`, `\s`, `\w` and their opposites: ASCII only.
    fn perl(&mut self) -> Option<ClassUnicode> {
        let kind = self.rest().strip_prefix('\\')?.chars().next()?;
        let chars = match kind.to_ascii_lowercase() {
            'd' => "09",
            's' => "\t\n\x0c\r  ",
            'w' => "09AZ__az",
            _ => return None,
        };
        self.pos += 2;
        Some(self.signed(pairs(chars), kind.is_ascii_uppercase()))
    }

    /// `\pL`, `\p{Greek}`, `\P{^Greek}`.
    fn property(&mut self) -> Result<Option<ClassUnicode>> {
        let rest = self.rest();
        if !rest.starts_with("\\p") && !rest.starts_with("\\P") {
            return Ok(None);
        }
        let (start, mut negated) = (self.pos, rest.starts_with("\\P"));
        self.pos += 2;
        let name = match self.next() {
            None => "",
            Some('{') => {
                let Some(end) = self.rest().find('}') else {
                    return Err(self.error(Code::ClassRange, start..self.pattern.len()));
                };
                self.pos += end + 1;
                &self.pattern[start + 3..self.pos - 1]
            }
            Some(_) => &self.pattern[start + 2..self.pos],
        };
        let name = match name.strip_prefix('^') {
            Some(name) => {
                negated = !negated;
                name
            }
            None => name,
        };
        let table = self
            .tables
            .entry(name.to_owned())
            .or_insert_with(|| unicode::named(name));
        let Some(table) = table.clone() else {
            return Err(self.error(Code::ClassRange, start..self.pos));
        };
        if table.recent {
            self.since = self.since.max(25);
        }
        let set = if self.flags.fold && table.folds {
            unicode::fold(&table.set)
        } else {
            table.set
        };
        Ok(Some(if negated { unicode::negate(set) } else { set }))
    }

    /// Everything behind a backslash, outside of brackets.
    pub(super) fn escape(&mut self) -> Result<()> {
        let start = self.pos;
        let look = match self.rest().as_bytes().get(1) {
            Some(b'A') => Some(Look::Start),
            Some(b'z') => Some(Look::End),
            Some(b'b') => Some(Look::WordAscii),
            Some(b'B') => Some(Look::WordAsciiNegate),
            Some(b'C') => return Err(self.error(Code::Escape, start..start + 2)),
            Some(b'Q') => return self.quoted(),
            _ => None,
        };
        let (what, kind) = if let Some(look) = look {
            self.pos += 2;
            (
                Escaped::Look {
                    look,
                    multi_line: self.flags.multi_line,
                },
                Kind::Look(look),
            )
        } else if let Some(set) = self.property()? {
            (Escaped::Set(set.clone()), Kind::Class(set))
        } else if let Some(set) = self.perl() {
            (Escaped::Set(set.clone()), Kind::Class(set))
        } else {
            let code = self.character()?;
            (
                Escaped::Literal(code),
                Kind::Literal {
                    code,
                    fold: self.flags.fold,
                },
            )
        };
        self.escapes.push(Escape {
            range: start..self.pos,
            what,
        });
        self.push(kind)
    }

    /// `\Q…\E`: literal up to `\E` or the end.
    fn quoted(&mut self) -> Result<()> {
        let start = self.pos;
        let from = start + 2;
        let inner = &self.pattern[from..];
        let (until, end) = match inner.find("\\E") {
            Some(at) => (from + at, from + at + 2),
            None => (self.pattern.len(), self.pattern.len()),
        };
        for c in self.pattern[from..until].chars() {
            self.literal(c.into())?;
        }
        self.pos = end;
        self.escapes.push(Escape {
            range: start..end,
            what: Escaped::Quoted(from..until),
        });
        Ok(())
    }

    /// One character written with a backslash.
    fn character(&mut self) -> Result<u32> {
        let start = self.pos;
        self.pos += 1;
        let Some(c) = self.next() else {
            return Err(Code::TrailingBackslash.error(self.pattern, 0..0, start..start + 1));
        };
        let octal = |parser: &Self| parser.peek().and_then(|c| c.to_digit(8));
        let code = match c {
            '0'..='7' if c == '0' || octal(self).is_some() => {
                let mut code = c.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(digit) = octal(self) else { break };
                    code = code * 8 + digit;
                    self.pos += 1;
                }
                Some(code)
            }
            'x' => self.hexadecimal(),
            'a' => Some(7),
            'f' => Some(12),
            'n' => Some(10),
            'r' => Some(13),
            't' => Some(9),
            'v' => Some(11),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c.into()),
            _ => None,
        };
        code.ok_or_else(|| self.error(Code::Escape, start..self.pos))
    }

    /// `\x7F` or `\x{10FFFF}`, behind the `x`. What is wrong has been read, because Go shows it.
    fn hexadecimal(&mut self) -> Option<u32> {
        let first = self.next()?;
        if first != '{' {
            let second = self.next().and_then(|c| c.to_digit(16));
            return Some(first.to_digit(16)? * 16 + second?);
        }
        let mut code = None;
        loop {
            match self.next()? {
                '}' => return code,
                c => {
                    let next = code.unwrap_or(0) * 16 + c.to_digit(16)?;
                    if next > u32::from(char::MAX) {
                        return None;
                    }
                    code = Some(next);
                }
            }
        }
    }
}

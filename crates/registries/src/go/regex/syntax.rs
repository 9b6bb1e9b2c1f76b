//! Go's grammar of regular expressions (`regexp/syntax` with the flags of `regexp.Compile`), read by our own parser:
//! where it differs from other dialects, a node decides differently than people expect.

use std::collections::HashMap;
use std::ops::Range;

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange, Look};

use super::error::{Code, RegexError, too_much};
use super::node::{Kind, Node};
use super::unicode;

/// Longer patterns are not read: nobody's rule is, and every later step is bounded by this.
const MAX_PATTERN: usize = 16 << 10;
/// Ranges of characters in all classes together.
const MAX_RANGES: usize = 200_000;
/// Go's limits.
const MAX_HEIGHT: u32 = 1000;
const MAX_SIZE: u64 = (128 << 20) / 40;
const MAX_REPEAT: u32 = 1000;

/// What a pattern consists of.
#[derive(Clone, Debug)]
pub(super) struct Parsed {
    pub(super) node: Node,
    /// Names of groups; the first is the whole match.
    pub(super) names: Vec<Option<String>>,
    /// Everything that is written with a backslash.
    pub(super) escapes: Vec<Escape>,
    /// The minor version of Go 1 that first accepts it; 0 where all do.
    pub(super) since: u8,
}

/// Something written with a backslash.
#[derive(Clone, Debug)]
pub(super) struct Escape {
    pub(super) range: Range<usize>,
    pub(super) what: Escaped,
}

#[derive(Clone, Debug)]
pub(super) enum Escaped {
    Literal(u32),
    /// `\Q…\E`: the bytes between.
    Quoted(Range<usize>),
    Look {
        look: Look,
        multi_line: bool,
    },
    /// A class in brackets, as it matches.
    Class {
        set: ClassUnicode,
        negated: bool,
    },
    /// `\d`, `\pL`: the set is plain.
    Set(ClassUnicode),
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    pub(super) fold: bool,
    pub(super) multi_line: bool,
    dot_newline: bool,
    lazy: bool,
}

/// A bracket that is not closed yet, or the whole pattern.
#[derive(Debug, Default)]
struct Group {
    capture: Option<u32>,
    opened: usize,
    /// The flags that hold again behind it.
    outer: Flags,
    choices: Vec<Node>,
    items: Vec<Node>,
}

pub(super) struct Parser<'a> {
    pub(super) pattern: &'a str,
    pub(super) pos: usize,
    pub(super) flags: Flags,
    groups: Vec<Group>,
    top: Group,
    names: Vec<Option<String>>,
    pub(super) escapes: Vec<Escape>,
    pub(super) since: u8,
    ranges: usize,
    pub(super) tables: HashMap<String, Option<unicode::Named>>,
}

type Result<T> = std::result::Result<T, RegexError>;

/// Reads a pattern as Go does.
pub(super) fn parse(pattern: &str) -> Result<Parsed> {
    if pattern.len() > MAX_PATTERN {
        return Err(too_much(pattern, "it is longer than 16 KiB"));
    }
    let mut parser = Parser {
        pattern,
        pos: 0,
        flags: Flags::default(),
        groups: Vec::new(),
        top: Group::default(),
        names: vec![None],
        escapes: Vec::new(),
        since: 0,
        ranges: 0,
        tables: HashMap::new(),
    };
    parser.run()?;
    let node = parser.finish_group()?;
    if let Some(open) = parser.groups.last().map(|_| parser.top.opened) {
        return Err(Code::MissingParen.error(pattern, 0..pattern.len(), open..open + 1));
    }
    Ok(Parsed {
        node,
        names: parser.names,
        escapes: parser.escapes,
        since: parser.since,
    })
}

impl<'a> Parser<'a> {
    fn run(&mut self) -> Result<()> {
        // Where the repetition right before began: a second one on top of it is an error.
        let mut last = None;
        while let Some(c) = self.peek() {
            let start = self.pos;
            let mut repeated = None;
            match c {
                '(' => self.open()?,
                ')' => self.close()?,
                '|' => self.bar()?,
                '[' => self.class()?,
                '\\' => self.escape()?,
                '*' | '+' | '?' => {
                    self.pos += 1;
                    let (min, max) = match c {
                        '*' => (0, None),
                        '+' => (1, None),
                        _ => (0, Some(1)),
                    };
                    self.repeat(start, last, min, max)?;
                    repeated = Some(start);
                }
                '{' => match self.counts()? {
                    Some((min, max)) => {
                        self.repeat(start, last, min, max)?;
                        repeated = Some(start);
                    }
                    None => self.one('{')?,
                },
                c => self.one(c)?,
            }
            last = repeated;
        }
        Ok(())
    }

    /// A character that is no operator with arguments.
    fn one(&mut self, c: char) -> Result<()> {
        self.pos += c.len_utf8();
        let multi = self.flags.multi_line;
        match c {
            '^' => self.push(Kind::Look(if multi { Look::StartLF } else { Look::Start })),
            '$' => self.push(Kind::Look(if multi { Look::EndLF } else { Look::End })),
            '.' if self.flags.dot_newline => self.push(Kind::Class(unicode::every())),
            '.' => {
                let newline = ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')]);
                self.push(Kind::Class(unicode::negate(newline)))
            }
            c => self.literal(c.into()),
        }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    pub(super) fn rest(&self) -> &'a str {
        self.pattern.get(self.pos..).unwrap_or_default()
    }

    /// An error whose text shows the bytes that are meant.
    pub(super) fn error(&self, code: Code, shown: Range<usize>) -> RegexError {
        code.error(self.pattern, shown.clone(), shown)
    }

    pub(super) fn literal(&mut self, code: u32) -> Result<()> {
        self.push(Kind::Literal {
            code,
            fold: self.flags.fold,
        })
    }

    pub(super) fn push(&mut self, kind: Kind) -> Result<()> {
        if let Kind::Class(set) = &kind {
            self.ranges += set.ranges().len();
            if self.ranges > MAX_RANGES {
                return Err(too_much(
                    self.pattern,
                    "its classes have too many ranges of characters",
                ));
            }
        }
        self.top.items.push(Node::leaf(kind));
        Ok(())
    }

    fn checked(&self, node: Node) -> Result<Node> {
        let whole = 0..self.pattern.len();
        if node.size > MAX_SIZE {
            return Err(self.error(Code::TooLarge, whole));
        }
        if node.height > MAX_HEIGHT {
            return Err(self.error(Code::NestingDepth, whole));
        }
        Ok(node)
    }

    fn repeat(&mut self, start: usize, last: Option<usize>, min: u32, max: Option<u32>) -> Result<()> {
        let mut greedy = !self.flags.lazy;
        let counted = self.pattern.as_bytes().get(start) == Some(&b'{');
        if self.peek() == Some('?') {
            self.pos += 1;
            greedy = !greedy;
        }
        if let Some(last) = last {
            return Err(self.error(Code::RepeatOp, last..self.pos));
        }
        let Some(sub) = self.top.items.pop() else {
            return Err(self.error(Code::MissingArgument, start..self.pos));
        };
        let node = self.checked(Node::repeat(sub, min, max, greedy))?;
        if counted && (min >= 2 || max.is_some_and(|max| max >= 2)) && node.copies > MAX_REPEAT {
            return Err(self.error(Code::RepeatSize, start..self.pos));
        }
        self.top.items.push(node);
        Ok(())
    }

    /// `{n}`, `{n,}`, `{n,m}`; anything else that begins with `{` is a literal brace.
    fn counts(&mut self) -> Result<Option<(u32, Option<u32>)>> {
        let start = self.pos;
        let Some(end) = self.rest().find('}') else {
            return Ok(None);
        };
        let inner = &self.rest()[1..end];
        let (min, max) = inner
            .split_once(',')
            .map_or((inner, None), |(min, max)| (min, Some(max)));
        let number = |text: &str| {
            let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            // A number beyond u32 is certainly beyond 1000.
            (plain && (text == "0" || !text.starts_with('0'))).then(|| text.parse().unwrap_or(u32::MAX))
        };
        let (Some(min), Some(max)) = (
            number(min),
            match max {
                None => Some(number(min)),
                Some("") => Some(None),
                Some(max) => number(max).map(Some),
            },
        ) else {
            return Ok(None);
        };
        self.pos += end + 1;
        if min > MAX_REPEAT || max.is_some_and(|max| max > MAX_REPEAT || min > max) {
            return Err(self.error(Code::RepeatSize, start..self.pos));
        }
        Ok(Some((min, max)))
    }

    /// What stands between two bars.
    fn finish_choice(&mut self) -> Result<()> {
        let items = std::mem::take(&mut self.top.items);
        let choice = self.checked(Node::concat(items))?;
        self.top.choices.push(choice);
        Ok(())
    }

    fn bar(&mut self) -> Result<()> {
        self.pos += 1;
        self.finish_choice()
    }

    fn finish_group(&mut self) -> Result<Node> {
        self.finish_choice()?;
        let choices = std::mem::take(&mut self.top.choices);
        self.checked(Node::alternate(choices))
    }

    fn close(&mut self) -> Result<()> {
        let node = self.finish_group()?;
        let Some(outer) = self.groups.pop() else {
            let whole = 0..self.pattern.len();
            return Err(Code::UnexpectedParen.error(self.pattern, whole, self.pos..self.pos + 1));
        };
        self.pos += 1;
        let group = std::mem::replace(&mut self.top, outer);
        self.flags = group.outer;
        let node = match group.capture {
            Some(index) => self.checked(Node::capture(index, node))?,
            None => node,
        };
        self.top.items.push(node);
        Ok(())
    }

    fn enter(&mut self, opened: usize, capture: Option<u32>) {
        let group = Group {
            capture,
            opened,
            outer: self.flags,
            ..Group::default()
        };
        self.groups.push(std::mem::replace(&mut self.top, group));
    }

    fn capture(&mut self, opened: usize, name: Option<String>) {
        let index = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name);
        self.enter(opened, Some(index));
    }

    fn open(&mut self) -> Result<()> {
        let start = self.pos;
        let rest = self.rest();
        if !rest.starts_with("(?") {
            self.pos += 1;
            self.capture(start, None);
            return Ok(());
        }
        // A name needs at least one byte behind `<`; without it Go complains of the syntax instead.
        let named = [("(?P<", 0), ("(?<", 22)];
        match named
            .iter()
            .find(|(head, _)| rest.starts_with(head) && rest.len() > head.len())
        {
            Some((head, since)) => self.named(start, head.len(), *since),
            None => self.set_flags(start),
        }
    }

    fn named(&mut self, start: usize, head: usize, since: u8) -> Result<()> {
        let Some(end) = self.rest().find('>') else {
            return Err(self.error(Code::NamedCapture, start..self.pattern.len()));
        };
        let name = self.rest()[head..end].to_owned();
        self.pos += end + 1;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(self.error(Code::NamedCapture, start..self.pos));
        }
        self.since = self.since.max(since);
        self.capture(start, Some(name));
        Ok(())
    }

    /// `(?i)`, `(?i:`, `(?-s:` and the like.
    fn set_flags(&mut self, start: usize) -> Result<()> {
        self.pos += 2;
        let (mut flags, mut on, mut saw) = (self.flags, true, false);
        while let Some(c) = self.next() {
            match c {
                'i' => flags.fold = on,
                'm' => flags.multi_line = on,
                's' => flags.dot_newline = on,
                'U' => flags.lazy = on,
                '-' if on => {
                    (on, saw) = (false, false);
                    continue;
                }
                ':' | ')' if on || saw => {
                    if c == ':' {
                        self.enter(start, None);
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            }
            saw = true;
        }
        Err(self.error(Code::PerlOp, start..self.pos))
    }
}

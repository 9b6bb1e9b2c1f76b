//! Characters to tokens, with the token queue and the guesses about simple keys that yaml.v2 makes.
//!
//! Its bookkeeping of simple keys has quirks that decide which texts pass (an empty `[]` as a key, say), so the
//! bookkeeping is the same here, down to the map from token numbers to flow levels.

mod indent;
mod scalar;
mod tag;

use std::collections::{HashMap, VecDeque};

use super::Style;
use super::error::{Problem, Result, Stage};
use super::input::{Bad, Input, Mark};
use super::token::{Placed, Token};

/// How far a `:` may be from the start of its key, in characters.
const KEY_LENGTH: usize = 1024;
const MAX_FLOW: usize = 10_000;

/// Something that becomes a key if a `:` follows.
#[derive(Clone, Copy, Debug, Default)]
struct SimpleKey {
    possible: bool,
    required: bool,
    token: usize,
    mark: Mark,
}

pub(super) struct Scanner<'a> {
    input: Input<'a>,
    queue: VecDeque<Placed>,
    /// Tokens already handed out.
    taken: usize,
    /// The head of the queue is final.
    ready: bool,
    started: bool,
    indent: isize,
    indents: Vec<isize>,
    flow: usize,
    key_allowed: bool,
    keys: Vec<SimpleKey>,
    keys_by_token: HashMap<usize, usize>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, bad: Option<Bad>) -> Self {
        Self {
            input: Input::new(text, bad),
            queue: VecDeque::new(),
            taken: 0,
            ready: false,
            started: false,
            indent: -1,
            indents: Vec::new(),
            flow: 0,
            key_allowed: true,
            keys: vec![SimpleKey::default()],
            keys_by_token: HashMap::new(),
        }
    }

    /// The next token.
    pub(super) fn peek(&mut self) -> Result<&mut Placed> {
        if !self.ready {
            self.fill()?;
        }
        self.ready = true;
        let mark = self.input.mark;
        if self.queue.is_empty() {
            self.queue.push_back(Placed {
                token: Token::StreamEnd,
                start: mark,
                end: mark,
            });
        }
        Ok(&mut self.queue[0])
    }

    /// Takes the token that was just looked at.
    pub(super) fn skip(&mut self) {
        self.ready = false;
        self.taken += 1;
        self.queue.pop_front();
    }

    fn fail<T>(&self, began: Mark, text: impl Into<String>) -> Result<T> {
        let mark = self.input.mark;
        Err(Box::new(Problem {
            stage: Stage::Scanner,
            text: text.into(),
            line: mark.line,
            at: self.input.here(),
            began: (began.byte < mark.byte).then_some(began.byte),
        }))
    }

    fn fill(&mut self) -> Result<()> {
        loop {
            if !self.queue.is_empty() {
                // A key is possible at the head: only its `:` tells.
                let level = self.keys_by_token.get(&self.taken).copied();
                if !level.map_or(Ok(false), |level| self.key_is_valid(level))? {
                    return Ok(());
                }
            }
            self.fetch()?;
        }
    }

    fn key_is_valid(&mut self, level: usize) -> Result<bool> {
        let Some(key) = self.keys.get(level).copied().filter(|key| key.possible) else {
            return Ok(false);
        };
        let here = self.input.mark;
        if key.mark.line == here.line && key.mark.index + KEY_LENGTH >= here.index {
            return Ok(true);
        }
        if key.required {
            return self.fail(key.mark, "could not find expected ':'");
        }
        self.keys[level].possible = false;
        Ok(false)
    }

    fn save_key(&mut self) -> Result<()> {
        if !self.key_allowed {
            return Ok(());
        }
        let mark = self.input.mark;
        let key = SimpleKey {
            possible: true,
            required: self.flow == 0 && self.indent == column(mark),
            token: self.taken + self.queue.len(),
            mark,
        };
        self.remove_key()?;
        let level = self.keys.len() - 1;
        self.keys[level] = key;
        self.keys_by_token.insert(key.token, level);
        Ok(())
    }

    fn remove_key(&mut self) -> Result<()> {
        let level = self.keys.len() - 1;
        let key = self.keys[level];
        if key.possible {
            if key.required {
                return self.fail(key.mark, "could not find expected ':'");
            }
            self.keys[level].possible = false;
            self.keys_by_token.remove(&key.token);
        }
        Ok(())
    }

    fn push(&mut self, token: Token, start: Mark) {
        self.queue.push_back(Placed {
            token,
            start,
            end: self.input.mark,
        });
    }

    /// Puts a token where the token of that number is, or last if that one is gone already.
    fn insert(&mut self, number: usize, token: Token, mark: Mark) {
        let placed = Placed {
            token,
            start: mark,
            end: mark,
        };
        match number
            .checked_sub(self.taken)
            .filter(|at| *at <= self.queue.len())
        {
            Some(at) => self.queue.insert(at, placed),
            None => self.queue.push_back(placed),
        }
    }

    /// A token of one or three characters.
    fn indicator(&mut self, token: Token, characters: usize) {
        let start = self.input.mark;
        for _ in 0..characters {
            self.input.skip();
        }
        self.push(token, start);
    }

    fn fetch(&mut self) -> Result<()> {
        self.input.ensure(1)?;
        if !self.started {
            self.started = true;
            self.push(Token::StreamStart, self.input.mark);
            return Ok(());
        }
        self.skip_blanks_and_comments()?;
        self.unroll(column(self.input.mark));
        self.input.ensure(4)?;
        if self.input.is_end(0) {
            return self.fetch_end();
        }
        if self.input.mark.column == 0 && self.input.at(0) == b'%' {
            self.leave_block()?;
            return self.scan_directive();
        }
        if let Some(c) = self.input.document_indicator() {
            self.leave_block()?;
            self.indicator(
                if c == b'-' {
                    Token::DocumentStart
                } else {
                    Token::DocumentEnd
                },
                3,
            );
            return Ok(());
        }
        self.fetch_by_character()
    }

    fn fetch_by_character(&mut self) -> Result<()> {
        let blank_next = self.input.is_blank_or_end(1);
        let in_flow = self.flow > 0;
        match self.input.at(0) {
            b'[' => self.open_flow(Token::FlowSequenceStart),
            b'{' => self.open_flow(Token::FlowMappingStart),
            b']' => self.close_flow(Token::FlowSequenceEnd),
            b'}' => self.close_flow(Token::FlowMappingEnd),
            b',' => {
                self.remove_key()?;
                self.key_allowed = true;
                self.indicator(Token::FlowEntry, 1);
                Ok(())
            }
            b'-' if blank_next => self.fetch_entry(),
            b'?' if in_flow || blank_next => self.fetch_key(),
            b':' if in_flow || blank_next => self.fetch_value(),
            b'*' | b'&' => self.simple(Self::scan_anchor),
            b'!' => self.simple(Self::scan_tag),
            b'|' if !in_flow => self.fetch_block_scalar(Style::Literal),
            b'>' if !in_flow => self.fetch_block_scalar(Style::Folded),
            b'\'' => self.simple(|scanner| scanner.scan_quoted(Style::Single)),
            b'"' => self.simple(|scanner| scanner.scan_quoted(Style::Double)),
            b'-' => self.simple(Self::scan_plain),
            b'?' | b':' if !in_flow => self.simple(Self::scan_plain),
            b'?' | b':' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' => self.cannot_start(),
            _ if self.input.is_blank_or_end(0) => self.cannot_start(),
            _ => self.simple(Self::scan_plain),
        }
    }

    fn cannot_start(&self) -> Result<()> {
        self.fail(self.input.mark, "found character that cannot start any token")
    }

    /// A token that may turn out to be a key.
    fn simple(&mut self, scan: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.save_key()?;
        self.key_allowed = false;
        scan(self)
    }

    fn fetch_block_scalar(&mut self, style: Style) -> Result<()> {
        self.remove_key()?;
        self.key_allowed = true;
        self.scan_block(style)
    }

    fn open_flow(&mut self, token: Token) -> Result<()> {
        self.save_key()?;
        let mark = self.input.mark;
        let number = self.taken + self.queue.len();
        self.keys.push(SimpleKey {
            token: number,
            mark,
            ..SimpleKey::default()
        });
        self.flow += 1;
        if self.flow > MAX_FLOW {
            return self.fail(mark, format!("exceeded max depth of {MAX_FLOW}"));
        }
        self.key_allowed = true;
        self.indicator(token, 1);
        Ok(())
    }

    fn close_flow(&mut self, token: Token) -> Result<()> {
        self.remove_key()?;
        if self.flow > 0 {
            self.flow -= 1;
            if let Some(key) = self.keys.pop() {
                self.keys_by_token.remove(&key.token);
            }
        }
        self.key_allowed = false;
        self.indicator(token, 1);
        Ok(())
    }

    fn skip_blanks_and_comments(&mut self) -> Result<()> {
        loop {
            self.input.ensure(1)?;
            if self.input.mark.column == 0 && self.input.is_bom() {
                self.input.skip();
            }
            self.input.ensure(1)?;
            // A tab may not indent: it is a blank only where no key can start.
            while self.input.at(0) == b' '
                || self.input.at(0) == b'\t' && (self.flow > 0 || !self.key_allowed)
            {
                self.input.skip();
                self.input.ensure(1)?;
            }
            self.skip_comment()?;
            if !self.input.is_break(0) {
                return Ok(());
            }
            self.input.ensure(2)?;
            self.input.skip_line();
            if self.flow == 0 {
                self.key_allowed = true;
            }
        }
    }

    fn skip_comment(&mut self) -> Result<()> {
        if self.input.at(0) == b'#' {
            while !self.input.is_break_or_end(0) {
                self.input.skip();
                self.input.ensure(1)?;
            }
        }
        Ok(())
    }
}

fn column(mark: Mark) -> isize {
    isize::try_from(mark.column).unwrap_or(isize::MAX)
}

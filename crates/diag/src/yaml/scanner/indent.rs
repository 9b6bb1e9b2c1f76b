//! Block structure: what the indentation and the indicators `-`, `?` and `:` open and close.

use super::{Scanner, column};
use crate::yaml::error::Result;
use crate::yaml::input::Mark;
use crate::yaml::token::Token;

const MAX_INDENTS: usize = 10_000;

impl Scanner<'_> {
    /// Opens a block if the column is further right than the one around it. `number`: the token that it begins
    /// with, if that is already in the queue.
    fn roll(&mut self, mark: Mark, number: Option<usize>, token: Token) -> Result<()> {
        if self.flow > 0 || self.indent >= column(mark) {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column(mark);
        if self.indents.len() > MAX_INDENTS {
            return self.fail(mark, format!("exceeded max depth of {MAX_INDENTS}"));
        }
        self.insert(number.unwrap_or(self.taken + self.queue.len()), token, mark);
        Ok(())
    }

    /// Closes the blocks that stand further right than the column.
    pub(super) fn unroll(&mut self, column: isize) {
        if self.flow > 0 {
            return;
        }
        while self.indent > column {
            self.push(Token::BlockEnd, self.input.mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    /// Before a document indicator or a directive.
    pub(super) fn leave_block(&mut self) -> Result<()> {
        self.unroll(-1);
        self.remove_key()?;
        self.key_allowed = false;
        Ok(())
    }

    pub(super) fn fetch_end(&mut self) -> Result<()> {
        if self.input.mark.column != 0 {
            self.input.mark.column = 0;
            self.input.mark.line += 1;
        }
        self.leave_block()?;
        self.push(Token::StreamEnd, self.input.mark);
        Ok(())
    }

    pub(super) fn fetch_entry(&mut self) -> Result<()> {
        if self.flow == 0 {
            self.begin(
                Token::BlockSequenceStart,
                "block sequence entries are not allowed in this context",
            )?;
        }
        self.remove_key()?;
        self.key_allowed = true;
        self.indicator(Token::BlockEntry, 1);
        Ok(())
    }

    pub(super) fn fetch_key(&mut self) -> Result<()> {
        if self.flow == 0 {
            self.begin(
                Token::BlockMappingStart,
                "mapping keys are not allowed in this context",
            )?;
        }
        self.remove_key()?;
        self.key_allowed = self.flow == 0;
        self.indicator(Token::Key, 1);
        Ok(())
    }

    pub(super) fn fetch_value(&mut self) -> Result<()> {
        let level = self.keys.len() - 1;
        if self.key_is_valid(level)? {
            let key = self.keys[level];
            self.insert(key.token, Token::Key, key.mark);
            self.roll(key.mark, Some(key.token), Token::BlockMappingStart)?;
            self.keys[level].possible = false;
            self.keys_by_token.remove(&key.token);
            self.key_allowed = false;
        } else {
            if self.flow == 0 {
                self.begin(
                    Token::BlockMappingStart,
                    "mapping values are not allowed in this context",
                )?;
            }
            self.key_allowed = self.flow == 0;
        }
        self.indicator(Token::Value, 1);
        Ok(())
    }

    fn begin(&mut self, token: Token, refusal: &str) -> Result<()> {
        if !self.key_allowed {
            return self.fail(self.input.mark, refusal);
        }
        self.roll(self.input.mark, None, token)
    }
}

//! Lists and mappings, in blocks and in brackets.

use std::sync::Arc;

use super::{Parser, line, refuse};
use crate::Span;
use crate::yaml::error::Result;
use crate::yaml::input::Mark;
use crate::yaml::token::Token;
use crate::yaml::{Kind, Node};

impl Parser<'_> {
    pub(super) fn block_sequence(&mut self) -> Result<(Kind, usize)> {
        let placed = self.scanner.peek()?;
        let (began, mut end) = (placed.start, placed.end.byte);
        self.scanner.skip();
        let mut items = Vec::new();
        loop {
            let placed = self.scanner.peek()?;
            match placed.token {
                Token::BlockEntry => items.push(self.entry(false)?),
                Token::BlockEnd => break,
                _ => return refuse(placed, "did not find expected '-' indicator", Some(began)),
            }
            end = items.last().map_or(end, |item| item.span.range().end);
        }
        self.scanner.skip();
        Ok((Kind::Sequence(Arc::new(items)), end))
    }

    pub(super) fn indentless_sequence(&mut self) -> Result<(Kind, usize)> {
        let mut items = Vec::new();
        while self.scanner.peek()?.token == Token::BlockEntry {
            items.push(self.entry(true)?);
        }
        let end = items.last().map_or(0, |item: &Node| item.span.range().end);
        Ok((Kind::Sequence(Arc::new(items)), end))
    }

    /// What follows `-`.
    fn entry(&mut self, indentless: bool) -> Result<Node> {
        let mark = self.scanner.peek()?.end;
        self.scanner.skip();
        match self.scanner.peek()?.token {
            Token::BlockEntry | Token::BlockEnd => Ok(self.empty(mark)),
            Token::Key | Token::Value if indentless => Ok(self.empty(mark)),
            _ => self.node(true, false),
        }
    }

    pub(super) fn block_mapping(&mut self) -> Result<(Kind, usize)> {
        let placed = self.scanner.peek()?;
        let (began, mut end) = (placed.start, placed.end.byte);
        self.scanner.skip();
        let mut pairs = Vec::new();
        loop {
            let placed = self.scanner.peek()?;
            let mark = match placed.token {
                Token::Key => placed.end,
                Token::BlockEnd => break,
                _ => return refuse(placed, "did not find expected key", Some(began)),
            };
            self.scanner.skip();
            let key = self.block_part(mark)?;
            let placed = self.scanner.peek()?;
            let mark = if placed.token == Token::Value {
                placed.end
            } else {
                placed.start
            };
            let value = if placed.token == Token::Value {
                self.scanner.skip();
                self.block_part(mark)?
            } else {
                self.empty(mark)
            };
            end = value.span.range().end.max(key.span.range().end);
            pairs.push((key, value));
        }
        self.scanner.skip();
        Ok((Kind::Mapping(Arc::new(pairs)), end))
    }

    /// What follows `?` or `:` in a block.
    fn block_part(&mut self, mark: Mark) -> Result<Node> {
        match self.scanner.peek()?.token {
            Token::Key | Token::Value | Token::BlockEnd => Ok(self.empty(mark)),
            _ => self.node(true, true),
        }
    }

    pub(super) fn flow_sequence(&mut self) -> Result<(Kind, usize)> {
        let began = self.scanner.peek()?.start;
        self.scanner.skip();
        let mut items = Vec::new();
        while self.flow_goes_on(&Token::FlowSequenceEnd, items.is_empty(), began, "]")? {
            let placed = self.scanner.peek()?;
            if placed.token == Token::Key {
                let start = placed.start;
                self.scanner.skip();
                items.push(self.single_pair(start)?);
            } else {
                items.push(self.node(false, false)?);
            }
        }
        let end = self.scanner.peek()?.end.byte;
        self.scanner.skip();
        Ok((Kind::Sequence(Arc::new(items)), end))
    }

    /// Goes past a comma; whether another item follows.
    fn flow_goes_on(&mut self, close: &Token, first: bool, began: Mark, bracket: &str) -> Result<bool> {
        let placed = self.scanner.peek()?;
        if placed.token == *close {
            return Ok(false);
        }
        if first {
            return Ok(true);
        }
        if placed.token != Token::FlowEntry {
            return refuse(
                placed,
                format!("did not find expected ',' or '{bracket}'"),
                Some(began),
            );
        }
        self.scanner.skip();
        Ok(self.scanner.peek()?.token != *close)
    }

    /// `[a: b]`: a mapping of one pair in a list.
    fn single_pair(&mut self, start: Mark) -> Result<Node> {
        let placed = self.scanner.peek()?;
        let key = if matches!(
            placed.token,
            Token::Value | Token::FlowEntry | Token::FlowSequenceEnd
        ) {
            let mark = placed.end;
            // yaml.v2 swallows the token, so that `[?: a]` has a list of two.
            self.scanner.skip();
            self.empty(mark)
        } else {
            self.node(false, false)?
        };
        let value = self.flow_value(&Token::FlowSequenceEnd)?;
        self.scanner.peek()?;
        let end = value.span.range().end.max(key.span.range().end);
        Ok(Node {
            span: Span::new(self.source, start.byte..end.max(start.byte)),
            line: line(start),
            tag: None,
            anchor: None,
            alias: None,
            kind: Kind::Mapping(Arc::new(vec![(key, value)])),
        })
    }

    /// `: value` in brackets, or nothing.
    fn flow_value(&mut self, close: &Token) -> Result<Node> {
        let placed = self.scanner.peek()?;
        let mut mark = placed.start;
        if placed.token == Token::Value {
            self.scanner.skip();
            let placed = self.scanner.peek()?;
            if placed.token != Token::FlowEntry && placed.token != *close {
                return self.node(false, false);
            }
            mark = placed.start;
        }
        Ok(self.empty(mark))
    }

    pub(super) fn flow_mapping(&mut self) -> Result<(Kind, usize)> {
        let began = self.scanner.peek()?.start;
        self.scanner.skip();
        let mut pairs = Vec::new();
        while self.flow_goes_on(&Token::FlowMappingEnd, pairs.is_empty(), began, "}")? {
            if self.scanner.peek()?.token == Token::Key {
                self.scanner.skip();
                let placed = self.scanner.peek()?;
                let key = match placed.token {
                    Token::Value | Token::FlowEntry | Token::FlowMappingEnd => {
                        let mark = placed.start;
                        self.empty(mark)
                    }
                    _ => self.node(false, false)?,
                };
                let value = self.flow_value(&Token::FlowMappingEnd)?;
                pairs.push((key, value));
            } else {
                let key = self.node(false, false)?;
                let mark = self.scanner.peek()?.start;
                pairs.push((key, self.empty(mark)));
            }
        }
        let end = self.scanner.peek()?.end.byte;
        self.scanner.skip();
        Ok((Kind::Mapping(Arc::new(pairs)), end))
    }
}

//! Tokens to nodes.

mod collection;

use std::collections::HashMap;

use crate::yaml::error::{Problem, Result, Stage};
use crate::yaml::input::{Bad, Mark};
use crate::yaml::scanner::Scanner;
use crate::yaml::token::{Placed, Token};
use crate::yaml::{Document, Kind, Node, Style, YamlError};
use crate::{SourceId, Span, Spanned};

/// Deeper than anything that a person wrote; yaml.v2 goes to 10000, but a tree that is torn down by recursion
/// must not.
const MAX_DEPTH: usize = 256;

/// Reads the first document. `bad`: why the text ends where it does.
pub(in crate::yaml) fn read(
    source: SourceId,
    text: &str,
    bad: Option<Bad>,
) -> std::result::Result<Document, YamlError> {
    Parser::new(source, text, bad)
        .document(text.len())
        .map_err(|problem| YamlError {
            message: problem.message(),
            span: Span::new(source, problem.at.clone()),
            context: problem
                .began
                .map(|began| Span::new(source, began..problem.at.start.max(began))),
        })
}

/// What an anchor's name stands for.
enum Anchored {
    /// A list or mapping that is being read; the number tells it from a later one of the same name.
    Open { number: usize, line: u32, kind: Kind },
    /// A node, and how deep it goes.
    Done(Node, usize),
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    source: SourceId,
    prefixes: Vec<(String, String)>,
    anchors: HashMap<String, Anchored>,
    opened: usize,
    depth: usize,
    /// How deep the node that is being read goes, its aliases followed.
    reached: usize,
}

/// Tag and anchor before a node.
struct Properties {
    tag: Option<String>,
    anchor: Option<Spanned<String>>,
    start: Mark,
}

impl<'a> Parser<'a> {
    fn new(source: SourceId, text: &'a str, bad: Option<Bad>) -> Self {
        Self {
            scanner: Scanner::new(text, bad),
            source,
            prefixes: Vec::new(),
            anchors: HashMap::new(),
            opened: 0,
            depth: 0,
            reached: 0,
        }
    }

    fn document(&mut self, length: usize) -> Result<Document> {
        self.scanner.peek()?;
        self.scanner.skip();
        let explicit = match &self.scanner.peek()?.token {
            Token::StreamEnd => {
                return Ok(Document {
                    root: None,
                    rest: None,
                });
            }
            Token::Version { .. } | Token::TagPrefix { .. } | Token::DocumentStart => true,
            _ => false,
        };
        self.directives()?;
        let root = if explicit {
            let token = self.scanner.peek()?;
            if token.token != Token::DocumentStart {
                return refuse(token, "did not find expected <document start>", None);
            }
            self.scanner.skip();
            self.document_content()?
        } else {
            self.node(true, false)?
        };
        let mark = self.scanner.peek()?.start;
        let rest = self.has_more().then(|| Span::new(self.source, mark.byte..length));
        Ok(Document {
            root: Some(root),
            rest,
        })
    }

    fn document_content(&mut self) -> Result<Node> {
        let token = self.scanner.peek()?;
        match token.token {
            Token::Version { .. }
            | Token::TagPrefix { .. }
            | Token::DocumentStart
            | Token::DocumentEnd
            | Token::StreamEnd => {
                let mark = token.start;
                Ok(self.empty(mark))
            }
            _ => self.node(true, false),
        }
    }

    /// Whether anything but markers follows. A mistake counts: nobody reads that far.
    fn has_more(&mut self) -> bool {
        loop {
            match self.scanner.peek().map(|placed| &placed.token) {
                Ok(Token::StreamEnd) => return false,
                Ok(Token::DocumentStart | Token::DocumentEnd) => self.scanner.skip(),
                _ => return true,
            }
        }
    }

    fn directives(&mut self) -> Result<()> {
        let mut has_version = false;
        loop {
            let token = self.scanner.peek()?;
            match &token.token {
                Token::Version { .. } if has_version => {
                    return refuse(token, "found duplicate %YAML directive", None);
                }
                Token::Version { major: 1, minor: 1 } => has_version = true,
                Token::Version { .. } => return refuse(token, "found incompatible YAML document", None),
                Token::TagPrefix { handle, prefix } => {
                    if self.prefixes.iter().any(|(known, _)| known == handle) {
                        return refuse(token, "found duplicate %TAG directive", None);
                    }
                    self.prefixes.push((handle.clone(), prefix.clone()));
                }
                _ => break,
            }
            self.scanner.skip();
        }
        for (handle, prefix) in [("!", "!"), ("!!", crate::yaml::resolve::LONG)] {
            if !self.prefixes.iter().any(|(known, _)| known == handle) {
                self.prefixes.push((handle.to_owned(), prefix.to_owned()));
            }
        }
        Ok(())
    }

    /// One node. `block`: block collections may stand here; `indentless`: a list may, without indentation.
    fn node(&mut self, block: bool, indentless: bool) -> Result<Node> {
        self.depth += 1;
        let around = std::mem::replace(&mut self.reached, self.depth);
        let token = self.scanner.peek()?;
        if self.depth > MAX_DEPTH {
            return refuse(token, "nested too deeply", None);
        }
        let node = if let Token::Alias(name) = &mut token.token {
            let name = std::mem::take(name);
            let place = token.start.byte..token.end.byte;
            self.scanner.skip();
            self.alias(name, place)
        } else {
            let properties = self.properties()?;
            self.content(properties, block, indentless)
        };
        self.depth -= 1;
        self.reached = self.reached.max(around);
        node
    }

    fn alias(&mut self, name: String, at: std::ops::Range<usize>) -> Result<Node> {
        let span = Span::new(self.source, at.clone());
        let problem = |text| {
            Box::new(Problem {
                stage: Stage::Tree,
                text,
                line: 0,
                at,
                began: None,
            })
        };
        match self.anchors.get(&name) {
            Some(Anchored::Done(_, height)) if self.depth + height > MAX_DEPTH => {
                Err(problem("nested too deeply".to_owned()))
            }
            Some(Anchored::Done(node, height)) => {
                self.reached = self.reached.max(self.depth + height);
                Ok(Node {
                    span,
                    anchor: None,
                    alias: Some(name),
                    ..node.clone()
                })
            }
            Some(Anchored::Open { line, kind, .. }) => {
                let (line, kind) = (*line, kind.clone());
                Ok(Node {
                    span,
                    line,
                    tag: None,
                    anchor: None,
                    alias: Some(name),
                    kind,
                })
            }
            None => Err(problem(format!("unknown anchor '{name}' referenced"))),
        }
    }

    fn properties(&mut self) -> Result<Properties> {
        let start = self.scanner.peek()?.start;
        let mut anchor = None;
        let mut tag = None;
        loop {
            let placed = self.scanner.peek()?;
            match &mut placed.token {
                Token::Anchor(name) if anchor.is_none() => {
                    let span = Span::new(self.source, placed.start.byte..placed.end.byte);
                    anchor = Some(Spanned::new(std::mem::take(name), span));
                }
                Token::Tag { .. } if tag.is_none() => tag = Some(placed.clone()),
                _ => break,
            }
            self.scanner.skip();
        }
        let tag = tag.map(|placed| self.long_tag(&placed)).transpose()?;
        Ok(Properties {
            tag: tag.filter(|tag| !tag.is_empty()),
            anchor,
            start,
        })
    }

    fn long_tag(&self, placed: &Placed) -> Result<String> {
        let Token::Tag { handle, suffix } = &placed.token else {
            return Ok(String::new());
        };
        if handle.is_empty() {
            return Ok(suffix.clone());
        }
        match self.prefixes.iter().find(|(known, _)| known == handle) {
            Some((_, prefix)) => Ok(format!("{prefix}{suffix}")),
            None => refuse(placed, "found undefined tag handle", None),
        }
    }

    fn content(&mut self, properties: Properties, block: bool, indentless: bool) -> Result<Node> {
        let placed = self.scanner.peek()?;
        let at = placed.start.byte..placed.end.byte;
        match &mut placed.token {
            Token::Scalar { text, style } => {
                let kind = Kind::Scalar {
                    text: std::mem::take(text),
                    style: *style,
                };
                self.scanner.skip();
                Ok(self.finish(properties, at, kind, None))
            }
            Token::BlockEntry if indentless => self.collection(
                properties,
                at.start,
                Kind::EndlessSequence,
                Self::indentless_sequence,
            ),
            Token::FlowSequenceStart => {
                self.collection(properties, at.start, Kind::EndlessSequence, Self::flow_sequence)
            }
            Token::FlowMappingStart => {
                self.collection(properties, at.start, Kind::EndlessMapping, Self::flow_mapping)
            }
            Token::BlockSequenceStart if block => {
                self.collection(properties, at.start, Kind::EndlessSequence, Self::block_sequence)
            }
            Token::BlockMappingStart if block => {
                self.collection(properties, at.start, Kind::EndlessMapping, Self::block_mapping)
            }
            _ if properties.anchor.is_some() || properties.tag.is_some() => {
                let mut node = self.empty(properties.start);
                node.span.start = node
                    .span
                    .start
                    .max(properties.anchor.as_ref().map_or(0, |a| a.span.end));
                node.span.end = node.span.start;
                let at = node.span.range();
                Ok(self.finish(properties, at, node.kind, None))
            }
            _ => {
                let began = properties.start;
                refuse(placed, "did not find expected node content", Some(began))
            }
        }
    }

    fn collection(
        &mut self,
        properties: Properties,
        start: usize,
        endless: Kind,
        read: impl FnOnce(&mut Self) -> Result<(Kind, usize)>,
    ) -> Result<Node> {
        self.opened += 1;
        let number = self.opened;
        if let Some(anchor) = &properties.anchor {
            self.anchors.insert(
                anchor.value.clone(),
                Anchored::Open {
                    number,
                    line: line(properties.start),
                    kind: endless,
                },
            );
        }
        let (kind, end) = read(self)?;
        Ok(self.finish(properties, start..end.max(start), kind, Some(number)))
    }

    /// Puts a node together. `number`: that of the list or mapping that is now complete.
    fn finish(
        &mut self,
        properties: Properties,
        at: std::ops::Range<usize>,
        kind: Kind,
        number: Option<usize>,
    ) -> Node {
        let node = Node {
            span: Span::new(self.source, at),
            line: line(properties.start),
            tag: properties.tag,
            anchor: properties.anchor,
            alias: None,
            kind,
        };
        if let Some(anchor) = &node.anchor {
            let taken_over = number.is_some_and(|number| {
                !matches!(self.anchors.get(&anchor.value), Some(Anchored::Open { number: open, .. }) if *open == number)
            });
            if !taken_over {
                let height = self.reached.saturating_sub(self.depth);
                self.anchors
                    .insert(anchor.value.clone(), Anchored::Done(node.clone(), height));
            }
        }
        node
    }

    /// A value that is left out.
    fn empty(&self, mark: Mark) -> Node {
        Node {
            span: Span::new(self.source, mark.byte..mark.byte),
            line: line(mark),
            tag: None,
            anchor: None,
            alias: None,
            kind: Kind::Scalar {
                text: String::new(),
                style: Style::Plain,
            },
        }
    }
}

fn line(mark: Mark) -> u32 {
    u32::try_from(mark.line + 1).unwrap_or(u32::MAX)
}

fn refuse<T>(placed: &Placed, text: impl Into<String>, began: Option<Mark>) -> Result<T> {
    Err(Box::new(Problem {
        stage: Stage::Parser,
        text: text.into(),
        line: placed.start.line,
        at: placed.start.byte..placed.end.byte.max(placed.start.byte),
        began: began
            .map(|mark| mark.byte)
            .filter(|byte| *byte < placed.start.byte),
    }))
}

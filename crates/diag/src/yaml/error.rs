//! What yaml.v2 says about a text that it refuses.

use crate::Span;

/// A text that yaml.v2 refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// Word for word what yaml.v2 says, with the line that it names, which is often not the line that is wrong.
    pub message: String,
    /// The place that is wrong.
    pub span: Span,
    /// Where that began which does not end well: the quote that is never closed.
    pub context: Option<Span>,
}

/// Who complains. It decides which line yaml.v2 names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Bytes to characters: names no line.
    Reader,
    /// Characters to tokens: names the line.
    Scanner,
    /// Tokens to nodes: names the line before.
    Parser,
    /// Nodes to the tree: names no line.
    Tree,
}

/// A complaint before it knows its source.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) stage: Stage,
    pub(super) text: String,
    /// Line of the problem, from 0.
    pub(super) line: usize,
    /// Bytes of the problem.
    pub(super) at: std::ops::Range<usize>,
    /// Byte where the unfinished thing began.
    pub(super) began: Option<usize>,
}

impl Problem {
    /// As yaml.v2 words it.
    pub(super) fn message(&self) -> String {
        let line = match self.stage {
            Stage::Reader | Stage::Tree => 0,
            _ if self.line == 0 => 0,
            Stage::Scanner => self.line + 1,
            Stage::Parser => self.line,
        };
        match line {
            0 => format!("yaml: {}", self.text),
            line => format!("yaml: line {line}: {}", self.text),
        }
    }
}

pub(super) type Result<T> = std::result::Result<T, Box<Problem>>;

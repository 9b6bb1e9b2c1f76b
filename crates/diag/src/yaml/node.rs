//! The tree: every node with its place.

use std::sync::Arc;

use crate::{Span, Spanned};

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Bare.
    Plain,
    /// In single quotes.
    Single,
    /// In double quotes.
    Double,
    /// Behind `|`.
    Literal,
    /// Behind `>`.
    Folded,
}

/// A node and where it stands. An alias is the node that it names, at the alias's place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it stands; for a scalar with its quotes, without its tag and anchor. A value that is left out has
    /// an empty span.
    pub span: Span,
    /// The line that yaml.v2 names in a complaint about this node, from 1.
    pub line: u32,
    /// A tag in its long form, where one is written: `!!str` is `tag:yaml.org,2002:str`.
    pub tag: Option<String>,
    /// `&name`, where one is written, with its place.
    pub anchor: Option<Spanned<String>>,
    /// The name, if this stands here as `*name`.
    pub alias: Option<String>,
    /// What it is.
    pub kind: Kind,
}

/// What a node is. Lists and mappings are shared by all aliases of them, so a short text cannot grow into a
/// tree that does not fit into memory.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Text, with escapes and folds undone.
    Scalar {
        /// The text.
        text: String,
        /// How it was written.
        style: Style,
    },
    /// A list.
    Sequence(Arc<Vec<Node>>),
    /// Pairs, in the order of the file, duplicates and merge keys (`<<`) as written.
    Mapping(Arc<Vec<(Node, Node)>>),
    /// An alias of a list that it stands in itself. yaml.v2 gives up when it needs that.
    EndlessSequence,
    /// An alias of a mapping that it stands in itself.
    EndlessMapping,
}

/// The first document of a text.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its only node. `None` if there is nothing but blanks and comments.
    pub root: Option<Node>,
    /// What follows the first document and is never read.
    pub rest: Option<Span>,
}

impl Node {
    /// The text of a scalar.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The items of a list.
    #[must_use]
    pub fn items(&self) -> Option<&[Self]> {
        match &self.kind {
            Kind::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The pairs of a mapping as written.
    #[must_use]
    pub fn pairs(&self) -> Option<&[(Self, Self)]> {
        match &self.kind {
            Kind::Mapping(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// Whether its text decides what it is: a bare scalar without a tag, or one that says `!`.
    #[must_use]
    pub fn is_implicit(&self) -> bool {
        match (&self.kind, self.tag.as_deref()) {
            (Kind::Scalar { style, .. }, None) => *style == Style::Plain,
            (Kind::Scalar { .. }, Some(tag)) => tag == "!",
            _ => false,
        }
    }
}

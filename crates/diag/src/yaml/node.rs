//! The tree: every node with its place.

use crate::Span;

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
    /// Where it stands; for a scalar with its quotes.
    pub span: Span,
    /// A tag, where one is written (`!!str`).
    pub tag: Option<String>,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
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
    Sequence(Vec<Node>),
    /// Pairs, in the order of the file, duplicates and merge keys (`<<`) as written.
    Mapping(Vec<(Node, Node)>),
}

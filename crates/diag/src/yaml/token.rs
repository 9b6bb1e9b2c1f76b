//! What the scanner hands to the parser.

use super::Style;
use super::input::Mark;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    StreamStart,
    StreamEnd,
    Version { major: u8, minor: u8 },
    TagPrefix { handle: String, prefix: String },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(String),
    Anchor(String),
    Tag { handle: String, suffix: String },
    Scalar { text: String, style: Style },
}

#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

//! TOML as containerd's library (pelletier/go-toml v2) reads it: what it accepts, and the words of its errors. Those
//! words are what a node logs when it throws a whole file away, and what it throws away decides where images come
//! from. Every value knows its place, which no ready-made parser with these words does.

mod numbers;
mod parser;
mod strings;
mod tree;
mod value;
mod write;

pub use parser::{Document, parse, parse_as};
pub use value::{Entry, Kind, Origin, Table, Value};
pub use write::quoted;

use landfall_diag::Span;

/// Which go-toml: what it accepts changed, and a few words did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum GoToml {
    /// v1.9, in containerd 1.x: no `\e`, no `\x`, no `]` in the name of a table, not even quoted.
    V1,
    /// v2.2 and v2.3, in containerd 2.0 to 2.3: no `\x`.
    V2,
    /// v2.4, in containerd 2.4: TOML 1.1.
    #[default]
    V2_4,
}

/// Why a text is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("toml: {message}")]
pub struct TomlError {
    /// go-toml's words.
    pub message: Box<str>,
    /// Where.
    pub span: Span,
}

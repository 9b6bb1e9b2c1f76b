//! TOML as containerd's library (pelletier/go-toml v2) reads it: what it accepts, and the words of its errors. Those
//! words are what a node logs when it throws a whole file away, and what it throws away decides where images come
//! from. Every value knows its place, which no ready-made parser with these words does.

mod numbers;
mod parser;
mod strings;
mod tree;
mod value;
mod write;

pub use parser::{Document, parse};
pub use value::{Entry, Kind, Origin, Table, Value};
pub use write::quoted;

use landfall_diag::Span;

/// Why a text is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("toml: {message}")]
pub struct TomlError {
    /// go-toml's words.
    pub message: Box<str>,
    /// Where.
    pub span: Span,
}

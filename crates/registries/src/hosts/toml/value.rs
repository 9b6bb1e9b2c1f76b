//! A document as a tree that keeps the file's order and every place.

use std::fmt;

use landfall_diag::{Span, Spanned};

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// What it is.
    pub kind: Kind,
    /// Where it stands; for a table with a header, the header.
    pub span: Span,
}

/// What a value is. Numbers and dates keep their text: nothing here computes with them.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A string, unescaped.
    String(String),
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Integer(String),
    /// A float.
    Float(String),
    /// A date, a time, or both; with go-toml's name for which.
    Date(String, &'static str),
    /// `[a, b]`.
    Array(Vec<Value>),
    /// `[[header]]`s of one name.
    Tables(Vec<Table>),
    /// Any kind of table.
    Table(Table),
}

/// How a table came to be, which decides how it may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `{…}`: closed.
    Inline,
    /// By a dotted key: goes on by dotted keys.
    Dotted,
    /// As a step of a longer header: its own header may follow.
    Implied,
    /// By its header.
    Header,
}

/// Keys and values in the file's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// How it came to be.
    pub origin: Origin,
    /// What is in it.
    pub entries: Vec<Entry>,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key, unescaped.
    pub key: Spanned<String>,
    /// The value.
    pub value: Value,
}

impl Table {
    /// An empty one.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            entries: Vec::new(),
        }
    }

    /// The value of a key, spelled exactly so.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries
            .iter()
            .find(|entry| entry.key.value == key)
            .map(|entry| &entry.value)
    }

    pub(super) fn position(&self, key: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.key.value == key)
    }
}

impl Value {
    /// go-toml's name for what it is.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::String(_) => "string",
            Kind::Bool(_) => "boolean",
            Kind::Integer(_) => "integer",
            Kind::Float(_) => "float",
            Kind::Date(_, name) => name,
            Kind::Array(_) | Kind::Tables(_) => "array",
            Kind::Table(_) => "inline table",
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.kind {
            Kind::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The table, of whatever origin.
    #[must_use]
    pub fn as_table(&self) -> Option<&Table> {
        match &self.kind {
            Kind::Table(table) => Some(table),
            _ => None,
        }
    }
}

/// As Go's `%v` prints the decoded value: `[a b]`, `map[a:1]`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::String(text) | Kind::Integer(text) | Kind::Float(text) | Kind::Date(text, _) => {
                f.write_str(text)
            }
            Kind::Bool(value) => value.fmt(f),
            Kind::Array(values) => list(f, values),
            Kind::Tables(tables) => list(f, tables),
            Kind::Table(table) => table.fmt(f),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted: Vec<&Entry> = self.entries.iter().collect();
        sorted.sort_by(|a, b| a.key.value.cmp(&b.key.value));
        f.write_str("map[")?;
        for (index, entry) in sorted.into_iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            write!(f, "{gap}{}:{}", entry.key.value, entry.value)?;
        }
        f.write_str("]")
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    f.write_str("[")?;
    for (index, item) in items.iter().enumerate() {
        let gap = if index == 0 { "" } else { " " };
        write!(f, "{gap}{item}")?;
    }
    f.write_str("]")
}

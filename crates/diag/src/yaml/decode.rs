//! From nodes to values, as yaml.v2 fills structs and maps: which pair wins, which value is dropped, and what it
//! says at the end.
//!
//! It is lenient in ways that matter: pairs take effect in the order of the file, so that a key that comes twice
//! is set twice, and a `<<` behind a key overrides that key. Setting a field twice adds to a map that is there
//! already, and replaces a list. A value of the wrong type is left out, and all such complaints come at the end.

use super::error::YamlError;
use super::resolve::{Resolved, is_merge, resolve, short_tag};
use super::{Kind, Node};
use crate::{Span, Spanned};

/// What became of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded<T> {
    /// Null: what was there before is gone.
    Null,
    /// The value.
    Value(T),
    /// The wrong type: complained of, and as good as not there.
    Refused,
}

impl<T> Decoded<T> {
    /// The value, if it is one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Null | Self::Refused => None,
        }
    }
}

/// A value of the wrong type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Word for word what yaml.v2 says: ``line 3: cannot unmarshal !!str `x` into bool``.
    pub message: String,
    /// The value.
    pub span: Span,
}

/// Fills values from nodes and keeps yaml.v2's books: the complaints, and how much of the work aliases make.
///
/// The types' names go into the complaints as Go writes them (`[]string`, `map[string]string`), with a leading
/// `*` where the Go program has a pointer.
#[derive(Debug, Default)]
pub struct Decoder {
    misfits: Vec<Misfit>,
    /// Nodes looked at, and how many of these by way of an alias.
    seen: u64,
    by_alias: u64,
    alias_depth: u32,
}

/// What one mapping pair or list item does; an error ends all.
pub type Step<'f> = &'f mut dyn FnMut(&mut Decoder, Spanned<String>, &Node) -> Result<(), YamlError>;

impl Decoder {
    /// For one document.
    #[must_use]
    pub fn new() -> Self {
        // The document itself is a node, too.
        Self {
            seen: 1,
            ..Self::default()
        }
    }

    /// Text. Numbers, booleans and dates keep their spelling.
    ///
    /// # Errors
    /// A tag that does not fit, or too many aliases.
    pub fn string(&mut self, node: &Node) -> Result<Decoded<String>, YamlError> {
        self.enter(node, |this| {
            let text = node.text().unwrap_or_default();
            Ok(match resolved(node)? {
                Resolved::Null => Decoded::Null,
                Resolved::Binary(bytes) => Decoded::Value(String::from_utf8_lossy(&bytes).into_owned()),
                Resolved::Sequence | Resolved::Mapping => this.refuse(node, "string")?,
                _ => Decoded::Value(text.to_owned()),
            })
        })
    }

    /// A truth value.
    ///
    /// # Errors
    /// A tag that does not fit, or too many aliases.
    pub fn boolean(&mut self, node: &Node) -> Result<Decoded<bool>, YamlError> {
        self.enter(node, |this| match resolved(node)? {
            Resolved::Null => Ok(Decoded::Null),
            Resolved::Bool(value) => Ok(Decoded::Value(value)),
            _ => this.refuse(node, "bool"),
        })
    }

    /// A whole number. Of one with a point only what stands before it.
    ///
    /// # Errors
    /// A tag that does not fit, or too many aliases.
    pub fn integer(&mut self, node: &Node) -> Result<Decoded<i64>, YamlError> {
        self.enter(node, |this| {
            Ok(match resolved(node)? {
                Resolved::Null => Decoded::Null,
                Resolved::Int(value) => Decoded::Value(value),
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "so does Go, and only within these bounds"
                )]
                Resolved::Float(value) if value.abs() < 9.2e18 => Decoded::Value(value as i64),
                _ => this.refuse(node, "int")?,
            })
        })
    }

    /// A list of texts, with their places; items of another type are left out, null is the empty text.
    ///
    /// # Errors
    /// A tag that does not fit, or too many aliases.
    pub fn strings(&mut self, node: &Node) -> Result<Decoded<Vec<Spanned<String>>>, YamlError> {
        self.sequence(node, "[]string", |this, item| {
            Ok(match this.string(item)? {
                Decoded::Value(text) => Some(Spanned::new(text, item.span)),
                Decoded::Null => Some(Spanned::new(String::new(), item.span)),
                Decoded::Refused => None,
            })
        })
    }

    /// A list; items for which `item` gives `None` are left out.
    ///
    /// # Errors
    /// What `item` gives, or too many aliases.
    pub fn sequence<T>(
        &mut self,
        node: &Node,
        type_name: &str,
        mut item: impl FnMut(&mut Self, &Node) -> Result<Option<T>, YamlError>,
    ) -> Result<Decoded<Vec<T>>, YamlError> {
        self.enter(node, |this| match &node.kind {
            Kind::Sequence(items) => {
                let mut all = Vec::with_capacity(items.len());
                for node in items.iter() {
                    all.extend(item(this, node)?);
                }
                Ok(Decoded::Value(all))
            }
            Kind::EndlessSequence => Err(endless(node)),
            _ => this.null_or_refuse(node, type_name),
        })
    }

    /// A mapping into a struct or a map: calls `pair` with each key and its value in the order in which they
    /// take effect, those of merged mappings included. Null does not call; the caller clears what it has.
    ///
    /// # Errors
    /// What `pair` gives, a merge of something else than mappings, or too many aliases.
    pub fn mapping(
        &mut self,
        node: &Node,
        type_name: &str,
        pair: Step<'_>,
    ) -> Result<Decoded<()>, YamlError> {
        self.enter(node, |this| {
            if matches!(node.kind, Kind::EndlessMapping) {
                return Err(endless(node));
            }
            let Kind::Mapping(pairs) = &node.kind else {
                // Only `null`, `~` and nothing make no pointer; `NULL` makes one to nothing.
                let loud = node.is_implicit() && matches!(node.text(), Some("Null" | "NULL"));
                if loud && type_name.starts_with('*') {
                    return Ok(Decoded::Value(()));
                }
                return this.null_or_refuse(node, type_name);
            };
            for (key, value) in pairs.iter() {
                if is_merge(key) {
                    this.merge(value, type_name, pair)?;
                    continue;
                }
                match this.string(key)? {
                    Decoded::Value(name) => pair(this, Spanned::new(name, key.span), value)?,
                    Decoded::Null => pair(this, Spanned::new(String::new(), key.span), value)?,
                    Decoded::Refused => {}
                }
            }
            Ok(Decoded::Value(()))
        })
    }

    fn merge(&mut self, value: &Node, type_name: &str, pair: Step<'_>) -> Result<(), YamlError> {
        let wanted = |node: &Node| fatal(node, "map merge requires map or sequence of maps as the value");
        match &value.kind {
            Kind::Mapping(_) | Kind::EndlessMapping => {
                self.mapping(value, type_name, pair)?;
            }
            // An alias of a list is no list here.
            Kind::Sequence(items) if value.alias.is_none() => {
                // Backwards: the first of them wins.
                for item in items.iter().rev() {
                    if !matches!(item.kind, Kind::Mapping(_) | Kind::EndlessMapping) {
                        return Err(wanted(item));
                    }
                    self.mapping(item, type_name, pair)?;
                }
            }
            _ => return Err(wanted(value)),
        }
        Ok(())
    }

    /// The complaints so far.
    #[must_use]
    pub fn misfits(&self) -> &[Misfit] {
        &self.misfits
    }

    /// All complaints as the one error that yaml.v2 makes of them, at the place of the first.
    ///
    /// # Errors
    /// If there are any.
    pub fn finish(self) -> Result<(), YamlError> {
        let Some(first) = self.misfits.first() else {
            return Ok(());
        };
        let lines: Vec<_> = self
            .misfits
            .iter()
            .map(|misfit| misfit.message.as_str())
            .collect();
        let message = format!("yaml: unmarshal errors:\n  {}", lines.join("\n  "));
        Err(YamlError {
            message,
            span: first.span,
            context: None,
        })
    }

    fn null_or_refuse<T>(&mut self, node: &Node, type_name: &str) -> Result<Decoded<T>, YamlError> {
        match resolved(node)? {
            Resolved::Null => Ok(Decoded::Null),
            _ => self.refuse(node, type_name),
        }
    }

    fn refuse<T>(&mut self, node: &Node, type_name: &str) -> Result<Decoded<T>, YamlError> {
        let found = resolved(node)?;
        let tag = match (&node.kind, &node.tag) {
            (Kind::Scalar { .. }, Some(tag)) => short_tag(tag),
            _ => found.tag().to_owned(),
        };
        let value = match node.text() {
            Some(text) if matches!(tag.as_str(), "!!seq" | "!!map") => text.to_owned(),
            Some(text) if text.len() > 10 => {
                format!(" `{}...`", String::from_utf8_lossy(&text.as_bytes()[..7]))
            }
            Some(text) => format!(" `{text}`"),
            None => String::new(),
        };
        // A text that looks like null is not unwrapped, and the pointer shows.
        let type_name = match node.text() {
            Some("null" | "~") if node.tag.is_none() => type_name,
            _ => type_name.trim_start_matches('*'),
        };
        let message = format!(
            "line {}: cannot unmarshal {tag}{value} into {type_name}",
            node.line
        );
        self.misfits.push(Misfit {
            message,
            span: node.span,
        });
        Ok(Decoded::Refused)
    }

    /// Counts the node, and what is below it, as yaml.v2 does to tell a bomb.
    fn enter<T>(
        &mut self,
        node: &Node,
        decode: impl FnOnce(&mut Self) -> Result<T, YamlError>,
    ) -> Result<T, YamlError> {
        self.count(node)?;
        if node.alias.is_none() {
            return decode(self);
        }
        self.alias_depth += 1;
        let done = self.count(node).and_then(|()| decode(self));
        self.alias_depth -= 1;
        done
    }

    fn count(&mut self, node: &Node) -> Result<(), YamlError> {
        self.seen += 1;
        self.by_alias += u64::from(self.alias_depth > 0);
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let share = self.by_alias as f64 / self.seen as f64;
        if self.by_alias > 100 && self.seen > 1000 && share > allowed_share(self.seen) {
            return Err(fatal(node, "document contains excessive aliasing"));
        }
        Ok(())
    }
}

/// How much of the work may come from aliases: nearly all in a small document, a tenth in a large one.
fn allowed_share(seen: u64) -> f64 {
    const LOW: f64 = 400_000.0;
    const HIGH: f64 = 4_000_000.0;
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let seen = seen as f64;
    if seen <= LOW {
        0.99
    } else if seen >= HIGH {
        0.10
    } else {
        0.99 - 0.89 * ((seen - LOW) / (HIGH - LOW))
    }
}

fn resolved(node: &Node) -> Result<Resolved, YamlError> {
    resolve(node).map_err(|text| fatal(node, &text))
}

fn endless(node: &Node) -> YamlError {
    let name = node.alias.as_deref().unwrap_or_default();
    fatal(node, &format!("anchor '{name}' value contains itself"))
}

fn fatal(node: &Node, text: &str) -> YamlError {
    YamlError {
        message: format!("yaml: {text}"),
        span: node.span,
        context: None,
    }
}

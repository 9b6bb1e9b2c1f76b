//! A document as plain values that know their lines: what Kubernetes and Helm see once YAML's aliases, merges, double
//! keys and ways of writing a number are gone.

use std::collections::BTreeMap;

use landfall_diag::yaml::{Decoder, Kind, Node, Resolved, Style, YamlError, resolve};
use landfall_diag::{SourceId, Spanned, yaml};

/// Deeper than anything real; aliases can nest further than the text does.
const MAX_DEPTH: usize = 256;
/// Values of one document, aliases written out.
const MAX_VALUES: usize = 4_000_000;

/// Where a value stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct At {
    /// Which file, where a tree is made from several.
    pub(crate) file: u16,
    /// The line, from 1; 0 for a value that stands in no file.
    pub(crate) line: u32,
    /// A text whose lines are lines of the file, too: it begins on the next one.
    pub(crate) block: bool,
}

/// A value at its place.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) value: Value,
    pub(crate) at: At,
}

/// What a value is. Numbers are spelled as Helm prints them: `1.10` is `1.1`, `1000000` is `1e+06`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Tree>),
    Map(BTreeMap<String, Tree>),
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Tree {
    pub(crate) fn empty_map() -> Self {
        Self {
            value: Value::Map(BTreeMap::new()),
            at: At::default(),
        }
    }

    pub(crate) fn map(&self) -> Option<&BTreeMap<String, Self>> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A scalar as a template prints it; nothing for null.
    pub(crate) fn printed(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) | Value::Number(text) => Some(text.clone()),
            Value::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.map()?.get(key)
    }

    /// The value at a path of keys.
    pub(crate) fn path<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Option<&Self> {
        keys.into_iter().try_fold(self, Self::get)
    }

    /// The text under a key, if it is one and not empty.
    pub(crate) fn text_at(&self, key: &str) -> Option<&str> {
        self.get(key)?.text().filter(|text| !text.is_empty())
    }
}

/// Reads one document. `file` and `line` are where it begins (`line`: how many lines are before it).
///
/// # Errors
/// What yaml.v2 refuses, places counted within `text`; trees too large or too deep.
pub(crate) fn read(text: &str, file: u16, line: u32) -> Result<Option<Tree>, YamlError> {
    let document = yaml::parse(SourceId(0), text)?;
    let Some(root) = &document.root else {
        return Ok(None);
    };
    let mut builder = Builder {
        file,
        line,
        depth: 0,
        left: MAX_VALUES,
    };
    builder.build(&mut Decoder::new(), root).map(Some)
}

struct Builder {
    file: u16,
    line: u32,
    depth: usize,
    left: usize,
}

impl Builder {
    fn build(&mut self, decoder: &mut Decoder, node: &Node) -> Result<Tree, YamlError> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| refuse(node, "the document is too large"))?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(refuse(node, "nested too deeply"));
        }
        let value = match &node.kind {
            Kind::Scalar { .. } => scalar(decoder, node),
            Kind::Sequence(_) | Kind::EndlessSequence => self.sequence(decoder, node),
            Kind::Mapping(_) | Kind::EndlessMapping => self.mapping(decoder, node),
        }?;
        self.depth -= 1;
        let block = matches!(
            node.kind,
            Kind::Scalar {
                style: Style::Literal,
                ..
            }
        );
        let at = At {
            file: self.file,
            line: self.line + node.line,
            block,
        };
        Ok(Tree { value, at })
    }

    fn sequence(&mut self, decoder: &mut Decoder, node: &Node) -> Result<Value, YamlError> {
        let items = decoder.sequence(node, "list", |decoder, item| self.build(decoder, item).map(Some))?;
        Ok(Value::List(items.value().unwrap_or_default()))
    }

    fn mapping(&mut self, decoder: &mut Decoder, node: &Node) -> Result<Value, YamlError> {
        let mut map = BTreeMap::new();
        decoder.mapping(node, "map", &mut |decoder, key: Spanned<String>, value| {
            let value = self.build(decoder, value)?;
            map.insert(key.value, value);
            Ok(())
        })?;
        Ok(Value::Map(map))
    }
}

fn scalar(decoder: &mut Decoder, node: &Node) -> Result<Value, YamlError> {
    let text = decoder.string(node)?.value();
    let resolved = resolve(node).map_err(|reason| refuse(node, &reason))?;
    Ok(match (resolved, text) {
        (Resolved::Null, _) | (_, None) => Value::Null,
        (Resolved::Bool(value), _) => Value::Bool(value),
        #[expect(clippy::cast_precision_loss, reason = "Helm loses it, too")]
        (Resolved::Int(number), _) => Value::Number(go_float(number as f64)),
        #[expect(clippy::cast_precision_loss, reason = "Helm loses it, too")]
        (Resolved::Uint(number), _) => Value::Number(go_float(number as f64)),
        (Resolved::Float(number), _) => Value::Number(go_float(number)),
        (_, Some(text)) => Value::Text(text),
    })
}

/// A number as Go's `%v` prints it, which is how it comes out of Helm: `20240101` is `2.0240101e+07`.
fn go_float(number: f64) -> String {
    let scientific = format!("{number:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return number.to_string();
    };
    match exponent.parse::<i32>() {
        Ok(-4..=5) => number.to_string(),
        Ok(exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
        Err(_) => number.to_string(),
    }
}

fn refuse(node: &Node, reason: &str) -> YamlError {
    YamlError {
        message: format!("yaml: {reason}"),
        span: node.span,
        context: None,
    }
}

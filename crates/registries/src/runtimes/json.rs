//! JSON as a tree with places, in the shape that YAML has too, so that readers of both walk alike.
//!
//! JSON is read as JSON and not as YAML's subset: Go's `encoding/json`, which the runtimes use, takes neither comments
//! nor bare words. serde_json judges the text; the walk over it then has nothing left to refuse.

use landfall_diag::yaml::{Kind, Node, Style};
use landfall_diag::{Diagnostic, Severity, SourceId, Span};

/// Reads a text.
///
/// # Errors
/// What is wrong and where, as the parser tells it.
pub(super) fn parse(source: SourceId, text: &str) -> Result<Node, Box<Diagnostic>> {
    // A place is wanted for every value, and `Value` has none: it only proves that the text is JSON.
    if let Err(error) = serde_json::from_str::<serde_json::Value>(text) {
        return Err(Box::new(refused(source, text, &error)));
    }
    Ok(Walk { source, text, at: 0 }.value())
}

fn refused(source: SourceId, text: &str, error: &serde_json::Error) -> Diagnostic {
    let line_start = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum::<usize>();
    let mut at = (line_start + error.column().saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let end = text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default().to_owned();
    Diagnostic::at(
        "J01",
        Severity::Error,
        Span::new(source, at..end),
        format!("not JSON: {message}"),
    )
    .consequence("the program that reads this file refuses it as a whole")
}

struct Walk<'a> {
    source: SourceId,
    text: &'a str,
    at: usize,
}

impl Walk<'_> {
    fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        bytes.get(self.at).copied().unwrap_or_default()
    }

    fn value(&mut self) -> Node {
        let first = self.peek();
        let start = self.at;
        let kind = match first {
            b'{' => Kind::Mapping(self.pairs().into()),
            b'[' => Kind::Sequence(self.items().into()),
            b'"' => self.string(),
            _ => self.bare(),
        };
        super::tree::node(Span::new(self.source, start..self.at), kind)
    }

    fn pairs(&mut self) -> Vec<(Node, Node)> {
        let mut pairs = Vec::new();
        self.at += 1;
        while self.more(b'}') {
            let key = self.value();
            self.peek();
            self.at += 1; // the colon
            pairs.push((key, self.value()));
        }
        pairs
    }

    fn items(&mut self) -> Vec<Node> {
        let mut items = Vec::new();
        self.at += 1;
        while self.more(b']') {
            items.push(self.value());
        }
        items
    }

    /// Steps over a comma; at the closing bracket, over that, and says no.
    fn more(&mut self, close: u8) -> bool {
        let mut next = self.peek();
        if next == b',' {
            self.at += 1;
            next = self.peek();
        }
        let more = next != close && next != 0;
        if !more {
            self.at = (self.at + 1).min(self.text.len());
        }
        more
    }

    fn string(&mut self) -> Kind {
        let bytes = self.text.as_bytes();
        let start = self.at;
        self.at += 1;
        while let Some(byte) = bytes.get(self.at) {
            self.at += match byte {
                b'\\' => 2,
                _ => 1,
            };
            if *byte == b'"' {
                break;
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        Kind::Scalar {
            text: serde_json::from_str(text).unwrap_or_default(),
            style: Style::Double,
        }
    }

    fn bare(&mut self) -> Kind {
        let start = self.at;
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b",]}:".contains(byte);
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(|byte| !ends(byte)) {
            self.at += 1;
        }
        Kind::Scalar {
            text: self.text.get(start..self.at).unwrap_or_default().to_owned(),
            style: Style::Plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// The tree as serde_json would have it, and every place checked: the text there is the value again.
    fn value(text: &str, node: &Node) -> Value {
        let here = &text[node.span.range()];
        let value = match &node.kind {
            Kind::Sequence(items) => items.iter().map(|item| value(text, item)).collect(),
            Kind::Mapping(pairs) => {
                let pair = |(key, item): &(Node, Node)| {
                    (value(text, key).as_str().unwrap().to_owned(), value(text, item))
                };
                Value::Object(pairs.iter().map(pair).collect())
            }
            Kind::Scalar {
                text,
                style: Style::Double,
            } => Value::String(text.clone()),
            Kind::Scalar { text, .. } => serde_json::from_str(text).unwrap(),
            Kind::EndlessMapping | Kind::EndlessSequence => panic!("JSON has no aliases"),
        };
        assert_eq!(serde_json::from_str::<Value>(here).unwrap(), value);
        value
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_has_its_place(wanted in json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&wanted) } else { serde_json::to_string(&wanted) };
            let text = text.unwrap();
            let node = parse(SourceId(0), &text).unwrap();
            prop_assert_eq!(value(&text, &node), wanted);
        }
    }

    #[test]
    fn what_is_not_json_is_told_with_its_place() {
        let text = "{\n  \"a\": [1, 2,]\n}";
        let error = parse(SourceId(0), text).unwrap_err();
        assert!(error.message.contains("trailing comma"), "{}", error.message);
        assert_eq!(&text[error.primary.unwrap().span.range()], "]");
        assert!(parse(SourceId(0), "").is_err());
        assert!(parse(SourceId(0), "{} // no").is_err());
    }
}

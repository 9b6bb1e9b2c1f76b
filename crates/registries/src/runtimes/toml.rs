//! TOML as a tree with places, in the shape that YAML and JSON have here.

use landfall_diag::yaml::{Kind, Node, Style};
use landfall_diag::{Diagnostic, Severity, SourceId, Span};
use toml::de::{DeTable, DeValue};

use super::tree;

/// Reads a text.
///
/// # Errors
/// What is wrong and where, as the parser tells it.
pub(super) fn parse(source: SourceId, text: &str) -> Result<Node, Box<Diagnostic>> {
    match DeTable::parse(text) {
        Ok(root) => Ok(tree::node(
            Span::new(source, root.span()),
            table(source, root.get_ref()),
        )),
        Err(error) => {
            let span = Span::new(source, error.span().unwrap_or(0..0));
            let message = format!("not TOML: {}", error.message().lines().next().unwrap_or_default());
            let diagnostic = Diagnostic::at("T01", Severity::Error, span, message)
                .consequence("the program that reads this file refuses it as a whole");
            Err(Box::new(diagnostic))
        }
    }
}

/// The pairs in the order of the text; the parser's map has that of the keys.
fn table(source: SourceId, table: &DeTable<'_>) -> Kind {
    let mut pairs: Vec<(Node, Node)> = table
        .iter()
        .map(|(key, value)| {
            let name = text(key.get_ref().clone().into_owned());
            (
                tree::node(Span::new(source, key.span()), name),
                node(source, value),
            )
        })
        .collect();
    pairs.sort_by_key(|(key, _)| key.span.start);
    Kind::Mapping(pairs.into())
}

fn node(source: SourceId, value: &toml::Spanned<DeValue<'_>>) -> Node {
    let kind = match value.get_ref() {
        DeValue::String(string) => text(string.clone().into_owned()),
        DeValue::Boolean(truth) => bare(truth.to_string()),
        DeValue::Integer(number) => bare(number.to_string()),
        DeValue::Float(number) => bare(number.to_string()),
        DeValue::Datetime(time) => bare(time.to_string()),
        DeValue::Array(items) => {
            Kind::Sequence(Vec::from_iter(items.iter().map(|item| node(source, item))).into())
        }
        DeValue::Table(inner) => table(source, inner),
    };
    tree::node(Span::new(source, value.span()), kind)
}

fn text(text: String) -> Kind {
    Kind::Scalar {
        text,
        style: Style::Double,
    }
}

fn bare(text: String) -> Kind {
    Kind::Scalar {
        text,
        style: Style::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_they_are_and_in_the_order_of_the_text() {
        let source = "b = \"x\"\n[[registry]]\nprefix = 'a.example'\nblocked = true\n[[registry]]\n";
        let Kind::Mapping(pairs) = parse(SourceId(0), source).unwrap().kind else {
            panic!()
        };
        assert_eq!(&source[pairs[0].1.span.range()], "\"x\"");
        let Kind::Sequence(items) = &pairs[1].1.kind else {
            panic!()
        };
        assert_eq!(items.len(), 2);
        let Kind::Mapping(fields) = &items[0].kind else {
            panic!()
        };
        assert_eq!(&source[fields[0].1.span.range()], "'a.example'");
        assert_eq!(&source[fields[1].1.span.range()], "true");
    }

    #[test]
    fn what_is_not_toml_is_told_with_its_place() {
        let text = "a = 1\n[[registry]\n";
        let error = parse(SourceId(0), text).unwrap_err();
        assert!(error.message.starts_with("not TOML"), "{}", error.message);
        assert_eq!(error.primary.unwrap().span.start, 17);
    }
}

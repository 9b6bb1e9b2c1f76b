//! Walking a tree of YAML or JSON as a typed reader: each step says what it wanted when it finds something else.

use landfall_diag::yaml::{Kind, Node, Style};
use landfall_diag::{Diagnostic, Severity, Span, Spanned};
use landfall_oci::Secret;

/// Where complaints go, and under which name.
pub(super) struct Walker<'a> {
    pub(super) code: &'static str,
    /// What a wrong type does to the file.
    pub(super) consequence: &'static str,
    /// JSON and TOML: a text has quotes, and nothing else is one.
    pub(super) typed: bool,
    pub(super) diagnostics: &'a mut Vec<Diagnostic>,
}

impl Walker<'_> {
    pub(super) fn error(&mut self, span: Span, message: impl Into<String>) {
        let diagnostic = Diagnostic::at(self.code, Severity::Error, span, message);
        self.diagnostics.push(diagnostic.consequence(self.consequence));
    }

    fn wrong(&mut self, node: &Node, what: &str, wanted: &str) {
        self.error(
            node.span,
            format!("`{what}` must be {wanted}, and this is {}", named(node)),
        );
    }

    /// The pairs of a mapping; of a null, none.
    pub(super) fn pairs<'n>(&mut self, node: &'n Node, what: &str) -> Vec<(Spanned<String>, &'n Node)> {
        match &node.kind {
            Kind::Mapping(pairs) => {
                let mut all: Vec<(Spanned<String>, &Node)> = Vec::new();
                let mut merged = Vec::new();
                for (key, value) in pairs.iter() {
                    if !self.typed && key.is_implicit() && key.text() == Some("<<") {
                        merged.extend(self.merged(value, what));
                        continue;
                    }
                    let Some(key) = self.text(key, "a key") else {
                        continue;
                    };
                    if let Some(earlier) = all.iter_mut().find(|(known, _)| *known == key) {
                        let message = format!("`{}` is given twice; the last one holds", key.value);
                        let diagnostic = Diagnostic::at(self.code, Severity::Warning, key.span, message)
                            .also(earlier.0.span, "the first");
                        self.diagnostics.push(diagnostic);
                        *earlier = (key, value);
                    } else {
                        all.push((key, value));
                    }
                }
                for (key, value) in merged {
                    if all.iter().all(|(known, _)| *known != key) {
                        all.push((key, value));
                    }
                }
                all
            }
            _ if is_null(node) => Vec::new(),
            _ => {
                self.wrong(node, what, "a mapping");
                Vec::new()
            }
        }
    }

    /// What `<<` brings in: a mapping, or several of which the first decides.
    fn merged<'n>(&mut self, node: &'n Node, what: &str) -> Vec<(Spanned<String>, &'n Node)> {
        match node.items() {
            Some(items) => items.iter().flat_map(|item| self.pairs(item, what)).collect(),
            None => self.pairs(node, what),
        }
    }

    /// The items of a list; of a null, none.
    pub(super) fn items<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.kind {
            Kind::Sequence(items) => items,
            _ if is_null(node) => &[],
            _ => {
                self.wrong(node, what, "a list");
                &[]
            }
        }
    }

    /// A text. A null is none, without a complaint.
    pub(super) fn text(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        match &node.kind {
            _ if is_null(node) => None,
            Kind::Scalar { text, style } if !self.typed || *style == Style::Double => {
                Some(Spanned::new(text.clone(), node.span))
            }
            _ => {
                self.wrong(node, what, "a text");
                None
            }
        }
    }

    /// A text that must not be seen.
    pub(super) fn secret(&mut self, node: &Node, what: &str) -> Option<Spanned<Secret>> {
        Some(self.text(node, what)?.map(Secret::from))
    }

    /// A truth.
    pub(super) fn bool(&mut self, node: &Node, what: &str) -> Option<Spanned<bool>> {
        match &node.kind {
            Kind::Scalar {
                text,
                style: Style::Plain,
            } if truth(text).is_some() => truth(text).map(|value| Spanned::new(value, node.span)),
            _ if is_null(node) => None,
            _ => {
                self.wrong(node, what, "true or false, without quotes");
                None
            }
        }
    }
}

/// The bare words that Go's YAML takes for a truth; JSON has but two of them.
fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" | "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "false" | "False" | "FALSE" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// Whether a node says nothing.
pub(super) fn is_null(node: &Node) -> bool {
    matches!(
        &node.kind,
        Kind::Scalar { text, style: Style::Plain } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    )
}

fn named(node: &Node) -> &'static str {
    match &node.kind {
        Kind::Mapping(_) => "a mapping",
        Kind::Sequence(_) => "a list",
        Kind::EndlessMapping | Kind::EndlessSequence => "a part of itself",
        Kind::Scalar {
            style: Style::Plain, ..
        } => "a bare word",
        Kind::Scalar { .. } => "a text in quotes",
    }
}

/// A node of a format that has neither tags nor anchors.
pub(super) fn node(span: Span, kind: Kind) -> Node {
    Node {
        span,
        line: 0,
        tag: None,
        anchor: None,
        alias: None,
        kind,
    }
}

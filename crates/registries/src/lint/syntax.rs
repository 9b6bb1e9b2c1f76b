//! What is wrong with the text before any field is looked at: hidden characters and tabs (L05), a second document
//! (L04).

use std::collections::BTreeMap;

use landfall_diag::hidden::{Hidden, hidden};
use landfall_diag::yaml::{Kind, Node};
use landfall_diag::{Diagnostic, Edit, Severity, Span, apply_fixes};

use super::Input;
use super::context::program;
use crate::registries_yaml;

const MARK: char = '\u{feff}';

pub(super) fn check(input: &Input<'_>, found: &mut Vec<Diagnostic>) {
    hidden_characters(input, found);
    if let Some(document) = &input.reading.document
        && let Some(rest) = document.rest
        && let Some(start) = content(input.text, rest)
    {
        found.push(second_document(input, start, document.root.is_none()));
    }
}

/// Where something stands behind the first document that is more than a comment.
fn content(text: &str, rest: Span) -> Option<Span> {
    let mut at = rest.range().start;
    for line in text.get(rest.range())?.split_inclusive('\n') {
        let bare = line.trim();
        let empty = bare.is_empty() || bare.starts_with('#') || bare == "---" || bare == "...";
        if !empty {
            let indent = line.len() - line.trim_start().len();
            return Some(Span::new(rest.source, at + indent..at + indent + bare.len()));
        }
        at += line.len();
    }
    None
}

fn second_document(input: &Input<'_>, start: Span, nothing_before: bool) -> Diagnostic {
    let who = program(input.options);
    let what = match nothing_before {
        true => "the first document is empty, so the file as a whole has no effect",
        false => "only the first document counts; nothing from here on has any effect",
    };
    Diagnostic::at("L04", Severity::Error, start, "this stands in a second document, which is never read")
        .label("never read")
        .consequence(format!("{who} reports nothing: {what}"))
        .help("remove the line `---` (or `...`) before it, and merge the sections: `mirrors:` and `configs:` once each")
}

/// What a hidden character is part of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Key,
    Value,
}

fn hidden_characters(input: &Input<'_>, found: &mut Vec<Diagnostic>) {
    let all = hidden(input.source, input.text);
    if all.is_empty() {
        return;
    }
    let mut scalars = BTreeMap::new();
    let document = input.reading.document.as_ref();
    if let Some(root) = document.and_then(|document| document.root.as_ref()) {
        collect(root, Part::Value, &mut scalars);
    }
    let mendable = mended(input, &all);
    // One finding per text, or per line where there are no texts.
    let mut groups: BTreeMap<(u32, Option<Part>), Vec<&Hidden>> = BTreeMap::new();
    for one in &all {
        let at = one.span.start;
        let scalar = scalars
            .range(..=at)
            .next_back()
            .filter(|(_, (span, _))| at < span.end);
        match scalar {
            Some((start, (_, part))) => groups.entry((*start, Some(*part))).or_default().push(one),
            // In a comment it does no harm.
            None if input.reading.registries.is_ok() && !(at == 0 && one.character == MARK) => {}
            None => groups.entry((0, None)).or_default().push(one),
        }
    }
    for ((_, part), group) in groups {
        found.extend(finding(input, part, &group, mendable));
    }
}

fn finding(input: &Input<'_>, part: Option<Part>, group: &[&Hidden], mendable: bool) -> Option<Diagnostic> {
    let first = group.first()?;
    let who = program(input.options);
    let name = first.name();
    let mark = part.is_none() && first.character == MARK && first.span.start == 0;
    let (what, consequence) = match part {
        _ if mark => (
            "the file begins with a byte order mark".to_owned(),
            format!("{who} passes over it; other tools that read the file may not"),
        ),
        Some(Part::Key) => (
            "a key contains a character that cannot be seen".to_owned(),
            format!(
                "the key is not the name that you see: {who} finds nothing under it, and reports nothing"
            ),
        ),
        Some(Part::Value) => (
            "a value contains a character that cannot be seen".to_owned(),
            "it is part of the value: a URL with it is refused, a name or password with it is another one"
                .to_owned(),
        ),
        None => (
            "there is a character that cannot be seen".to_owned(),
            format!("{who} cannot read the file as long as it is there"),
        ),
    };
    let severity = if mark { Severity::Warning } else { Severity::Error };
    let mut one = Diagnostic::at("L05", severity, first.span, what)
        .label(name)
        .consequence(consequence);
    for other in group.iter().skip(1).take(3) {
        one = one.also(other.span, other.name());
    }
    Some(match mendable {
        true => one.fix(
            "remove what cannot be seen",
            group.iter().map(|hidden| mend(input.text, hidden)).collect(),
        ),
        false => one.help("delete the line and type it again, instead of copying it from a web page"),
    })
}

/// Spaces become plain ones but at the end of a line, everything else goes.
fn mend(text: &str, hidden: &Hidden) -> Edit {
    let behind = text.get(hidden.span.range().end..).unwrap_or_default();
    let last = behind.is_empty() || behind.starts_with(['\n', '\r']);
    let space = hidden.character.is_whitespace() && !hidden.character.is_control() && !last;
    Edit {
        span: hidden.span,
        text: if space { " " } else { "" }.to_owned(),
    }
}

/// Whether the file can be read once all of them are gone.
fn mended(input: &Input<'_>, all: &[Hidden]) -> bool {
    let fix = landfall_diag::Fix {
        title: String::new(),
        edits: all.iter().map(|hidden| mend(input.text, hidden)).collect(),
    };
    let text = apply_fixes(input.source, input.text, &[fix]).text;
    registries_yaml::read(input.source, &text).registries.is_ok()
}

/// All scalars by their first byte. Without what aliases stand for, nodes are a tree.
fn collect(node: &Node, part: Part, all: &mut BTreeMap<u32, (Span, Part)>) {
    match &node.kind {
        _ if node.alias.is_some() => {}
        Kind::Scalar { .. } => {
            all.insert(node.span.start, (node.span, part));
        }
        Kind::Sequence(items) => items.iter().for_each(|item| collect(item, Part::Value, all)),
        Kind::Mapping(pairs) => {
            for (key, value) in pairs.iter() {
                collect(key, Part::Key, all);
                collect(value, Part::Value, all);
            }
        }
        Kind::EndlessSequence | Kind::EndlessMapping => {}
    }
}

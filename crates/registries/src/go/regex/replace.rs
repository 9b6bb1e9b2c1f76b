//! Go's replacement templates and `ReplaceAllString`. Not what other engines do: `$1_x` is a group named `1_x`,
//! `${a-b}` is text, and an empty match right behind another match is not replaced.

use std::ops::Range;

use regex_automata::Input;
use regex_automata::meta;
use regex_automata::util::captures::Captures;

use super::unicode::is_name;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    Group {
        name: &'a str,
        braced: bool,
        range: Range<usize>,
    },
}

/// Takes a template apart. A `$` that begins nothing is text.
pub(super) fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        out.push(Piece::Text(&rest[..at]));
        let start = template.len() - rest.len() + at;
        let after = &rest[at + 1..];
        if let Some(behind) = after.strip_prefix('$') {
            out.push(Piece::Text("$"));
            rest = behind;
        } else if let Some((name, braced, behind)) = reference(after) {
            rest = behind;
            out.push(Piece::Group {
                name,
                braced,
                range: start..template.len() - rest.len(),
            });
        } else {
            out.push(Piece::Text("$"));
            rest = after;
        }
    }
    out.push(Piece::Text(rest));
    out.retain(|piece| *piece != Piece::Text(""));
    out
}

/// `name` or `{name}`, as long as it goes.
fn reference(text: &str) -> Option<(&str, bool, &str)> {
    let (braced, inner) = match text.strip_prefix('{') {
        Some(inner) => (true, inner),
        None => (false, text),
    };
    let end = inner.find(|c| !is_name(c)).unwrap_or(inner.len());
    let (name, behind) = inner.split_at(end);
    if name.is_empty() {
        return None;
    }
    Some((
        name,
        braced,
        if braced { behind.strip_prefix('}')? } else { behind },
    ))
}

/// The number that a reference means; `01` and very long numbers are names.
pub(super) fn number(name: &str) -> Option<usize> {
    let digits = name.bytes().all(|b| b.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    if digits && name.len() <= 9 {
        name.parse().ok()
    } else {
        None
    }
}

/// Which groups a reference may mean: one number, or all of a name, of which the first that took part counts.
pub(super) fn meant(name: &str, names: &[Option<String>]) -> Vec<usize> {
    match number(name) {
        Some(number) => Vec::from_iter((number < names.len()).then_some(number)),
        None => (0..names.len())
            .filter(|at| names[*at].as_deref() == Some(name))
            .collect(),
    }
}

/// Go's `ReplaceAllString`.
pub(super) fn replace_all(
    engine: &meta::Regex,
    names: &[Option<String>],
    text: &str,
    template: &str,
) -> String {
    let pieces = pieces(template);
    let mut captures = engine.create_captures();
    let mut out = String::with_capacity(text.len());
    let (mut copied, mut from) = (0, 0);
    while from <= text.len() {
        engine.search_captures(&Input::new(text).range(from..), &mut captures);
        let Some(found) = captures.get_match() else { break };
        out.push_str(&text[copied..found.start()]);
        // An empty match where the last one ended is skipped, except at the very beginning.
        if found.end() > copied || found.start() == 0 {
            expand(&mut out, &pieces, names, &captures, text);
        }
        copied = found.end();
        let width = text[from..].chars().next().map_or(1, char::len_utf8);
        from = if from + width > copied {
            from + width
        } else {
            copied
        };
    }
    out.push_str(&text[copied.min(text.len())..]);
    out
}

fn expand(out: &mut String, pieces: &[Piece<'_>], names: &[Option<String>], captures: &Captures, text: &str) {
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Group { name, .. } => {
                let group = meant(name, names)
                    .into_iter()
                    .find_map(|at| captures.get_group(at));
                out.push_str(group.map_or("", |group| &text[group.range()]));
            }
        }
    }
}

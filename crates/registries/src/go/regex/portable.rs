//! Patterns without backslashes: K3s writes rules into a TOML string as they are, where a backslash or a quotation
//! mark breaks the file, and with it the whole mirror.

use regex_syntax::hir::{ClassUnicode, Look};

use super::error::RegexError;
use super::syntax::{self, Escape, Escaped};

/// Why a pattern cannot be written without backslashes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortableError {
    /// It is no pattern at all.
    #[error(transparent)]
    Invalid(#[from] RegexError),
    /// This part has no other spelling.
    #[error("{part} cannot be written without a backslash: {why}")]
    NoOtherWay {
        /// The part of the pattern.
        part: String,
        /// Why not.
        why: &'static str,
    },
    /// A quotation mark or a control character breaks the file as well.
    #[error("{0:?} breaks the string that the pattern is written into")]
    BreaksString(char),
}

/// Whether a text breaks when K3s writes it into a TOML string: a backslash, a quotation mark, a control character.
#[must_use]
pub fn needs_escape(text: &str) -> bool {
    breaking(text).is_some()
}

fn breaking(text: &str) -> Option<char> {
    text.chars()
        .find(|c| matches!(c, '\\' | '"') || c.is_ascii_control() && *c != '\t')
}

/// The same pattern without a backslash and without anything else that breaks a TOML string.
///
/// # Errors
/// Which part has no other spelling.
pub fn without_backslashes(pattern: &str) -> Result<String, PortableError> {
    let parsed = syntax::parse(pattern)?;
    let mut out = String::with_capacity(pattern.len());
    let mut copied = 0;
    for escape in &parsed.escapes {
        out.push_str(&pattern[copied..escape.range.start]);
        let spelled = spell(pattern, escape).map_err(|why| PortableError::NoOtherWay {
            part: pattern[escape.range.clone()].to_owned(),
            why,
        })?;
        out.push_str(&spelled);
        copied = escape.range.end;
    }
    out.push_str(&pattern[copied..]);
    match breaking(&out) {
        Some(c) => Err(PortableError::BreaksString(c)),
        None => Ok(out),
    }
}

fn spell(pattern: &str, escape: &Escape) -> Result<String, &'static str> {
    match &escape.what {
        Escaped::Literal(code) => char::from_u32(*code)
            .ok_or("it is no character")
            .and_then(literal),
        Escaped::Quoted(inner) => pattern[inner.clone()].chars().map(literal).collect(),
        Escaped::Look {
            look: Look::Start,
            multi_line: false,
        } => Ok("^".to_owned()),
        Escaped::Look {
            look: Look::End,
            multi_line: false,
        } => Ok("$".to_owned()),
        Escaped::Look { multi_line: true, .. } => Err("leave (?m) out: a repository is one line"),
        Escaped::Look { .. } => Err("nothing else stands for the border of a word"),
        Escaped::Class { set, negated } => brackets(set, *negated),
        Escaped::Set(set) => match &pattern[escape.range.clone()] {
            "\\d" => Ok("[0-9]".to_owned()),
            "\\D" => Ok("[^0-9]".to_owned()),
            "\\w" => Ok("[0-9A-Za-z_]".to_owned()),
            "\\W" => Ok("[^0-9A-Za-z_]".to_owned()),
            "\\s" | "\\S" => Err("no repository has white space in it; leave it out"),
            _ if set.ranges().len() <= 16 => brackets(set, false),
            _ => Err("repository names are ASCII; write [a-z0-9]"),
        },
    }
}

/// One character, safe wherever it stands: what might join its neighbours to something else goes into brackets.
fn literal(c: char) -> Result<String, &'static str> {
    match c {
        '\\' => Err("no repository has a backslash in it"),
        '^' => Err("^ stands for itself only behind a backslash"),
        c if c.is_ascii_alphabetic() || "/-_@:~%&#';<=>! ".contains(c) => Ok(c.to_string()),
        c if c.is_control() => Err("no repository has control characters in it"),
        c if c.is_ascii() => Ok(format!("[{c}]")),
        c => Ok(c.to_string()),
    }
}

/// A class from its set, in the polarity that it was written in if that can be.
fn brackets(set: &ClassUnicode, negated: bool) -> Result<String, &'static str> {
    let mut other = set.clone();
    other.negate();
    let (inside, outside) = (class(set, "["), class(&other, "[^"));
    match (inside, outside) {
        (Ok(inside), _) if !negated => Ok(inside),
        (_, Ok(outside)) => Ok(outside),
        (inside, _) => inside,
    }
}

/// `]` stands first, `^` not first, `-` last, `[` not before a colon; a backslash is no end of a range.
fn class(set: &ClassUnicode, opening: &str) -> Result<String, &'static str> {
    let (mut close, mut middle, mut open, mut caret, mut dash) = ("", String::new(), "", "", "");
    for range in set.ranges() {
        for (low, high) in without_specials(range.start(), range.end()) {
            match (low, high) {
                (']', ']') => close = "]",
                ('[', '[') => open = "[",
                ('^', '^') => caret = "^",
                ('-', '-') => dash = "-",
                ('\\', _) | (_, '\\') => return Err("a backslash needs a backslash"),
                (low, high) if low.is_control() || high.is_control() => {
                    return Err("no repository has control characters in it");
                }
                (low, high) if low == high => middle.push(low),
                (low, high) => middle.extend([low, '-', high]),
            }
        }
    }
    let inner = format!("{close}{middle}{open}");
    match (inner.is_empty(), caret, dash) {
        (true, "", "") => Err("it stands for no character at all"),
        (true, "^", "") if opening == "[" => Err("^ stands for itself only behind a backslash"),
        (true, "^", "-") => Ok(format!("{opening}-^]")),
        _ => Ok(format!("{opening}{inner}{caret}{dash}]")),
    }
}

/// A range with `-`, `[`, `]` and `^` as pieces of their own where one of them would be its end.
fn without_specials(low: char, high: char) -> Vec<(char, char)> {
    let special = |c: char| matches!(c, '-' | '[' | ']' | '^');
    let (mut low, mut high) = (low, high);
    let mut out = Vec::new();
    while low < high && special(low) {
        out.push((low, low));
        low = char::from_u32(u32::from(low) + 1).unwrap_or(low);
    }
    while low < high && special(high) {
        out.push((high, high));
        high = char::from_u32(u32::from(high) - 1).unwrap_or(high);
    }
    out.push((low, high));
    out
}

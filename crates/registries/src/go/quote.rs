//! Go's `strconv.Quote` (`%q`): K3s writes paths and server URLs with it, and most error texts contain it.

use std::fmt::Write as _;
use std::sync::LazyLock;

/// Go double-quoted literal of a text.
#[must_use]
pub fn quote(text: &str) -> String {
    quote_bytes(text.as_bytes())
}

/// The same for bytes that need not be UTF-8: what is not becomes `\x..`.
#[must_use]
pub fn quote_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push_escaped(&mut out, c));
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
    out
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '"' | '\\' => out.extend(['\\', c]),
        _ if is_print(c) => out.push(c),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        _ => {
            let code = u32::from(c);
            let _ = match code {
                ..0x20 | 0x7f => write!(out, "\\x{code:02x}"),
                ..0x1_0000 => write!(out, "\\u{code:04x}"),
                _ => write!(out, "\\U{code:08x}"),
            };
        }
    }
}

/// Letters, marks, numbers, punctuation, symbols and the ASCII space, of the Unicode version that Go knows.
fn is_print(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    let place = PRINTED.partition_point(|&(_, last)| last < c);
    PRINTED.get(place).is_some_and(|&(first, _)| first <= c)
}

/// Go 1.21 to 1.26 have the tables of Unicode 15.0; ours are newer, so the age is part of the question.
static PRINTED: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
    let class = regex_syntax::parse(r"[\pL\pM\pN\pP\pS&&\p{age=15.0}]");
    match class.as_ref().map(regex_syntax::hir::Hir::kind) {
        Ok(regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(class))) => {
            class.iter().map(|range| (range.start(), range.end())).collect()
        }
        _ => Vec::new(),
    }
});

/// Text of a Go string literal in double quotes, single quotes (one character at most) or back quotes; `None` where it
/// is no literal. Bytes, because `\xff` may make something that is not UTF-8.
#[must_use]
pub fn unquote(literal: &str) -> Option<Vec<u8>> {
    let mark = literal.chars().next()?;
    let inner = literal.strip_prefix(mark)?.strip_suffix(mark)?;
    match mark {
        '`' if !inner.contains('`') => Some(inner.bytes().filter(|b| *b != b'\r').collect()),
        '"' => unescape(inner, mark).map(|(bytes, _)| bytes),
        '\'' => unescape(inner, mark)
            .filter(|(_, count)| *count <= 1)
            .map(|(bytes, _)| bytes),
        _ => None,
    }
}

/// Bytes and number of characters.
fn unescape(inner: &str, mark: char) -> Option<(Vec<u8>, usize)> {
    let mut out = Vec::with_capacity(inner.len());
    let (mut rest, mut count) = (inner, 0);
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        count += 1;
        match c {
            '\n' => return None,
            c if c == mark => return None,
            '\\' => rest = unescape_one(rest, mark, &mut out)?,
            c => push_char(&mut out, c),
        }
    }
    Some((out, count))
}

/// What stands behind a backslash; returns what is left.
fn unescape_one<'a>(rest: &'a str, mark: char, out: &mut Vec<u8>) -> Option<&'a str> {
    let kind = rest.chars().next()?;
    let after = &rest[kind.len_utf8()..];
    let digits = match kind {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        '0'..='7' => {
            let digits = rest.get(..3).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
            out.push(u8::from_str_radix(digits, 8).ok()?);
            return rest.get(3..);
        }
        _ => {
            out.push(match kind {
                'a' => 0x07,
                'b' => 0x08,
                'f' => 0x0c,
                'n' => b'\n',
                'r' => b'\r',
                't' => b'\t',
                'v' => 0x0b,
                '\\' => b'\\',
                _ if kind == mark => u8::try_from(mark).ok()?,
                _ => return None,
            });
            return Some(after);
        }
    };
    let number = after
        .get(..digits)
        .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let code = u32::from_str_radix(number, 16).ok()?;
    match kind {
        'x' => out.push(u8::try_from(code).ok()?),
        _ => push_char(out, char::from_u32(code)?),
    }
    after.get(digits..)
}

fn push_char(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Go 1.26 printed.
    #[test]
    fn quotes_as_go() {
        for (text, quoted) in [
            ("", r#""""#),
            ("a\"\\`'", r#""a\"\\`'""#),
            (
                "\x07\x08\x0c\n\r\t\x0b\0\x1b\x7f",
                r#""\a\b\f\n\r\t\v\x00\x1b\x7f""#,
            ),
            ("é\u{301}漢😀", "\"é\u{301}漢😀\""),
            (
                "\u{85}\u{a0}\u{ad}\u{200b}\u{3000}\u{feff}",
                r#""\u0085\u00a0\u00ad\u200b\u3000\ufeff""#,
            ),
            ("\u{10ffff}\u{e000}", r#""\U0010ffff\ue000""#),
            // U+1C89 is a letter since Unicode 16, which Go does not know yet.
            ("\u{1c89}", r#""\u1c89""#),
        ] {
            assert_eq!(quote(text), quoted);
        }
        assert_eq!(quote_bytes(b"%\xc3a"), r#""%\xc3a""#);
    }

    #[test]
    fn unquotes_as_go() {
        let read = |literal| unquote(literal).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        for (literal, text) in [
            (r#""a\t\x41\101\u00e9\U0001F600\"""#, Some("a\tAAé😀\"")),
            ("`a\\t\r`", Some("a\\t")),
            ("'a'", Some("a")),
            ("''", Some("")),
            ("'ab'", None),
            (r#""\'""#, None),
            (r#""\ud800""#, None),
            (r#""\400""#, None),
            ("\"a\nb\"", None),
            (r#""a"b""#, None),
            ("a", None),
            ("\"", None),
            ("", None),
        ] {
            assert_eq!(read(literal).as_deref(), text, "{literal}");
        }
        assert_eq!(unquote(r#""\xff""#), Some(vec![0xff]));
    }
}

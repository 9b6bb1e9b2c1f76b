//! Bytes to text, with yaml.v2's words for bytes that are none.

use super::input::Bad;
use super::{Document, YamlError, parser};
use crate::SourceId;

/// Reads a file's bytes, UTF-8 or UTF-16 with a byte order mark. Also gives the text that all spans are in:
/// what is no text is shown as `U+FFFD` in it.
pub fn parse_bytes(source: SourceId, bytes: &[u8]) -> (String, Result<Document, YamlError>) {
    let (text, good, bad) = match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => utf8(bytes),
    };
    let document = parser::read(source, text.get(..good).unwrap_or_default(), bad);
    (text, document)
}

/// The text, how much of it is good, and what comes there.
fn utf8(bytes: &[u8]) -> (String, usize, Option<Bad>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), text.len(), None),
        Err(error) => {
            let at = error.valid_up_to();
            let (text, width) = fault(&bytes[at..]);
            (
                String::from_utf8_lossy(bytes).into_owned(),
                at,
                Some(Bad { at, width, text }),
            )
        }
    }
}

fn fault(bytes: &[u8]) -> (&'static str, Option<usize>) {
    let width = match bytes.first() {
        Some(0xC0..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF7) => 4,
        _ => return ("invalid leading UTF-8 octet", Some(1)),
    };
    let Some(all) = bytes.get(..width) else {
        return ("incomplete UTF-8 octet sequence", None);
    };
    if all.iter().skip(1).any(|octet| octet & 0xC0 != 0x80) {
        return ("invalid trailing UTF-8 octet", Some(width));
    }
    match (all[0], all[1]) {
        (0xC0 | 0xC1, _) | (0xE0, ..0xA0) | (0xF0, ..0x90) => {
            ("invalid length of a UTF-8 sequence", Some(width))
        }
        _ => ("invalid Unicode character", Some(width)),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> (String, usize, Option<Bad>) {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut text = String::new();
    let mut bad = None;
    let mut units = char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).peekable();
    while let Some(next) = units.next() {
        let fault = next.as_ref().err().map(|error| match error.unpaired_surrogate() {
            0xDC00.. => "unexpected low surrogate area",
            _ if units.peek().is_none() => "incomplete UTF-16 surrogate pair",
            _ => "expected low surrogate area",
        });
        if let (Some(fault), None) = (fault, bad) {
            bad = Some(Bad {
                at: text.len(),
                width: Some(1).filter(|_| !fault.starts_with("inc")),
                text: fault,
            });
        }
        text.push(next.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    if !odd.is_empty() {
        bad = bad.or(Some(Bad {
            at: text.len(),
            width: None,
            text: "incomplete UTF-16 character",
        }));
        text.push(char::REPLACEMENT_CHARACTER);
    }
    let good = bad.map_or(text.len(), |bad| bad.at);
    (text, good, bad)
}

//! Characters that are there and cannot be seen, or that look like another: their places and names.

use std::fmt::Write as _;

use crate::{SourceId, Span};

/// A character that cannot be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// Where it is.
    pub span: Span,
    /// Which one it is.
    pub character: char,
}

impl Hidden {
    /// `U+200B ZERO WIDTH SPACE`.
    #[must_use]
    pub fn name(&self) -> String {
        name(self.character)
    }
}

/// All characters in a text that cannot be seen. Spaces, line ends and tabs are none.
#[must_use]
pub fn hidden(source: SourceId, text: &str) -> Vec<Hidden> {
    text.char_indices()
        .filter(|(at, character)| is_hidden(*character) && !ends_line(text, *at, *character))
        .map(|(at, character)| Hidden {
            span: Span::new(source, at..at + character.len_utf8()),
            character,
        })
        .collect()
}

/// `\r` of `\r\n`.
pub(crate) fn ends_line(text: &str, at: usize, character: char) -> bool {
    character == '\r' && text.as_bytes().get(at + 1) == Some(&b'\n')
}

/// Whether nobody sees it, or takes it for a space.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    !matches!(character, '\t' | '\n') && (character.is_control() || listed(character).is_some())
}

/// `U+00A0 NO-BREAK SPACE`; the number alone for characters that are not known here.
#[must_use]
pub fn name(character: char) -> String {
    let mut name = format!("U+{:04X}", u32::from(character));
    let known = match character {
        '\t' => Some("CHARACTER TABULATION"),
        '\r' => Some("CARRIAGE RETURN"),
        '\0' => Some("NULL"),
        '\x08' => Some("BACKSPACE"),
        '\x1b' => Some("ESCAPE"),
        '\x7f' => Some("DELETE"),
        '\u{85}' => Some("NEXT LINE"),
        _ if character.is_control() => Some("CONTROL CHARACTER"),
        _ => listed(character),
    };
    if let Some(known) = known {
        // Writing to a string cannot fail.
        let _ = write!(name, " {known}");
    }
    name
}

/// A text of one line in which everything can be seen.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '\n' || character == '\t' {
            out.push(' ');
        } else if is_hidden(character) {
            out.push_str(&mark(character));
        } else {
            out.push(character);
        }
    }
    out
}

/// What is drawn in the place of a hidden character.
pub(crate) fn mark(character: char) -> String {
    format!("‹U+{:04X}›", u32::from(character))
}

fn listed(character: char) -> Option<&'static str> {
    let at = NAMES.partition_point(|(first, _, _)| *first <= character);
    let (first, last, name) = NAMES.get(at.checked_sub(1)?)?;
    (*first..=*last).contains(&character).then_some(*name)
}

/// First, last, name; in order.
const NAMES: &[(char, char, &str)] = &[
    ('\u{00A0}', '\u{00A0}', "NO-BREAK SPACE"),
    ('\u{00AD}', '\u{00AD}', "SOFT HYPHEN"),
    ('\u{034F}', '\u{034F}', "COMBINING GRAPHEME JOINER"),
    ('\u{061C}', '\u{061C}', "ARABIC LETTER MARK"),
    ('\u{115F}', '\u{115F}', "HANGUL CHOSEONG FILLER"),
    ('\u{1160}', '\u{1160}', "HANGUL JUNGSEONG FILLER"),
    ('\u{1680}', '\u{1680}', "OGHAM SPACE MARK"),
    ('\u{17B4}', '\u{17B5}', "KHMER INHERENT VOWEL"),
    ('\u{180B}', '\u{180D}', "MONGOLIAN VARIATION SELECTOR"),
    ('\u{180E}', '\u{180E}', "MONGOLIAN VOWEL SEPARATOR"),
    ('\u{2000}', '\u{2000}', "EN QUAD"),
    ('\u{2001}', '\u{2001}', "EM QUAD"),
    ('\u{2002}', '\u{2002}', "EN SPACE"),
    ('\u{2003}', '\u{2003}', "EM SPACE"),
    ('\u{2004}', '\u{2004}', "THREE-PER-EM SPACE"),
    ('\u{2005}', '\u{2005}', "FOUR-PER-EM SPACE"),
    ('\u{2006}', '\u{2006}', "SIX-PER-EM SPACE"),
    ('\u{2007}', '\u{2007}', "FIGURE SPACE"),
    ('\u{2008}', '\u{2008}', "PUNCTUATION SPACE"),
    ('\u{2009}', '\u{2009}', "THIN SPACE"),
    ('\u{200A}', '\u{200A}', "HAIR SPACE"),
    ('\u{200B}', '\u{200B}', "ZERO WIDTH SPACE"),
    ('\u{200C}', '\u{200C}', "ZERO WIDTH NON-JOINER"),
    ('\u{200D}', '\u{200D}', "ZERO WIDTH JOINER"),
    ('\u{200E}', '\u{200E}', "LEFT-TO-RIGHT MARK"),
    ('\u{200F}', '\u{200F}', "RIGHT-TO-LEFT MARK"),
    ('\u{2028}', '\u{2028}', "LINE SEPARATOR"),
    ('\u{2029}', '\u{2029}', "PARAGRAPH SEPARATOR"),
    ('\u{202A}', '\u{202A}', "LEFT-TO-RIGHT EMBEDDING"),
    ('\u{202B}', '\u{202B}', "RIGHT-TO-LEFT EMBEDDING"),
    ('\u{202C}', '\u{202C}', "POP DIRECTIONAL FORMATTING"),
    ('\u{202D}', '\u{202D}', "LEFT-TO-RIGHT OVERRIDE"),
    ('\u{202E}', '\u{202E}', "RIGHT-TO-LEFT OVERRIDE"),
    ('\u{202F}', '\u{202F}', "NARROW NO-BREAK SPACE"),
    ('\u{205F}', '\u{205F}', "MEDIUM MATHEMATICAL SPACE"),
    ('\u{2060}', '\u{2060}', "WORD JOINER"),
    ('\u{2061}', '\u{2061}', "FUNCTION APPLICATION"),
    ('\u{2062}', '\u{2062}', "INVISIBLE TIMES"),
    ('\u{2063}', '\u{2063}', "INVISIBLE SEPARATOR"),
    ('\u{2064}', '\u{2064}', "INVISIBLE PLUS"),
    ('\u{2066}', '\u{2066}', "LEFT-TO-RIGHT ISOLATE"),
    ('\u{2067}', '\u{2067}', "RIGHT-TO-LEFT ISOLATE"),
    ('\u{2068}', '\u{2068}', "FIRST STRONG ISOLATE"),
    ('\u{2069}', '\u{2069}', "POP DIRECTIONAL ISOLATE"),
    ('\u{206A}', '\u{206F}', "DEPRECATED FORMAT CHARACTER"),
    ('\u{2800}', '\u{2800}', "BRAILLE PATTERN BLANK"),
    ('\u{3000}', '\u{3000}', "IDEOGRAPHIC SPACE"),
    ('\u{3164}', '\u{3164}', "HANGUL FILLER"),
    ('\u{FE00}', '\u{FE0F}', "VARIATION SELECTOR"),
    (
        '\u{FEFF}',
        '\u{FEFF}',
        "ZERO WIDTH NO-BREAK SPACE (BYTE ORDER MARK)",
    ),
    ('\u{FFA0}', '\u{FFA0}', "HALFWIDTH HANGUL FILLER"),
    ('\u{FFF9}', '\u{FFFB}', "INTERLINEAR ANNOTATION CHARACTER"),
    ('\u{E0000}', '\u{E007F}', "TAG CHARACTER"),
    ('\u{E0100}', '\u{E01EF}', "VARIATION SELECTOR"),
];

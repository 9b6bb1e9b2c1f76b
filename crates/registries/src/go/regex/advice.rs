//! What a person should know who wrote a pattern that Go refuses: most come from other dialects.

use std::ops::Range;

use super::error::Code;

/// Advice for an error; `shown` is the text between Go's back quotes.
pub(super) fn for_error(code: Code, pattern: &str, shown: &str, span: &Range<usize>) -> String {
    match code {
        Code::PerlOp => perl_syntax(pattern.get(span.start..).unwrap_or_default()).to_owned(),
        Code::Escape => escape(shown),
        Code::ClassRange if shown.starts_with("[:") => {
            "The named classes are alnum, alpha, ascii, blank, cntrl, digit, graph, lower, print, punct, space, upper, \
             word and xdigit."
                .to_owned()
        }
        Code::ClassRange if shown.starts_with('\\') => {
            "Go knows no such category or script; repository names are ASCII: write [a-z0-9].".to_owned()
        }
        Code::ClassRange => format!(
            "The range {shown} runs backwards; for a literal hyphen put it last in the brackets, as in [a-z-]."
        ),
        Code::NamedCapture if shown.starts_with("(?<=") || shown.starts_with("(?<!") => LOOKAROUND.to_owned(),
        Code::NamedCapture => {
            "A group's name has letters, digits and _ only and ends with >, as in (?P<name>...).".to_owned()
        }
        Code::RepeatOp if shown.contains("+") => {
            "Go has no possessive repetition; write one repetition only: a*, a+ or a?.".to_owned()
        }
        Code::RepeatOp => "Two repetitions follow each other; write one of them, or put brackets around the first."
            .to_owned(),
        Code::RepeatSize => {
            "A count goes up to 1000, nested counts multiplied, and the first may not exceed the second.".to_owned()
        }
        Code::MissingBracket => "A [ is not closed; for a literal [ write [[].".to_owned(),
        Code::MissingParen => "A ( is not closed; for a literal ( write [(].".to_owned(),
        Code::UnexpectedParen => "A ) closes nothing; for a literal ) write [)].".to_owned(),
        Code::MissingArgument if shown.starts_with('*') => {
            "* repeats what stands before it, and nothing does; for any text write .* instead.".to_owned()
        }
        Code::MissingArgument => "Nothing stands before the repetition.".to_owned(),
        Code::TrailingBackslash => "The pattern ends in a backslash; remove it.".to_owned(),
        Code::NestingDepth | Code::TooLarge => {
            "Split the pattern into simpler rules, or shorten counted repetitions.".to_owned()
        }
    }
}

/// What begins with `(?` and is not Go's.
fn perl_syntax(text: &str) -> &'static str {
    let known: [(&str, &str); 9] = [
        ("(?=", LOOKAROUND),
        ("(?!", LOOKAROUND),
        (
            "(?<",
            "The name of the group is missing: (?P<name>...). Go has no look-behind.",
        ),
        ("(?>", "Go has no atomic groups; write (?:...)."),
        ("(?#", "Go has no comments in patterns; leave it out."),
        ("(?'", "Write the name of a group as (?P<name>...)."),
        ("(?|", "Go has no branch reset; number the groups as they come."),
        ("(?P>", "Go has no recursion."),
        ("(?P=", "Go has no back references."),
    ];
    let flags = "The flags are i, m, s and U; others, such as x, R or u, do not exist in Go.";
    known
        .iter()
        .find(|(head, _)| text.starts_with(head))
        .map_or(flags, |(_, advice)| advice)
}

const LOOKAROUND: &str = "Go has no look-ahead and no look-behind. Say what shall match instead of what shall not, in \
                          several rules that do not overlap.";

fn escape(shown: &str) -> String {
    let advice = match shown.as_bytes().get(1) {
        Some(b'1'..=b'9') => "Go has no back references.",
        Some(b'Z') => "Write $ or \\z for the end of the text.",
        Some(b'C') => "Go cannot match single bytes; write . for a character.",
        Some(b'x') => "Write two hexadecimal digits, or \\x{...} with any number up to 10FFFF.",
        Some(b'u' | b'U') => "Write \\x{...} for a character by its number.",
        Some(b'E') => "\\E without \\Q; remove it.",
        Some(b'h') => "Write [ \\t] for a space or a tab.",
        Some(b'R') => "Write \\n for a newline.",
        Some(b'e') => "Write \\x1b.",
        Some(b'G' | b'K' | b'X' | b'N' | b'c') => "Go has no such escape.",
        Some(byte) if byte.is_ascii_alphabetic() => {
            return format!(
                "Go has no such escape; for the letter itself leave the backslash out: {}",
                &shown[1..]
            );
        }
        _ => "Only ASCII punctuation may be escaped; write the character itself.",
    };
    advice.to_owned()
}

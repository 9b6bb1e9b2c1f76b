//! Why a pattern is refused: Go's own words, the place, and what a person should know.

use std::ops::Range;

/// A pattern that Go refuses, or (`by_go` false) that is too much to be judged here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RegexError {
    /// Exactly what the node's log says: "error parsing regexp: …".
    pub message: String,
    /// Bytes of the pattern that are meant.
    pub span: Range<usize>,
    /// What it means and what to write instead.
    pub advice: String,
    /// Whether the node refuses it too.
    pub by_go: bool,
}

/// Go's kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    ClassRange,
    Escape,
    NamedCapture,
    PerlOp,
    RepeatOp,
    RepeatSize,
    MissingBracket,
    MissingParen,
    MissingArgument,
    TrailingBackslash,
    UnexpectedParen,
    NestingDepth,
    TooLarge,
}

impl Code {
    fn text(self) -> &'static str {
        match self {
            Self::ClassRange => "invalid character class range",
            Self::Escape => "invalid escape sequence",
            Self::NamedCapture => "invalid named capture",
            Self::PerlOp => "invalid or unsupported Perl syntax",
            Self::RepeatOp => "invalid nested repetition operator",
            Self::RepeatSize => "invalid repeat count",
            Self::MissingBracket => "missing closing ]",
            Self::MissingParen => "missing closing )",
            Self::MissingArgument => "missing argument to repetition operator",
            Self::TrailingBackslash => "trailing backslash at end of expression",
            Self::UnexpectedParen => "unexpected )",
            Self::NestingDepth => "expression nests too deeply",
            Self::TooLarge => "expression too large",
        }
    }

    /// The error for `shown` (what Go prints between back quotes) at `span`.
    pub(super) fn error(self, pattern: &str, shown: Range<usize>, span: Range<usize>) -> RegexError {
        let shown = pattern.get(shown).unwrap_or_default();
        RegexError {
            message: format!("error parsing regexp: {}: `{shown}`", self.text()),
            advice: super::advice::for_error(self, pattern, shown, &span),
            span,
            by_go: true,
        }
    }
}

/// A pattern that Go would take, but that costs more than anybody's rewrite rule.
pub(super) fn too_much(pattern: &str, what: &str) -> RegexError {
    RegexError {
        message: format!("the pattern is too large to be tried here: {what}"),
        span: 0..pattern.len(),
        advice: "A node may accept it; split it into simpler rules, or shorten counted repetitions."
            .to_owned(),
        by_go: false,
    }
}

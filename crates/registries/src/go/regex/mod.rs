//! Go's regular expressions: rewrite rules are compiled by Go on the node, and its dialect decides which repository is
//! asked for. A pattern is read by our own parser of Go's grammar, then run by an engine with the same semantics
//! (leftmost-first, linear time).

mod advice;
mod analysis;
mod class;
mod error;
mod node;
mod overlap;
mod portable;
mod replace;
mod syntax;
mod translate;
mod unicode;
mod walk;

pub use analysis::{
    Anchors, BadExample, BadResult, MissingGroup, anchors, bad_results, judge, missing_groups,
};
pub use error::RegexError;
pub use overlap::{Conflict, Overlap, conflict, overlap, witness};
pub use portable::{PortableError, needs_escape, without_backslashes};

/// A compiled pattern, as `regexp.MustCompile` would make it.
#[derive(Clone, Debug)]
pub struct GoRegex {
    pattern: String,
    parsed: syntax::Parsed,
    engine: regex_automata::meta::Regex,
}

impl GoRegex {
    /// Compiles a pattern by the rules of Go.
    ///
    /// # Errors
    /// Go's text, or that the pattern is too large to be tried here.
    pub fn compile(pattern: &str) -> Result<Self, RegexError> {
        let parsed = syntax::parse(pattern)?;
        let engine = translate::engine(pattern, &translate::hir(pattern, &parsed.node, None)?)?;
        Ok(Self {
            pattern: pattern.to_owned(),
            parsed,
            engine,
        })
    }

    /// The pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// Names of the groups, the whole match first, as Go's `SubexpNames`.
    #[must_use]
    pub fn groups(&self) -> &[Option<String>] {
        &self.parsed.names
    }

    /// The minor version of Go 1 that is the first to accept the pattern, where not all do: 22 for `(?<name>`, 25 for
    /// `\p{Letter}`.
    #[must_use]
    pub fn needs_go(&self) -> Option<u8> {
        Some(self.parsed.since).filter(|since| *since > 0)
    }

    /// Whether the pattern matches somewhere in the text.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.engine.is_match(text)
    }

    /// The text with every match replaced, as Go's `ReplaceAllString`.
    #[must_use]
    pub fn replace_all(&self, text: &str, replacement: &str) -> String {
        replace::replace_all(&self.engine, &self.parsed.names, text, replacement)
    }
}

#[cfg(test)]
mod tests;

//! Lines that containerd logs, of those that tell why a pull goes as it goes.

use landfall_diag::Span;

/// A line of containerd's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The message, with the error behind a colon where one is logged.
    pub text: String,
    /// What in the files it is about.
    pub span: Option<Span>,
}

impl LogLine {
    pub(super) fn new(text: impl Into<String>, span: Option<Span>) -> Self {
        Self {
            text: text.into(),
            span,
        }
    }
}

//! Progress for three kinds of listeners: a terminal (bars), a pipe (plain lines), a program (JSON lines).

mod bars;
mod json;
mod plain;
mod tally;

use std::io::IsTerminal;
use std::sync::Arc;

use landfall_transfer::{Reporter, Silent};

/// `--output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// Tables and sentences.
    #[default]
    Text,
    /// JSON: events line by line while it runs, then the report as the last line; a plan or an inventory as one
    /// document.
    Json,
}

/// The listener that fits the place: JSON when asked for, bars on a terminal, lines elsewhere.
pub(crate) fn reporter(output: Output, quiet: bool) -> Arc<dyn Reporter> {
    match output {
        Output::Json if quiet => Arc::new(Silent),
        Output::Json => Arc::new(json::Lines::default()),
        Output::Text if quiet => Arc::new(Silent),
        Output::Text if std::io::stderr().is_terminal() => Arc::new(bars::Bars::new()),
        Output::Text => Arc::new(plain::Lines::default()),
    }
}

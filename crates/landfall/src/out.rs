//! The only place that prints: results to standard output, everything else to standard error. A reader that went
//! away (`landfall … | head`) is no error.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::Write;

/// A result: what a pipe is meant to receive. The text brings its own newline.
pub(crate) fn result(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A line about what is going on.
pub(crate) fn progress(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// The error that ends the program.
pub(crate) fn error(message: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "error: {message}");
}

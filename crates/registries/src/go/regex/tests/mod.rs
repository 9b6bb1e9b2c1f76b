//! Tests of patterns and rules.

mod go;
mod properties;
mod rules;

use super::GoRegex;

fn regex(pattern: &str) -> GoRegex {
    GoRegex::compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

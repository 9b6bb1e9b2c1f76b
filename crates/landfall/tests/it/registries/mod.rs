//! The node side, as its users run it.

mod apply;
mod check;
mod diff;
mod exits;
mod explain;
mod probe;
mod pull;
mod render;
mod rewrite;

use landfall_testkit::Outcome;

/// A password that must never be seen.
const PASSWORD: &str = "hunter2-never-shown";

/// It ended with this code, said all of these words, and showed no password.
#[track_caller]
fn said(outcome: &Outcome, code: i32, words: &[&str]) {
    assert_eq!(outcome.code(), Some(code), "{outcome}");
    let text = format!("{}{}", outcome.stdout, outcome.stderr);
    for word in words {
        assert!(text.contains(word), "no {word:?} in {outcome}");
    }
    assert!(!text.contains(PASSWORD), "{outcome}");
    assert!(!text.contains("panicked"), "{outcome}");
}

/// The one JSON document of a run.
#[track_caller]
fn document(outcome: &Outcome) -> serde_json::Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"))
}

//! `landfall images …`, as its users run it.

mod compile;
mod lint;
mod online;
mod rancher;
mod real_lists;
mod release;

use landfall_testkit::Outcome;

/// It ended with this code and said all of these words.
#[track_caller]
fn said(outcome: &Outcome, code: i32, words: &[&str]) {
    assert_eq!(outcome.code(), Some(code), "{outcome}");
    let text = format!("{}{}", outcome.stdout, outcome.stderr);
    for word in words {
        assert!(text.contains(word), "no {word:?} in {outcome}");
    }
    assert!(!text.contains("panicked"), "{outcome}");
}

/// The one JSON document of a run.
#[track_caller]
fn document(outcome: &Outcome) -> serde_json::Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"))
}

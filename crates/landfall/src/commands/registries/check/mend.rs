//! `--fix`: changes that need no guess, each round read again, so that the file never becomes worse.

use std::collections::HashSet;

use landfall_diag::{Fix, SourceId, apply_fixes, diff};

use super::examine::{Looked, Subject};

/// A change may make room for another; more rounds than this are a circle.
const ROUNDS: usize = 10;

/// What was mended.
pub(super) struct Mended {
    pub(super) applied: usize,
    /// The new text, whole, passwords and all.
    pub(super) text: String,
    /// What changed, without passwords.
    pub(super) diff: String,
}

/// Mends what can be, and looks at the result.
pub(super) fn mend(subject: &Subject, first: Looked) -> (Looked, Mended) {
    let before = first.shown.clone();
    let mut seen = HashSet::from([first.text.clone()]);
    let (mut looked, mut applied) = (first, 0);
    // What could not be decoded would not come back as it was.
    let is_whole = !looked.text.contains('\u{fffd}');
    for _ in 0..ROUNDS {
        let fixes: Vec<Fix> = looked
            .findings
            .iter()
            .filter_map(|found| found.fix.clone())
            .collect();
        if fixes.is_empty() || !is_whole {
            break;
        }
        let Some((next, count)) =
            together(subject, &looked, &fixes).or_else(|| one_by_one(subject, &looked, &fixes))
        else {
            break;
        };
        if !seen.insert(next.text.clone()) {
            break;
        }
        (looked, applied) = (next, applied + count);
    }
    let mended = Mended {
        applied,
        text: looked.text.clone(),
        diff: diff(&before, &looked.shown, subject.name.trim_start_matches('/')),
    };
    (looked, mended)
}

/// All that fit together, unless they make it worse.
fn together(subject: &Subject, looked: &Looked, fixes: &[Fix]) -> Option<(Looked, usize)> {
    let fixed = apply_fixes(SourceId(0), &looked.text, fixes);
    let next = changed(subject, looked, &fixed.text)?;
    Some((next, fixed.applied))
}

/// The first that does not make it worse.
fn one_by_one(subject: &Subject, looked: &Looked, fixes: &[Fix]) -> Option<(Looked, usize)> {
    let alone = |fix: &Fix| {
        let fixed = apply_fixes(SourceId(0), &looked.text, std::slice::from_ref(fix));
        changed(subject, looked, &fixed.text)
    };
    fixes.iter().find_map(alone).map(|next| (next, 1))
}

fn changed(subject: &Subject, looked: &Looked, text: &str) -> Option<Looked> {
    if text == looked.text {
        return None;
    }
    let next = subject.look(text.as_bytes());
    (next.badness() <= looked.badness()).then_some(next)
}

//! Fixes: a text with the changes made that fit together.

use crate::{Edit, Fix, SourceId};

/// What came of a set of fixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// The text with the changes made.
    pub text: String,
    /// How many fixes were made.
    pub applied: usize,
    /// The fixes that were not made, by their place in the list: they change what another one changes, or a
    /// place that is not in this text. Look at the new text again to find out whether they are still needed.
    pub skipped: Vec<usize>,
}

/// Makes all fixes that do not touch each other, earlier ones first; each wholly or not at all. A fix that
/// another one repeats counts as made.
#[must_use]
pub fn apply_fixes(source: SourceId, text: &str, fixes: &[Fix]) -> Fixed {
    let mut chosen: Vec<&Edit> = Vec::new();
    let mut skipped = Vec::new();
    for (index, fix) in fixes.iter().enumerate() {
        match new_edits(source, text, fix, &chosen) {
            Some(new) => chosen.extend(new),
            None => skipped.push(index),
        }
    }
    // Stable, so that insertions in one place keep their order.
    chosen.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for edit in chosen {
        out.push_str(&text[done..edit.span.range().start]);
        out.push_str(&edit.text);
        done = edit.span.range().end;
    }
    out.push_str(&text[done..]);
    Fixed {
        text: out,
        applied: fixes.len() - skipped.len(),
        skipped,
    }
}

/// The edits of a fix that are not made yet, or `None` if it does not go with those that are.
fn new_edits<'a>(source: SourceId, text: &str, fix: &'a Fix, chosen: &[&Edit]) -> Option<Vec<&'a Edit>> {
    let mut new: Vec<&'a Edit> = Vec::new();
    for edit in &fix.edits {
        if edit.span.source != source || text.get(edit.span.range()).is_none() {
            return None;
        }
        if chosen.contains(&edit) || new.contains(&edit) {
            continue;
        }
        if chosen
            .iter()
            .copied()
            .chain(new.iter().copied())
            .any(|other| collide(edit, other))
        {
            return None;
        }
        new.push(edit);
    }
    Some(new)
}

/// Two insertions in one place do, too: their order would be a guess.
fn collide(a: &Edit, b: &Edit) -> bool {
    let (a, b) = (a.span, b.span);
    a.start < b.end && b.start < a.end || a.start == b.start
}

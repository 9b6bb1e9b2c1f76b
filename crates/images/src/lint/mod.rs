//! What is odd about a list as a whole: names that move, that clash, that belong to Windows, that lack their companions.
//!
//! The reader remarks upon single lines; everything here needs to see the others, or to know what images are.

mod known;
mod missing;
mod names;
mod windows;

use std::collections::HashMap;

pub use self::missing::{Missing, missing};
use crate::{List, Mapping, Note, NoteKind};

/// What a list is held against.
#[derive(Clone, Debug, Default)]
pub struct LintOptions<'a> {
    /// Where its images are to go.
    pub mapping: Option<&'a Mapping>,
    /// The list of Windows images that goes with it.
    pub windows: Option<&'a List>,
}

/// Everything that is odd about a list, the reader's notes among it, in the order of lines.
#[must_use]
pub fn lint(list: &List, options: &LintOptions<'_>) -> Vec<Note> {
    let mut notes = list.notes.clone();
    if list.entries.is_empty() && list.errors().next().is_none() {
        notes.push(Note {
            line: 1,
            kind: NoteKind::Empty,
            message: "no image in the list".to_owned(),
        });
    }
    notes.extend(names::notes(list));
    notes.extend(windows::notes(list, options.windows));
    if let Some(mapping) = options.mapping {
        notes.extend(names::places(list, mapping));
    }
    notes.extend(companions(list));
    notes.sort_by_key(|note| note.line);
    notes
}

fn companions(list: &List) -> Vec<Note> {
    let images = list
        .entries
        .iter()
        .map(|entry| (entry.text.as_str(), &entry.reference));
    let lines: HashMap<&str, usize> = list
        .entries
        .iter()
        .map(|entry| (entry.text.as_str(), entry.line))
        .collect();
    let note = |missing: Missing| {
        let kind = match missing.certain {
            true => NoteKind::Missing,
            false => NoteKind::PerhapsMissing,
        };
        let message = match missing.name {
            Some(name) => format!(
                "`{}` wants `{name}`, which is not in the list: {}",
                missing.wanted_by, missing.because
            ),
            None => format!("`{}`: {}", missing.wanted_by, missing.because),
        };
        Note {
            line: lines.get(missing.wanted_by.as_str()).copied().unwrap_or(1),
            kind,
            message,
        }
    };
    missing(images).into_iter().map(note).collect()
}

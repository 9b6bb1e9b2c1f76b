//! The lists as the scripts go through them: line by line, a bad one no reason to stop.

use std::collections::BTreeSet;
use std::path::Path;

use landfall_images::{Entry, NoteKind};
use landfall_oci::Reference;
use landfall_transfer::Class;

use crate::failure::Failure;
use crate::{lists, out};

/// A list that was read.
#[derive(Default)]
pub(super) struct Lines {
    /// The images, each once.
    pub(super) entries: Vec<Entry>,
    /// Images among them in other words, which the scripts push to another place.
    pub(super) reworded: Vec<Entry>,
    /// Lines that name no image.
    pub(super) bad: Vec<landfall_transfer::Failure>,
}

impl Lines {
    /// Reads a list.
    pub(super) fn read(path: &Path, quiet: bool) -> Result<Self, Failure> {
        let bytes = lists::bytes(path)?;
        let list = lists::parse(&bytes, path)?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> = text.lines().collect();
        let bad = list.errors().map(|note| landfall_transfer::Failure {
            reference: None,
            asked: shown(lines.get(note.line - 1).copied().unwrap_or_default()),
            reason: format!("{}:{}: {}", path.display(), note.line, note.message),
            class: Class::NotFound,
        });
        let bad: Vec<_> = bad.collect();
        if list.entries.is_empty() && bad.is_empty() {
            return Err(Failure::usage(format!("{}: no image in it", path.display())));
        }
        if !quiet {
            let told = list
                .notes
                .iter()
                .filter(|note| note.kind != NoteKind::ImpliedLatest);
            for note in told {
                let level = note.kind.level();
                out::progress(&format!(
                    "{}:{}: {level}: {}",
                    path.display(),
                    note.line,
                    note.message
                ));
            }
        }
        Ok(Self {
            entries: list.entries,
            reworded: list.reworded,
            bad,
        })
    }

    /// The same under other names. A line that has none then is a bad one.
    pub(super) fn named(self, name: impl Fn(&str) -> String) -> Self {
        let mut named = Self {
            bad: self.bad,
            ..Self::default()
        };
        for (entries, kept) in [
            (self.entries, &mut named.entries),
            (self.reworded, &mut named.reworded),
        ] {
            for entry in entries {
                let text = name(&entry.text);
                match Reference::parse(&text) {
                    Ok(reference) => kept.push(Entry {
                        reference: reference.with_default_tag(),
                        text,
                        line: entry.line,
                    }),
                    Err(error) => named.bad.push(landfall_transfer::Failure {
                        reference: None,
                        asked: entry.text,
                        reason: format!("line {}: `{text}`: {error}", entry.line),
                        class: Class::NotFound,
                    }),
                }
            }
        }
        named
    }

    /// All that is to be done, in the order of the list.
    pub(super) fn all(&self) -> Vec<Entry> {
        let mut all: Vec<_> = self.entries.iter().chain(&self.reworded).cloned().collect();
        all.sort_by_key(|entry| entry.line);
        all
    }

    /// The same, each image once: in other words it may be another one, below another registry.
    pub(super) fn images(&self) -> Vec<Entry> {
        let mut seen = BTreeSet::new();
        let mut all = self.all();
        all.retain(|entry| seen.insert(entry.reference.clone()));
        all
    }
}

/// A line for people and for the list of what failed: it may hold anything, and goes to a terminal.
fn shown(line: &str) -> String {
    const MOST: usize = 256;
    let line = line.trim_start_matches('\u{feff}').trim();
    line.chars()
        .take(MOST)
        .flat_map(|c| match c.is_control() {
            true => c.escape_default().collect::<Vec<_>>(),
            false => vec![c],
        })
        .collect()
}

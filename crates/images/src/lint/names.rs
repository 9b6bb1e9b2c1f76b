//! Names: tags that move, digests beside tags, places that clash.

use std::collections::HashMap;

use landfall_oci::Reference;

use crate::{Entry, List, MapError, Mapping, Note, NoteKind, place_all};

/// What the names say by themselves.
pub(super) fn notes(list: &List) -> Vec<Note> {
    list.entries.iter().filter_map(of_one).collect()
}

fn of_one(entry: &Entry) -> Option<Note> {
    let (tag, digest) = (entry.reference.tag(), entry.reference.digest());
    let bare = entry
        .text
        .rsplit('/')
        .next()
        .is_some_and(|last| !last.contains([':', '@']));
    let (kind, message) = match (tag, digest) {
        (Some(tag), None) if tag.as_str() == "latest" && !bare => (
            NoteKind::Latest,
            format!(
                "`{}`: what `latest` means changes; the next run may fetch another image",
                entry.text
            ),
        ),
        (Some(tag), Some(_)) => (
            NoteKind::TagAndDigest,
            format!(
                "`{}`: the digest decides what is fetched, whatever the tag `{tag}` means by then",
                entry.text
            ),
        ),
        (None, Some(_)) => (
            NoteKind::DigestOnly,
            format!(
                "`{}` has no tag: behind the gap it can be asked for by this digest only",
                entry.text
            ),
        ),
        _ => return None,
    };
    Some(Note {
        line: entry.line,
        kind,
        message,
    })
}

/// Names that have no place in the target, and names that share one.
pub(super) fn places(list: &List, mapping: &Mapping) -> Vec<Note> {
    let images = list
        .entries
        .iter()
        .map(|entry| (&entry.reference, entry.text.as_str()));
    let Err(errors) = place_all(mapping, images) else {
        return Vec::new();
    };
    let lines: HashMap<&Reference, usize> = list
        .entries
        .iter()
        .map(|entry| (&entry.reference, entry.line))
        .collect();
    let note = |error: MapError| {
        let about = match &error {
            MapError::Collision { second, .. } => Some(second),
            MapError::Port { reference, .. } | MapError::Name { reference, .. } => Some(reference),
            _ => None,
        };
        let line = about.and_then(|about| lines.get(&**about));
        let kind = match error {
            MapError::Collision { .. } => NoteKind::Collision,
            _ => NoteKind::NoPlace,
        };
        Note {
            line: line.copied().unwrap_or(1),
            kind,
            message: error.to_string(),
        }
    };
    errors.into_iter().map(note).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(usize, NoteKind)> {
        let notes = notes(&List::parse(text));
        notes.iter().map(|note| (note.line, note.kind)).collect()
    }

    #[test]
    fn tags_and_digests() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let text = format!("a\nb:latest\nc:1\nreg:5000/d\ne@{digest}\nf:1@{digest}\ng:latest@{digest}\n");
        assert_eq!(
            kinds(&text),
            [
                (2, NoteKind::Latest),
                (5, NoteKind::DigestOnly),
                (6, NoteKind::TagAndDigest),
                (7, NoteKind::TagAndDigest),
            ]
        );
    }

    #[test]
    fn clashes_are_told_at_the_later_line() {
        let list = List::parse("quay.io/a:1\nb:1\nghcr.io/a:1\nreg:5000/c:1\n");
        let mut mapping = Mapping::to("reg".parse().unwrap());
        mapping.rules = vec!["quay.io=x".parse().unwrap(), "ghcr.io=x".parse().unwrap()];
        let notes = places(&list, &mapping);
        let found: Vec<_> = notes.iter().map(|note| (note.line, note.kind)).collect();
        assert_eq!(found, [(3, NoteKind::Collision), (4, NoteKind::NoPlace)]);
        assert!(notes.iter().all(Note::is_error));
        assert!(places(&list, &Mapping::to("reg/x".parse().unwrap())).len() == 1);
    }
}

//! Windows images in a list for Linux, and what Rancher's scripts do with two lists.
//!
//! The scripts compare names as parts of one long text: a name of one list counts as being in the other when a longer
//! name there begins with it. Then a manifest list is not made, or an image is pushed under a member's tag alone.

use std::collections::BTreeSet;

use crate::{Entry, List, Note, NoteKind};

/// As many examples as a person reads.
const EXAMPLES: usize = 3;
/// Beyond this many pairs nobody wants the exact number.
const MOST_PAIRS: usize = 1000;

/// Repositories whose every image is for Windows, by the last part of their names.
const WINDOWS_ONLY: [&str; 5] = [
    "wins",
    "windows-exporter",
    "nanoserver",
    "servercore",
    "windowsservercore",
];

/// What there is to say about Windows.
pub(super) fn notes(list: &List, windows: Option<&List>) -> Vec<Note> {
    let mut notes: Vec<_> = list
        .entries
        .iter()
        .filter(|entry| is_windows(entry))
        .map(|entry| windows_image(entry, windows))
        .collect();
    match windows {
        Some(windows) => notes.extend(mixed_up(list, windows)),
        None => notes.extend(prefix_pairs(list)),
    }
    notes
}

/// Whether an image is for Windows nodes alone, as far as its name says so.
fn is_windows(entry: &Entry) -> bool {
    let tag = entry.reference.tag().map_or("", |tag| tag.as_str());
    let repository = entry.reference.repository().as_str();
    let last = repository.rsplit('/').next().unwrap_or_default();
    let of_tag = tag.starts_with("windows-") || tag.contains("-windows-") || tag.ends_with("-windows");
    let of_name = WINDOWS_ONLY.iter().any(|name| {
        last.strip_suffix(name)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('-'))
    });
    of_tag || of_name
}

fn windows_image(entry: &Entry, windows: Option<&List>) -> Note {
    let name = &entry.text;
    let there = windows.is_some_and(|list| {
        list.entries
            .iter()
            .any(|other| other.reference == entry.reference)
    });
    let advice = match (windows.is_some(), there) {
        (true, true) => "it stands in the Windows list, too",
        (true, false) => "it belongs into the Windows list, where it is not",
        (false, _) => "docker on Linux refuses to pull it (landfall carries it)",
    };
    Note {
        line: entry.line,
        kind: NoteKind::Windows,
        message: format!("`{name}` is for Windows nodes; {advice}"),
    }
}

/// With both lists at hand: the names that the scripts take for another one, each with what comes of it.
fn mixed_up(list: &List, windows: &List) -> Vec<Note> {
    let (linux, windows) = (texts(list), texts(windows));
    let mut notes = Vec::new();
    for entry in &list.entries {
        let name = entry.text.as_str();
        if let Some(longer) = longer(name, &windows).filter(|_| !windows.contains(name)) {
            notes.push(pair(entry.line, format!(
                "`{name}` begins `{longer}` of the Windows list: rancher-load-images.sh pushes it as {name}-linux-amd64 only (landfall compares whole names)"
            )));
        }
    }
    for name in windows.iter().filter(|name| !linux.contains(*name)) {
        if let Some(longer) = longer(name, &linux) {
            let line = list
                .entries
                .iter()
                .find(|entry| entry.text == longer)
                .map_or(1, |entry| entry.line);
            notes.push(pair(line, format!(
                "`{name}` of the Windows list begins `{longer}`: rancher-load-images.sh makes no manifest list for it (landfall compares whole names)"
            )));
        }
    }
    notes
}

fn pair(line: usize, message: String) -> Note {
    Note {
        line,
        kind: NoteKind::PrefixPair,
        message,
    }
}

/// Without a Windows list it is not known which of these matter: one note for all of them.
fn prefix_pairs(list: &List) -> Option<Note> {
    let texts = texts(list);
    let mut found = Vec::new();
    for name in &texts {
        let rest = texts.range::<str, _>((std::ops::Bound::Excluded(*name), std::ops::Bound::Unbounded));
        let longer = rest.take_while(|other| other.starts_with(name)).take(MOST_PAIRS);
        found.extend(longer.map(|other| format!("`{name}` and `{other}`")));
        if found.len() >= MOST_PAIRS {
            break;
        }
    }
    let first = found.first()?;
    let name = first.split('`').nth(1)?;
    let line = list
        .entries
        .iter()
        .find(|entry| entry.text == name)
        .map_or(1, |entry| entry.line);
    let count = match found.len() {
        1 => "1 name begins another one".to_owned(),
        count if count >= MOST_PAIRS => format!("{MOST_PAIRS} names or more begin another one"),
        count => format!("{count} names begin another one"),
    };
    let examples = found[..found.len().min(EXAMPLES)].join(", ");
    Some(pair(
        line,
        format!(
            "{count} ({examples}): rancher-load-images.sh mixes such names up when it is given a Windows list (--windows-list says which)"
        ),
    ))
}

fn texts(list: &List) -> BTreeSet<&str> {
    list.entries.iter().map(|entry| entry.text.as_str()).collect()
}

/// The first name that begins with this one and is longer.
fn longer<'a>(name: &str, names: &BTreeSet<&'a str>) -> Option<&'a str> {
    let mut after = names.range::<str, _>((std::ops::Bound::Excluded(name), std::ops::Bound::Unbounded));
    after.next().copied().filter(|other| other.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_names() {
        let list = List::parse(
            "rancher/rke2-runtime:v1-rke2r1-windows-amd64\nrancher/wins:v0.4\nfluent/fluent-bit:windows-2022-3.1\n\
             rancher/mirrored-prometheus-windows-exporter:0.25.1\nmcr.microsoft.com/windows/nanoserver:1809\n\
             rancher/mirrored-sigwindowstools-k8s-gmsa-webhook:v0.3.0\nrancher/twins:1\n",
        );
        let lines: Vec<_> = notes(&list, None).iter().map(|note| note.line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 5]);
        let with_list = notes(&list, Some(&List::parse("rancher/wins:v0.4\n")));
        assert!(with_list[0].message.contains("where it is not"));
        assert!(with_list[1].message.contains("too"));
    }

    /// The acceptance case of the scripts' mistake, and its mirror image.
    #[test]
    fn names_that_the_scripts_mix_up() {
        let linux = List::parse("a:1\na:1-rc\nwinonly:1.2\nb:2\ntraefik:2.9.1\n");
        let windows = List::parse("a:1\nquay:3\nwinonly:1\nb:2\ntraefik:2.9.10\n");
        let found = notes(&linux, Some(&windows));
        let messages: Vec<_> = found
            .iter()
            .map(|note| (note.line, note.message.as_str()))
            .collect();
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert!(messages[0].0 == 5 && messages[0].1.contains("traefik:2.9.1-linux-amd64 only"));
        assert!(messages[1].0 == 3 && messages[1].1.contains("no manifest list"));
    }

    #[test]
    fn pairs_are_one_note() {
        let list = List::parse("a:1\nc:2\na:1-rc\na:10\na:10-x\n");
        let found = notes(&list, None);
        assert_eq!(found.len(), 1);
        assert!(
            found[0]
                .message
                .starts_with("4 names begin another one (`a:1` and `a:1-rc`"),
            "{found:?}"
        );
        let many: String = (1..100)
            .map(|length| format!("a:{}\n", "1".repeat(length)))
            .collect();
        let found = notes(&List::parse(&many), None);
        assert!(found[0].message.starts_with("1000 names or more"), "{found:?}");
    }
}

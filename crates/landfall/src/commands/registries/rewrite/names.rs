//! What the rules make of names.

use std::collections::BTreeMap;

use landfall_oci::Reference;
use landfall_registries::go::regex::{BadResult, judge};

use super::rules::Entry;

/// All names, tried.
pub(super) struct Names {
    pub(super) all: Vec<Named>,
    /// Repositories that become one: what they become, and from what.
    pub(super) collisions: Vec<(String, Vec<String>)>,
}

/// One name.
pub(super) struct Named {
    /// As it was given.
    pub(super) text: String,
    pub(super) registry: String,
    /// What rules see: no registry, no tag.
    pub(super) repository: String,
    /// The rules that are asked, by position; `None` if no mirror of this registry has rules.
    pub(super) entry: Option<usize>,
    /// What each rule that changes it makes of it. With several different ones the node takes one by chance.
    pub(super) results: Vec<Result>,
}

/// What one rule makes of a name.
pub(super) struct Result {
    /// The rule's position in its entry.
    pub(super) rule: usize,
    pub(super) text: String,
    pub(super) bad: Option<BadResult>,
}

impl Named {
    /// Whether the node draws lots.
    pub(super) fn is_by_chance(&self) -> bool {
        self.results.windows(2).any(|pair| pair[0].text != pair[1].text)
    }

    fn is_sound(&self) -> bool {
        !self.is_by_chance() && self.results.iter().all(|result| result.bad.is_none())
    }
}

impl Names {
    pub(super) fn of(images: &[(String, Reference)], entries: &[Entry]) -> Self {
        let all: Vec<Named> = images
            .iter()
            .map(|(text, image)| named(text, image, entries))
            .collect();
        Self {
            collisions: collisions(&all),
            all,
        }
    }

    pub(super) fn are_sound(&self) -> bool {
        self.all.iter().all(Named::is_sound)
    }
}

fn named(text: &str, image: &Reference, entries: &[Entry]) -> Named {
    let registry = image.registry().as_str();
    let repository = image.repository().as_str();
    let entry = entry_of(registry, entries);
    let rules = entry.map_or(&[][..], |entry| &entries[entry].rules);
    let result = |(rule, text): (usize, String)| Result {
        rule,
        bad: judge(&text),
        text,
    };
    let changed = rules
        .iter()
        .enumerate()
        .filter_map(|(index, rule)| Some((index, rule.change(repository)?)));
    Named {
        text: text.to_owned(),
        registry: registry.to_owned(),
        repository: repository.to_owned(),
        entry,
        results: changed.map(result).collect(),
    }
}

/// Typed rules are for every name; otherwise those of the registry's own mirror, or of the wildcard.
fn entry_of(registry: &str, entries: &[Entry]) -> Option<usize> {
    let keyed = |key: Option<&str>| entries.iter().position(|entry| entry.key.as_deref() == key);
    keyed(None)
        .or_else(|| keyed(Some(registry)))
        .or_else(|| keyed(Some("*")))
}

/// Different repositories of which rules make one.
fn collisions(all: &[Named]) -> Vec<(String, Vec<String>)> {
    let mut by_result: BTreeMap<(Option<usize>, &str), Vec<String>> = BTreeMap::new();
    for named in all {
        for result in &named.results {
            let from = format!("{}/{}", named.registry, named.repository);
            let known = by_result.entry((named.entry, &result.text)).or_default();
            if !known.contains(&from) {
                known.push(from);
            }
        }
    }
    let several = by_result.into_iter().filter(|(_, from)| from.len() > 1);
    several.map(|((_, to), from)| (to.to_owned(), from)).collect()
}

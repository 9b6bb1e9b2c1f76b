//! Rewrites: of the first entry that is there, tried in random order, each checked for a repository that can be.

use landfall_diag::Span;

use super::image::{HUB, Image};
use crate::containerd::LogLine;
use crate::go::regex::GoRegex;
use crate::registries_yaml::{MirrorEntry, RegistriesYaml};

/// What the repository becomes, by one of the rules.
pub(super) struct Rewritten {
    pub(super) repository: String,
    pub(super) span: Span,
}

/// One rule; none of its pattern where Go refuses it.
struct Rule {
    pattern: String,
    regex: Option<GoRegex>,
    replacement: String,
    span: Span,
}

/// The rules of all entries, compiled once.
pub(super) struct Rules {
    entries: Vec<(String, Vec<Rule>)>,
}

impl Rules {
    pub(super) fn new(file: &RegistriesYaml) -> Self {
        let entry = |mirror: &MirrorEntry| {
            let mut rules: Vec<Rule> = mirror
                .rewrites
                .iter()
                .map(|rule| Rule {
                    regex: GoRegex::compile(&rule.pattern.value).ok(),
                    pattern: rule.pattern.value.clone(),
                    replacement: rule.replacement.value.clone(),
                    span: rule.pattern.span.to(rule.replacement.span),
                })
                .collect();
            rules.sort_by(|a, b| a.pattern.cmp(&b.pattern));
            (mirror.key.value.clone(), rules)
        };
        Self {
            entries: file.mirrors.iter().map(entry).collect(),
        }
    }

    /// What the repository may become: one result per rule that changes it, that of the lowest pattern first. wharfie
    /// takes any of them, since its rules are a Go map.
    pub(super) fn results(&self, image: &Image, log: &mut Vec<LogLine>) -> Vec<Rewritten> {
        let registry = &image.registry;
        let mut results: Vec<Rewritten> = Vec::new();
        for rule in self.of(registry) {
            let mut warn = |text| {
                log.push(LogLine {
                    text,
                    span: Some(rule.span),
                });
            };
            let Some(regex) = &rule.regex else {
                warn(format!(
                    "Failed to compile rewrite `{}` for {registry}",
                    rule.pattern
                ));
                continue;
            };
            let changed = regex.replace_all(&image.repository, &rule.replacement);
            if changed == image.repository {
                continue;
            }
            match image.repository_of(&changed) {
                None => warn(format!("Invalid repository rewrite {changed} for {registry}")),
                Some(repository) => {
                    if results.iter().all(|known| known.repository != repository) {
                        results.push(Rewritten {
                            repository,
                            span: rule.span,
                        });
                    }
                }
            }
        }
        results
    }

    fn of(&self, registry: &str) -> &[Rule] {
        let of = |key: &str| self.entries.iter().find(|(known, _)| known == key);
        let hub = || Some("docker.io").filter(|_| registry == HUB).and_then(of);
        let entry = of(registry).or_else(hub).or_else(|| of("*"));
        entry.map_or(&[], |(_, rules)| rules)
    }
}

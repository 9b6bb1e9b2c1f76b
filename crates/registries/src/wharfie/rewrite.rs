//! Rewrites: of the first entry that is there, tried in random order, each checked for a repository that can be.

use landfall_diag::Span;

use super::image::{HUB, Image};
use crate::Rewrite;
use crate::containerd::LogLine;
use crate::go::regex::GoRegex;
use crate::registries_yaml::RegistriesYaml;

/// What the repository becomes, by one of the rules.
pub(super) struct Rewritten {
    pub(super) repository: String,
    pub(super) span: Span,
}

/// What the repository may become: one result per rule that changes it, that of the lowest pattern first. wharfie
/// takes any of them, since its rules are a Go map.
pub(super) fn results(file: &RegistriesYaml, image: &Image, log: &mut Vec<LogLine>) -> Vec<Rewritten> {
    let registry = &image.registry;
    let mut rules: Vec<&Rewrite> = rules(file, registry).iter().collect();
    rules.sort_by(|a, b| a.pattern.value.cmp(&b.pattern.value));
    let mut results: Vec<Rewritten> = Vec::new();
    for rule in rules {
        let (pattern, span) = (&rule.pattern.value, rule.pattern.span.to(rule.replacement.span));
        let mut warn = |text| {
            log.push(LogLine {
                text,
                span: Some(span),
            })
        };
        let Ok(regex) = GoRegex::compile(pattern) else {
            warn(format!("Failed to compile rewrite `{pattern}` for {registry}"));
            continue;
        };
        let changed = regex.replace_all(&image.repository, &rule.replacement.value);
        if changed == image.repository {
            continue;
        }
        match image.repository_of(&changed) {
            None => warn(format!("Invalid repository rewrite {changed} for {registry}")),
            Some(repository) => {
                if results.iter().all(|known| known.repository != repository) {
                    results.push(Rewritten { repository, span });
                }
            }
        }
    }
    results
}

fn rules<'a>(file: &'a RegistriesYaml, registry: &str) -> &'a [Rewrite] {
    let of = |key: &str| file.mirrors.iter().find(|mirror| mirror.key.value == key);
    let hub = || Some("docker.io").filter(|_| registry == HUB).and_then(of);
    let entry = of(registry).or_else(hub).or_else(|| of("*"));
    entry.map_or(&[], |mirror| &mirror.rewrites)
}

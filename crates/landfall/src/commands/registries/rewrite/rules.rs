//! The rules: typed, or from a registries.yaml, each with its place.

use std::path::Path;

use landfall_diag::{Source, SourceId, Sources, Span, Spanned};
use landfall_registries::Rewrite as FileRule;
use landfall_registries::go::regex::{GoRegex, RegexError};
use landfall_registries::lint;
use landfall_registries::registries_yaml::{MirrorEntry, Reading, RegistriesYaml};

use super::super::configuration::{rancher, registries};
use super::super::gather::Gathered;
use crate::args::{Format, Rewrite};
use crate::failure::Failure;

/// All rules, and where they were read.
pub(super) struct Rules {
    /// For messages: without passwords.
    pub(super) sources: Sources,
    pub(super) texts: Vec<Text>,
    pub(super) entries: Vec<Entry>,
}

/// What rules stand in, as the checks of registries.yaml take it.
pub(super) struct Text {
    pub(super) source: SourceId,
    pub(super) text: String,
    pub(super) reading: Reading,
    pub(super) is_typed: bool,
}

/// The rules that stand together: of one mirror, or typed.
pub(super) struct Entry {
    /// The mirror's key; `None` for rules that were typed.
    pub(super) key: Option<String>,
    pub(super) at: Span,
    /// Those of a file by pattern: its order means nothing to the node.
    pub(super) rules: Vec<Rule>,
}

pub(super) struct Rule {
    pub(super) pattern: Spanned<String>,
    pub(super) replacement: String,
    pub(super) regex: Result<GoRegex, RegexError>,
}

impl Rule {
    fn new(rule: &FileRule) -> Self {
        Self {
            regex: GoRegex::compile(&rule.pattern.value),
            pattern: rule.pattern.clone(),
            replacement: rule.replacement.value.clone(),
        }
    }

    /// What the node makes of a repository by this rule alone; `None` if it leaves it.
    pub(super) fn change(&self, repository: &str) -> Option<String> {
        let regex = self.regex.as_ref().ok()?;
        let changed = regex.replace_all(repository, &self.replacement);
        (changed != repository).then_some(changed)
    }
}

impl Rules {
    pub(super) fn read(args: &Rewrite) -> Result<Self, Failure> {
        let mut rules = Self {
            sources: Sources::default(),
            texts: Vec::new(),
            entries: Vec::new(),
        };
        if let Some(path) = &args.registries {
            rules.of_file(path)?;
        }
        if !args.rule.is_empty() {
            rules.typed(&args.rule)?;
        }
        Ok(rules)
    }

    fn of_file(&mut self, path: &Path) -> Result<(), Failure> {
        let gathered = Gathered::read(&[path.to_owned()], Some(Format::RegistriesYaml))?;
        let (sources, reading) = rancher(&gathered)?;
        let file = registries(&reading, &sources)?;
        let (name, text) = sources
            .get(SourceId(0))
            .map(|source| (source.name().to_owned(), source.text().to_owned()))
            .unwrap_or_default();
        let shown = lint::redacted(&text, &reading);
        let source = self.sources.add(Source::new(name, shown));
        let with_rules = file.mirrors.iter().filter(|mirror| !mirror.rewrites.is_empty());
        self.entries.extend(with_rules.map(entry));
        self.texts.push(Text {
            source,
            text,
            reading,
            is_typed: false,
        });
        Ok(())
    }

    /// One source for all typed rules, one line each: they are looked at as those of a mirror would be.
    fn typed(&mut self, rules: &[String]) -> Result<(), Failure> {
        let text = rules.join("\n");
        let source = self.sources.add(Source::new("--rule", text.clone()));
        let mut rewrites: Vec<FileRule> = Vec::new();
        let mut start = 0;
        for rule in rules {
            let rewrite = parse(rule, source, start)?;
            if rewrites.iter().any(|other| other.pattern == rewrite.pattern) {
                return Err(Failure::usage(format!(
                    "the pattern `{}` is given twice; registries.yaml has one replacement for it",
                    rewrite.pattern.value
                )));
            }
            rewrites.push(rewrite);
            start += rule.len() + 1;
        }
        let span = Span::new(source, 0..text.len());
        self.entries.push(Entry {
            key: None,
            at: span,
            rules: rewrites.iter().map(Rule::new).collect(),
        });
        let mirror = MirrorEntry {
            key: Spanned::new("the registry".to_owned(), span),
            span,
            // Rules without an endpoint are never applied, so nothing would be said of them.
            endpoints: vec![Spanned::new("https://mirror.example".to_owned(), span)],
            rewrites,
        };
        let file = RegistriesYaml {
            mirrors: vec![mirror],
            ..RegistriesYaml::default()
        };
        self.texts.push(Text {
            source,
            text,
            reading: Reading {
                document: None,
                misfits: Vec::new(),
                registries: Ok(file),
            },
            is_typed: true,
        });
        Ok(())
    }
}

/// `PATTERN=REPLACEMENT`, divided at the last `=`: it is part of `(?=`, and of no repository.
fn parse(rule: &str, source: SourceId, start: usize) -> Result<FileRule, Failure> {
    let Some((pattern, replacement)) = rule.rsplit_once('=').filter(|(pattern, _)| !pattern.is_empty())
    else {
        return Err(Failure::usage(format!(
            "--rule {rule}: write it as PATTERN=REPLACEMENT, for example '^rancher/(.*)=mirror/$1'"
        )));
    };
    let spanned = |text: &str, at: usize| {
        Spanned::new(
            text.to_owned(),
            Span::new(source, start + at..start + at + text.len()),
        )
    };
    Ok(FileRule {
        pattern: spanned(pattern, 0),
        replacement: spanned(replacement, pattern.len() + 1),
    })
}

fn entry(mirror: &MirrorEntry) -> Entry {
    let mut sorted: Vec<&FileRule> = mirror.rewrites.iter().collect();
    sorted.sort_by(|a, b| a.pattern.value.cmp(&b.pattern.value));
    Entry {
        key: Some(mirror.key.value.clone()),
        at: mirror.key.span,
        rules: sorted.into_iter().map(Rule::new).collect(),
    }
}

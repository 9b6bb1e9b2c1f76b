//! The rules: typed, or from a registries.yaml, each with its place.

use landfall_diag::{Source, SourceId, Sources, Span};
use landfall_registries::Rewrite as FileRule;
use landfall_registries::go::regex::{GoRegex, RegexError};

use super::super::configuration::{rancher, registries};
use super::super::gather::Gathered;
use crate::args::{Format, Rewrite};
use crate::failure::Failure;

/// The rules that stand together: of one mirror, or typed.
pub(super) struct Entry {
    /// The mirror's key; `None` for rules that were typed.
    pub(super) key: Option<String>,
    pub(super) at: Span,
    /// By pattern: the file's order means nothing to the node.
    pub(super) rules: Vec<Rule>,
}

pub(super) struct Rule {
    pub(super) pattern: Part,
    pub(super) replacement: Part,
    pub(super) regex: Result<GoRegex, RegexError>,
}

/// Pattern or replacement.
pub(super) struct Part {
    pub(super) text: String,
    pub(super) span: Span,
    /// The span holds the text byte by byte, so that places in it can be shown and changed.
    pub(super) is_verbatim: bool,
}

impl Part {
    /// A place within, or all of it.
    pub(super) fn within(&self, range: &std::ops::Range<usize>) -> Span {
        if !self.is_verbatim || range.end > self.text.len() {
            return self.span;
        }
        let start = self.span.range().start;
        Span::new(self.span.source, start + range.start..start + range.end)
    }
}

impl Rule {
    fn new(pattern: Part, replacement: Part) -> Self {
        Self {
            regex: GoRegex::compile(&pattern.text),
            pattern,
            replacement,
        }
    }

    /// What the node makes of a repository by this rule alone; `None` if it leaves it.
    pub(super) fn change(&self, repository: &str) -> Option<String> {
        let changed = self
            .regex
            .as_ref()
            .ok()?
            .replace_all(repository, &self.replacement.text);
        (changed != repository).then_some(changed)
    }
}

pub(super) fn read(args: &Rewrite) -> Result<(Sources, Vec<Entry>), Failure> {
    let (mut sources, mut entries) = match &args.registries {
        Some(path) => of_file(path)?,
        None => (Sources::default(), Vec::new()),
    };
    if !args.rule.is_empty() {
        entries.insert(0, typed(&args.rule, &mut sources)?);
    }
    Ok((sources, entries))
}

/// One source for all typed rules, one line each.
fn typed(rules: &[String], sources: &mut Sources) -> Result<Entry, Failure> {
    let source = sources.add(Source::new("--rule", rules.join("\n")));
    let mut all: Vec<Rule> = Vec::new();
    let mut start = 0;
    for rule in rules {
        // `=` is part of `(?=`, but of no repository.
        let Some((pattern, replacement)) = rule.rsplit_once('=') else {
            return Err(Failure::usage(format!(
                "--rule {rule}: write it as PATTERN=REPLACEMENT, for example '^rancher/(.*)=mirror/$1'"
            )));
        };
        let part = |text: &str, at: usize| Part {
            text: text.to_owned(),
            span: Span::new(source, start + at..start + at + text.len()),
            is_verbatim: true,
        };
        let rule_parts = (part(pattern, 0), part(replacement, pattern.len() + 1));
        if let Some(twice) = all.iter().find(|other| other.pattern.text == pattern) {
            return Err(Failure::usage(format!(
                "the pattern `{}` is given twice; a map has one replacement for it",
                twice.pattern.text
            )));
        }
        all.push(Rule::new(rule_parts.0, rule_parts.1));
        start += rule.len() + 1;
    }
    Ok(Entry {
        key: None,
        at: Span::new(source, 0..start.saturating_sub(1)),
        rules: all,
    })
}

fn of_file(path: &std::path::Path) -> Result<(Sources, Vec<Entry>), Failure> {
    let gathered = Gathered::read(&[path.to_owned()], Some(Format::RegistriesYaml))?;
    let (sources, reading) = rancher(&gathered)?;
    let file = registries(&reading, &sources)?;
    let text = sources.get(SourceId(0)).map_or("", Source::text);
    let entries = file.mirrors.iter().filter(|mirror| !mirror.rewrites.is_empty());
    let entries = entries.map(|mirror| {
        let mut rules: Vec<&FileRule> = mirror.rewrites.iter().collect();
        rules.sort_by(|a, b| a.pattern.value.cmp(&b.pattern.value));
        let rule = |rule: &FileRule| {
            Rule::new(
                part(text, &rule.pattern.value, rule.pattern.span),
                part(text, &rule.replacement.value, rule.replacement.span),
            )
        };
        Entry {
            key: Some(mirror.key.value.clone()),
            at: mirror.key.span,
            rules: rules.into_iter().map(rule).collect(),
        }
    });
    let entries = entries.collect();
    Ok((sources, entries))
}

/// A scalar of the file, without its quotes where it has no escapes.
fn part(text: &str, value: &str, span: Span) -> Part {
    let written = text.get(span.range()).unwrap_or_default();
    let quotes = written.len().saturating_sub(value.len()) / 2;
    let start = span.range().start + quotes;
    let inner = Span::new(span.source, start..start + value.len());
    let is_verbatim = quotes <= 1 && text.get(inner.range()) == Some(value);
    Part {
        text: value.to_owned(),
        span: if is_verbatim { inner } else { span },
        is_verbatim,
    }
}

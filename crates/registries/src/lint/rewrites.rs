//! Rules that the node refuses, misreads or applies to more than is meant: L19 to L22, L24, L26.

use landfall_diag::{Diagnostic, Severity, SourceId, Span};

use super::context::Context;
use super::{edit, overlaps};
use crate::Rewrite;
use crate::go::regex::{
    BadExample, BadResult, GoRegex, Overlap, anchors, bad_results, missing_groups, needs_escape,
    without_backslashes, witness,
};
use crate::hosts::toml;
use crate::registries_yaml::MirrorEntry;

/// How many patterns of unusual shape are searched for bad results; each costs about a millisecond.
const SEARCHES: usize = 24;

/// A rule and its pattern, compiled.
pub(super) struct Rule<'a> {
    pub(super) rewrite: &'a Rewrite,
    pub(super) regex: GoRegex,
}

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let mut searches = SEARCHES;
    let mut pairs = overlaps::Budget::default();
    for mirror in &context.file.mirrors {
        if mirror.rewrites.is_empty() {
            continue;
        }
        let mut rules = Vec::new();
        for rewrite in &mirror.rewrites {
            let broken = unescaped(context, mirror, rewrite, found);
            match GoRegex::compile(&rewrite.pattern.value) {
                Ok(regex) => rules.push(Rule { rewrite, regex }),
                Err(error) if error.by_go && !broken => found.push(invalid(context, mirror, rewrite, &error)),
                Err(_) => {}
            }
        }
        for rule in &rules {
            judge(context, rule, &mut searches, found);
        }
        if mirror.key.value == "*" {
            found.extend(collision(mirror, &rules));
        }
        overlaps::check(context, mirror, &rules, &mut pairs, found);
    }
}

fn judge(context: &Context<'_>, rule: &Rule<'_>, searches: &mut usize, found: &mut Vec<Diagnostic>) {
    let groups = groups(context, rule);
    let unsure = groups.is_none() && !is_sound(rule.rewrite);
    found.extend(groups);
    if !anchors(&rule.regex).start {
        found.push(unanchored(rule));
    }
    if unsure && *searches > 0 {
        *searches -= 1;
        let replacement = &rule.rewrite.replacement;
        if let Some(example) = bad_results(&rule.regex, &replacement.value).first() {
            found.push(bad_result(rule, example));
        }
    }
}

/// The shape of nearly all rules, whose results are surely names: `^a/(.*)` to `b/$1`.
fn is_sound(rewrite: &Rewrite) -> bool {
    let name = |text: &str| text.parse::<landfall_oci::Repository>().is_ok();
    let (pattern, replacement) = (rewrite.pattern.value.as_str(), rewrite.replacement.value.as_str());
    let pattern = pattern.strip_suffix('$').unwrap_or(pattern);
    let start = pattern
        .strip_suffix("(.*)")
        .or_else(|| pattern.strip_suffix("(.+)"));
    let end = replacement
        .strip_suffix("$1")
        .or_else(|| replacement.strip_suffix("${1}"));
    let (Some(start), Some(end)) = (start.and_then(|start| start.strip_prefix('^')), end) else {
        return false;
    };
    let start = match start.strip_suffix('/') {
        Some(start) => name(start),
        None => start.is_empty(),
    };
    start && (end.is_empty() || end.strip_suffix('/').is_some_and(name))
}

/// Whether the texts break the file that they are written into, or change on the way.
fn unescaped(
    context: &Context<'_>,
    mirror: &MirrorEntry,
    rewrite: &Rewrite,
    found: &mut Vec<Diagnostic>,
) -> bool {
    let mut broken = false;
    for (text, is_pattern) in [(&rewrite.pattern, true), (&rewrite.replacement, false)] {
        if !needs_escape(&text.value) {
            continue;
        }
        let read = as_written(context, &text.value);
        broken |= read.is_none();
        let meant = is_pattern && doubled(&text.value, read.as_deref()).is_some();
        let severity = if meant { Severity::Warning } else { Severity::Error };
        let one = Diagnostic::at(
            "L20",
            severity,
            text.span,
            "this rule is written into a TOML string as it is",
        )
        .label("`\\` and `\"` are not escaped")
        .consequence(written(context, mirror, read.as_deref()));
        found.push(match (is_pattern, portable(&text.value, read.as_deref())) {
            (true, Ok(instead)) => one.fix(
                format!("write it without a backslash: {instead}"),
                vec![edit::scalar(context.text(), text.span, &instead)],
            ),
            (true, Err(why)) => one.help(why),
            (false, _) => {
                one.help("a repository has neither of them: leave them out; a group is written $1 or ${1}")
            }
        });
    }
    broken
}

/// What containerd reads from the string. `None`: it cannot read the file.
fn as_written(context: &Context<'_>, text: &str) -> Option<String> {
    let line = format!("a = \"{text}\"\n");
    let dialect = context.options().behaviours.containerd.behaviour().dialect(true);
    let read = toml::parse_as(SourceId(u32::MAX), &line, dialect.go_toml);
    match read.error {
        Some(_) => None,
        None => read
            .root
            .get("a")
            .and_then(toml::Value::as_str)
            .map(str::to_owned),
    }
}

fn written(context: &Context<'_>, mirror: &MirrorEntry, read: Option<&str>) -> String {
    let registry = match mirror.key.value.as_str() {
        "*" => "the image's registry",
        name => name,
    };
    match read {
        None if context.is_legacy() => "containerd cannot read its config.toml and does not start".to_owned(),
        None => {
            let flag = match context.options().disable_default_endpoint {
                true => ", although the default endpoint is disabled",
                false => "",
            };
            format!(
                "containerd cannot read the hosts.toml, logs one line and passes over all mirrors in it: images are pulled from {registry} itself{flag}"
            )
        }
        Some(read) => format!(
            "containerd takes them for TOML's own escapes and reads `{read}`; wharfie reads the text as it is"
        ),
    }
}

/// The pattern without what breaks. Where people have doubled the backslashes, what the node reads is what is meant.
fn portable(text: &str, read: Option<&str>) -> Result<String, String> {
    without_backslashes(doubled(text, read).unwrap_or(text)).map_err(|error| error.to_string())
}

fn doubled<'a>(text: &str, read: Option<&'a str>) -> Option<&'a str> {
    read.filter(|read| text.contains("\\\\") && GoRegex::compile(read).is_ok())
}

fn invalid(
    context: &Context<'_>,
    mirror: &MirrorEntry,
    rewrite: &Rewrite,
    error: &crate::go::regex::RegexError,
) -> Diagnostic {
    let pattern = &rewrite.pattern;
    Diagnostic::at("L19", Severity::Error, inside(context, pattern.span, &pattern.value, &error.span), "Go refuses this pattern")
        .label(error.message.strip_prefix("error parsing regexp: ").unwrap_or(&error.message))
        .consequence(format!(
            "containerd logs \"Failed to compile rewrite, `{}`, for ...: {}\" and goes on without the rule: the mirrors of {} are asked for the original repository",
            pattern.value, error.message, mirror.key.value
        ))
        .help(error.advice.clone())
}

/// A part of a scalar, where the text stands in the file as it is.
fn inside(context: &Context<'_>, span: Span, value: &str, part: &std::ops::Range<usize>) -> Span {
    let text = context.text().get(span.range()).unwrap_or_default();
    let quote = usize::from(text.starts_with(['"', '\'']));
    match text.get(quote..text.len().saturating_sub(quote)) == Some(value) && !part.is_empty() {
        true => {
            let start = span.range().start + quote;
            Span::new(span.source, start + part.start..start + part.end)
        }
        false => span,
    }
}

fn groups(context: &Context<'_>, rule: &Rule<'_>) -> Option<Diagnostic> {
    let replacement = &rule.rewrite.replacement;
    let missing = missing_groups(&rule.regex, &replacement.value);
    let first = missing.first()?;
    let count = rule.regex.groups().len().saturating_sub(1);
    let span = inside(context, replacement.span, &replacement.value, &first.range);
    let one = Diagnostic::at(
        "L21",
        Severity::Error,
        span,
        format!("the pattern has no group `{}`", first.name),
    )
    .label("stands for nothing")
    .also(
        rule.rewrite.pattern.span,
        match count {
            0 => "no groups: put brackets around what is to be kept".to_owned(),
            1 => "one group: $1".to_owned(),
            count => format!("{count} groups: $1 to ${count}"),
        },
    );
    let one = match witness(&rule.regex) {
        Overlap::Repository(name) => {
            let result = rule.regex.replace_all(&name, &replacement.value);
            one.consequence(format!("`{name}` becomes `{result}`"))
        }
        _ => one,
    };
    let instead: Option<Vec<&str>> = missing.iter().map(|group| group.instead.as_deref()).collect();
    let Some(instead) = instead else {
        return Some(one.help("number the groups from 1; $$ is a dollar sign"));
    };
    let mut text = replacement.value.clone();
    for (group, instead) in missing.iter().zip(&instead).rev() {
        text.replace_range(group.range.clone(), instead);
    }
    Some(one.fix(
        "put the number of the group in braces",
        vec![edit::scalar(context.text(), replacement.span, &text)],
    ))
}

fn unanchored(rule: &Rule<'_>) -> Diagnostic {
    let pattern = &rule.rewrite.pattern;
    let mut one = Diagnostic::at(
        "L22",
        Severity::Warning,
        pattern.span,
        "this pattern matches in the middle of names, too",
    )
    .label("not tied to the start");
    if let Overlap::Repository(name) = witness(&rule.regex) {
        let longer = format!("other/{name}");
        let result = rule.regex.replace_all(&longer, &rule.rewrite.replacement.value);
        if result != longer {
            one = one.consequence(format!("`{longer}` becomes `{result}`"));
        }
    }
    let tied = match pattern.value.contains('|') {
        true => format!("^(?:{})", pattern.value),
        false => format!("^{}", pattern.value),
    };
    one.help(format!("if only the beginning is meant, write `{tied}`"))
}

fn bad_result(rule: &Rule<'_>, example: &BadExample) -> Diagnostic {
    let BadExample {
        what,
        repository,
        result,
    } = example;
    let (message, consequence) = match what {
        BadResult::Empty => (
            "this rule may leave nothing of a name",
            "the request has no repository, and every mirror refuses it",
        ),
        BadResult::LeadingSlash => (
            "this rule may make a name that begins with `/`",
            "the token is asked for a repository that does not exist, and the registry answers 401 or 403",
        ),
        BadResult::UpperCase => (
            "this rule makes a name with capitals",
            "registries refuse capitals in names",
        ),
        _ => (
            "this rule may make a name that no registry accepts",
            "the mirror answers 400 or 404",
        ),
    };
    Diagnostic::at("L24", Severity::Error, rule.rewrite.replacement.span, message)
        .label(format!("`{repository}` becomes `{result}`"))
        .consequence(format!("{consequence}; wharfie does not apply the rule at all"))
        .help("a repository is written in small letters, digits and . _ - between slashes, and begins and ends with a letter or digit")
}

/// Equal names of two registries become one on the mirror.
fn collision(mirror: &MirrorEntry, rules: &[Rule<'_>]) -> Option<Diagnostic> {
    let rule = rules.first()?;
    let one = Diagnostic::at(
        "L26",
        Severity::Warning,
        rule.rewrite.pattern.span,
        "rules of `*` do not see the registry's name",
    )
    .label("matches the repository only")
    .also(mirror.key.span, "holds for all registries");
    let one = match witness(&rule.regex) {
        Overlap::Repository(name) => {
            let result = rule.regex.replace_all(&name, &rule.rewrite.replacement.value);
            one.consequence(format!(
                "`quay.io/{name}` and `ghcr.io/{name}` both become `{result}` on the mirror; a node may run one instead of the other"
            ))
        }
        _ => one,
    };
    Some(one.help("write one mirror per registry, each with its own rule; or use a mirror that reads the `ns=` of the request, without rules"))
}

//! What is wrong with rules, whatever names they are tried on.

use landfall_diag::{Diagnostic, Edit, Severity, Span};
use landfall_registries::go::regex::{
    BadResult, Conflict, GoRegex, Overlap, RegexError, anchors, bad_results, conflict, missing_groups,
    needs_escape, without_backslashes, witness,
};

use super::rules::{Entry, Part, Rule};

/// Findings of all entries, in the order of their places.
pub(super) fn all(entries: &[Entry]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for entry in entries {
        for rule in &entry.rules {
            match &rule.regex {
                Err(error) => found.push(refused(rule, error)),
                Ok(regex) => sound(rule, regex, &mut found),
            }
            found.extend(breaks_file(&rule.pattern, true));
            found.extend(breaks_file(&rule.replacement, false));
        }
        for (index, first) in entry.rules.iter().enumerate() {
            for second in &entry.rules[index + 1..] {
                found.extend(overlapping(first, second));
            }
        }
        if entry.key.as_deref() == Some("*") {
            found.push(wildcard(entry.at));
        }
    }
    found.sort_by_key(|one| {
        one.primary
            .as_ref()
            .map(|label| (label.span.source, label.span.start))
    });
    found
}

fn refused(rule: &Rule, error: &RegexError) -> Diagnostic {
    let span = rule.pattern.within(&error.span);
    let severity = if error.by_go {
        Severity::Error
    } else {
        Severity::Warning
    };
    let found = Diagnostic::at("L19", severity, span, error.message.clone()).help(error.advice.clone());
    match error.by_go {
        true => found.consequence(
            "the node logs `Failed to compile rewrite` at every pull and goes on without this rule",
        ),
        false => found,
    }
}

fn sound(rule: &Rule, regex: &GoRegex, found: &mut Vec<Diagnostic>) {
    if let Some(minor) = regex.needs_go() {
        found.push(
            Diagnostic::at(
                "L19",
                Severity::Warning,
                rule.pattern.span,
                "only newer releases accept this pattern",
            )
            .consequence(format!(
                "programs built with a Go before 1.{minor} refuse it and skip the rule"
            )),
        );
    }
    if witness(regex) == Overlap::Disjoint {
        found.push(
            Diagnostic::at(
                "L24",
                Severity::Warning,
                rule.pattern.span,
                "no repository can match this pattern",
            )
            .consequence("the rule never does anything")
            .help("rules see the repository alone: no registry, no tag, no digest"),
        );
        return;
    }
    groups(rule, regex, found);
    if !anchors(regex).start {
        let start = Span::new(rule.pattern.span.source, {
            let at = rule.pattern.span.range().start;
            at..at
        });
        let diagnostic = Diagnostic::at(
            "L22",
            Severity::Warning,
            rule.pattern.span,
            "the pattern is not tied to the start",
        )
        .consequence("it also matches in the middle of other repositories, and every match is replaced");
        found.push(
            match rule.pattern.is_verbatim && !rule.pattern.text.contains('|') {
                true => diagnostic.fix(
                    "begin it with `^`",
                    vec![Edit {
                        span: start,
                        text: "^".to_owned(),
                    }],
                ),
                false => diagnostic.help("begin every branch of it with `^`"),
            },
        );
    }
    for example in bad_results(regex, &rule.replacement.text) {
        let (words, consequence) = bad(example.what);
        let message = format!(
            "of `{}` this rule makes `{}`, which {words}",
            example.repository, example.result
        );
        found.push(
            Diagnostic::at("L24", Severity::Error, rule.replacement.span, message)
                .also(rule.pattern.span, "of what this matches")
                .consequence(consequence),
        );
    }
}

/// What is wrong with a result, and what comes of it.
pub(super) fn bad(what: BadResult) -> (&'static str, &'static str) {
    match what {
        BadResult::Empty => (
            "is empty",
            "containerd asks for a URL without a repository: no registry has it",
        ),
        BadResult::LeadingSlash => (
            "begins with a slash",
            "the request works, but the token is asked for a repository that does not exist, and refused",
        ),
        BadResult::UpperCase => ("has capitals", "no registry has a repository with capitals"),
        _ => (
            "is no repository",
            "registries refuse the name; wharfie skips the rule",
        ),
    }
}

fn groups(rule: &Rule, regex: &GoRegex, found: &mut Vec<Diagnostic>) {
    for missing in missing_groups(regex, &rule.replacement.text) {
        let span = rule.replacement.within(&missing.range);
        let diagnostic = Diagnostic::at(
            "L21",
            Severity::Error,
            span,
            format!("the pattern has no group `{}`", missing.name),
        )
        .also(rule.pattern.span, "this pattern")
        .consequence("Go puts nothing in its place: part of the name is lost");
        found.push(match missing.instead {
            Some(instead) if rule.replacement.is_verbatim => {
                diagnostic.fix(format!("write `{instead}`"), vec![Edit { span, text: instead }])
            }
            Some(instead) => diagnostic.help(format!("write `{instead}`")),
            None => diagnostic.help("groups are the brackets of the pattern, counted from 1"),
        });
    }
}

/// K3s writes rules between quotes as they are.
fn breaks_file(part: &Part, is_pattern: bool) -> Option<Diagnostic> {
    if !needs_escape(&part.text) {
        return None;
    }
    let at = part.text.find(['\\', '"']).unwrap_or(0);
    let span = part.within(&(at..(at + 2).min(part.text.len())));
    let span = if part.text.is_char_boundary((at + 2).min(part.text.len())) {
        span
    } else {
        part.span
    };
    let found = Diagnostic::at(
        "L20",
        Severity::Error,
        span,
        "a backslash or a quotation mark in a rewrite",
    )
    .consequence(in_toml(&part.text));
    if !is_pattern {
        return Some(found.help("leave it out: no repository has such a character"));
    }
    Some(match without_backslashes(&part.text) {
        Ok(other) if part.is_verbatim => found.fix(
            "write the pattern without it",
            vec![Edit {
                span: part.span,
                text: other,
            }],
        ),
        Ok(other) => found.help(format!("write the pattern as `{other}`")),
        Err(error) => found.help(error.to_string()),
    })
}

/// What TOML makes of it.
fn in_toml(text: &str) -> &'static str {
    let mut escapes = text.split('\\').skip(1);
    let is_known = |rest: &str| rest.starts_with(['b', 't', 'n', 'f', 'r', '"']);
    match !text.contains('\\') || !escapes.all(is_known) {
        true => {
            "K3s writes it into hosts.toml as it is: the file cannot be read any more, and the node asks the registry \
             itself, even with --disable-default-registry-endpoint"
        }
        false => {
            "K3s writes it into hosts.toml as it is, where it becomes another character: the rule never matches"
        }
    }
}

fn overlapping(first: &Rule, second: &Rule) -> Option<Diagnostic> {
    let (Ok(one), Ok(two)) = (&first.regex, &second.regex) else {
        return None;
    };
    let at = first.pattern.span;
    match conflict((one, &first.replacement.text), (two, &second.replacement.text)) {
        Conflict::Differ {
            repository,
            first: a,
            second: b,
        } => Some(
            Diagnostic::at(
                "L23",
                Severity::Error,
                at,
                format!("two rules change `{repository}`: to `{a}` or to `{b}`"),
            )
            .label(format!("makes `{a}` of it"))
            .also(second.pattern.span, format!("makes `{b}` of it"))
            .consequence("rules have no order: the node takes one of them by chance, at every request anew")
            .help("write the patterns so that no repository matches both"),
        ),
        Conflict::Unknown(why) => Some(
            Diagnostic::at(
                "L23",
                Severity::Note,
                at,
                format!("whether these rules overlap could not be decided: {why}"),
            )
            .also(second.pattern.span, ""),
        ),
        Conflict::Disjoint | Conflict::Agree { .. } => None,
    }
}

fn wildcard(at: Span) -> Diagnostic {
    Diagnostic::at(
        "L26",
        Severity::Warning,
        at,
        "rewrites of the wildcard do not see the registry's name",
    )
    .consequence("`quay.io/a/b` and `ghcr.io/a/b` become one repository on the mirror")
    .help("use a mirror that reads `?ns=`, or an entry for each registry")
}

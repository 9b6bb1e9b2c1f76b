//! Two rules for one repository (L23). Only pairs that may meet are looked at: most rules begin with a text of their
//! own, and two of which neither begins with the other's are apart.

use landfall_diag::{Diagnostic, Severity};

use super::context::Context;
use super::rewrites::Rule;
use crate::go::regex::{Conflict, conflict};
use crate::registries_yaml::MirrorEntry;

/// How many pairs of one file are searched; each costs up to a few milliseconds.
const PAIRS: usize = 48;
/// How many findings one mirror gets.
const FINDINGS: usize = 8;

/// What is left to be spent on one file.
pub(super) struct Budget {
    pairs: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { pairs: PAIRS }
    }
}

pub(super) fn check(
    context: &Context<'_>,
    mirror: &MirrorEntry,
    rules: &[Rule<'_>],
    budget: &mut Budget,
    found: &mut Vec<Diagnostic>,
) {
    if mirror.endpoints.is_empty() && !context.is_legacy() {
        return;
    }
    // By what each must begin with; those that may begin with anything come first, and meet all.
    let mut sorted: Vec<(&str, &Rule<'_>)> = rules
        .iter()
        .map(|rule| (prefix(rule.regex.as_str()), rule))
        .collect();
    sorted.sort_by_key(|(prefix, _)| *prefix);
    let mut findings = 0;
    for (index, (prefix, first)) in sorted.iter().enumerate() {
        let meeting = sorted[index + 1..]
            .iter()
            .take_while(|(other, _)| other.starts_with(prefix));
        for (_, second) in meeting {
            if findings == FINDINGS {
                return;
            }
            if budget.pairs == 0 {
                found.push(given_up(mirror));
                return;
            }
            if is_same(first, second) {
                continue;
            }
            budget.pairs -= 1;
            if let Some(one) = pair(context, mirror, first, second) {
                findings += 1;
                found.push(one);
            }
        }
    }
}

/// The text that every match begins with; empty where there is none for sure.
fn prefix(pattern: &str) -> &str {
    let Some(rest) = pattern.strip_prefix('^').filter(|rest| !rest.contains('|')) else {
        return "";
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_-".contains(c);
    let end = rest.find(|c| !plain(c)).unwrap_or(rest.len());
    // What is repeated need not be there.
    match rest[end..].starts_with(['*', '?', '{']) {
        true => &rest[..end.saturating_sub(1)],
        false => &rest[..end],
    }
}

/// Two rules that do the same cannot be in each other's way.
fn is_same(first: &Rule<'_>, second: &Rule<'_>) -> bool {
    first.regex.as_str() == second.regex.as_str() && first.rewrite.replacement == second.rewrite.replacement
}

fn pair(
    context: &Context<'_>,
    mirror: &MirrorEntry,
    first: &Rule<'_>,
    second: &Rule<'_>,
) -> Option<Diagnostic> {
    // In the order of the file.
    let (first, second) = match first.rewrite.pattern.span.start <= second.rewrite.pattern.span.start {
        true => (first, second),
        false => (second, first),
    };
    let (one, two) = (
        &first.rewrite.replacement.value,
        &second.rewrite.replacement.value,
    );
    let Conflict::Differ {
        repository,
        first: a,
        second: b,
    } = conflict((&first.regex, one), (&second.regex, two))
    else {
        return None;
    };
    let registry = match mirror.key.value.as_str() {
        "*" => String::new(),
        name => format!("{name}/"),
    };
    let who = context.program();
    Some(
        Diagnostic::at("L23", Severity::Error, second.rewrite.pattern.span, format!("two rules change `{repository}`, each to another name"))
            .label(format!("makes it `{b}`"))
            .also(first.rewrite.pattern.span, format!("makes it `{a}`"))
            .consequence(format!(
                "rules have no order in {who}: for {registry}{repository} the node asks for `{a}` or `{b}`, by chance and anew at every request"
            ))
            .help("make the patterns exclude each other: Go has no look-ahead, so list the names that the wider rule is for"),
    )
}

fn given_up(mirror: &MirrorEntry) -> Diagnostic {
    Diagnostic::at(
        "L23",
        Severity::Note,
        mirror.key.span,
        "too many rules may meet here to compare them all",
    )
    .label("not all pairs were compared")
    .help("begin every pattern with ^ and a name of its own")
}

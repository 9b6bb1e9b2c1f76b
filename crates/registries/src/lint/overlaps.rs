//! Two rules for one repository (L23). Only pairs that may meet are looked at: most rules begin with a text of their
//! own, and two of which neither begins with the other's are apart.

use landfall_diag::{Diagnostic, Severity};
use landfall_oci::Repository;

use super::context::Context;
use super::rewrites::Rule;
use crate::go::regex::{Conflict, conflict};
use crate::registries_yaml::MirrorEntry;

/// How many pairs of one file are searched for certain; each costs up to a few milliseconds.
const PAIRS: usize = 16;
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
        .map(|rule| (prefix(&rule.rewrite.pattern.value), rule))
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
            if first.rewrite == second.rewrite {
                continue;
            }
            let clash = match obvious(first, second) {
                Some(clash) => Some(clash),
                None if budget.pairs == 0 => {
                    found.push(given_up(mirror));
                    return;
                }
                None => {
                    budget.pairs -= 1;
                    searched(first, second)
                }
            };
            if let Some(clash) = clash {
                findings += 1;
                found.push(finding(context, mirror, first, second, clash));
            }
        }
    }
}

/// The text that every match begins with; empty where there is none for sure.
pub(super) fn prefix(pattern: &str) -> &str {
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

/// A repository and what each of two rules makes of it.
struct Clash {
    repository: String,
    first: String,
    second: String,
}

/// Tries the names that people think of first.
fn obvious(first: &Rule<'_>, second: &Rule<'_>) -> Option<Clash> {
    let start = prefix(&second.rewrite.pattern.value);
    let (one, two) = (first.regex()?, second.regex()?);
    ["nginx", "/nginx", "", "team/app"].iter().find_map(|end| {
        let repository = format!("{start}{end}");
        let first = one.replace_all(&repository, &first.rewrite.replacement.value);
        let second = two.replace_all(&repository, &second.rewrite.replacement.value);
        let clash = first != repository && second != repository && first != second;
        let valid = clash && repository.parse::<Repository>().is_ok();
        valid.then_some(Clash {
            repository,
            first,
            second,
        })
    })
}

/// Searches all names there are.
fn searched(first: &Rule<'_>, second: &Rule<'_>) -> Option<Clash> {
    let of = |rule: &'_ Rule<'_>| rule.rewrite.replacement.value.clone();
    match conflict((first.regex()?, &of(first)), (second.regex()?, &of(second))) {
        Conflict::Differ {
            repository,
            first,
            second,
        } => Some(Clash {
            repository,
            first,
            second,
        }),
        _ => None,
    }
}

fn finding(
    context: &Context<'_>,
    mirror: &MirrorEntry,
    first: &Rule<'_>,
    second: &Rule<'_>,
    clash: Clash,
) -> Diagnostic {
    let Clash {
        repository,
        first: a,
        second: b,
    } = clash;
    let (one, two) = ((first.rewrite.pattern.span, a), (second.rewrite.pattern.span, b));
    // In the order of the file.
    let ((first, a), (second, b)) = if one.0.start <= two.0.start {
        (one, two)
    } else {
        (two, one)
    };
    let registry = match mirror.key.value.as_str() {
        "*" => String::new(),
        name => format!("{name}/"),
    };
    let who = context.program();
    Diagnostic::at("L23", Severity::Error, second, format!("two rules change `{repository}`, each to another name"))
        .label(format!("makes it `{b}`"))
        .also(first, format!("makes it `{a}`"))
        .consequence(format!(
            "rules have no order in {who}: for {registry}{repository} the node asks for `{a}` or `{b}`, by chance and anew at every request"
        ))
        .help("make the patterns exclude each other: Go has no look-ahead, so list the names that the wider rule is for")
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

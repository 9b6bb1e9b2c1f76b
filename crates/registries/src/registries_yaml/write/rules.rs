//! `rewrite`: patterns that survive a TOML string, of which never two want one name.

use super::Plan;
use crate::go::regex::{Conflict, GoRegex, conflict, needs_escape, without_backslashes};
use crate::intent::Rule;
use crate::runtimes::file::Losses;

impl Plan<'_> {
    /// The rules that can be written.
    pub(super) fn rules(&self, rules: &[Rule], losses: &mut Losses) -> Vec<(String, String)> {
        let mut kept: Vec<(GoRegex, String)> = Vec::new();
        for rule in rules {
            let (pattern, replacement) = rule.kind.to_go();
            let mut lose = |why: &str, advice: &str| {
                let what = format!("the rewrite `{pattern}` to `{replacement}`");
                losses.add(rule.span, what, why, advice);
            };
            let portable = match without_backslashes(&pattern) {
                Ok(portable) => portable,
                Err(error) => {
                    lose(
                        &error.to_string(),
                        "write the pattern with letters and sets (`[.]`, `[0-9]`) only",
                    );
                    continue;
                }
            };
            if needs_escape(&replacement) {
                lose(
                    "K3s writes it into hosts.toml as it is, where a backslash or a quotation mark breaks the file",
                    "write the replacement without them",
                );
                continue;
            }
            let regex = match GoRegex::compile(&portable) {
                Ok(regex) => regex,
                Err(error) => {
                    lose(&error.to_string(), "write a pattern that Go accepts");
                    continue;
                }
            };
            match kept
                .iter()
                .find_map(|known| wanted_twice(known, (&regex, &replacement)))
            {
                Some(why) => lose(&why, "write rules of which one at most fits any name"),
                None => kept.push((regex, replacement)),
            }
        }
        let texts = kept.into_iter();
        texts
            .map(|(regex, replacement)| (regex.as_str().to_owned(), replacement))
            .collect()
    }
}

/// Why two rules cannot stand beside each other: K3s takes them in random order.
fn wanted_twice(known: &(GoRegex, String), new: (&GoRegex, &str)) -> Option<String> {
    let first = known.0.as_str();
    if first == new.0.as_str() {
        return (known.1 != new.1).then(|| format!("`{first}` is the pattern of a rule before it"));
    }
    match conflict((&known.0, &known.1), new) {
        Conflict::Disjoint | Conflict::Agree { .. } => None,
        Conflict::Differ { repository, .. } => Some(format!(
            "K3s takes rules in random order, and `{first}` wants `{repository}` as well"
        )),
        Conflict::Unknown(why) => Some(format!("it may want the same names as `{first}`: {why}")),
    }
}

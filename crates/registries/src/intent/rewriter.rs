//! Rules made ready: what a repository is called at an endpoint.

use landfall_diag::Span;

use super::{Rule, RuleKind};
use crate::go::regex::{GoRegex, RegexError};

/// The rules of one endpoint, compiled.
#[derive(Debug)]
pub struct Rewriter {
    rules: Vec<Compiled>,
}

#[derive(Debug)]
enum Compiled {
    Prefix {
        from: String,
        to: String,
    },
    Regex {
        pattern: Box<GoRegex>,
        replacement: String,
    },
}

impl Rewriter {
    /// Compiles rules, in their order.
    ///
    /// # Errors
    /// The first rule that Go would refuse, with its place.
    pub fn new(rules: &[Rule]) -> Result<Self, (Span, RegexError)> {
        let compile = |rule: &Rule| {
            Ok(match &rule.kind {
                RuleKind::Prefix { from, to } => Compiled::Prefix {
                    from: from.clone(),
                    to: to.clone(),
                },
                RuleKind::Regex { pattern, replacement } => Compiled::Regex {
                    pattern: Box::new(GoRegex::compile(pattern).map_err(|error| (rule.span, error))?),
                    replacement: replacement.clone(),
                },
            })
        };
        let rules = rules.iter().map(compile).collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }

    /// The repository's name there: by the first rule whose result differs. Whether it is a name is not looked at.
    #[must_use]
    pub fn rewrite(&self, repository: &str) -> String {
        let changed = |rule: &Compiled| match rule {
            Compiled::Prefix { from, to } => repository
                .strip_prefix(from.as_str())
                .map(|rest| format!("{to}{rest}")),
            Compiled::Regex { pattern, replacement } => Some(pattern.replace_all(repository, replacement)),
        };
        let found = self
            .rules
            .iter()
            .filter_map(changed)
            .find(|new| new != repository);
        found.unwrap_or_else(|| repository.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use landfall_diag::SourceId;

    use super::*;

    fn rules(rules: &[(&str, &str)]) -> Vec<Rule> {
        let rule = |(pattern, replacement): &(&str, &str)| Rule {
            kind: RuleKind::from_go(pattern, replacement),
            span: Span::new(SourceId(0), 0..0),
        };
        rules.iter().map(rule).collect()
    }

    #[test]
    fn the_first_rule_that_changes_something_counts_alone() {
        let given = [
            ("^rancher/(.*)$", "$0"),
            ("^rancher/(.*)$", "m/$1"),
            ("^m/(.*)", "n/$1"),
            ("[0-9]+", "x"),
        ];
        let rewriter = Rewriter::new(&rules(&given)).unwrap();
        assert_eq!(rewriter.rewrite("rancher/pause"), "m/pause");
        assert_eq!(rewriter.rewrite("m/a"), "n/a");
        assert_eq!(rewriter.rewrite("team1/a22"), "teamx/ax");
        assert_eq!(rewriter.rewrite("library/nginx"), "library/nginx");
        assert!(Rewriter::new(&rules(&[("(?=a)", "b")])).is_err());
    }
}

//! Which tags have served their time: rules in, decisions out, no I/O.
//!
//! For each tag the first rule that matches its repository and its name decides; a tag that no rule matches
//! stays. A rule keeps the tags that changed last (`keep_last`) and those that changed recently
//! (`keep_newer_than`): a tag goes only when neither keeps it. Protected tags stay and are not counted.

use std::collections::BTreeMap;
use std::fmt;

use landfall_oci::{Repository, Tag};
use serde::{Deserialize, Serialize};

use crate::{Age, Pattern, RuleError};

/// One rule. At least one of `keep_last` and `keep_newer_than` is given.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Written")]
pub struct RetentionRule {
    /// For which repositories.
    pub repositories: Pattern,
    /// For which of their tags.
    pub tags: Pattern,
    /// So many of them stay, those that changed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_last: Option<usize>,
    /// Those that changed less than so long ago stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_newer_than: Option<Age>,
    /// These always stay.
    pub protect: Vec<Pattern>,
}

/// A rule as it is written in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    repositories: Option<Pattern>,
    tags: Option<Pattern>,
    keep_last: Option<usize>,
    keep_newer_than: Option<Age>,
    #[serde(default)]
    protect: OneOrMany,
}

/// `protect = "latest"` and `protect = ["latest", "v*"]` are both natural.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Pattern),
    Many(Vec<Pattern>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl TryFrom<Written> for RetentionRule {
    type Error = RuleError;

    fn try_from(written: Written) -> Result<Self, RuleError> {
        // Without either it would remove every tag that it matches: nobody means that by leaving words out.
        if written.keep_last.is_none() && written.keep_newer_than.is_none() {
            let tags = written.tags.unwrap_or_else(Pattern::any).to_string();
            return Err(RuleError::new(
                &tags,
                "is a retention rule without `keep_last` or `keep_newer_than`; give at least one",
            ));
        }
        Ok(Self {
            repositories: written.repositories.unwrap_or_else(Pattern::any),
            tags: written.tags.unwrap_or_else(Pattern::any),
            keep_last: written.keep_last,
            keep_newer_than: written.keep_newer_than,
            protect: match written.protect {
                OneOrMany::One(pattern) => vec![pattern],
                OneOrMany::Many(patterns) => patterns,
            },
        })
    }
}

/// A tag and the time of its last change, in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagChange {
    /// The tag.
    pub tag: Tag,
    /// When it was last pointed somewhere.
    pub unix_ms: u64,
}

/// A tag that goes, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The tag, and when it was last changed.
    pub change: TagChange,
    /// Why it goes.
    pub reason: ExpiredReason,
}

/// Why a tag goes. Says nothing that depends on when one looks, so that two dry runs read the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiredReason {
    /// Which rule decided, from 1.
    pub rule: usize,
    /// How many tags that the rule matches changed after this one.
    pub newer: usize,
    /// The rule's figure.
    pub keep_last: Option<usize>,
    /// The rule's figure.
    pub keep_newer_than: Option<Age>,
}

impl fmt::Display for ExpiredReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {}:", self.rule)?;
        if let Some(keep_last) = self.keep_last {
            write!(f, " {} tags are newer and {keep_last} are kept", self.newer)?;
        }
        if let Some(age) = self.keep_newer_than {
            let and = if self.keep_last.is_some() { "," } else { "" };
            write!(f, "{and} it has not changed for {age}")?;
        }
        Ok(())
    }
}

/// Decides about the tags of one repository; in byte order of the tags.
#[must_use]
pub fn expired(
    rules: &[RetentionRule],
    repository: &Repository,
    tags: &[TagChange],
    now_unix_ms: u64,
) -> Vec<Expired> {
    let mut groups: BTreeMap<usize, Vec<&TagChange>> = BTreeMap::new();
    for change in tags {
        let decides = |rule: &RetentionRule| {
            rule.repositories.matches(repository.as_str()) && rule.tags.matches(change.tag.as_str())
        };
        if let Some(at) = rules.iter().position(decides)
            && !rules[at]
                .protect
                .iter()
                .any(|pattern| pattern.matches(change.tag.as_str()))
        {
            groups.entry(at).or_default().push(change);
        }
    }
    let mut gone: Vec<Expired> = groups
        .into_iter()
        .flat_map(|(at, group)| expired_by(&rules[at], at + 1, group, now_unix_ms))
        .collect();
    gone.sort_by(|one, other| one.change.tag.cmp(&other.change.tag));
    gone
}

fn expired_by(rule: &RetentionRule, number: usize, mut group: Vec<&TagChange>, now: u64) -> Vec<Expired> {
    // Newest first; of two that changed in the same millisecond the one that sorts later counts as newer.
    group.sort_by(|one, other| (other.unix_ms, &other.tag).cmp(&(one.unix_ms, &one.tag)));
    let is_young = |change: &TagChange| {
        rule.keep_newer_than
            .is_some_and(|age| u128::from(now.saturating_sub(change.unix_ms)) < age.0.as_millis())
    };
    let candidates = group.into_iter().enumerate().skip(rule.keep_last.unwrap_or(0));
    candidates
        .filter(|(_, change)| !is_young(change))
        .map(|(newer, change)| Expired {
            change: change.clone(),
            reason: ExpiredReason {
                rule: number,
                newer,
                keep_last: rule.keep_last,
                keep_newer_than: rule.keep_newer_than,
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(json: &str) -> Vec<RetentionRule> {
        serde_json::from_str(json).unwrap()
    }

    fn gone(rules: &[RetentionRule], repository: &str, tags: &[(&str, u64)], now: u64) -> Vec<String> {
        let changes: Vec<TagChange> = tags
            .iter()
            .map(|(tag, unix_ms)| TagChange {
                tag: tag.parse().unwrap(),
                unix_ms: *unix_ms,
            })
            .collect();
        expired(rules, &repository.parse().unwrap(), &changes, now)
            .into_iter()
            .map(|gone| gone.change.tag.to_string())
            .collect()
    }

    #[test]
    fn the_newest_and_the_young_stay() {
        let last = rules(r#"[{"tags": "v*", "keep_last": 2, "protect": "v0"}]"#);
        let tags = [("v0", 1), ("v1", 10), ("v2", 20), ("v3", 30), ("other", 1)];
        assert_eq!(gone(&last, "a", &tags, 100), ["v1"]);
        let young = rules(r#"[{"keep_newer_than": "1s", "protect": ["o*", "x"]}]"#);
        assert_eq!(gone(&young, "a", &tags, 1015), ["v0", "v1"]);
        // Exactly at the age it goes; a change in the future is young.
        assert_eq!(gone(&young, "a", &[("v1", 10), ("v2", 99_999)], 1010), ["v1"]);
        // Either reason keeps.
        let both = rules(r#"[{"keep_last": 1, "keep_newer_than": "1s"}]"#);
        assert_eq!(
            gone(&both, "a", &[("a", 1), ("b", 2), ("c", 3)], 1002),
            ["a", "b"]
        );
        assert_eq!(gone(&both, "a", &[("a", 1), ("b", 2), ("c", 3)], 1001), ["a"]);
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let rules = rules(
            r#"[{"repositories": "prod/*", "tags": "keep-*", "keep_last": 9},
                {"repositories": "prod/*", "keep_last": 0}]"#,
        );
        let tags = [("keep-1", 1), ("x", 2)];
        assert_eq!(gone(&rules, "prod/a", &tags, 9), ["x"]);
        assert!(gone(&rules, "dev/a", &tags, 9).is_empty());
    }

    #[test]
    fn ties_are_decided_the_same_way_each_time() {
        let rules = rules(r#"[{"keep_last": 1}]"#);
        assert_eq!(gone(&rules, "a", &[("a", 5), ("b", 5)], 9), ["a"]);
        assert_eq!(gone(&rules, "a", &[("b", 5), ("a", 5)], 9), ["a"]);
    }

    #[test]
    fn a_rule_is_written_as_it_is_read() {
        let rules = rules(r#"[{"tags": "v*", "keep_last": 2, "keep_newer_than": "36h", "protect": "v0"}]"#);
        let text = serde_json::to_string(&rules).unwrap();
        assert_eq!(self::rules(&text), rules);
        assert!(text.contains(r#""keep_newer_than":"1d12h""#), "{text}");
    }

    #[test]
    fn a_rule_that_would_remove_everything_is_refused() {
        for wrong in [
            r#"{"tags": "v*"}"#,
            r#"{"keep_lst": 3}"#,
            r#"{"keep_last": 1, "keep": 2}"#,
            r#"{"keep_newer_than": "90"}"#,
            r#"{"keep_last": 1, "tags": ""}"#,
        ] {
            assert!(serde_json::from_str::<RetentionRule>(wrong).is_err(), "{wrong}");
        }
    }
}

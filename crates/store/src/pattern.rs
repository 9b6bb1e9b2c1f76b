//! Which names a rule means: `*` stands for any run of characters (slashes too), `?` for one.
//!
//! One matcher for retention and for immutable tags, so that a pattern means the same in both.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_as_text;

/// A part of a rule that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` {reason}")]
pub struct RuleError {
    /// The text as it was written.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl RuleError {
    pub(crate) fn new(text: &str, reason: &'static str) -> Self {
        Self {
            text: text.to_owned(),
            reason,
        }
    }
}

/// A pattern for names of repositories or tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Matches every name.
    #[must_use]
    pub fn any() -> Self {
        Self("*".to_owned())
    }

    /// Whether the whole name is one that the pattern means. Time is bounded by the product of both lengths.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        // Where to go on when a comparison fails: behind the last star, one character further in the name.
        let mut retry = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    retry = Some((p + 1, n));
                    p += 1;
                }
                Some(wanted) if *wanted == b'?' || *wanted == name[n] => {
                    p += 1;
                    n += 1;
                }
                _ => match retry {
                    Some((star, from)) => {
                        retry = Some((star, from + 1));
                        (p, n) = (star, from + 1);
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|rest| *rest == b'*')
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Pattern {
    type Err = RuleError;

    /// Takes what can stand in a name, and the two wildcards: anything else would never match.
    fn from_str(text: &str) -> Result<Self, RuleError> {
        let usable = |b: u8| b.is_ascii_alphanumeric() || b"*?/._-".contains(&b);
        if text.is_empty() {
            return Err(RuleError::new(text, "is an empty pattern; `*` means every name"));
        }
        match text.bytes().all(usable) {
            true => Ok(Self(text.to_owned())),
            false => Err(RuleError::new(
                text,
                "holds a character that no name can have (only letters, digits, `/ . _ -`, and `*` and `?`)",
            )),
        }
    }
}

serde_as_text!(Pattern);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_run_and_the_whole_name_counts() {
        for (pattern, yes, no) in [
            ("v*", &["v", "v1", "v1.2"][..], &["1", "xv1"][..]),
            ("*", &["", "a/b"], &[]),
            ("team/*", &["team/a", "team/a/b"], &["team", "teams/a"]),
            ("*-rc?", &["1-rc1", "a-rc-rc2"], &["1-rc", "1-rc12"]),
            ("a*b*c", &["abc", "axxbxxc", "abcbc"], &["ab", "acb"]),
            ("latest", &["latest"], &["latest1", "lates"]),
        ] {
            let parsed: Pattern = pattern.parse().unwrap();
            for name in yes {
                assert!(parsed.matches(name), "{pattern} {name}");
            }
            for name in no {
                assert!(!parsed.matches(name), "{pattern} {name}");
            }
        }
        assert!("".parse::<Pattern>().is_err());
        assert!("v[12]".parse::<Pattern>().is_err());
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        let pattern: Pattern = "*a".repeat(60).parse().unwrap();
        assert!(!pattern.matches(&format!("{}b", "a".repeat(255))));
    }
}

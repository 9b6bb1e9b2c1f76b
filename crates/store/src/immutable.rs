//! Tags that can be made but not moved or deleted, by pattern.

use std::fmt;
use std::str::FromStr;

use landfall_oci::{Repository, Tag};

use crate::text::serde_as_text;
use crate::{Pattern, RuleError};

/// `repository:tag`, both of them patterns: `prod/*:v*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagPattern {
    /// Which repositories.
    pub repository: Pattern,
    /// Which of their tags.
    pub tag: Pattern,
}

impl TagPattern {
    /// Whether this tag of this repository is meant.
    #[must_use]
    pub fn matches(&self, repository: &Repository, tag: &Tag) -> bool {
        self.repository.matches(repository.as_str()) && self.tag.matches(tag.as_str())
    }
}

impl fmt::Display for TagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

impl FromStr for TagPattern {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let (repository, tag) = text.split_once(':').ok_or_else(|| {
            RuleError::new(
                text,
                "is not `repository:tag`; write `*:*` for every tag of every repository",
            )
        })?;
        Ok(Self {
            repository: repository.parse()?,
            tag: tag.parse()?,
        })
    }
}

serde_as_text!(TagPattern);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_must_match() {
        let pattern: TagPattern = "prod/*:v?.*".parse().unwrap();
        let matches = |repository: &str, tag: &str| {
            pattern.matches(&repository.parse().unwrap(), &tag.parse().unwrap())
        };
        assert!(matches("prod/app", "v1.2"));
        assert!(!matches("prod/app", "latest"));
        assert!(!matches("dev/app", "v1.2"));
        assert_eq!(pattern.to_string(), "prod/*:v?.*");
        for wrong in ["prod", ":", "a:", ":b", "a:b:c", "a b:c"] {
            assert!(wrong.parse::<TagPattern>().is_err(), "{wrong}");
        }
    }
}

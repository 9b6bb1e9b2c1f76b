//! One rule that changes a repository. Prefixes are kept apart from regular expressions, because most formats can say
//! the one in some way and only K3s the other.

use landfall_diag::Span;

/// A rule and where it stands.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What it does.
    pub kind: RuleKind,
    /// Pattern and replacement, in the file.
    pub span: Span,
}

/// What a rule does with a repository (`rancher/nginx`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleKind {
    /// A repository that begins with `from`, byte by byte, begins with `to` instead. `from` may be empty.
    Prefix {
        /// `rancher/`; for whole components it ends with a slash.
        from: String,
        /// `mirror/rancher/`.
        to: String,
    },
    /// Go's `ReplaceAllString`.
    Regex {
        /// Go (RE2) syntax.
        pattern: String,
        /// With `$1`, `${name}`.
        replacement: String,
    },
}

impl PartialEq for Rule {
    /// As with [`landfall_diag::Spanned`]: what it does, not where it stands.
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Eq for Rule {}

impl RuleKind {
    /// Reads Go's pattern and replacement; a prefix where that is provably the same for every repository.
    #[must_use]
    pub fn from_go(pattern: &str, replacement: &str) -> Self {
        prefix(pattern, replacement).unwrap_or_else(|| Self::Regex {
            pattern: pattern.to_owned(),
            replacement: replacement.to_owned(),
        })
    }

    /// As Go's pattern and replacement, without a backslash: K3s and others write them into TOML unescaped.
    #[must_use]
    pub fn to_go(&self) -> (String, String) {
        match self {
            Self::Regex { pattern, replacement } => (pattern.clone(), replacement.clone()),
            Self::Prefix { from, to } => (
                format!("^{}(.*)$", escape(from)),
                format!("{}$1", to.replace('$', "$$")),
            ),
        }
    }
}

/// A literal as a pattern. The characters of repositories and registries that mean something are in a class of one;
/// a caret cannot be alone in a class, and no repository has one.
fn escape(literal: &str) -> String {
    let mut out = String::new();
    for letter in literal.chars() {
        match letter {
            '.' | '+' | '*' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '$' => {
                out.push('[');
                out.push(letter);
                out.push(']');
            }
            '^' | '\\' => {
                out.push('\\');
                out.push(letter);
            }
            plain => out.push(plain),
        }
    }
    out
}

/// `^literal`, `^literal(.*)`, `^literal(.*)$`, `(.*)` and the same with `.+` where something always follows.
fn prefix(pattern: &str, replacement: &str) -> Option<RuleKind> {
    let (anchored, rest) = match pattern.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let (literal, tail) = literal(rest)?;
    // Unanchored, a literal is found anywhere; `(.*)` alone begins at the first byte, and the empty match behind it
    // touches the one before and does not count.
    if !anchored && (!literal.is_empty() || tail.is_empty()) {
        return None;
    }
    // No repository is empty or ends with a slash, so something follows.
    let something_follows = literal.is_empty() || literal.ends_with('/');
    let captures = match tail {
        "" => false,
        "(.*)" | "(.*)$" => true,
        "(.+)" | "(.+)$" if something_follows => true,
        _ => return None,
    };
    let to = if captures {
        replacement
            .strip_suffix("$1")
            .or_else(|| replacement.strip_suffix("${1}"))?
    } else {
        replacement
    };
    (!to.contains('$')).then(|| RuleKind::Prefix {
        from: literal,
        to: to.to_owned(),
    })
}

/// The literal text at the front of a pattern, and what is left of it.
fn literal(pattern: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        let taken = match letter {
            '(' => break,
            '\\' => {
                let escaped = rest.chars().nth(1).filter(char::is_ascii_punctuation)?;
                text.push(escaped);
                2
            }
            '[' => {
                let inner = rest.chars().nth(1).filter(|inner| !"^\\]".contains(*inner))?;
                (rest.chars().nth(2) == Some(']')).then_some(())?;
                text.push(inner);
                2 + inner.len_utf8()
            }
            '.' | '+' | '*' | '?' | ')' | '{' | '}' | ']' | '|' | '^' | '$' => return None,
            plain => {
                text.push(plain);
                plain.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    Some((text, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn as_prefix(from: &str, to: &str) -> RuleKind {
        RuleKind::Prefix {
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }

    #[test]
    fn shapes_that_are_prefixes() {
        for (pattern, replacement, from, to) in [
            ("^rancher/(.*)$", "m/$1", "rancher/", "m/"),
            ("^rancher/(.*)", "m/${1}", "rancher/", "m/"),
            ("^rancher(.*)$", "m$1", "rancher", "m"),
            ("^rancher/(.+)$", "$1", "rancher/", ""),
            ("^rancher/", "m/", "rancher/", "m/"),
            ("(.*)", "all/$1", "", "all/"),
            ("^(.*)$", "all/$1", "", "all/"),
            ("(.+)", "all/$1", "", "all/"),
            ("^", "all/", "", "all/"),
            (r"^a\.b\/(.*)", "$1", "a.b/", ""),
            ("^a[.]b/(.*)", "$1", "a.b/", ""),
        ] {
            assert_eq!(
                RuleKind::from_go(pattern, replacement),
                as_prefix(from, to),
                "{pattern}"
            );
        }
    }

    #[test]
    fn shapes_that_are_not() {
        for (pattern, replacement) in [
            ("rancher/(.*)", "m/$1"),    // matches in the middle too
            ("rancher", "m"),            // every place
            ("", "m"),                   // between all letters
            ("^a.b/(.*)", "$1"),         // the dot is any letter
            ("^rancher(.+)$", "m$1"),    // not `rancher` itself
            ("^rancher/(.*)", "m/$1-x"), // a suffix
            ("^rancher/(.*)", "m/$1_x"), // group `1_x`
            ("^rancher/(.*)", "m"),      // the rest is dropped
            ("^rancher/(.*)", "$$1"),    // the text `$1`
            ("^rancher/", "m/$0"),
            ("^rancher/$", "m/"),
            ("^(a|b)/(.*)", "m/$2"),
            ("^a*/(.*)", "$1"),
            (r"^\d/(.*)", "$1"),
            ("^[ab]/(.*)", "$1"),
            ("^a|b(.*)", "$1"),
            ("^(?i)a/(.*)", "$1"),
            ("^a/(.*)/b(.*)", "$1"),
        ] {
            let kind = RuleKind::from_go(pattern, replacement);
            assert!(
                matches!(kind, RuleKind::Regex { .. }),
                "{pattern} → {replacement}: {kind:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_prefix_survives_go(from in "[a-z0-9._/+-]{0,12}", to in "[a-z0-9._/-]{0,12}") {
            let rule = as_prefix(&from, &to);
            let (pattern, replacement) = rule.to_go();
            prop_assert!(!pattern.contains('\\') && !pattern.contains('"'));
            prop_assert_eq!(RuleKind::from_go(&pattern, &replacement), rule);
        }
    }
}

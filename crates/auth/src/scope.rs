//! What a token is for: actions on repositories, in the token servers' notation (`repository:NAME:pull,push`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use landfall_oci::Repository;

/// What may be done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Read.
    Pull,
    /// Write; always asked for together with reading.
    Push,
    /// Delete.
    Delete,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        }
    }
}

/// A set of scopes, in a fixed order: equal sets are the same key.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeSet(BTreeMap<String, BTreeSet<String>>);

impl ScopeSet {
    /// No scope: enough for `GET /v2/`.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Reading a repository.
    #[must_use]
    pub fn pull(repository: &Repository) -> Self {
        Self::none().with(repository, &[Action::Pull])
    }

    /// Reading and writing a repository.
    #[must_use]
    pub fn push(repository: &Repository) -> Self {
        Self::none().with(repository, &[Action::Pull, Action::Push])
    }

    /// These scopes and some more.
    #[must_use]
    pub fn with(mut self, repository: &Repository, actions: &[Action]) -> Self {
        let known = self.0.entry(format!("repository:{repository}")).or_default();
        known.extend(actions.iter().map(|action| action.as_str().to_owned()));
        self
    }

    /// Reads a challenge's `scope`: several are separated by spaces. What has no actions is left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut set = Self::default();
        for scope in text.split_whitespace() {
            if let Some((resource, actions)) = scope.rsplit_once(':') {
                let known = set.0.entry(resource.to_owned()).or_default();
                known.extend(
                    actions
                        .split(',')
                        .filter(|action| !action.is_empty())
                        .map(str::to_owned),
                );
            }
        }
        set
    }

    /// Adds the scopes of another set.
    pub fn merge(&mut self, other: &Self) {
        for (resource, actions) in &other.0 {
            self.0
                .entry(resource.clone())
                .or_default()
                .extend(actions.iter().cloned());
        }
    }

    /// Whether everything in `other` is in this set.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(resource, actions)| {
            self.0
                .get(resource)
                .is_some_and(|known| known.is_superset(actions))
        })
    }

    /// The scopes, each as a token server reads it. `pull` comes before `push`, as everybody writes it.
    pub fn iter(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().map(|(resource, actions)| {
            let mut ordered: Vec<&str> = actions.iter().map(String::as_str).collect();
            ordered.sort_by_key(|action| (*action != "pull", *action != "push", *action));
            format!("{resource}:{}", ordered.join(","))
        })
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_merged_and_written_in_one_order() {
        let repository: Repository = "a/b".parse().unwrap();
        let base: Repository = "base".parse().unwrap();
        let mut set = ScopeSet::push(&repository).with(&base, &[Action::Pull]);
        assert_eq!(set.to_string(), "repository:a/b:pull,push repository:base:pull");
        assert_eq!(
            ScopeSet::parse("repository:base:pull repository:a/b:push,pull"),
            set
        );
        assert!(set.covers(&ScopeSet::pull(&repository)));
        set.merge(&ScopeSet::parse("registry:catalog:*"));
        assert!(set.to_string().starts_with("registry:catalog:* "));
        assert!(!ScopeSet::pull(&repository).covers(&set));
        assert_eq!(ScopeSet::parse("nonsense"), ScopeSet::none());
    }
}

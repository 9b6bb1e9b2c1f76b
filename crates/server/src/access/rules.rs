//! Who may do what to which repository.
//!
//! One rule decides: the one with the longest prefix of the repository's name, cut at `/`. So the answer to "who may
//! push to `team/app`?" stands in one place of the file, and a part of the registry can be closed as well as opened:
//! with a union of all rules that match, what `*` gives could never be taken back further down. Where no rule
//! matches, nobody may do anything. Pull, push and delete are three rights; none implies another.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use landfall_oci::Repository;

use super::identity::Identity;
use crate::gate::Action;

/// The rules of a file, or those that stand for there being none.
#[derive(Debug, Default)]
pub struct Rules {
    /// By the repository that each is for and all below it.
    pub(super) prefixes: HashMap<String, Rule>,
    /// The rule for `*`.
    pub(super) rest: Rule,
    /// Users that the file names, for a look into the password file.
    pub(super) mentions: Vec<Mention>,
}

/// What may be done to the repositories of one prefix, and by whom.
#[derive(Clone, Debug, Default)]
pub(super) struct Rule {
    pub(super) pull: Who,
    pub(super) push: Who,
    pub(super) delete: Who,
}

/// Some of those who may ask.
#[derive(Clone, Debug, Default)]
pub(super) struct Who {
    /// Everybody, logged in or not: who logs in has no less than who does not.
    pub(super) anonymous: bool,
    /// Everybody who is somebody.
    pub(super) authenticated: bool,
    /// Names, as [`Identity::name`] gives them.
    pub(super) names: HashSet<String>,
    pub(super) groups: Vec<Arc<HashSet<String>>>,
}

/// Where a rules file names a user.
#[derive(Clone, Debug)]
pub(super) struct Mention {
    pub(super) user: String,
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Who {
    fn includes(&self, identity: &Identity) -> bool {
        let named = |name: &str| {
            self.authenticated
                || self.names.contains(name)
                || self.groups.iter().any(|group| group.contains(name))
        };
        self.anonymous || identity.name().is_some_and(named)
    }

    fn is_nobody(&self) -> bool {
        !self.anonymous
            && !self.authenticated
            && self.names.is_empty()
            && self.groups.iter().all(|group| group.is_empty())
    }
}

impl Rule {
    fn who(&self, action: Action) -> &Who {
        match action {
            Action::Pull => &self.pull,
            Action::Push => &self.push,
            Action::Delete => &self.delete,
        }
    }

    fn all(&self) -> [&Who; 3] {
        [&self.pull, &self.push, &self.delete]
    }

    fn all_to(who: &Who) -> Self {
        Self {
            pull: who.clone(),
            push: who.clone(),
            delete: who.clone(),
        }
    }
}

impl Rules {
    /// Everybody may do everything.
    pub(super) fn open() -> Self {
        let everybody = Who {
            anonymous: true,
            ..Who::default()
        };
        Self {
            rest: Rule::all_to(&everybody),
            ..Self::default()
        }
    }

    /// Who is somebody may do everything, nobody else anything.
    pub(super) fn known() -> Self {
        let somebody = Who {
            authenticated: true,
            ..Who::default()
        };
        Self {
            rest: Rule::all_to(&somebody),
            ..Self::default()
        }
    }

    /// Whether these rules let somebody do something.
    pub(super) fn allow(&self, identity: &Identity, action: Action, repository: &Repository) -> bool {
        self.rule(repository.as_str()).who(action).includes(identity)
    }

    fn rule(&self, name: &str) -> &Rule {
        let mut prefix = Some(name);
        while let Some(text) = prefix {
            if let Some(rule) = self.prefixes.get(text) {
                return rule;
            }
            prefix = text.rsplit_once('/').map(|(parent, _)| parent);
        }
        &self.rest
    }

    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.prefixes.values().chain([&self.rest])
    }

    /// Whether there is anything at all that somebody may do.
    pub(super) fn give_anything(&self, identity: &Identity) -> bool {
        let mut all = self.rules().flat_map(Rule::all);
        all.any(|who| who.includes(identity))
    }

    /// Whether somebody may read any repository.
    pub(super) fn let_read_anything(&self, identity: &Identity) -> bool {
        self.rules().any(|rule| rule.pull.includes(identity))
    }

    /// Whether to log in would give anybody more than everybody has.
    pub(super) fn reward_log_in(&self) -> bool {
        let mut all = self.rules().flat_map(Rule::all);
        all.any(|who| !who.anonymous && !who.is_nobody())
    }

    /// Whether somebody may read what a path can mean: the repository itself, or the one that a client means who
    /// adds a namespace to it (`app` with `?ns=quay.io` is `quay.io/app`). Which of them is asked when it is used.
    pub(super) fn may_let_read(&self, identity: &Identity, name: &Repository) -> bool {
        // A namespace is the name of a host.
        let first = self.prefixes.keys().filter_map(|prefix| prefix.split('/').next());
        let hosts = first.filter(|first| crate::ns::names_host(first));
        let mut behind = hosts.map(|host| self.rule(&format!("{host}/{name}")));
        self.allow(identity, Action::Pull, name)
            || self.rest.pull.includes(identity)
            || behind.any(|rule| rule.pull.includes(identity))
            || crate::ns::candidates(name, None)
                .iter()
                .any(|candidate| self.allow(identity, Action::Pull, &candidate.repository))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use Action::{Delete, Pull, Push};

    fn rules(text: &str) -> Rules {
        Rules::parse(text, Path::new("rules.toml")).unwrap()
    }

    fn allowed(rules: &Rules, who: &Identity, name: &str) -> Vec<Action> {
        let name = name.parse().unwrap();
        let may = |action: &Action| rules.allow(who, *action, &name);
        [Pull, Push, Delete].into_iter().filter(may).collect()
    }

    const FILE: &str = r#"
        [groups]
        ops = ["ann", "cert:ci.example"]
        [[rule]]
        repository = "*"
        pull = ["anonymous"]
        push = ["@ops"]
        [[rule]]
        repository = "team"
        pull = ["authenticated"]
        push = ["bob"]
        delete = ["bob"]
        [[rule]]
        repository = "team/secret"
        pull = ["bob", "@ops"]
        [[rule]]
        repository = "closed"
    "#;

    #[test]
    fn the_longest_prefix_decides_alone() {
        let rules = rules(FILE);
        let (nobody, ann, bob) = (
            Identity::anonymous(),
            Identity::user("ann"),
            Identity::user("bob"),
        );
        let ci = Identity::certificate("ci.example");
        for (who, name, expected) in [
            (&nobody, "a/b", &[Pull][..]),
            (&ann, "a/b", &[Pull, Push]),
            (&ci, "a/b", &[Pull, Push]),
            (&nobody, "team", &[]),
            (&ann, "team/x/y", &[Pull]),
            (&bob, "team/x/y", &[Pull, Push, Delete]),
            (&ann, "team/secret/x", &[Pull]),
            (&ci, "team/secret", &[Pull]),
            (&bob, "team/secret", &[Pull]),
            (&nobody, "team/secret", &[]),
            // A neighbour, not a part.
            (&nobody, "teamster", &[Pull]),
            (&nobody, "team-x/y", &[Pull]),
            (&ann, "team/secrets", &[Pull]),
            (&ann, "x/team", &[Pull, Push]),
            (&ann, "closed/x", &[]),
            // A certificate is no user, and a user no certificate.
            (&Identity::certificate("bob"), "team/x", &[Pull]),
            (&Identity::user("ci.example"), "a", &[Pull]),
        ] {
            assert_eq!(allowed(&rules, who, name), expected, "{who:?} {name}");
        }
        assert!(rules.reward_log_in() && rules.let_read_anything(&nobody));
    }

    #[test]
    fn without_a_rule_for_the_rest_the_rest_is_closed() {
        let rules = rules("[[rule]]\nrepository = \"a\"\npush = [\"ann\"]\n");
        let ann = Identity::user("ann");
        assert_eq!(allowed(&rules, &ann, "a"), [Push]);
        assert!(allowed(&rules, &ann, "b").is_empty());
        assert!(rules.give_anything(&ann) && !rules.let_read_anything(&ann));
        assert!(!rules.give_anything(&Identity::anonymous()));
    }

    #[test]
    fn what_stands_for_no_rules() {
        let (nobody, ann) = (Identity::anonymous(), Identity::user("ann"));
        assert_eq!(allowed(&Rules::open(), &nobody, "a").len(), 3);
        assert_eq!(allowed(&Rules::known(), &ann, "a").len(), 3);
        assert!(!Rules::known().give_anything(&nobody));
        assert!(!Rules::open().reward_log_in() && Rules::known().reward_log_in());
        assert!(!rules("").give_anything(&ann));
        assert!(!rules("[[rule]]\nrepository=\"*\"\npull=[\"anonymous\"]").reward_log_in());
    }

    #[test]
    fn a_path_may_mean_a_mirrored_repository() {
        let rules = rules("[[rule]]\nrepository = \"quay.io/a\"\npull = [\"ann\"]\n");
        let ann = Identity::user("ann");
        let may = |name: &str| rules.may_let_read(&ann, &name.parse().unwrap());
        assert!(may("a/b") && may("quay.io/a"));
        assert!(!may("b") && !may("quay.io"));
    }
}

//! The rules file: TOML, strict, and every complaint with its place.
//!
//! ```toml
//! [groups]
//! ops = ["ann", "cert:ci.example"]
//!
//! [[rule]]
//! repository = "*"          # everything that no other rule is for
//! pull = ["anonymous"]      # everybody, logged in or not
//! push = ["@ops"]
//! delete = ["@ops"]
//!
//! [[rule]]
//! repository = "team"       # team and team/app, not teamster
//! pull = ["authenticated"]
//! push = ["bob"]
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use landfall_oci::Repository;
use serde::Deserialize;
use toml::Spanned;

use super::htpasswd::Htpasswd;
use super::identity::CERTIFICATE;
use super::rules::{Mention, Rule, Rules, Who};
use crate::error::ServerError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    groups: BTreeMap<Spanned<String>, Vec<Spanned<String>>>,
    #[serde(default)]
    rule: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    repository: Spanned<String>,
    #[serde(default)]
    pull: Vec<Spanned<String>>,
    #[serde(default)]
    push: Vec<Spanned<String>>,
    #[serde(default)]
    delete: Vec<Spanned<String>>,
}

/// What is wrong, and at which byte.
struct Complaint {
    at: usize,
    reason: String,
}

type Groups = HashMap<String, Arc<HashSet<String>>>;

impl Rules {
    /// Reads a rules file.
    ///
    /// # Errors
    /// [`ServerError`] when it cannot be read, and as [`parse`](Self::parse).
    pub(super) fn load(path: &Path) -> Result<Self, ServerError> {
        let text = std::fs::read_to_string(path).map_err(ServerError::io("read", path))?;
        Self::parse(&text, path)
    }

    /// Reads the text of a rules file.
    ///
    /// # Errors
    /// [`ServerError::Rules`] with the place that is wrong.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ServerError> {
        read(text).map_err(|complaint| {
            let (line, column) = Places::of(text).find(complaint.at);
            ServerError::Rules {
                path: path.to_owned(),
                line,
                column,
                reason: complaint.reason,
            }
        })
    }

    /// One line for each user who is named here and stands not in the password file.
    pub(super) fn strangers(&self, users: Option<&Htpasswd>, path: &Path) -> Vec<String> {
        let known = |user: &str| users.is_some_and(|users| users.has(user));
        let strangers = self.mentions.iter().filter(|mention| !known(&mention.user));
        strangers
            .map(|Mention { user, line, column }| {
                let path = path.display();
                format!("{path}:{line}:{column}: there is no user `{user}` in the password file")
            })
            .collect()
    }
}

fn read(text: &str) -> Result<Rules, Complaint> {
    let places = &Places::of(text);
    let file: File = toml::from_str(text).map_err(|error| Complaint {
        at: error.span().map_or(0, |span| span.start),
        reason: error.message().trim().replace('\n', "; "),
    })?;
    let mut rules = Rules::default();
    let mut groups = Groups::new();
    for (name, members) in &file.groups {
        let members = group(places, name, members, &mut rules.mentions)?;
        groups.insert(name.get_ref().clone(), Arc::new(members));
    }
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for entry in &file.rule {
        let name = entry.repository.get_ref().as_str();
        let at = entry.repository.span().start;
        if let Some(first) = seen.insert(name, at) {
            let (line, _) = places.find(first);
            let reason = format!(
                "there is a rule for `{name}` already, in line {line}: put what this one says into that one"
            );
            return Err(Complaint { at, reason });
        }
        let mut who = |list| who(places, list, &groups, &mut rules.mentions);
        let rule = Rule {
            pull: who(&entry.pull)?,
            push: who(&entry.push)?,
            delete: who(&entry.delete)?,
        };
        match name {
            "*" => rules.rest = rule,
            _ => {
                check_repository(name).map_err(|reason| Complaint { at, reason })?;
                rules.prefixes.insert(name.to_owned(), rule);
            }
        }
    }
    Ok(rules)
}

fn check_repository(name: &str) -> Result<(), String> {
    let bare = name.trim_end_matches("/*").trim_end_matches('/');
    if bare != name {
        return Err(format!(
            "a rule is for all repositories below its own: write `{bare}` instead of `{name}`"
        ));
    }
    let parsed: Result<Repository, _> = name.parse();
    parsed.map(drop).map_err(|_| {
        format!(
            "`{name}` is not the name of a repository: write one (with all below it), or `*` for the rest"
        )
    })
}

/// The members of a group.
fn group(
    places: &Places<'_>,
    name: &Spanned<String>,
    members: &[Spanned<String>],
    mentions: &mut Vec<Mention>,
) -> Result<HashSet<String>, Complaint> {
    let complain = |part: &Spanned<String>, reason: String| Complaint {
        at: part.span().start,
        reason,
    };
    let group = name.get_ref();
    if group.is_empty() || group.starts_with('@') {
        let reason = "a group's name is written without `@` where the group is made".to_owned();
        return Err(complain(name, reason));
    }
    let mut found = HashSet::new();
    for member in members {
        let word = member.get_ref();
        if word.starts_with('@') || word == "anonymous" || word == "authenticated" {
            let reason =
                format!("a group holds users and certificates: write `{word}` into the rule instead");
            return Err(complain(member, reason));
        }
        found.insert(principal(places, member, mentions)?);
    }
    Ok(found)
}

/// Those whom a list of a rule names.
fn who(
    places: &Places<'_>,
    list: &[Spanned<String>],
    groups: &Groups,
    mentions: &mut Vec<Mention>,
) -> Result<Who, Complaint> {
    let mut who = Who::default();
    for word in list {
        match word.get_ref().as_str() {
            "anonymous" => who.anonymous = true,
            "authenticated" => who.authenticated = true,
            name => match name.strip_prefix('@') {
                Some(group) => who
                    .groups
                    .push(Arc::clone(groups.get(group).ok_or_else(|| Complaint {
                        at: word.span().start,
                        reason: format!("there is no group `{group}`: add it to [groups]"),
                    })?)),
                None => {
                    who.names.insert(principal(places, word, mentions)?);
                }
            },
        }
    }
    Ok(who)
}

/// One user or one certificate.
fn principal(
    places: &Places<'_>,
    word: &Spanned<String>,
    mentions: &mut Vec<Mention>,
) -> Result<String, Complaint> {
    let name = word.get_ref();
    let at = word.span().start;
    if matches!(name.as_str(), "*" | "everyone" | "everybody" | "anyone") {
        let reason = format!(
            "`{name}` is nobody: write `anonymous` for everybody, `authenticated` for everybody who logged in"
        );
        return Err(Complaint { at, reason });
    }
    let certificate = name.strip_prefix(CERTIFICATE);
    let bare = certificate.unwrap_or(name);
    if bare.is_empty() || bare.chars().any(char::is_control) || (certificate.is_none() && bare.contains(':'))
    {
        let reason =
            "this is nobody: write a user's name, `cert:NAME`, `@GROUP`, `anonymous` or `authenticated`"
                .to_owned();
        return Err(Complaint { at, reason });
    }
    if certificate.is_none() {
        let (line, column) = places.find(at);
        let user = name.clone();
        mentions.push(Mention { user, line, column });
    }
    Ok(name.clone())
}

/// Where the lines of a text begin.
struct Places<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Places<'a> {
    fn of(text: &'a str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(ends).collect();
        Self { text, starts }
    }

    /// Line and column of a byte, both from 1, columns in characters.
    fn find(&self, at: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..at).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> (usize, usize, String) {
        match Rules::parse(text, Path::new("/etc/rules.toml")) {
            Err(ServerError::Rules {
                line, column, reason, ..
            }) => (line, column, reason),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn each_complaint_has_its_place_and_says_what_to_do() {
        for (text, line, column, says) in [
            (
                "[[rule]]\nrepository = \"a\"\nwrite = []\n",
                3,
                1,
                "unknown field `write`",
            ),
            ("[[rules]]\nrepository = \"a\"\n", 1, 3, "unknown field `rules`"),
            ("[[rule]]\npull = []\n", 1, 1, "missing field `repository`"),
            (
                "[[rule]]\nrepository = \"a\"\npull = \"ann\"\n",
                3,
                8,
                "expected a sequence",
            ),
            (
                "[[rule]]\nrepository = \"a\"\npull = [\"ann\", \"@x\"]\n",
                3,
                16,
                "no group `x`",
            ),
            (
                "[[rule]]\nrepository = \"a\"\n[[rule]]\nrepository = \"a\"\n",
                4,
                14,
                "line 2",
            ),
            ("[[rule]]\nrepository = \"a/*\"\n", 2, 14, "write `a`"),
            ("[[rule]]\nrepository = \"a/\"\n", 2, 14, "write `a`"),
            (
                "[[rule]]\nrepository = \"A\"\n",
                2,
                14,
                "not the name of a repository",
            ),
            (
                "[[rule]]\nrepository = \"\"\n",
                2,
                14,
                "not the name of a repository",
            ),
            ("[[rule]]\nrepository = \"ä\"\n# ü\n", 2, 14, "not the name"),
            ("[groups]\nx = [\"@y\"]\n", 2, 6, "into the rule instead"),
            (
                "[groups]\nx = [\"ann\", \"anonymous\"]\n",
                2,
                13,
                "into the rule instead",
            ),
            ("[groups]\n\"@x\" = []\n", 2, 1, "without `@`"),
            ("[groups]\nx = []\nx = []\n", 3, 1, "duplicate key"),
            (
                "[[rule]]\nrepository = \"a\"\npull = [\"everyone\"]\n",
                3,
                9,
                "`anonymous` for everybody",
            ),
            (
                "[[rule]]\nrepository = \"a\"\npull = [\"x:y\"]\n",
                3,
                9,
                "cert:NAME",
            ),
            (
                "[[rule]]\nrepository = \"a\"\npull = [\"cert:\"]\n",
                3,
                9,
                "cert:NAME",
            ),
            ("[[rule]]\nrepository = \"a\"\npull = [\n", 3, 9, ""),
        ] {
            let (found_line, found_column, reason) = complaint(text);
            assert!(reason.contains(says), "{text}: {reason}");
            assert_eq!((found_line, found_column), (line, column), "{text}: {reason}");
            assert!(!reason.contains('\n'));
        }
        let error = Rules::parse("x = 1", Path::new("/etc/rules.toml")).unwrap_err();
        assert!(error.to_string().starts_with("/etc/rules.toml:1:1: "), "{error}");
    }

    #[test]
    fn users_that_do_not_exist_are_named_with_their_place() {
        let text =
            "[groups]\nx = [\"ann\", \"cert:y\"]\n[[rule]]\nrepository = \"*\"\npull = [\"bob\", \"@x\"]\n";
        let rules = Rules::parse(text, Path::new("r")).unwrap();
        let users = format!("ann:{}\n", bcrypt::hash("x", 4).unwrap());
        let users = Htpasswd::parse(&users, Path::new("users")).unwrap();
        let strangers = rules.strangers(Some(&users), Path::new("r"));
        assert_eq!(strangers, ["r:5:9: there is no user `bob` in the password file"]);
        assert_eq!(rules.strangers(None, Path::new("r")).len(), 2);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(\\[\\[rule\\]\\]|\\[groups\\]|repository|pull|=|\"|\\[|\\]|@|\n|ä|\\PC){0,60}") {
            let _ = Rules::parse(&text, Path::new("r"));
        }
    }
}

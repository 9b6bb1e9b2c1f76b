//! Scopes: what a token is asked for and what it holds, as the Docker token protocol writes it
//! (`repository:team/app:pull,push`, `registry:catalog:*`).

use http::Method;
use landfall_oci::Repository;
use serde::{Deserialize, Serialize};

use crate::gate::Action;
use crate::path::Route;
use crate::query::Query;

/// Scopes that one token can have: it travels in a header.
const MAX_SCOPES: usize = 50;

/// The scope of the list of repositories.
pub(super) const CATALOG: &str = "registry:catalog:*";

/// What a token holds: exact names, never patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Grant {
    /// Whether the list of repositories may be asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) catalog: bool,
    /// Names as they stand in paths, and what may be done to each.
    #[serde(default)]
    pub(super) repositories: Vec<(Repository, Vec<Action>)>,
}

impl Grant {
    /// Whether this is in it.
    pub(super) fn covers(&self, action: Action, name: &Repository) -> bool {
        let mut held = self.repositories.iter();
        held.any(|(held, actions)| held == name && actions.contains(&action))
    }

    /// What is asked for: scopes of other kinds and actions that we do not know are nothing that we could give.
    /// `None` when it is more than a token can carry.
    pub(super) fn parse<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut grant = Self::default();
        for scope in scopes.into_iter().flat_map(str::split_whitespace) {
            if scope == CATALOG {
                grant.catalog = true;
            } else if let Some((name, actions)) = repository_scope(scope) {
                grant.add(name, &actions);
            }
            if grant.repositories.len() > MAX_SCOPES {
                return None;
            }
        }
        Some(grant)
    }

    fn add(&mut self, name: Repository, actions: &[Action]) {
        let index = self.repositories.iter().position(|(held, _)| *held == name);
        let index = index.unwrap_or_else(|| {
            self.repositories.push((name, Vec::new()));
            self.repositories.len() - 1
        });
        if let Some((_, held)) = self.repositories.get_mut(index) {
            for action in actions {
                if !held.contains(action) {
                    held.push(*action);
                }
            }
        }
    }

    /// Leaves what `keep` says yes to.
    pub(super) fn retain(&mut self, keep: impl Fn(Action, &Repository) -> bool) {
        for (name, actions) in &mut self.repositories {
            actions.retain(|action| keep(*action, name));
        }
        self.repositories.retain(|(_, actions)| !actions.is_empty());
    }

    /// As scopes again.
    pub(super) fn to_scopes(&self) -> String {
        let catalog = self.catalog.then(|| CATALOG.to_owned());
        let repositories = self.repositories.iter().map(|(name, actions)| {
            let actions: Vec<&str> = actions.iter().map(|action| action.word()).collect();
            format!("repository:{name}:{}", actions.join(","))
        });
        catalog
            .into_iter()
            .chain(repositories)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// `repository:NAME:ACTIONS`; the name may hold a `:` only by mistake.
fn repository_scope(scope: &str) -> Option<(Repository, Vec<Action>)> {
    let (name, actions) = scope.strip_prefix("repository:")?.rsplit_once(':')?;
    let mut found = Vec::new();
    for word in actions.split(',') {
        match word {
            "*" => found.extend(Action::ALL),
            word => found.extend(Action::ALL.into_iter().filter(|action| action.word() == word)),
        }
    }
    Some((name.parse().ok()?, found))
}

/// The scope that a request cannot do without, for the challenge: empty for what needs none.
pub(super) fn needed(route: &Route, method: &Method, query: &Query) -> String {
    let of = |name: &Repository, actions: &str| format!("repository:{name}:{actions}");
    let is_read = *method == Method::GET || *method == Method::HEAD;
    match route {
        Route::Catalog => CATALOG.to_owned(),
        Route::Tags(name) | Route::Referrers(name, _) => of(name, "pull"),
        Route::Manifest(name, _) | Route::Blob(name, _) if is_read => of(name, "pull"),
        Route::Manifest(name, _) | Route::Blob(name, _) if *method == Method::DELETE => of(name, "delete"),
        Route::Manifest(name, _) | Route::Blob(name, _) | Route::Upload(name, _) => of(name, "pull,push"),
        Route::Uploads(name) => {
            let push = of(name, "pull,push");
            let from = query
                .get("mount")
                .and(query.get("from"))
                .map(str::parse::<Repository>);
            match from {
                Some(Ok(from)) if from != *name => format!("{push} {}", of(&from, "pull")),
                _ => push,
            }
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(scopes: &[&str]) -> String {
        Grant::parse(scopes.iter().copied()).unwrap().to_scopes()
    }

    #[test]
    fn repeated_joined_and_foreign_scopes() {
        for (asked, expected) in [
            (&["repository:a/b:pull"][..], "repository:a/b:pull"),
            (
                &["repository:a:pull", "repository:b:push,pull repository:a:push"],
                "repository:a:pull,push repository:b:push,pull",
            ),
            (&["repository:a:*"], "repository:a:pull,push,delete"),
            (
                &["registry:catalog:*", "repository:a:pull"],
                "registry:catalog:* repository:a:pull",
            ),
            (&["repository:a:pull,pull"], "repository:a:pull"),
            (
                &["registry:catalog:pull", "repository(plugin):a:pull", "x", ""],
                "",
            ),
            (
                &["repository:A:pull", "repository:a:", "repository::pull"],
                "repository:a:",
            ),
        ] {
            assert_eq!(parsed(asked), expected, "{asked:?}");
        }
        let many: Vec<String> = (0..=MAX_SCOPES)
            .map(|index| format!("repository:r{index}:pull"))
            .collect();
        assert!(Grant::parse(many.iter().map(String::as_str)).is_none());
    }

    #[test]
    fn a_name_is_covered_exactly() {
        let grant = Grant::parse(["repository:team/app:pull"]).unwrap();
        let covers = |action, name: &str| grant.covers(action, &name.parse().unwrap());
        assert!(covers(Action::Pull, "team/app"));
        for name in ["team", "team/app/x", "team/apps", "app"] {
            assert!(!covers(Action::Pull, name), "{name}");
        }
        assert!(!covers(Action::Push, "team/app") && !covers(Action::Delete, "team/app"));
    }

    #[test]
    fn what_each_request_needs() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (method, path, query, expected) in [
            ("GET", "/v2/".to_owned(), "", ""),
            ("GET", "/v2/_catalog".into(), "", CATALOG),
            ("GET", "/v2/a/tags/list".into(), "", "repository:a:pull"),
            ("HEAD", "/v2/a/manifests/x".into(), "", "repository:a:pull"),
            ("PUT", "/v2/a/manifests/x".into(), "", "repository:a:pull,push"),
            ("DELETE", "/v2/a/manifests/x".into(), "", "repository:a:delete"),
            (
                "DELETE",
                format!("/v2/a/blobs/{digest}"),
                "",
                "repository:a:delete",
            ),
            (
                "POST",
                "/v2/a/blobs/uploads/".into(),
                "",
                "repository:a:pull,push",
            ),
            (
                "POST",
                "/v2/a/blobs/uploads/".into(),
                "mount=x&from=b",
                "repository:a:pull,push repository:b:pull",
            ),
            // Nothing of the client's text that is not a name gets into a header.
            (
                "POST",
                "/v2/a/blobs/uploads/".into(),
                "mount=x&from=b%22",
                "repository:a:pull,push",
            ),
            (
                "POST",
                "/v2/a/blobs/uploads/".into(),
                "from=b",
                "repository:a:pull,push",
            ),
        ] {
            let route = Route::parse(&path).unwrap();
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(
                needed(&route, &method, &Query::parse(Some(query))),
                expected,
                "{method} {path}"
            );
        }
    }
}

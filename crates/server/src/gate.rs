//! The one place that says who may do what.
//!
//! Every endpoint asks here before it touches the store (CVE-2026-41888: a deletion that forgot to). The rights are
//! those of the caller; what the registry does for nobody at all is said here too.

use landfall_oci::Repository;
use serde::{Deserialize, Serialize};

use crate::access::Caller;
use crate::ns::Candidate;
use crate::reply::Failure;

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    /// Read content, lists and referrers of a repository.
    Pull,
    /// Add content or move tags.
    Push,
    /// Remove tags, manifests or memberships.
    Delete,
}

impl Action {
    pub(crate) const ALL: [Self; 3] = [Self::Pull, Self::Push, Self::Delete];

    /// As rules and scopes write it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        }
    }
}

/// What is allowed at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    /// Whether anything can be changed.
    pub(crate) writable: bool,
    /// Whether anything can be removed.
    pub(crate) deletes: bool,
}

impl Gate {
    /// Lets an action through, or says how it is refused.
    pub(crate) fn check(
        &self,
        caller: &Caller<'_>,
        action: Action,
        repository: &Repository,
    ) -> Result<(), Failure> {
        if !self.may(caller, action, repository) {
            return Err(caller.refusal(action, repository));
        }
        match action {
            Action::Pull => Ok(()),
            Action::Push | Action::Delete if !self.writable => Err(Failure::unsupported(format!(
                "this registry is read-only: `{repository}` cannot be changed"
            ))),
            Action::Delete if !self.deletes => Err(Failure::unsupported("this registry does not delete")),
            Action::Push | Action::Delete => Ok(()),
        }
    }

    fn may(&self, caller: &Caller<'_>, action: Action, repository: &Repository) -> bool {
        caller.is_covered(action, repository) && caller.is_allowed(action, repository)
    }

    /// Whether somebody may take from a repository in passing, for another: a mount.
    pub(crate) fn may_mount_from(&self, caller: &Caller<'_>, repository: &Repository) -> bool {
        self.may(caller, Action::Pull, repository)
    }

    /// Whether somebody may know that there is such a repository: a list. The token was for the list.
    pub(crate) fn may_list(&self, caller: &Caller<'_>, repository: &Repository) -> bool {
        caller.is_allowed(Action::Pull, repository)
    }

    /// Which of the repositories that a path can mean may be read. The token is for the path.
    pub(crate) fn readable(
        &self,
        caller: &Caller<'_>,
        path: &Repository,
        mut candidates: Vec<Candidate>,
    ) -> Result<Vec<Candidate>, Failure> {
        candidates.retain(|candidate| caller.is_allowed(Action::Pull, &candidate.repository));
        match candidates.is_empty() || !caller.is_covered(Action::Pull, path) {
            true => Err(caller.refusal(Action::Pull, path)),
            false => Ok(candidates),
        }
    }
}

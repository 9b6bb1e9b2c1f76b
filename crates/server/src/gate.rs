//! The one place that says who may do what.
//!
//! Every endpoint asks here before it touches the store (CVE-2026-41888: a deletion that forgot to). Rules per
//! repository will come here too and change nothing elsewhere.

use landfall_oci::Repository;

use crate::auth::Identity;
use crate::reply::Failure;

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Read content, lists and referrers of a repository.
    Pull,
    /// Add content or move tags.
    Push,
    /// Remove tags, manifests or memberships.
    Delete,
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
        identity: &Identity,
        action: Action,
        repository: &Repository,
    ) -> Result<(), Failure> {
        // Who was let in may do everything, until there are rules.
        let _ = identity;
        match action {
            Action::Pull => Ok(()),
            Action::Push | Action::Delete if !self.writable => Err(Failure::unsupported(format!(
                "this registry is read-only: `{repository}` cannot be changed"
            ))),
            Action::Delete if !self.deletes => Err(Failure::unsupported("this registry does not delete")),
            Action::Push | Action::Delete => Ok(()),
        }
    }

    /// Whether somebody may know what a repository holds: decides over lists, mounts and everything in passing.
    pub(crate) fn may_read(&self, identity: &Identity, repository: &Repository) -> bool {
        self.check(identity, Action::Pull, repository).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_in_every_mode() {
        use Action::{Delete, Pull, Push};
        let somebody = Identity::anonymous();
        let repository = "a/b".parse().unwrap();
        for (writable, deletes, allowed) in [
            (true, true, &[Pull, Push, Delete][..]),
            (true, false, &[Pull, Push]),
            (false, true, &[Pull]),
            (false, false, &[Pull]),
        ] {
            let gate = Gate { writable, deletes };
            for action in [Pull, Push, Delete] {
                let answer = gate.check(&somebody, action, &repository);
                assert_eq!(answer.is_ok(), allowed.contains(&action), "{gate:?} {action:?}");
                if let Err(refused) = answer {
                    assert_eq!(refused.status, 405);
                }
            }
        }
    }
}

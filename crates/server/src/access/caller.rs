//! The sender of one request and its rights.
//!
//! What is refused is refused by name alone, before the store is asked: to a name that one may not read the answer is
//! the same whether it is there or not. Who did not log in hears 401 (to log in may help), who did hears 403.

use std::sync::Arc;

use http::StatusCode;
use landfall_oci::{ErrorCode, Repository};

use super::State;
use super::challenge::Challenger;
use super::identity::Identity;
use super::scope::Grant;
use crate::gate::Action;
use crate::reply::Failure;

/// The sender of a request.
pub(crate) struct Caller<'a> {
    identity: Identity,
    /// What a token limits it to.
    grant: Option<Grant>,
    state: Arc<State>,
    challenger: Challenger<'a>,
}

impl<'a> Caller<'a> {
    pub(super) fn new(
        identity: Identity,
        grant: Option<Grant>,
        state: Arc<State>,
        challenger: Challenger<'a>,
    ) -> Self {
        Self {
            identity,
            grant,
            state,
            challenger,
        }
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether neither a password nor a token nor a certificate came with the request.
    pub(crate) fn showed_nothing(&self) -> bool {
        self.identity.name().is_none() && self.grant.is_none()
    }

    /// Whether the rules let the sender do this.
    pub(crate) fn is_allowed(&self, action: Action, name: &Repository) -> bool {
        self.state.rules.allow(&self.identity, action, name)
    }

    /// Whether the sender's token, if it shows one, is for this. Tokens name repositories as paths do.
    pub(crate) fn is_covered(&self, action: Action, name: &Repository) -> bool {
        self.grant.as_ref().is_none_or(|grant| grant.covers(action, name))
    }

    /// How this is refused.
    pub(crate) fn refusal(&self, action: Action, name: &Repository) -> Failure {
        let word = action.word();
        if self.identity.name().is_none() {
            let message = format!("to {word} `{name}` is not allowed without logging in");
            return self
                .challenger
                .refuse(&message, self.grant.as_ref().map(|_| INSUFFICIENT));
        }
        if self.is_allowed(action, name) && !self.is_covered(action, name) {
            let message = format!("the token is not for this: it does not let you {word} `{name}`");
            return self.challenger.refuse(&message, Some(INSUFFICIENT));
        }
        let message = format!("you may not {word} `{name}`");
        Failure::new(StatusCode::FORBIDDEN, ErrorCode::Denied, message)
    }

    /// Whether `/v2/` says that all is well, which clients take for "logged in" or "no need to".
    pub(crate) fn check_base(&self) -> Result<(), Failure> {
        let is_somebody = self.identity.name().is_some() || self.grant.is_some();
        match is_somebody || !self.state.rules.reward_log_in() {
            true => Ok(()),
            // Clients learn only here how to log in: docker never looks at the challenge of a refused request.
            false => Err(self
                .challenger
                .refuse("log in, or ask for a token without logging in", None)),
        }
    }

    /// Whether the list of repositories may be seen at all; what stands in it is another question.
    pub(crate) fn check_catalog(&self) -> Result<(), Failure> {
        if self.grant.as_ref().is_some_and(|grant| !grant.catalog) {
            let message = "the token is not for the list of repositories";
            return Err(self.challenger.refuse(message, Some(INSUFFICIENT)));
        }
        let is_somebody = self.identity.name().is_some();
        match is_somebody || self.state.rules.let_read_anything(&self.identity) {
            true => Ok(()),
            false => Err(self.challenger.refuse(
                "the list of repositories is not shown without logging in",
                self.grant.as_ref().map(|_| INSUFFICIENT),
            )),
        }
    }
}

const INSUFFICIENT: &str = "insufficient_scope";

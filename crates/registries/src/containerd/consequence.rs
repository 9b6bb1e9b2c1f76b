//! What follows from each kind of answer, as a rule of the release: told beside every attempt.

use std::fmt;

use super::release::{Behaviour, ForbiddenBody};
use crate::Presented;

/// A kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// 2xx.
    Found,
    /// 3xx without a place to go on to.
    Redirection,
    /// 401, and again after the challenge was answered.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 405 to a HEAD.
    NotAllowed,
    /// 408 or 429.
    Busy,
    /// 500, 503 or 504.
    Failing,
    /// Any other error status.
    Refusing,
    /// No connection, or none that is trusted.
    Unreachable,
    /// A connection that brings no answer: cut, or out of time.
    Silent,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consequence {
    /// From what.
    pub class: Class,
    /// How often the host is asked in all, at most, if it keeps to this answer.
    pub requests: usize,
    /// What comes next.
    pub then: Then,
}

/// What comes after a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The image is found here.
    Done,
    /// The pull fails here, whatever other hosts there are.
    Fails,
    /// The next host is asked.
    NextHost,
    /// There is no next host: the pull fails, with the worst error of all hosts.
    Ends,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Found,
        Self::Redirection,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::NotAllowed,
        Self::Busy,
        Self::Failing,
        Self::Refusing,
        Self::Unreachable,
        Self::Silent,
    ];
}

/// What follows from every kind of answer of a host.
#[must_use]
pub(super) fn consequences(behaviour: Behaviour, presented: &Presented, last: bool) -> Vec<Consequence> {
    let next = if last { Then::Ends } else { Then::NextHost };
    let one = |class| {
        let requests = match class {
            Class::Busy => behaviour.budget,
            // A rejected password is shown until the budget is spent.
            Class::Unauthorized => match presented {
                Presented::Basic { password, .. } if !password.is_empty() => behaviour.budget,
                _ => 1,
            },
            Class::Forbidden if behaviour.forbidden_body != ForbiddenBody::Never => 2,
            Class::Failing if last && behaviour.last_host_again => 2,
            Class::Silent if last && behaviour.transport_again => behaviour.budget,
            Class::NotAllowed => 2,
            _ => 1,
        };
        let then = match class {
            Class::Found => Then::Done,
            Class::Redirection => Then::Fails,
            _ => next,
        };
        Consequence {
            class,
            requests,
            then,
        }
    };
    Class::ALL.into_iter().map(one).collect()
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Found => "2xx",
            Self::Redirection => "3xx that leads nowhere",
            Self::Unauthorized => "401 to what we show",
            Self::Forbidden => "403",
            Self::NotFound => "404",
            Self::NotAllowed => "405",
            Self::Busy => "408 or 429",
            Self::Failing => "500, 503 or 504",
            Self::Refusing => "another error status",
            Self::Unreachable => "no connection or no trust",
            Self::Silent => "no answer",
        })
    }
}

impl fmt::Display for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "the image is found",
            Self::Fails => "the pull fails at once",
            Self::NextHost => "the next host is asked",
            Self::Ends => "the pull fails",
        })
    }
}

impl fmt::Display for Consequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            class,
            requests,
            then,
        } = self;
        match (class, requests) {
            (Class::NotAllowed, _) => write!(f, "{class}: asked again by GET, then {then}"),
            (Class::Forbidden, 2) => write!(f, "{class}: asked again by GET for the reason, then {then}"),
            (_, 1) => write!(f, "{class}: {then}"),
            _ => write!(f, "{class}: asked up to {requests} times, then {then}"),
        }
    }
}

//! What became of a question, over all endpoints that were asked: which answer stands, and how a client hears it.
//!
//! The order is containerd's: another failure hides a 404, and a 404 hides nothing. So a client never takes for missing
//! what could only not be asked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, header};
use landfall_client::{ClientError, Kind};
use landfall_oci::ErrorCode;

use super::health::Unfit;
use crate::reply::Failure;

/// Why there is nothing to give.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// All that were asked say so.
    Missing,
    /// Our credential is not good enough there, or there is none.
    Refused,
    /// It wants to be asked less often.
    Limited(Duration),
    /// It was not asked, because it is known not to answer.
    Closed(Duration),
    /// It did not answer, or not as it should.
    Away,
    /// What it sent is not what was asked for.
    Corrupt,
    /// We could not keep it.
    Local(Arc<str>),
}

impl Trouble {
    /// How much one hides another.
    fn weight(&self) -> u8 {
        match self {
            Self::Missing => 0,
            Self::Refused => 1,
            Self::Closed(_) => 2,
            Self::Away => 3,
            Self::Corrupt => 4,
            Self::Limited(_) => 5,
            Self::Local(_) => 6,
        }
    }

    pub(super) fn of(error: &ClientError) -> Self {
        match error.kind() {
            Kind::NotFound => Self::Missing,
            Kind::Unauthorized | Kind::Denied => Self::Refused,
            Kind::RateLimited => {
                let asked = match error {
                    ClientError::RateLimited { retry_after, .. } => *retry_after,
                    _ => None,
                };
                Self::Limited(asked.unwrap_or(Duration::from_secs(10)))
            }
            Kind::Corrupt => Self::Corrupt,
            _ => Self::Away,
        }
    }
}

impl From<Unfit> for Trouble {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Failing(left) => Self::Closed(left),
            Unfit::Resting(left) => Self::Limited(left),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "has it not",
            Self::Refused => "does not let this registry have it",
            Self::Limited(_) => "limits how often it may be asked",
            Self::Closed(_) => "has not answered lately, and is left alone for a moment",
            Self::Away => "did not answer as it should",
            Self::Corrupt => "sends other bytes than were asked for",
            Self::Local(reason) => reason,
        })
    }
}

/// What each endpoint said, and what of it counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    said: Vec<(Arc<str>, Trouble)>,
}

impl Verdict {
    pub(super) fn note(&mut self, host: &Arc<str>, trouble: Trouble) {
        self.said.push((Arc::clone(host), trouble));
    }

    pub(super) fn one(host: &Arc<str>, trouble: Trouble) -> Self {
        let mut verdict = Self::default();
        verdict.note(host, trouble);
        verdict
    }

    fn worst(&self) -> Option<&Trouble> {
        self.said
            .iter()
            .map(|(_, trouble)| trouble)
            .max_by_key(|trouble| trouble.weight())
    }

    /// Whether everybody was asked and nobody has it.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self.worst(), None | Some(Trouble::Missing))
    }

    pub(super) fn label(&self) -> &'static str {
        match self.worst() {
            None | Some(Trouble::Missing) => "missing",
            Some(Trouble::Refused) => "refused",
            Some(Trouble::Limited(_)) => "limited",
            Some(Trouble::Closed(_)) => "closed",
            Some(Trouble::Away) => "away",
            Some(Trouble::Corrupt) => "corrupt",
            Some(Trouble::Local(_)) => "local",
        }
    }

    /// The shortest wait after which it may be different.
    fn wait(&self) -> Option<u64> {
        let waits = self.said.iter().filter_map(|(_, trouble)| match trouble {
            Trouble::Limited(left) | Trouble::Closed(left) => Some(*left),
            _ => None,
        });
        waits.min().map(|left| left.as_secs() + 1)
    }

    /// What a client hears. Of hosts it hears the names, of errors the kind: the rest is in the log.
    pub(super) fn into_failure(self, what: &str, missing: ErrorCode) -> Failure {
        let (status, code) = match self.worst() {
            None | Some(Trouble::Missing) => (StatusCode::NOT_FOUND, missing),
            Some(Trouble::Refused) => (StatusCode::FORBIDDEN, ErrorCode::Denied),
            Some(Trouble::Limited(_)) => (StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests),
            Some(Trouble::Closed(_)) => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unknown),
            Some(Trouble::Away | Trouble::Corrupt) => (StatusCode::BAD_GATEWAY, ErrorCode::Unknown),
            Some(Trouble::Local(_)) => (StatusCode::INSUFFICIENT_STORAGE, ErrorCode::Unknown),
        };
        let said = self
            .said
            .iter()
            .map(|(host, trouble)| format!("{host} {trouble}"));
        let said = said.collect::<Vec<_>>().join("; ");
        let failure = Failure::new(status, code, format!("cannot get {what}: {said}"));
        let waits = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        match self.wait().filter(|_| waits) {
            Some(seconds) => failure.with(header::RETRY_AFTER, seconds.to_string()),
            None => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(troubles: &[Trouble]) -> (u16, bool) {
        let mut verdict = Verdict::default();
        for trouble in troubles {
            verdict.note(&"host".into(), trouble.clone());
        }
        let failure = verdict.clone().into_failure("x", ErrorCode::BlobUnknown);
        assert_eq!(verdict.is_missing(), failure.status == StatusCode::NOT_FOUND);
        let waits = failure
            .headers
            .iter()
            .any(|(name, _)| *name == header::RETRY_AFTER);
        (failure.status.as_u16(), waits)
    }

    #[test]
    fn what_could_not_be_asked_is_not_missing() {
        let minute = Duration::from_secs(60);
        for (troubles, expected) in [
            (&[][..], (404, false)),
            (&[Trouble::Missing, Trouble::Missing], (404, false)),
            (&[Trouble::Missing, Trouble::Refused], (403, false)),
            (&[Trouble::Away, Trouble::Missing], (502, false)),
            (&[Trouble::Closed(minute), Trouble::Missing], (503, true)),
            (&[Trouble::Limited(minute), Trouble::Away], (429, true)),
            (&[Trouble::Corrupt], (502, false)),
            (&[Trouble::Local("full".into()), Trouble::Away], (507, false)),
        ] {
            assert_eq!(status(troubles), expected, "{troubles:?}");
        }
    }
}

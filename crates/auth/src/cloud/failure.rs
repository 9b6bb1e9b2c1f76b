//! Why a cloud gave nothing, before it is known for which registry that matters.

use landfall_net::client::NetError;

use crate::{AuthError, CloudRefusal};

/// The longest text of a server that is shown.
const MAX_TEXT: usize = 300;

/// Why a cloud gave nothing.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// There is nothing to log in with: no failure, but the reason why a registry is asked without.
    Absent(String),
    /// The cloud says no.
    Refused(Box<Refused>),
    /// A setting, a file or an answer that cannot be used.
    Unusable { reason: String, advice: &'static str },
    /// It cannot answer now.
    Unavailable(String),
    /// The way to it.
    Net(NetError),
}

/// A cloud's no.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refused {
    /// What it was asked for.
    pub(crate) action: String,
    /// Who asked: where the keys came from, or whom they belong to.
    pub(crate) whom: String,
    /// Its word for it, e.g. `AccessDeniedException`.
    pub(crate) code: String,
    /// Its sentence.
    pub(crate) message: String,
    /// What to do.
    pub(crate) advice: &'static str,
}

impl Failure {
    pub(crate) fn unusable(reason: impl Into<String>, advice: &'static str) -> Self {
        Self::Unusable {
            reason: reason.into(),
            advice,
        }
    }

    /// The failure of a registry's login.
    pub(crate) fn of(self, registry: &str) -> AuthError {
        let registry = registry.to_owned();
        match self {
            Self::Absent(reason) => AuthError::CloudUnusable {
                registry,
                reason,
                advice: "give credentials, or log in to the registry",
            },
            Self::Refused(refused) => AuthError::CloudRefused(Box::new(CloudRefusal {
                registry,
                action: refused.action,
                whom: refused.whom,
                code: refused.code,
                message: refused.message,
                advice: refused.advice,
            })),
            Self::Unusable { reason, advice } => AuthError::CloudUnusable {
                registry,
                reason,
                advice,
            },
            Self::Unavailable(reason) => AuthError::CloudUnavailable { registry, reason },
            Self::Net(source) => AuthError::Net { registry, source },
        }
    }

    /// Whether a later try may have another end.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Net(_))
    }
}

/// A server's text for people: one line, of bounded length, without any of these secrets.
pub(crate) fn said(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| secret.len() >= 4) {
        text = text.replace(secret, "***");
    }
    // AWS explains a wrong signature with the whole request, session token included.
    let text = text.split("The Canonical String").next().unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_say_is_cut_and_cleaned() {
        let text = "wrong hunter2.\n The Canonical String for this request should have been 'POST\nx-amz-security-token:T'";
        assert_eq!(said(text, &["hunter2", ""]), "wrong ***.");
        assert_eq!(said(&"x".repeat(1000), &[]).len(), MAX_TEXT);
    }
}

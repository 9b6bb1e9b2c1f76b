//! Who sent a request.

use std::sync::Arc;

/// What a certificate's name begins with, in rules, tokens and logs. No user's name holds a `:`.
pub(super) const CERTIFICATE: &str = "cert:";

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Anonymous,
    User(Arc<str>),
    /// With its prefix.
    Certificate(Arc<str>),
}

impl Identity {
    /// Nobody in particular.
    #[must_use]
    pub fn anonymous() -> Self {
        Self(Kind::Anonymous)
    }

    pub(super) fn user(name: &str) -> Self {
        Self(Kind::User(name.into()))
    }

    pub(super) fn certificate(name: &str) -> Self {
        Self(Kind::Certificate(format!("{CERTIFICATE}{name}").into()))
    }

    /// The user's name, `cert:` and the name of a client certificate, or `None` for nobody in particular.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.0 {
            Kind::Anonymous => None,
            Kind::User(name) | Kind::Certificate(name) => Some(name),
        }
    }

    /// The name, if this is a user of the password file.
    pub(super) fn user_name(&self) -> Option<&str> {
        match &self.0 {
            Kind::User(name) => Some(name),
            Kind::Anonymous | Kind::Certificate(_) => None,
        }
    }

    /// What a name says that [`name`](Self::name) gave.
    pub(super) fn from_name(name: Option<&str>) -> Self {
        match name.map(|name| (name, name.strip_prefix(CERTIFICATE))) {
            None => Self::anonymous(),
            Some((_, Some(certificate))) => Self::certificate(certificate),
            Some((name, None)) => Self::user(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_who_it_is() {
        for identity in [
            Identity::anonymous(),
            Identity::user("ann"),
            Identity::certificate("ann"),
        ] {
            assert_eq!(Identity::from_name(identity.name()), identity);
        }
        assert_ne!(Identity::user("ann"), Identity::certificate("ann"));
        assert_eq!(Identity::certificate("ann").user_name(), None);
    }
}

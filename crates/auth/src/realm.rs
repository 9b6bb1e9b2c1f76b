//! Which token servers a registry may send us to.
//!
//! The registry names its token server itself, so a bad one could have our password sent anywhere, or have us
//! fetch URLs within our network (CVE-2026-33540). HTTPS is required, unless the registry itself is talked to without;
//! then a password goes without TLS only to the registry's own host.

use http::Uri;

use crate::{AuthError, Credential};

/// On which hosts token servers are accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Realms {
    /// On any host, by the rules that always hold.
    #[default]
    Anywhere,
    /// On the registry's own host, where it is known to have its token server, and on these (`host` or `host:port`).
    Known(Vec<String>),
}

/// Registries whose token server is on another host, with that host.
const ELSEWHERE: [(&str, &str); 3] = [
    ("registry-1.docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
    ("nvcr.io", "authn.nvidia.com"),
];

impl Realms {
    fn accepts(&self, answered_by: &Uri, realm: &Uri) -> bool {
        let Self::Known(also) = self else {
            return true;
        };
        let (Some(home), Some(host)) = (answered_by.host(), realm.host()) else {
            return false;
        };
        let named = realm.authority().map_or(host, |authority| authority.as_str());
        let is = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        is(home, host)
            || ELSEWHERE
                .iter()
                .any(|(one, other)| is(one, home) && is(other, named))
            || also.iter().any(|known| is(known, named))
    }
}

/// A token server that was found acceptable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realm {
    pub(crate) url: Uri,
    pub(crate) service: Option<String>,
}

impl Realm {
    /// The token server's URL.
    #[must_use]
    pub fn url(&self) -> &Uri {
        &self.url
    }

    /// Checks the realm of a challenge that `answered_by` (a URL of the registry) gave.
    ///
    /// # Errors
    /// [`AuthError::RealmRefused`].
    pub fn check(
        realms: &Realms,
        registry: &str,
        answered_by: &Uri,
        realm: &str,
        service: Option<String>,
        credential: &Credential,
    ) -> Result<Self, AuthError> {
        let refused = |reason| AuthError::RealmRefused {
            registry: registry.to_string(),
            realm: landfall_net::client::resolve(answered_by, realm).map_or_else(
                || "(unreadable)".to_owned(),
                |url| landfall_net::client::ShownUrl::new(&url).to_string(),
            ),
            reason,
        };
        // Some registries give a path only.
        let url =
            landfall_net::client::resolve(answered_by, realm).ok_or_else(|| refused("it is not a URL"))?;
        if url
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(refused("it holds a user name"));
        }
        if landfall_net::client::leads_inward(answered_by, &url) {
            return Err(refused(
                "it leads from another host into this machine or its link",
            ));
        }
        if !realms.accepts(answered_by, &url) {
            return Err(refused(
                "it is on another host than the registry; allow that host if it is meant",
            ));
        }
        let same_host = url.host() == answered_by.host();
        match url.scheme_str() {
            Some("https") => {}
            Some("http") if answered_by.scheme_str() != Some("http") => {
                return Err(refused("it is not HTTPS, and the registry is"));
            }
            Some("http") if !same_host && *credential != Credential::Anonymous => {
                return Err(refused(
                    "a password is not sent without TLS to another host than the registry's",
                ));
            }
            Some("http") => {}
            _ => return Err(refused("it is neither HTTP nor HTTPS")),
        }
        Ok(Self { url, service })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn check(from: &'static str, realm: &str, credential: &Credential) -> bool {
        let registry = "reg.example";
        let from = Uri::from_static(from);
        Realm::check(&Realms::Anywhere, registry, &from, realm, None, credential).is_ok()
    }

    #[test]
    fn realms_can_be_bound_to_their_registry() {
        let registry = "reg.example";
        let check = |from: &'static str, realm: &str, also: &[&str]| {
            let realms = Realms::Known(also.iter().map(|host| (*host).to_owned()).collect());
            let from = Uri::from_static(from);
            Realm::check(&realms, registry, &from, realm, None, &Credential::Anonymous).is_ok()
        };
        let home = "https://reg.example/v2/";
        assert!(check(home, "https://reg.example/token", &[]));
        assert!(check(home, "https://REG.example:8443/token", &[]));
        assert!(check(home, "/token", &[]));
        assert!(!check(home, "https://auth.example/token", &[]));
        assert!(!check(home, "https://reg.example.evil/token", &[]));
        assert!(check(home, "https://auth.example/token", &["auth.example"]));
        assert!(!check(home, "https://auth.example:444/token", &["auth.example"]));
        assert!(check(
            "https://registry-1.docker.io/v2/",
            "https://auth.docker.io/token",
            &[]
        ));
        assert!(!check(home, "https://auth.docker.io/token", &[]));
    }

    #[test]
    fn cve_2026_33540_passwords_stay_on_tls_or_at_home() {
        let basic = Credential::Basic {
            username: "u".into(),
            password: Secret::new("p"),
        };
        let tls = "https://reg.example/v2/";
        let plain = "http://reg.example:5000/v2/";
        assert!(check(tls, "https://auth.example/token", &basic));
        assert!(check(tls, "/token", &basic));
        assert!(!check(tls, "http://reg.example/token", &basic));
        assert!(!check(
            tls,
            "http://169.254.169.254/latest",
            &Credential::Anonymous
        ));
        assert!(!check(
            tls,
            "https://169.254.169.254/latest",
            &Credential::Anonymous
        ));
        assert!(!check(tls, "https://localhost/token", &basic));
        assert!(!check(tls, "https://u:p@auth.example/token", &basic));
        assert!(!check(tls, "file:///etc/passwd", &basic));
        assert!(!check(tls, "ftp://auth.example/", &basic));
        assert!(check(plain, "http://reg.example:5001/token", &basic));
        assert!(!check(plain, "http://other.example/token", &basic));
        assert!(check(plain, "http://other.example/token", &Credential::Anonymous));
        assert!(check(plain, "https://other.example/token", &basic));
    }
}

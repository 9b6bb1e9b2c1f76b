//! Which token servers a registry may send us to.
//!
//! The registry names its token server itself, so a bad one could have our password sent anywhere, or have us
//! fetch URLs within our network (CVE-2026-33540). HTTPS is required, unless the registry itself is talked to without;
//! then a password goes without TLS only to the registry's own host.

use http::Uri;

use crate::{AuthError, Credential};

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
        Realm::check("reg.example", &Uri::from_static(from), realm, None, credential).is_ok()
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

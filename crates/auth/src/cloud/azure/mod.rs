//! Azure: an identity's token of Entra ID (AAD) is exchanged at the registry for one of the registry's own.

mod exchange;
mod identity;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::calls::{Calls, seconds};
use super::clock::Clock;
use super::failure::Failure;
use super::slot::Granted;
use super::variables::Variables;
use crate::{Credential, Secret};

/// The user that stands for "the password is a refresh token of the registry".
const USER: &str = "00000000-0000-0000-0000-000000000000";
/// How long a registry's refresh token is used where it does not say (Microsoft's own tools do the same).
const USUAL_LIFE: Duration = Duration::from_secs(3600);
/// The clouds: suffix of the registries, host that gives tokens, what these are for.
const CLOUDS: [(&str, &str, &str); 4] = [
    (
        "azurecr.io",
        "login.microsoftonline.com",
        "https://containerregistry.azure.net",
    ),
    (
        "azurecr.cn",
        "login.partner.microsoftonline.cn",
        "https://containerregistry.azure.cn",
    ),
    (
        "azurecr.us",
        "login.microsoftonline.us",
        "https://containerregistry.azure.us",
    ),
    (
        "azurecr.de",
        "login.microsoftonline.de",
        "https://containerregistry.azure.net",
    ),
];

/// A registry of Azure's, and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AcrHost {
    name: String,
    authority: &'static str,
    resource: &'static str,
}

impl AcrHost {
    /// Reads a registry's name. `None`: it is no registry of Azure's.
    pub(crate) fn of(host: &str) -> Option<Self> {
        let host = host.to_ascii_lowercase();
        let host = host.strip_suffix(":443").unwrap_or(&host);
        let (label, domain) = host.split_once('.')?;
        let is_label = !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let (_, authority, resource) = CLOUDS.iter().find(|(suffix, ..)| *suffix == domain)?;
        is_label.then(|| Self {
            name: host.to_owned(),
            authority,
            resource,
        })
    }
}

/// What every step of the way to Azure works with.
#[derive(Clone, Copy)]
pub(crate) struct Azure<'a> {
    pub(crate) calls: &'a Calls,
    pub(crate) variables: &'a Variables,
    pub(crate) clock: &'a Clock,
    pub(crate) host: &'a AcrHost,
}

/// A refresh token of the registry.
pub(crate) async fn token(azure: Azure<'_>) -> Result<Granted, Failure> {
    let identity = azure.identity().await?;
    let token = azure.exchange(&identity).await?;
    let ends = claim(token.expose(), "exp");
    Ok(Granted {
        credential: Credential::Basic {
            username: USER.to_owned(),
            password: token,
        },
        provenance: format!("ACR token, by {}", identity.from),
        life: Some(ends.map_or(USUAL_LIFE, |ends| azure.clock.until(ends))),
    })
}

/// An identity's token, and for people whose it is.
struct Identity {
    token: Secret,
    from: String,
}

/// A number in a JWT. Nobody's signature is checked: it is only our own patience that depends on it.
fn claim(jwt: &str, name: &str) -> Option<i64> {
    let body = URL_SAFE_NO_PAD
        .decode(jwt.split('.').nth(1)?.trim_end_matches('='))
        .ok()?;
    seconds(&serde_json::from_slice::<Value>(&body).ok()?, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_azures_hosts() {
        for (host, authority) in [
            ("myregistry.azurecr.io", "login.microsoftonline.com"),
            ("MyRegistry1.azurecr.cn", "login.partner.microsoftonline.cn"),
            ("r.azurecr.us", "login.microsoftonline.us"),
            ("r.azurecr.de:443", "login.microsoftonline.de"),
        ] {
            assert_eq!(AcrHost::of(host).unwrap().authority, authority, "{host}");
        }
        for host in [
            "my-registry.azurecr.io",
            "a.b.azurecr.io",
            ".azurecr.io",
            "azurecr.io",
            "r.azurecr.io.example",
            "r.azurecr.fr",
            "r.azurecr.io:5000",
        ] {
            assert_eq!(AcrHost::of(host), None, "{host}");
        }
    }

    #[test]
    fn the_end_of_a_jwt() {
        let jwt = |body: &str| format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(body));
        assert_eq!(claim(&jwt(r#"{"exp":1700000000}"#), "exp"), Some(1_700_000_000));
        assert_eq!(claim(&jwt("{}"), "exp"), None);
        assert_eq!(claim("opaque", "exp"), None);
    }
}

//! Google: Container Registry and Artifact Registry take an access token as a password.

mod key_file;
mod metadata;
mod signer;

use std::path::Path;

use landfall_net::client::ShownUrl;
use serde_json::Value;

use super::calls::{Answer, Calls, seconds, text};
use super::clock::Clock;
use super::failure::{Failure, Refused, said};
use super::slot::Granted;
use super::variables::Variables;
use crate::{Credential, Secret};

/// The user that stands for "the password is an access token".
const USER: &str = "oauth2accesstoken";
/// What the token is for. There is no narrower scope that may push.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// What every step of the way to Google works with.
#[derive(Clone, Copy)]
pub(crate) struct Google<'a> {
    pub(crate) calls: &'a Calls,
    pub(crate) variables: &'a Variables,
    pub(crate) home: Option<&'a Path>,
    pub(crate) clock: &'a Clock,
}

/// An access token.
struct Access {
    token: Secret,
    life: Option<i64>,
}

/// Whether a registry is Google's own. No other host is ever shown a token of Google's.
pub(crate) fn is_google(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(":443").unwrap_or(&host);
    let is_below = |domain: &str| {
        let label = host.strip_suffix(domain).and_then(|rest| rest.strip_suffix('.'));
        label.is_some_and(|label| !label.is_empty() && !label.contains('.'))
    };
    host == "gcr.io" || host == "container.cloud.google.com" || is_below("gcr.io") || is_below("pkg.dev")
}

/// A token for all of Google's registries: by the file that the environment names, the one that `gcloud` left, or the
/// metadata service.
pub(crate) async fn token(google: Google<'_>) -> Result<Granted, Failure> {
    let (access, from) = match google.file().await? {
        Some(found) => found,
        None => google.metadata().await?,
    };
    Ok(Granted {
        credential: Credential::Basic {
            username: USER.to_owned(),
            password: access.token,
        },
        provenance: format!("Google's token for {from}"),
        life: access
            .life
            .and_then(|life| u64::try_from(life).ok())
            .map(std::time::Duration::from_secs),
    })
}

/// Reads the usual answer of Google's token services.
fn access(answer: &Answer, action: String, whom: &str, secrets: &[&str]) -> Result<Access, Failure> {
    if !answer.status.is_success() {
        return Err(refusal(answer, action, whom, secrets));
    }
    let json = answer.json().unwrap_or(Value::Null);
    let token = text(&json, "access_token").ok_or_else(|| {
        Failure::unusable(
            format!("{action}: there is no token in the answer"),
            "see what answers there",
        )
    })?;
    Ok(Access {
        token: Secret::new(token),
        life: seconds(&json, "expires_in"),
    })
}

fn refusal(answer: &Answer, action: String, whom: &str, secrets: &[&str]) -> Failure {
    let json = answer.json().unwrap_or(Value::Null);
    let error = json.get("error");
    // OAuth says `error` and `error_description`; Google's APIs an object.
    let code = text(&json, "error").or_else(|| text(error?, "status"));
    let message = text(&json, "error_description").or_else(|| text(error?, "message"));
    let status = answer.status;
    if answer.is_later() {
        return Failure::Unavailable(format!("{action}: {status}"));
    }
    Failure::Refused(Box::new(Refused {
        action,
        whom: whom.to_owned(),
        code: code.map_or_else(|| status.to_string(), |code| said(code, secrets)),
        message: said(message.unwrap_or_default(), secrets),
        advice: "see whether the account and its key still exist, and what it may do",
    }))
}

fn asked(url: &http::Uri) -> String {
    format!("an access token from {}", ShownUrl::new(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_googles_hosts() {
        for host in [
            "gcr.io",
            "eu.gcr.io",
            "EU.GCR.IO",
            "europe-west1-docker.pkg.dev",
            "container.cloud.google.com",
            "gcr.io:443",
        ] {
            assert!(is_google(host), "{host}");
        }
        for host in [
            "registry.k8s.io",
            "docker.io",
            "a.b.gcr.io",
            ".gcr.io",
            "pkg.dev",
            "xgcr.io",
            "gcr.io.example",
            "gcr.io:5000",
            "x.container.cloud.google.com",
            "127.0.0.1:5000",
        ] {
            assert!(!is_google(host), "{host}");
        }
    }
}

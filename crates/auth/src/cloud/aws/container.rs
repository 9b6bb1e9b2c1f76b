//! The keys of a container: ECS, and EKS's pod identity. An agent on this machine or its link gives them.

use std::net::IpAddr;

use http::header::AUTHORIZATION;
use http::{Method, Uri};
use landfall_net::client::Request;
use serde_json::Value;

use super::error::Said;
use super::{Aws, Identity, Keys};
use crate::Secret;
use crate::cloud::calls::{self, LINK_PATIENCE, read_named, sensitive, text};
use crate::cloud::clock::parse_iso;
use crate::cloud::failure::Failure;

/// Where ECS's agent is.
const ECS: &str = "http://169.254.170.2";
/// Hosts without TLS that may be shown the token: ECS's agent and EKS's.
const AGENTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];
const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

impl Aws<'_> {
    /// The container's keys. `None`: this is no such container.
    pub(super) async fn container(&self) -> Result<Option<Identity>, Failure> {
        let url = match (self.variables.get(RELATIVE), self.variables.get(FULL)) {
            (Some(path), _) => calls::url(&format!("{ECS}{path}"), RELATIVE)?,
            (None, Some(url)) => allowed(calls::url(url, FULL)?)?,
            (None, None) => return Ok(None),
        };
        let from = "the container's role";
        let mut request = Request::new(Method::GET, url.clone()).patience(LINK_PATIENCE);
        let token = self.container_token().await?;
        if let Some(token) = &token {
            let bad = || {
                Failure::unusable(
                    "the container's authorization token is no header",
                    "see how it was written",
                )
            };
            request
                .headers
                .insert(AUTHORIZATION, sensitive(token).ok_or_else(bad)?);
        }
        let answer = self.calls.link(request).await?;
        if !answer.status.is_success() {
            let secrets: Vec<&str> = token.iter().map(String::as_str).collect();
            let action = format!("keys from {}", calls::shown(&url));
            return Err(Said::of(&answer).failure(&answer, action, from, &secrets));
        }
        let identity = answer.json().and_then(|json| keys(&json, "Token", from));
        identity.map(Some).ok_or_else(|| {
            Failure::unusable(
                format!("the answer of {} holds no keys", calls::shown(&url)),
                "see what answers there",
            )
        })
    }

    /// What is shown to the agent. The file wins: what is in it changes.
    async fn container_token(&self) -> Result<Option<String>, Failure> {
        match self.variables.path(TOKEN_FILE) {
            Some(path) => {
                let token = read_named(&path, TOKEN_FILE).await?;
                Ok(Some(token.trim_end_matches(['\r', '\n']).to_owned()))
            }
            None => Ok(self.variables.get(TOKEN).map(str::to_owned)),
        }
    }
}

/// A URL that may be asked with the container's token: with TLS any; else this machine and the agents alone.
fn allowed(url: Uri) -> Result<Uri, Failure> {
    let host = url
        .host()
        .unwrap_or_default()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let is_agent = AGENTS.contains(&host) || host.eq_ignore_ascii_case("localhost");
    let is_loopback = host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    match url.scheme_str() == Some("https") || is_agent || is_loopback {
        true => Ok(url),
        false => Err(Failure::unusable(
            format!(
                "{FULL} leads without TLS to `{host}`, which is neither this machine nor an agent of AWS"
            ),
            "use HTTPS, or an address of loopback",
        )),
    }
}

/// Keys in JSON, as agents, instances and programs give them; only the name of the session token differs.
pub(super) fn keys(json: &Value, session: &str, from: &str) -> Option<Identity> {
    Some(Identity {
        keys: Keys {
            id: text(json, "AccessKeyId")?.to_owned(),
            secret: Secret::new(text(json, "SecretAccessKey")?),
            session: text(json, session).map(Secret::new),
        },
        ends: text(json, "Expiration").and_then(parse_iso),
        from: from.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_to_agents_only() {
        for good in [
            "http://127.0.0.1:1/x",
            "http://127.9.9.9/",
            "http://[::1]/",
            "http://localhost/",
            "http://169.254.170.2/",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::23]/v1",
            "https://agent.example/",
        ] {
            assert!(allowed(good.parse().unwrap()).is_ok(), "{good}");
        }
        for bad in [
            "http://169.254.169.254/",
            "http://agent.example/",
            "http://10.0.0.1/",
            "http://localhost.example/",
        ] {
            assert!(allowed(bad.parse().unwrap()).is_err(), "{bad}");
        }
    }
}

//! From the registry's answers to their likely cause.

use std::time::SystemTime;

use http::StatusCode;
use landfall_auth::{AuthError, Challenge};
use landfall_net::client::retry_after;
use landfall_registries::{Attempt, Presented};
use serde_json::Value;

use super::report::{Cause, Finding, StepKind};

/// What was learnt of an answer that is no success.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) headers: http::HeaderMap,
    /// The start of the body, of a GET where the HEAD has none.
    pub(super) body: Vec<u8>,
}

impl Refusal {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The code and message of a registry's error body.
    pub(super) fn error(&self) -> Option<(String, String)> {
        let json: Value = serde_json::from_slice(&self.body).ok()?;
        let first = json.get("errors")?.get(0)?;
        let text = |name| first.get(name).and_then(Value::as_str).unwrap_or_default();
        let message = text("message").chars().take(200).collect();
        Some((text("code").to_owned(), message))
    }

    fn is_html(&self) -> bool {
        is_html(self.header("content-type"), &self.body)
    }

    pub(super) fn is_registry(&self) -> bool {
        self.error().is_some() || self.headers.contains_key("docker-distribution-api-version")
    }

    /// Whoever signs as a proxy.
    fn middleman(&self) -> Option<&str> {
        let names = ["x-squid-error", "proxy-status", "x-bluecoat-via", "via"];
        names
            .iter()
            .map(|name| self.header(name))
            .find(|value| !value.is_empty())
    }

    fn said(&self) -> String {
        match self.error() {
            Some((code, message)) if message.is_empty() => format!(" ({code})"),
            Some((code, message)) => format!(" ({code}: {message})"),
            None => String::new(),
        }
    }
}

/// A page for people, where a registry would answer JSON.
pub(super) fn is_html(content_type: &str, body: &[u8]) -> bool {
    let start =
        String::from_utf8_lossy(body.get(..64.min(body.len())).unwrap_or_default()).to_ascii_lowercase();
    let start = start.trim_start();
    content_type.to_ascii_lowercase().contains("text/html")
        || start.starts_with("<!doctype")
        || start.starts_with("<html")
}

pub(super) fn intercepted(host: &str, what: &str) -> Finding {
    Finding::new(
        StepKind::Manifest,
        Cause::Intercepted,
        format!("{host} answers with {what} instead of a registry's answer"),
        &[
            "a proxy's login page, a captive portal or another web server answers there: check the name's address, \
             the port, and HTTP_PROXY/NO_PROXY of containerd's service",
            "if the registry is below a path of that server, give it in the endpoint: `https://HOST/v2/PREFIX`",
        ],
    )
}

/// What an answer other than success, 401 and 404 means.
pub(super) fn judge(refusal: &Refusal, attempt: &Attempt, now: SystemTime) -> Finding {
    let (host, status) = (&attempt.host, refusal.status);
    let said = refusal.said();
    if refusal.is_html() && !refusal.is_registry() && status.as_u16() < 500 {
        let via = refusal
            .middleman()
            .map(|via| format!(" by way of `{via}`"))
            .unwrap_or_default();
        return intercepted(host, &format!("{status} and an HTML page{via}"));
    }
    let new =
        |cause, message: String, advice: &[&str]| Finding::new(StepKind::Manifest, cause, message, advice);
    match status.as_u16() {
        403 if !refusal.is_registry() && refusal.middleman().is_some() => {
            let via = refusal.middleman().unwrap_or_default();
            intercepted(host, &format!("403, sent by the proxy `{via}`,"))
        }
        403 => new(
            Cause::Forbidden,
            format!("{host} knows us and refuses `{}`: 403{said}", attempt.repository),
            &[
                "give this user the right to pull from that repository or project",
                "check the repository's name after rewriting: a project that does not exist is often 403, too",
            ],
        ),
        429 => throttled(refusal, host, now),
        407 => new(
            Cause::Proxy,
            format!("the proxy in front of {host} wants a user and password (407)"),
            &["put them into the proxy's URL, or name this host in NO_PROXY"],
        ),
        500.. => new(
            Cause::ServerError,
            format!("{host} has a problem: {status}{said}"),
            &[
                "look into the registry's log, and that of the proxy in front of it (502, 503 and 504 are the \
                 proxy's: the registry behind is away)",
            ],
        ),
        300..=399 => new(
            Cause::RedirectRefused,
            format!("{host} redirects ({status}) without saying where to"),
            &["check the external URL that the registry or the proxy in front of it is configured with"],
        ),
        _ => new(
            Cause::UnexpectedStatus,
            format!("{host} answers {status}{said}, which says nothing about the image"),
            &["look into the registry's log"],
        ),
    }
}

fn throttled(refusal: &Refusal, host: &str, now: SystemTime) -> Finding {
    let wait = retry_after(&refusal.headers, now);
    let wait = wait.map(|wait| format!(", try again in {} s", wait.as_secs()));
    Finding::new(
        StepKind::Manifest,
        Cause::RateLimited,
        format!(
            "{host} has had too many requests from here{}{}",
            wait.unwrap_or_default(),
            refusal.said()
        ),
        &[
            "pull through a mirror that keeps what it fetched, or with a credential that has a higher limit",
            "containerd asks up to five times at once without waiting, and then tries the next endpoint",
        ],
    )
}

/// What a 404 means. `ping` is the answer to `GET /v2/` of the same host, if it was asked.
pub(super) fn missing(refusal: &Refusal, attempt: &Attempt, ping: Option<&Refusal>) -> Finding {
    let (host, repository) = (&attempt.host, &attempt.repository);
    let said = refusal.said();
    let code = refusal.error().map(|(code, _)| code).unwrap_or_default();
    let new =
        |cause, message: String, advice: &[&str]| Finding::new(StepKind::Manifest, cause, message, advice);
    let rewrite = "check the repository's name after rewriting, and that the image was pushed under it";
    if refusal.is_registry() && code == "MANIFEST_UNKNOWN" {
        return new(
            Cause::ManifestMissing,
            format!("{host} has no such tag or digest in `{repository}`{said}"),
            &["push the image there, or check its tag", rewrite],
        );
    }
    if refusal.is_registry() {
        return new(
            Cause::RepositoryMissing,
            format!("{host} has no `{repository}`{said}"),
            &[
                rewrite,
                "images of Docker Hub without a slash are in `library/`",
                "some registries answer 404 where the user may not look: check the credential",
            ],
        );
    }
    match ping {
        Some(ping)
            if ping.is_registry()
                || (ping.status == 401 && ping.headers.contains_key("www-authenticate")) =>
        {
            new(
                Cause::WrongPath,
                format!("there is a registry at {host}, but nothing of it at this path"),
                &[
                    "an endpoint with a path is used as it is: write `https://HOST/v2/PREFIX`, not `https://HOST/PREFIX`",
                ],
            )
        }
        _ => new(
            Cause::NotARegistry,
            format!("what answers at {host} is not a registry: 404 without a registry's words"),
            &[
                "check the host and the port: a web interface often has another one than the registry",
                "if the registry is below a path of that server, give it in the endpoint: `https://HOST/v2/PREFIX`",
            ],
        ),
    }
}

/// What a 401 at the end means, given what was shown.
pub(super) fn unauthorized(attempt: &Attempt, challenges: &[Challenge], had_token: bool) -> Finding {
    let host = &attempt.host;
    let wants_basic = challenges
        .iter()
        .any(|one| matches!(one, Challenge::Basic { .. }));
    let new = |step, cause, message: String, advice: &[&str]| Finding::new(step, cause, message, advice);
    if challenges.is_empty() {
        return new(
            StepKind::Challenge,
            Cause::NoChallenge,
            format!("{host} answers 401 without saying what it wants: no WWW-Authenticate"),
            &["a proxy in front of the registry takes that header away, or this is no registry"],
        );
    }
    if had_token {
        return new(
            StepKind::Manifest,
            Cause::TokenRefused,
            format!(
                "the token server gave a token, and {host} does not accept it for `{}`",
                attempt.repository
            ),
            &[
                "the user may not pull from this repository, or it does not exist",
                "the registry and its token server do not agree: issuer, key, service name or clock",
            ],
        );
    }
    not_accepted(attempt, wants_basic)
}

/// What was shown is not what is wanted.
fn not_accepted(attempt: &Attempt, wants_basic: bool) -> Finding {
    let host = &attempt.host;
    let place =
        format!("registries.yaml: `configs.\"{host}\".auth`, with exactly this host and port as the key");
    let new = |step, cause, message: String, advice: &[&str]| Finding::new(step, cause, message, advice);
    match (&attempt.presented, wants_basic) {
        (Presented::Anonymous, _) => new(
            StepKind::Challenge,
            Cause::CredentialMissing,
            format!("{host} wants a user and password, and none is configured for it"),
            &[],
        )
        .advise(format!("add one in {place}")),
        (Presented::IdentityToken(_), true) => new(
            StepKind::Challenge,
            Cause::CredentialKind,
            format!("{host} wants a user and password (Basic); an identity token is configured"),
            &[],
        )
        .advise(format!("give `username` and `password` in {place}")),
        (Presented::Basic { password, .. }, true) if password.is_empty() => new(
            StepKind::Challenge,
            Cause::CredentialMissing,
            format!("{host} wants a user and password, and the configured password is empty"),
            &[],
        )
        .advise(format!("give both in {place}")),
        (Presented::Basic { username, .. }, true) => new(
            StepKind::Manifest,
            Cause::CredentialRefused,
            format!("{host} does not accept the password of `{username}`"),
            &[
                "check user and password (an `auth` is the base64 of `user:password`; nothing in the file is expanded)",
                "containerd shows a refused password up to five times for each pull: the account may get locked",
            ],
        ),
        _ => new(
            StepKind::Challenge,
            Cause::CredentialKind,
            format!("{host} asks for another kind of authentication than Basic and Bearer"),
            &["only these two work for containerd"],
        ),
    }
}

/// What a failed talk with the token server means.
pub(super) fn token_failed(error: &AuthError, attempt: &Attempt) -> Finding {
    let host = &attempt.host;
    let new = |cause, message: String, advice: &[&str]| Finding::new(StepKind::Token, cause, message, advice);
    match error {
        AuthError::RealmRefused { realm, reason, .. } => new(
            Cause::RealmRefused,
            format!("{host} sends us to the token server {realm}, to which nothing was sent: {reason}"),
            &[
                "containerd would send the credential there; if the address is wrong, correct the realm (external \
                 URL) in the registry's configuration",
            ],
        ),
        AuthError::Rejected { status, detail, .. } => match &attempt.presented {
            Presented::Anonymous => new(
                Cause::CredentialMissing,
                format!("the token server of {host} gives nothing without a credential ({status}{detail})"),
                &[],
            )
            .advise(format!(
                "add one in registries.yaml under `configs.\"{host}\".auth`, with exactly this host and port as the key"
            )),
            Presented::IdentityToken(_) => new(
                Cause::CredentialRefused,
                format!("the token server of {host} does not accept the identity token ({status}{detail})"),
                &["it must be a refresh token of this very token server; it may have ended"],
            ),
            Presented::Basic { username, .. } => new(
                Cause::CredentialRefused,
                format!("the token server of {host} does not accept `{username}` ({status}{detail})"),
                &["check user and password; with two factors an access token takes the password's place"],
            ),
            Presented::Broken(reason) => new(Cause::BrokenCredential, reason.clone(), &[]),
        },
        other => new(
            Cause::TokenServer,
            format!("no token for {host}: {other}"),
            &["look into the token server's log", "check that the realm that the registry names can be reached from here"],
        ),
    }
}

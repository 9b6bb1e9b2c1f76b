//! ECR's own calls: a token that is good for twelve hours, and a new repository.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method};
use landfall_net::client::{Request, RequestBody};
use landfall_oci::Repository;
use serde_json::{Value, json};

use super::error::{LATER_TRIES, Said, pause};
use super::sign::Scope;
use super::sts::sign_request;
use super::{Aws, EcrHost, Identity};
use crate::cloud::calls::{self, Answer};
use crate::cloud::failure::Failure;
use crate::cloud::slot::Granted;
use crate::{Credential, Secret};

const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const PRIVATE: &str = "AmazonEC2ContainerRegistry_V20150921";
const PUBLIC: &str = "SpencerFrontendService";

/// What a new repository of ECR is like; the registry's usual, where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewRepository {
    /// A tag can be set once.
    pub immutable_tags: bool,
    /// Images are scanned when they are pushed.
    pub scan_on_push: bool,
}

/// What became of a repository that was to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It was made.
    New,
    /// It was there.
    Existed,
}

/// A call's answer: a success, or a refusal that the caller may have expected.
enum Outcome {
    Done(Value),
    Refused(Said, Answer),
}

impl Aws<'_> {
    /// Signs a call and makes it; again when it was the clock's fault, and while AWS says to come back later.
    async fn call(&self, operation: &str, body: &Value, by: &Identity) -> Result<Outcome, Failure> {
        let (fips, dual) = self.kinds();
        let usual = self.host.api(fips, dual);
        let (variable, family, service) = match self.host.account {
            Some(_) => ("AWS_ENDPOINT_URL_ECR", PRIVATE, "ecr"),
            None => ("AWS_ENDPOINT_URL_ECR_PUBLIC", PUBLIC, "ecr-public"),
        };
        let url = self.endpoint(variable, &usual)?;
        let target = HeaderValue::try_from(format!("{family}.{operation}"));
        let target = target.unwrap_or(HeaderValue::from_static(PRIVATE));
        let body = Bytes::from(body.to_string());
        let scope = Scope {
            service,
            region: &self.host.region,
        };
        let (mut was_late, mut knows_time) = (0, false);
        loop {
            let mut request = Request::new(Method::POST, url.clone())
                .header(CONTENT_TYPE, JSON)
                .header(TARGET, target.clone())
                .body(RequestBody::Bytes(&body));
            sign_request(&mut request, &body, &by.keys, scope, self.clock.seconds())?;
            let answer = self.calls.service(request).await?;
            if answer.status.is_success() {
                let json = answer.json().ok_or_else(|| self.bad("it is not JSON"))?;
                return Ok(Outcome::Done(json));
            }
            let said = Said::of(&answer);
            if !knows_time && said.was_the_clock(&answer, self.clock) {
                knows_time = true;
            } else if said.is_later() && was_late < LATER_TRIES {
                was_late += 1;
                pause(was_late).await;
            } else {
                return Ok(Outcome::Refused(said, answer));
            }
        }
    }

    /// Which kinds of endpoints the environment asks for.
    pub(super) fn kinds(&self) -> (bool, bool) {
        (
            self.variables.is_on("AWS_USE_FIPS_ENDPOINT"),
            self.variables.is_on("AWS_USE_DUALSTACK_ENDPOINT"),
        )
    }

    fn bad(&self, reason: &str) -> Failure {
        Failure::unusable(
            format!(
                "the answer of ECR for {} is not usable: {reason}",
                self.host.shown()
            ),
            "see what answers there (AWS_ENDPOINT_URL, a proxy)",
        )
    }
}

/// A token for the registry.
pub(crate) async fn token(aws: Aws<'_>, by: &Identity) -> Result<Granted, Failure> {
    let host = aws.host;
    let json = match aws.call("GetAuthorizationToken", &json!({}), by).await? {
        Outcome::Done(json) => json,
        Outcome::Refused(said, answer) => {
            let action = format!("{} for {}", action(host, "GetAuthorizationToken"), host.shown());
            return Err(said.failure(&answer, action, &by.from, &by.keys.secrets()));
        }
    };
    let data = json.get("authorizationData");
    // The public registry's is one object, the private one's a list.
    let entry = match data {
        Some(Value::Array(entries)) => entries.first(),
        other => other,
    };
    let token = entry.and_then(|entry| calls::text(entry, "authorizationToken"));
    let token = token.ok_or_else(|| aws.bad("there is no authorization data in it"))?;
    let (username, password) = pair(token).ok_or_else(|| aws.bad("its token is no user and password"))?;
    let entry = entry.unwrap_or(&Value::Null);
    check_region(host, entry)?;
    let ends = calls::seconds(entry, "expiresAt");
    let life = ends.map(|ends| aws.clock.until(ends));
    if life.is_some_and(|life| life.is_zero()) {
        return Err(aws.bad("its token has expired already; is the clock of this machine right?"));
    }
    Ok(Granted {
        credential: Credential::Basic { username, password },
        provenance: format!("ECR token for {}, by {}", host.shown(), by.from),
        life,
    })
}

/// `AWS:password`, encoded.
fn pair(token: &str) -> Option<(String, Secret)> {
    let text = String::from_utf8(STANDARD.decode(token.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    (!user.is_empty() && !password.is_empty()).then(|| (user.to_owned(), Secret::new(password)))
}

/// A token is good in one region. Which one that is stands beside it.
fn check_region(host: &EcrHost, entry: &Value) -> Result<(), Failure> {
    let endpoint = calls::text(entry, "proxyEndpoint").unwrap_or_default();
    let theirs = endpoint.trim_start_matches("https://").trim_end_matches('/');
    match EcrHost::of(theirs).filter(|theirs| host.account.is_some() && theirs.region != host.region) {
        Some(theirs) => Err(Failure::unusable(
            format!(
                "a token for {} was asked for, and one for {} came",
                host.region, theirs.region
            ),
            "the endpoint that was asked is of another region: see AWS_ENDPOINT_URL",
        )),
        None => Ok(()),
    }
}

fn action(host: &EcrHost, operation: &str) -> String {
    match host.account {
        Some(_) => format!("ecr:{operation}"),
        None => format!("ecr-public:{operation}"),
    }
}

/// Makes a repository in a registry.
pub(crate) async fn create_repository(
    aws: Aws<'_>,
    by: &Identity,
    repository: &Repository,
    settings: NewRepository,
) -> Result<Created, Failure> {
    let host = aws.host;
    let body = match &host.account {
        Some(account) => {
            let mut body = json!({"registryId": account, "repositoryName": repository.as_str()});
            if settings.immutable_tags {
                body["imageTagMutability"] = "IMMUTABLE".into();
            }
            if settings.scan_on_push {
                body["imageScanningConfiguration"] = json!({"scanOnPush": true});
            }
            body
        }
        // The first part of the name is the account's alias.
        None => {
            let (_, name) = repository.as_str().split_once('/').ok_or_else(|| {
                Failure::unusable(
                    format!("`{repository}` names no alias of an account"),
                    "repositories there are called public.ecr.aws/ALIAS/NAME",
                )
            })?;
            json!({"repositoryName": name})
        }
    };
    match aws.call("CreateRepository", &body, by).await? {
        Outcome::Done(_) => Ok(Created::New),
        Outcome::Refused(said, _) if said.code == "RepositoryAlreadyExistsException" => Ok(Created::Existed),
        Outcome::Refused(said, answer) => {
            let action = format!(
                "{} `{repository}` in {}",
                action(host, "CreateRepository"),
                host.shown()
            );
            Err(said.failure(&answer, action, &by.from, &by.keys.secrets()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_pairs() {
        let read = |text: &str| pair(&STANDARD.encode(text));
        assert_eq!(read("AWS:a:b"), Some(("AWS".to_owned(), Secret::new("a:b"))));
        assert_eq!(read("AWS"), None);
        assert_eq!(read("AWS:"), None);
        assert_eq!(read(":x"), None);
        assert_eq!(pair("***"), None);
    }
}

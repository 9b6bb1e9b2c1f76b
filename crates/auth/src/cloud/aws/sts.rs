//! STS: a role's keys for an identity token (unsigned), or for other keys (signed). Query protocol, answers in XML.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Uri};
use landfall_net::client::{Request, RequestBody};

use super::error::{LATER_TRIES, Said, pause, tag};
use super::sign::{Message, Scope, sign};
use super::{Aws, Identity, Keys};
use crate::Secret;
use crate::cloud::calls::Answer;
use crate::cloud::clock::parse_iso;
use crate::cloud::failure::Failure;
use crate::exchange::form;

const VERSION: (&str, &str) = ("Version", "2011-06-15");
/// How the session is called in AWS's records, where nobody says.
pub(super) const SESSION: &str = "landfall";

/// A role to take, and in which manner.
#[derive(Clone, Debug, Default)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) session: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) seconds: Option<String>,
    /// The region whose service is asked.
    pub(super) region: String,
}

impl Aws<'_> {
    /// The role's keys, for a token that an identity provider issued.
    pub(super) async fn web_identity(
        &self,
        role: &Role,
        token: &str,
        from: &str,
    ) -> Result<Identity, Failure> {
        let body = body(
            "AssumeRoleWithWebIdentity",
            role,
            Some(("WebIdentityToken", token)),
        );
        let url = self.sts_url(role)?;
        let mut backoff = 0;
        loop {
            let answer = self.calls.service(request(url.clone(), &body)).await?;
            if answer.status.is_success() {
                return identity(&answer, role, from);
            }
            let said = Said::of(&answer);
            if said.is_later() && backoff < LATER_TRIES {
                backoff += 1;
                pause(backoff).await;
                continue;
            }
            let action = format!("sts:AssumeRoleWithWebIdentity for {}", role.arn);
            return Err(said.failure(&answer, action, from, &[token]));
        }
    }

    /// The role's keys, for other keys.
    pub(super) async fn assume(&self, role: &Role, by: &Identity, from: &str) -> Result<Identity, Failure> {
        let extra = role.external_id.as_deref().map(|id| ("ExternalId", id));
        let body = body("AssumeRole", role, extra);
        let url = self.sts_url(role)?;
        let scope = Scope {
            service: "sts",
            region: &role.region,
        };
        let mut is_second = false;
        loop {
            let mut request = request(url.clone(), &body);
            sign_request(&mut request, &body, &by.keys, scope, self.clock.seconds())?;
            let answer = self.calls.service(request).await?;
            if answer.status.is_success() {
                return identity(&answer, role, from);
            }
            let said = Said::of(&answer);
            let was_the_clock = !is_second && said.was_the_clock(&answer, self.clock);
            if was_the_clock || (!is_second && said.is_later()) {
                is_second = true;
                pause(1).await;
                continue;
            }
            let action = format!("sts:AssumeRole for {}", role.arn);
            return Err(said.failure(&answer, action, &by.from, &by.keys.secrets()));
        }
    }

    fn sts_url(&self, role: &Role) -> Result<Uri, Failure> {
        let (fips, dual) = self.kinds();
        self.endpoint("AWS_ENDPOINT_URL_STS", &self.host.sts(&role.region, fips, dual))
    }
}

/// Signs a request whose body is this.
pub(super) fn sign_request(
    request: &mut Request<'_>,
    body: &Bytes,
    keys: &Keys,
    scope: Scope<'_>,
    seconds: i64,
) -> Result<(), Failure> {
    let message = Message {
        method: "POST",
        url: &request.url,
        body,
    };
    sign(&message, &mut request.headers, keys, scope, seconds).ok_or_else(|| {
        Failure::unusable(
            "the access keys hold characters that no request may",
            "see whether they were copied whole, and without line ends",
        )
    })
}

fn body(action: &str, role: &Role, extra: Option<(&str, &str)>) -> Bytes {
    let mut fields = vec![
        ("Action", action),
        VERSION,
        ("RoleArn", role.arn.as_str()),
        ("RoleSessionName", role.session.as_deref().unwrap_or(SESSION)),
    ];
    fields.extend(
        role.seconds
            .as_deref()
            .map(|seconds| ("DurationSeconds", seconds)),
    );
    fields.extend(extra);
    form(&fields).into()
}

fn request(url: Uri, body: &Bytes) -> Request<'_> {
    let headers = HeaderMap::from_iter([
        (
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        ),
        (ACCEPT, HeaderValue::from_static("text/xml")),
    ]);
    let mut request = Request::new(Method::POST, url).body(RequestBody::Bytes(body));
    request.headers = headers;
    request
}

fn identity(answer: &Answer, role: &Role, from: &str) -> Result<Identity, Failure> {
    let text = String::from_utf8_lossy(&answer.body);
    let field = |name| tag(&text, name).filter(|value| !value.is_empty());
    let keys = field("AccessKeyId").zip(field("SecretAccessKey"));
    let Some(((id, secret), session)) = keys.zip(field("SessionToken")) else {
        return Err(Failure::unusable(
            format!(
                "STS gave no keys for {} (its answer is not what it should be)",
                role.arn
            ),
            "see what answers there",
        ));
    };
    Ok(Identity {
        keys: Keys {
            id,
            secret: Secret::new(secret),
            session: Some(Secret::new(session)),
        },
        ends: field("Expiration").as_deref().and_then(parse_iso),
        from: from.to_owned(),
    })
}

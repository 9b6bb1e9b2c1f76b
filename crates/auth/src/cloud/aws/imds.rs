//! The keys of an instance, from its metadata service, version 2: a session token first, which cannot be had through a
//! careless proxy, nor from a container that is a hop too far away.

use http::header::HeaderName;
use http::{HeaderValue, Method, Uri};
use landfall_net::client::Request;

use super::{Aws, Identity};
use crate::cloud::calls::{self, Answer, LINK_PATIENCE, sensitive, text};
use crate::cloud::failure::Failure;

const V4: &str = "http://169.254.169.254";
const V6: &str = "http://[fd00:ec2::254]";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
const TOKEN_LIFE: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");

impl Aws<'_> {
    /// The keys of the instance's role. [`Failure::Absent`]: this is no instance, or it has no role.
    pub(super) async fn instance(&self) -> Result<Identity, Failure> {
        if self.variables.is_on("AWS_EC2_METADATA_DISABLED") {
            return Err(Failure::Absent("the instance's is switched off".to_owned()));
        }
        let base = self.metadata()?;
        let request = Request::new(Method::PUT, calls::at(&base, "/latest/api/token"))
            .header(TOKEN_LIFE, HeaderValue::from_static("300"));
        let answer = self.calls.knock(request).await.map_err(|failure| match failure {
            Failure::Absent(why) => Failure::Absent(format!(
                "no metadata service of an instance ({why}; in a container, see its hop limit)"
            )),
            other => other,
        })?;
        let token = match answer.status.as_u16() {
            200 => sensitive(answer.line()).ok_or_else(|| bad("its session token is no header"))?,
            429 | 500.. => {
                let status = answer.status;
                return Err(Failure::Unavailable(format!(
                    "the instance's metadata service answers {status}"
                )));
            }
            status => {
                return Err(Failure::Absent(format!(
                    "the instance's metadata service gives no token ({status})"
                )));
            }
        };
        let get = async |path: &str| {
            let request = Request::new(Method::GET, calls::at(&base, path))
                .header(TOKEN, token.clone())
                .patience(LINK_PATIENCE);
            self.calls.link(request).await
        };
        let roles = get(ROLES).await?;
        let role = match roles.status.as_u16() {
            404 => String::new(),
            _ => success(&roles)?.line().to_owned(),
        };
        if role.is_empty() {
            return Err(Failure::Absent("the instance has no role".to_owned()));
        }
        // The name comes from outside, and is part of a path.
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
        if !role.bytes().all(is_name) {
            return Err(bad("the role's name is none"));
        }
        let answer = get(&format!("{ROLES}{role}")).await?;
        let json = success(&answer)?.json().ok_or_else(|| bad("it is not JSON"))?;
        if let Some(code) = text(&json, "Code").filter(|code| *code != "Success") {
            return Err(bad(&format!(
                "there are no keys of `{role}` ({})",
                super::super::failure::said(code, &[])
            )));
        }
        super::container::keys(&json, "Token", &format!("the instance's role `{role}`"))
            .ok_or_else(|| bad("there are no keys in it"))
    }

    fn metadata(&self) -> Result<Uri, Failure> {
        const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
        let mode = self.variables.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
        let usual = match mode {
            Some(mode) if mode.eq_ignore_ascii_case("ipv6") => V6,
            _ => V4,
        };
        calls::url(self.variables.get(ENDPOINT).unwrap_or(usual), ENDPOINT)
    }
}

fn success(answer: &Answer) -> Result<&Answer, Failure> {
    match answer.status {
        status if status.is_success() => Ok(answer),
        status if answer.is_later() => Err(Failure::Unavailable(format!(
            "the instance's metadata service answers {status}"
        ))),
        status => Err(bad(&format!("it answers {status}"))),
    }
}

fn bad(reason: &str) -> Failure {
    Failure::unusable(
        format!("the instance's metadata service gives no usable keys: {reason}"),
        "see the instance's role",
    )
}

//! What AWS says when it refuses, and what to do about it.

use std::time::Duration;

use serde_json::Value;

use crate::cloud::calls::Answer;
use crate::cloud::clock::Clock;
use crate::cloud::failure::{Failure, Refused, said};

/// Codes that say that a signature came at the wrong time, or may be wrong because of that.
const TIME: [&str; 7] = [
    "RequestTimeTooSkewed",
    "RequestExpired",
    "RequestInTheFuture",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "AuthFailure",
    "IncompleteSignature",
];
/// Codes that say to come back later, with a status that does not.
const LATER: [&str; 6] = [
    "ThrottlingException",
    "Throttling",
    "ThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "RequestThrottled",
];
/// Tries after "later".
pub(super) const LATER_TRIES: u32 = 3;
/// Codes that say that the session of the keys is over.
const ENDED: [&str; 3] = ["ExpiredTokenException", "ExpiredToken", "TokenRefreshRequired"];

/// The code and the sentence of a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) code: String,
    pub(super) message: String,
}

impl Said {
    /// Reads an answer in JSON or XML.
    pub(super) fn of(answer: &Answer) -> Self {
        let text = String::from_utf8_lossy(&answer.body);
        if let Some(code) = tag(&text, "Code") {
            let message = tag(&text, "Message").unwrap_or_default();
            return Self { code, message };
        }
        let header = answer
            .headers
            .get("x-amzn-errortype")
            .and_then(|value| value.to_str().ok());
        let json = answer.json().unwrap_or(Value::Null);
        let field = |names: &[&str]| {
            let found = names
                .iter()
                .find_map(|name| json.get(name).and_then(Value::as_str));
            found.map(str::to_owned)
        };
        let code = field(&["__type", "code", "Code"]).or(header.map(str::to_owned));
        Self {
            // `com.amazon…#AccessDeniedException`, `AccessDeniedException:http://…`
            code: code
                .as_deref()
                .and_then(|code| code.rsplit('#').next()?.split(':').next())
                .unwrap_or_default()
                .to_owned(),
            message: field(&["message", "Message", "errorMessage"]).unwrap_or_default(),
        }
    }

    pub(super) fn is_later(&self) -> bool {
        LATER.contains(&self.code.as_str())
    }

    pub(super) fn has_ended(&self) -> bool {
        ENDED.contains(&self.code.as_str())
    }

    /// Whether the clock was the reason; if so, it is right now.
    pub(super) fn was_the_clock(&self, answer: &Answer, clock: &Clock) -> bool {
        TIME.contains(&self.code.as_str()) && clock.learn(&answer.headers)
    }

    /// The failure of `action` that `whom` asked for.
    pub(super) fn failure(self, answer: &Answer, action: String, whom: &str, secrets: &[&str]) -> Failure {
        let status = answer.status;
        if answer.is_later() || self.is_later() {
            let message = said(&self.message, secrets);
            return Failure::Unavailable(format!("{action}: {status} {} {message}", self.code));
        }
        Failure::Refused(Box::new(Refused {
            advice: self.advice(),
            action,
            whom: whom.to_owned(),
            code: match self.code.is_empty() {
                true => status.to_string(),
                false => said(&self.code, secrets),
            },
            message: said(&self.message, secrets),
        }))
    }

    fn advice(&self) -> &'static str {
        if self.message.contains("scoped to a valid") || self.message.contains("scoped to correct service") {
            return "the endpoint that was asked is of another region: see AWS_ENDPOINT_URL";
        }
        match self.code.as_str() {
            _ if self.has_ended() => "the session of these keys is over: get new ones",
            "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => {
                "allow this identity the action in its policy (ecr:GetAuthorizationToken needs the resource `*`)"
            }
            "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidAccessKeyId" => {
                "these keys are not known there: they were deleted, are of another partition (AWS, China, GovCloud), \
                 or belong to a session whose token is missing"
            }
            _ if TIME.contains(&self.code.as_str()) => {
                "the secret does not belong to the key id, or the clock of this machine is wrong"
            }
            "InvalidIdentityToken" | "IDPRejectedClaim" | "InvalidIdentityTokenException" => {
                "see whether the role trusts the issuer of the web identity token, and for which audience"
            }
            _ => "see what AWS says of this code",
        }
    }
}

/// Waits longer each time.
pub(super) async fn pause(times: u32) {
    tokio::time::sleep(Duration::from_millis(200 << times.min(6))).await;
}

/// The text of the first element of this name, which holds no others.
pub(super) fn tag(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ];
    let text = entities
        .into_iter()
        .fold(text.trim().to_owned(), |text, (entity, sign)| {
            text.replace(entity, sign)
        });
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, StatusCode};

    fn said_in(body: &'static str) -> Said {
        Said::of(&Answer {
            status: StatusCode::BAD_REQUEST,
            headers: HeaderMap::new(),
            body: body.into(),
        })
    }

    #[test]
    fn codes_in_every_clothing() {
        let is = |body, code: &str, message: &str| {
            let said = said_in(body);
            assert_eq!(
                (said.code.as_str(), said.message.as_str()),
                (code, message),
                "{body}"
            );
        };
        is(
            r#"{"__type":"AccessDeniedException","Message":"no"}"#,
            "AccessDeniedException",
            "no",
        );
        is(
            r#"{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"x"}"#,
            "UnrecognizedClientException",
            "x",
        );
        is(
            "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>a &amp; b</Message></Error></ErrorResponse>",
            "ExpiredToken",
            "a & b",
        );
        is("<html>", "", "");
        is("", "", "");
    }
}

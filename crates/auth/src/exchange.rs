//! One talk with a token server: the OAuth2 form first, then the older GET, as containerd does.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode, Uri};
use landfall_net::client::{Request, RequestBody, Response, ShownUrl, Transport};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::realm::Realm;
use crate::{AuthError, Credential, Found, ScopeSet, Secret};

/// Tokens are a few KiB; some carry long lists of rights.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// Everything but what needs no encoding in a form or query (RFC 3986, 2.3).
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Whose way of talking to a token server is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// Ours: the GET is tried whatever the form was refused with.
    #[default]
    Ours,
    /// containerd's, to see what it would see: its name, and the GET only where it tries it.
    Containerd,
}

/// One exchange of a credential for a token.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// What it is asked over.
    pub transport: &'a Transport,
    /// The registry, for messages.
    pub registry: &'a str,
    /// The token server.
    pub realm: &'a Realm,
    /// What is shown to it.
    pub found: &'a Found,
    /// What the token is for.
    pub scopes: &'a ScopeSet,
    /// How it is talked to.
    pub manner: Manner,
}

/// A token that was issued.
#[derive(Debug)]
pub struct Issued {
    /// The token.
    pub token: Secret,
    /// How long it says to live.
    pub lifetime: Option<Duration>,
    /// The server knows only the older way.
    pub by_get: bool,
}

/// `Basic` and the encoded pair. Marked as sensitive, so that no debug output shows it.
#[must_use]
pub fn basic_header(username: &str, password: &Secret) -> Option<HeaderValue> {
    let pair = STANDARD.encode(format!("{username}:{}", password.expose()));
    sensitive(&format!("Basic {pair}"))
}

/// `Bearer` and the token. `None` when the token holds what no header may.
#[must_use]
pub fn bearer_header(token: &Secret) -> Option<HeaderValue> {
    sensitive(&format!("Bearer {}", token.expose()))
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl Exchange<'_> {
    /// Gets a token. `get_first`: the server is known not to have the OAuth2 form.
    ///
    /// # Errors
    /// [`AuthError`]: the way to the token server, its refusal, or a useless answer.
    pub async fn run(&self, get_first: bool) -> Result<Issued, AuthError> {
        let grant = match &self.found.credential {
            Credential::Basic { username, password } if !get_first => form(&[
                ("grant_type", "password"),
                ("username", username),
                ("password", password.expose()),
            ]),
            Credential::IdentityToken { token } => {
                form(&[("grant_type", "refresh_token"), ("refresh_token", token.expose())])
            }
            _ => return self.finish(self.get().await?, true).await,
        };
        let answer = self.post(&grant).await?;
        if self.falls_back(answer.status()) {
            answer.discard().await;
            return self.finish(self.get().await?, true).await;
        }
        self.finish(answer, false).await
    }

    /// 404 GCR, 401 Artifactory, 400 ACR, 405 Quay and Harbor: none of them says anything about the password.
    fn falls_back(&self, status: StatusCode) -> bool {
        let has_user = matches!(self.found.credential, Credential::Basic { .. });
        match (self.manner, status.as_u16()) {
            (Manner::Ours, 400 | 401 | 403 | 404 | 405) | (Manner::Containerd, 405) => has_user,
            (Manner::Containerd, 400 | 401 | 404) => true,
            _ => false,
        }
    }

    async fn post(&self, grant: &str) -> Result<Response, AuthError> {
        let client = match self.manner {
            Manner::Ours => "landfall",
            Manner::Containerd => "containerd-client",
        };
        let mut fields = vec![("client_id", client)];
        fields.extend(self.realm.service.as_deref().map(|service| ("service", service)));
        let scope = self.scopes.to_string();
        if !scope.is_empty() {
            fields.push(("scope", &scope));
        }
        let body = Bytes::from(format!("{grant}&{}", form(&fields)));
        let request = Request::new(Method::POST, self.realm.url.clone())
            .header(
                CONTENT_TYPE,
                HeaderValue::from_static("application/x-www-form-urlencoded"),
            )
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .body(RequestBody::Bytes(&body))
            .repeatable();
        self.send(&request).await
    }

    async fn get(&self) -> Result<Response, AuthError> {
        let scopes: Vec<String> = self.scopes.iter().collect();
        let mut fields = Vec::new();
        fields.extend(self.realm.service.as_deref().map(|service| ("service", service)));
        fields.extend(scopes.iter().map(|scope| ("scope", scope.as_str())));
        let url = with_query(&self.realm.url, &form(&fields))
            .ok_or_else(|| self.bad("its URL is too long".into()))?;
        let mut request = Request::new(Method::GET, url);
        let pair = match &self.found.credential {
            Credential::Basic { username, password } => Some((username.as_str(), password)),
            // containerd shows a refresh token as the password of nobody.
            Credential::IdentityToken { token } => Some(("", token)),
            Credential::Anonymous | Credential::RegistryToken { .. } => None,
        };
        if let Some((username, password)) = pair {
            let header = basic_header(username, password);
            let header = header.ok_or_else(|| self.bad("the password cannot be sent in a header".into()))?;
            request = request.header(AUTHORIZATION, header);
        }
        self.send(&request).await
    }

    async fn send(&self, request: &Request<'_>) -> Result<Response, AuthError> {
        self.transport
            .send(request)
            .await
            .map_err(|source| AuthError::Net {
                registry: self.registry.to_string(),
                source,
            })
    }

    async fn finish(&self, answer: Response, by_get: bool) -> Result<Issued, AuthError> {
        let status = answer.status();
        if !status.is_success() {
            return Err(self.refusal(status, answer).await);
        }
        let body = answer
            .bytes(MAX_ANSWER_BYTES)
            .await
            .map_err(|source| AuthError::Net {
                registry: self.registry.to_string(),
                source,
            })?;
        // The JSON reader's own message could quote the token.
        let json: Value = serde_json::from_slice(&body).map_err(|_| self.bad("it is not JSON".to_owned()))?;
        let text = |name| {
            json.get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        let token = text("access_token").or_else(|| text("token"));
        Ok(Issued {
            token: Secret::new(token.ok_or_else(|| self.bad("there is no token in it".to_owned()))?),
            lifetime: json.get("expires_in").and_then(seconds),
            by_get,
        })
    }

    async fn refusal(&self, status: StatusCode, answer: Response) -> AuthError {
        let attempts = answer.attempts();
        let detail = explanation(&answer.error_body().await);
        let registry = self.registry.to_string();
        match status.as_u16() {
            408 | 429 | 500.. => AuthError::Unavailable {
                registry,
                status: status.as_u16(),
                attempts,
                detail,
            },
            status => AuthError::Rejected {
                registry,
                status,
                provenance: self.found.provenance.to_string(),
                detail,
            },
        }
    }

    fn bad(&self, reason: String) -> AuthError {
        AuthError::BadAnswer {
            realm: ShownUrl::new(&self.realm.url).to_string(),
            reason,
        }
    }
}

/// A lifetime as a number, or as the text of one.
fn seconds(value: &Value) -> Option<Duration> {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    Duration::try_from_secs_f64(number).ok()
}

pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let encoded = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, FORM)));
    encoded.collect::<Vec<_>>().join("&")
}

fn with_query(url: &Uri, query: &str) -> Option<Uri> {
    if query.is_empty() {
        return Some(url.clone());
    }
    let text = match url.query() {
        Some(before) => format!("{}?{before}&{query}", url.path()),
        None => format!("{}?{query}", url.path()),
    };
    let mut parts = url.clone().into_parts();
    parts.path_and_query = Some(text.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// What a token server says for people: one of the usual fields, shortened; never the whole body.
fn explanation(body: &[u8]) -> String {
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        return String::new();
    };
    let entry = json.get("errors").and_then(|errors| errors.get(0));
    let candidates = [
        entry.and_then(|entry| entry.get("message")),
        json.get("error_description"),
        json.get("details"),
        json.get("message"),
        json.get("error"),
    ];
    let said = candidates.into_iter().flatten().find_map(Value::as_str);
    said.map(|text| format!(": {}", text.chars().take(200).collect::<String>()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_queries_are_encoded() {
        assert_eq!(form(&[("a", "x y&z"), ("b", "p:q,r")]), "a=x%20y%26z&b=p%3Aq%2Cr");
        let url = Uri::from_static("https://t/token?account=x");
        assert_eq!(
            with_query(&url, "s=1").unwrap().to_string(),
            "https://t/token?account=x&s=1"
        );
    }

    #[test]
    fn only_the_usual_fields_are_shown() {
        assert_eq!(
            explanation(br#"{"errors":[{"code":"X","message":"no"}]}"#),
            ": no"
        );
        assert_eq!(
            explanation(br#"{"details":"incorrect username or password"}"#),
            ": incorrect username or password"
        );
        assert_eq!(explanation(br#"{"token":"hunter2"}"#), "");
        assert_eq!(explanation(b"<html>"), "");
    }

    #[test]
    fn lifetimes_in_any_notation() {
        let read = |text: &str| seconds(&serde_json::from_str(text).unwrap());
        assert_eq!(read("300"), Some(Duration::from_secs(300)));
        assert_eq!(read("\"300\""), Some(Duration::from_secs(300)));
        assert_eq!(read("-1"), None);
        assert_eq!(read("1e300"), None);
        assert_eq!(read("null"), None);
    }
}

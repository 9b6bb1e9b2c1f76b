//! Questions to a registry's host outside the specification: what products add to it, such as Harbor's projects.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, StatusCode};
use landfall_auth::{Credential, basic_header};
use landfall_net::client::{Request, RequestBody};
use landfall_oci::{ErrorBody, Registry};

use crate::answer::words;
use crate::{Client, ClientError};

/// The most of an answer that is read.
const MAX_ANSWER: usize = 256 * 1024;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What the host said.
#[derive(Clone, Debug)]
pub struct HostAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its body; empty where it was too long to be one of these.
    pub body: Bytes,
    /// Where the password that was shown comes from.
    pub provenance: Arc<str>,
}

impl HostAnswer {
    /// Its error in words, with a separator before, or nothing.
    #[must_use]
    pub fn words(&self) -> String {
        words(&serde_json::from_slice::<ErrorBody>(&self.body).unwrap_or_default())
    }
}

impl Client {
    /// Asks a registry's host at a path of its own, over the same connections and with the same certificates and proxies
    /// as the registry. With `body`, which is JSON, it is a POST. `is_secret` says whether the user's password is shown
    /// (as `Basic`): an API of this kind knows no tokens.
    ///
    /// # Errors
    /// [`ClientError`] when there is no answer; every status is one.
    pub async fn ask_host(
        &self,
        registry: &Registry,
        method: Method,
        path: &'static str,
        query: &str,
        body: Option<&Bytes>,
        is_secret: bool,
    ) -> Result<HostAnswer, ClientError> {
        let what = format!("{method} {registry}{path}");
        let impossible = || ClientError::Impossible {
            what: what.clone(),
            reason: "it is not the path of a URL".to_owned(),
        };
        let place = format!("{path}{query}").parse::<PathAndQuery>();
        let url = self.base(registry)?.at(place.map_err(|_| impossible())?);
        // Whoever uses this asks for what may be done twice.
        let mut request = Request::new(method, url).header(ACCEPT, JSON).repeatable();
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, JSON).body(RequestBody::Bytes(body));
        }
        let mut provenance: Arc<str> = "nothing".into();
        if is_secret {
            let found = self.keyring().lookup(registry, None).await;
            let found = found.map_err(|source| ClientError::Auth {
                what: what.clone(),
                source: Box::new(source),
            })?;
            provenance = found.provenance;
            let header = match &found.credential {
                Credential::Basic { username, password } => basic_header(username, password),
                _ => None,
            };
            if let Some(header) = header {
                request = request.header(AUTHORIZATION, header);
            }
        }
        let sent = self.inner.transport.send(&request).await;
        let response = sent.map_err(|error| ClientError::net(&what, error))?;
        let status = response.status();
        let body = match status.is_success() {
            true => response.bytes(MAX_ANSWER).await.unwrap_or_default(),
            false => response.error_body().await,
        };
        Ok(HostAnswer {
            status,
            body,
            provenance,
        })
    }
}

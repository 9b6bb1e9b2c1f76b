//! One authorised request: ticket, request, challenge, again.

use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{StatusCode, Uri};
use landfall_auth::{ScopeSet, Ticket, Verdict};
use landfall_net::client::{NetError, Request, Response, same_origin};
use landfall_oci::{Registry, Repository};

use crate::request::{Base, authority};
use crate::{Client, ClientError};

/// Bare, with a token that turns out to be old, with a new one, with one of wider scope.
const ROUNDS: usize = 4;

/// A repository, or a registry as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) repository: Option<&'a Repository>,
}

impl<'a> Place<'a> {
    pub(crate) fn new(registry: &'a Registry, repository: &'a Repository) -> Self {
        Self {
            registry,
            repository: Some(repository),
        }
    }
}

/// A response, and the credential behind its request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response,
    pub(crate) provenance: Arc<str>,
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }
}

impl Client {
    /// Scheme and host of a registry, as far as they are known now.
    pub(crate) fn base(&self, registry: &Registry) -> Result<Base<'_>, ClientError> {
        let authority = authority(registry).ok_or_else(|| ClientError::Impossible {
            what: registry.to_string(),
            reason: "it is not the host of a URL".to_owned(),
        })?;
        Ok(Base {
            scheme: self.inner.transport.scheme(authority.as_str()),
            authority,
            site: &self.site,
        })
    }

    /// Sends a request with whatever authorisation its registry wants. The request's URL may be of another host (an
    /// upload's location): then nothing is shown to it. `what` names the work in errors.
    pub(crate) async fn send(
        &self,
        place: Place<'_>,
        scopes: &ScopeSet,
        what: &str,
        request: &Request<'_>,
    ) -> Result<Answer, ClientError> {
        let is_at_home = authority(place.registry).is_some_and(|home| {
            request
                .url
                .authority()
                .is_some_and(|there| is_same_host(&home, there))
        });
        if !is_at_home {
            let response = self.transport_send(what, request).await?;
            return Ok(Answer {
                response,
                provenance: "nothing, to another host".into(),
            });
        }
        let auth_failed = |source| ClientError::Auth {
            what: what.to_owned(),
            source: Box::new(source),
        };
        let authorizer = &self.inner.authorizer;
        let mut round = 1;
        loop {
            let ticket = authorizer
                .ticket(place.registry, place.repository, scopes)
                .await
                .map_err(auth_failed)?;
            let response = self.transport_send(what, &carrying(request, &ticket)).await?;
            // A 401 or 403 of the host that we were redirected to is not the registry's word on who we are.
            let is_its_word = is_same_host_or_upgrade(&request.url, response.url());
            let is_challenge = is_its_word && response.status() == StatusCode::UNAUTHORIZED;
            let is_denial = is_its_word && response.status() == StatusCode::FORBIDDEN;
            let verdict = match round < ROUNDS {
                true if is_challenge => {
                    let refused = authorizer.refused(&ticket, response.url(), response.headers());
                    refused.await.map_err(auth_failed)?
                }
                true if is_denial => authorizer.denied(&ticket).await,
                _ => Verdict::GiveUp,
            };
            match verdict {
                Verdict::GiveUp => {
                    return Ok(Answer {
                        response,
                        provenance: ticket.provenance,
                    });
                }
                // The place in the host's schedule is given back before a token is fetched, perhaps from that host.
                Verdict::Retry => response.discard().await,
            }
            round += 1;
        }
    }

    /// Sends a request and reads its small body, again when the connection breaks within it. A response that is no
    /// success comes back unread.
    pub(crate) async fn fetch(
        &self,
        place: Place<'_>,
        scopes: &ScopeSet,
        what: &str,
        request: &Request<'_>,
        limit: usize,
    ) -> Result<Fetched, ClientError> {
        let mut backoff = self.inner.transport.backoff();
        loop {
            let answer = self.send(place, scopes, what, request).await?;
            if !answer.status().is_success() {
                return Ok(Fetched::Refused(answer));
            }
            let headers = answer.response.headers().clone();
            let url = answer.response.url().clone();
            match answer.response.bytes(limit).await {
                Ok(body) => return Ok(Fetched::Body(Document { url, headers, body })),
                Err(error @ NetError::BodyTooLarge { .. }) => return Err(ClientError::net(what, error)),
                Err(error) => {
                    let again = error.is_transient() && backoff.pause(None).await;
                    if !again {
                        return Err(ClientError::net(what, error.after_attempts(backoff.attempts())));
                    }
                }
            }
        }
    }

    async fn transport_send(&self, what: &str, request: &Request<'_>) -> Result<Response, ClientError> {
        let sent = self.inner.transport.send(request).await;
        sent.map_err(|error| ClientError::net(what, error))
    }
}

/// What [`Client::fetch`] brings.
pub(crate) enum Fetched {
    /// A success with its body.
    Body(Document),
    /// Anything else.
    Refused(Answer),
}

/// A body with its head.
pub(crate) struct Document {
    pub(crate) url: Uri,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Document {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn carrying<'a>(request: &Request<'a>, ticket: &Ticket) -> Request<'a> {
    let mut request = request.clone();
    if let Some(value) = &ticket.header {
        request.headers.insert(AUTHORIZATION, value.clone());
    }
    request
}

fn is_same_host(one: &http::uri::Authority, other: &http::uri::Authority) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

/// The same origin, or the same host on loopback that was found to speak plain HTTP only.
fn is_same_host_or_upgrade(asked: &Uri, answered: &Uri) -> bool {
    same_origin(asked, answered) || asked.authority() == answered.authority()
}

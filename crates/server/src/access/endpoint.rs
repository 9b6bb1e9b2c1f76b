//! Where tokens are given out (the Docker token protocol): `GET /token` with a password in `Authorization`, or
//! `POST /token` with a form as OAuth 2 has it.
//!
//! Only a wrong credential is refused. Who asks for more than there is gets a token for less, nobody in particular one
//! for what nobody in particular may do: that is how clients without a password pull what is public.

use std::time::Duration;

use http::{Method, StatusCode, header};
use landfall_oci::ErrorCode;
use serde::Serialize;

use super::htpasswd::Password;
use super::rules::Rules;
use super::scope::Grant;
use super::token::Use;
use super::{
    AccessControl, Asked, Credential, Identity, State, WRONG, certified, challenge, credential, opened,
};
use crate::body::{Rejected, RequestBody, whole};
use crate::budget::Claim;
use crate::clock::{rfc3339, unix_ms};
use crate::gate::Action;
use crate::query::Query;
use crate::registry::Peer;
use crate::reply::{Builder, Failure, Reply};

/// The largest form that makes sense: a few names of repositories and a token.
const MAX_FORM: usize = 64 * 1024;
/// How long one may take to arrive, however steadily it comes.
const FORM_TIME: Duration = Duration::from_secs(20);

/// The answer. `access_token` is OAuth 2's name for what docker calls `token`.
#[derive(Serialize)]
struct Answer {
    token: String,
    access_token: String,
    expires_in: u64,
    issued_at: String,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

impl AccessControl {
    /// Whether there are tokens.
    pub(crate) fn gives_tokens(&self) -> bool {
        self.options.tokens.is_some()
    }

    /// Answers a request for a token; the identity is for the log.
    pub(crate) async fn give_token<B: RequestBody>(
        &self,
        request: Asked<'_>,
        body: &mut B,
        patience: Duration,
        claim: &mut Claim,
        identity: &mut Identity,
    ) -> Result<Reply, Failure> {
        let form = match *request.method {
            Method::POST => form(body, patience, claim).await?,
            _ => Query::parse_form(request.uri.query().unwrap_or_default()),
        };
        let (state, options) = (self.state(), self.options.tokens.as_ref());
        let Some((signer, options)) = state.signer.as_ref().zip(options) else {
            return Err(Failure::unsupported("this registry gives no tokens"));
        };
        let mut grant = asked(&form, &options.service)?;
        let subject = match *request.method {
            Method::POST => self.subject_of_form(&state, &form, request.peer).await?,
            _ => self.subject_of_header(&state, request).await?,
        };
        *identity = subject.clone();
        limit(&mut grant, &state.rules, &subject);
        let offline = form.get("offline_token") == Some("true") || form.get("access_type") == Some("offline");
        // A certificate is shown again when it is needed; only a password is spared.
        let refreshable = offline && subject.user_name().is_some();
        let now = unix_ms() / 1000;
        let sign =
            |kind, grant, lifetime| signer.sign(kind, &subject, grant, state.users.as_deref(), now, lifetime);
        let scope = grant.to_scopes();
        let token = sign(Use::Access, grant, options.lifetime);
        let refresh = refreshable.then(|| sign(Use::Refresh, Grant::default(), options.refresh_lifetime));
        let answer = Answer {
            access_token: token.clone(),
            token,
            expires_in: options.lifetime.as_secs(),
            issued_at: rfc3339(now * 1000),
            scope,
            refresh_token: refresh,
        };
        Ok(Builder::new(StatusCode::OK)
            .header(header::CACHE_CONTROL, "no-store")
            .json(&answer, "application/json"))
    }

    async fn subject_of_header(&self, state: &State, request: Asked<'_>) -> Result<Identity, Failure> {
        match credential(request.headers) {
            Credential::None => Ok(certified(request.peer)),
            Credential::Basic(name, password) => self.subject(state, &name, password, request.peer).await,
            Credential::Bearer(_) | Credential::Unknown => {
                Err(unauthorized("tokens are given for a name and a password"))
            }
        }
    }

    async fn subject_of_form(&self, state: &State, form: &Query, peer: &Peer) -> Result<Identity, Failure> {
        let field = |name| form.get(name).unwrap_or_default();
        match field("grant_type") {
            "password" => {
                let password = Password(field("password").to_owned());
                self.subject(state, field("username"), password, peer).await
            }
            "refresh_token" => opened(state, Use::Refresh, field("refresh_token"))
                .map(|opened| opened.identity)
                .ok_or_else(|| unauthorized("the refresh token has ended: log in again")),
            _ => Err(bad("grant_type must be `password` or `refresh_token`")),
        }
    }

    async fn subject(
        &self,
        state: &State,
        name: &str,
        password: Password,
        peer: &Peer,
    ) -> Result<Identity, Failure> {
        if state.open {
            // Nobody has a password here, and nobody needs one.
            return Ok(certified(peer));
        }
        match self.log_in(state, name, password, peer).await? {
            true => Ok(Identity::user(name)),
            false => Err(unauthorized(WRONG)),
        }
    }
}

/// What is asked for, of this service.
fn asked(form: &Query, service: &str) -> Result<Grant, Failure> {
    let named = form.get("service").filter(|named| !named.is_empty());
    if named.is_some_and(|named| named != service) {
        return Err(bad(&format!(
            "this registry is the service `{service}`, and no other"
        )));
    }
    Grant::parse(form.all("scope")).ok_or_else(|| bad("these are too many scopes for one token"))
}

/// Leaves what the rules give now. They are asked again when the token is used.
fn limit(grant: &mut Grant, rules: &Rules, subject: &Identity) {
    grant.retain(|action, name| match action {
        Action::Pull => rules.may_let_read(subject, name),
        action => rules.allow(subject, action, name),
    });
    grant.catalog &= subject.name().is_some() || rules.let_read_anything(subject);
}

async fn form<B: RequestBody>(body: &mut B, patience: Duration, claim: &mut Claim) -> Result<Query, Failure> {
    let arrives = tokio::time::timeout(FORM_TIME, whole(body, MAX_FORM, patience, claim));
    let bytes = arrives
        .await
        .map_err(|_| bad("the form took too long to arrive"))?
        .map_err(|rejected| match rejected {
            Rejected::TooLarge => Failure::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                ErrorCode::SizeInvalid,
                "the form is larger than a request for a token can be",
            ),
            Rejected::Busy(failure) => failure,
            Rejected::Broken(_) => bad("the form did not arrive whole"),
        })?;
    let text = std::str::from_utf8(&bytes).map_err(|_| bad("the form is not text"))?;
    Ok(Query::parse_form(text))
}

fn bad(message: &str) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, ErrorCode::Unsupported, message)
}

/// Here only a password helps.
fn unauthorized(message: &str) -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message)
        .with(header::WWW_AUTHENTICATE, challenge::BASIC)
}

//! Azure: the metadata service and Entra ID, and a registry's challenge and exchange, on one port with TLS; the metadata
//! service on another without.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::service::{Asked, Reply, Service};
use crate::Identity;

/// How Azure misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AzureFault {
    /// The machine has no identity.
    NoIdentity,
    /// Entra ID does not accept the client.
    WrongClient,
    /// The registry does not accept the identity.
    Denied,
    /// The registry's token server is said to be elsewhere.
    OtherRealm,
    /// The registry asks for nothing.
    NoChallenge,
    /// The challenge's values are not quoted.
    Unquoted,
    /// The exchange gives nothing.
    Empty,
    /// It cannot answer now.
    Unavailable,
}

#[derive(Debug, Default)]
struct State {
    fault: Option<AzureFault>,
    rotation: u32,
}

/// A running Azure.
#[derive(Debug)]
pub struct FakeAzure {
    tls: Service,
    metadata: Service,
    state: Arc<Mutex<State>>,
}

/// The user of every registry token.
const NIL: &str = "00000000-0000-0000-0000-000000000000";

impl FakeAzure {
    /// The client's secret.
    pub const SECRET: &'static str = "client~secret&1";
    /// The token of the cluster that it trusts.
    pub const ASSERTION: &'static str = "cluster-token";
    /// What Entra ID gives.
    pub const ACCESS: &'static str = "entra-access-token";

    /// Starts one; the identity is for the names of the registries and of Entra ID.
    #[track_caller]
    pub fn start(tls: &Identity) -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        let (one, other) = (Arc::clone(&state), Arc::clone(&state));
        Self {
            tls: Service::start(Some(tls), move |asked| one.lock().unwrap().answer(asked)),
            metadata: Service::start(None, move |asked| other.lock().unwrap().metadata(asked)),
            state,
        }
    }

    /// The port with TLS, for a [`super::Detour`].
    pub fn port(&self) -> u16 {
        self.tls.port()
    }

    /// The server with TLS.
    pub fn service(&self) -> &Service {
        &self.tls
    }

    /// `http://127.0.0.1:PORT`, for `AZURE_POD_IDENTITY_AUTHORITY_HOST`.
    pub fn metadata_url(&self) -> String {
        format!("http://{}", self.metadata.address())
    }

    /// From now on (or not any more) it misbehaves.
    pub fn fault(&self, fault: impl Into<Option<AzureFault>>) {
        self.state.lock().unwrap().fault = fault.into();
    }

    /// From now on there is another refresh token.
    pub fn rotate(&self) {
        self.state.lock().unwrap().rotation += 1;
    }

    /// The refresh token that is good now.
    pub fn refresh_token(&self) -> String {
        self.state.lock().unwrap().refresh_token()
    }

    /// How often a token was exchanged.
    pub fn exchanges(&self) -> usize {
        self.tls.count(|asked| asked.uri.path() == "/oauth2/exchange")
    }
}

impl State {
    fn refresh_token(&self) -> String {
        let body = json!({"exp": 4_000_000_000_u64, "jti": self.rotation});
        format!("e30.{}.signature", URL_SAFE_NO_PAD.encode(body.to_string()))
    }

    fn metadata(&self, asked: &Asked) -> Reply {
        if asked.header("metadata") != "true" {
            let error = "Required metadata header not specified";
            return Reply::json(
                400,
                &json!({"error": "invalid_request", "error_description": error}),
            );
        }
        match asked.uri.path() {
            "/metadata/instance" => Reply::json(200, &json!({})),
            _ if self.fault == Some(AzureFault::NoIdentity) => Reply::json(
                400,
                &json!({"error": "invalid_request", "error_description": "Identity not found"}),
            ),
            "/metadata/identity/oauth2/token"
                if asked.field("resource").as_deref() == Some("https://containerregistry.azure.net") =>
            {
                Reply::json(
                    200,
                    &json!({"access_token": FakeAzure::ACCESS, "expires_in": "86399"}),
                )
            }
            _ => Reply::text(404, ""),
        }
    }

    fn answer(&self, asked: &Asked) -> Reply {
        let host = asked.header("host");
        match asked.uri.path() {
            _ if self.fault == Some(AzureFault::Unavailable) => Reply::text(503, ""),
            "/v2/" => self.challenge(host),
            "/oauth2/exchange" => self.exchange(asked, host),
            "/oauth2/token" => self.registry_token(asked),
            path if path.ends_with("/oauth2/v2.0/token") => self.entra(asked),
            // The images themselves.
            _ if asked.header("authorization") == format!("Bearer acr-{}", self.rotation) => {
                Reply::text(200, "content")
            }
            _ => self.challenge(host),
        }
    }

    fn challenge(&self, host: &str) -> Reply {
        let value = match self.fault {
            Some(AzureFault::NoChallenge) => return Reply::text(200, "{}"),
            Some(AzureFault::OtherRealm) => {
                format!("Bearer realm=\"https://evil.example/oauth2/token\",service=\"{host}\"")
            }
            Some(AzureFault::Unquoted) => format!("Bearer realm=https://{host}/oauth2/token,service={host}"),
            _ => format!("Bearer realm=\"https://{host}/oauth2/token\",service=\"{host}\""),
        };
        Reply::text(401, "").header("www-authenticate", value)
    }

    fn exchange(&self, asked: &Asked, host: &str) -> Reply {
        let is = |name: &str, value: &str| asked.field(name).as_deref() == Some(value);
        if self.fault == Some(AzureFault::Empty) {
            return Reply::json(200, &json!({}));
        }
        let is_right = is("grant_type", "access_token_refresh_token")
            && is("service", host)
            && is("access_token", FakeAzure::ACCESS)
            && is("refresh_token", FakeAzure::ACCESS);
        match is_right && self.fault != Some(AzureFault::Denied) {
            true => Reply::json(200, &json!({"refresh_token": self.refresh_token()})),
            false => {
                let error = json!({"code": "UNAUTHORIZED", "message": "authentication required"});
                Reply::json(401, &json!({"errors": [error]}))
            }
        }
    }

    /// The registry's own token server: the older way with user and password only.
    fn registry_token(&self, asked: &Asked) -> Reply {
        let pair =
            base64::engine::general_purpose::STANDARD.encode(format!("{NIL}:{}", self.refresh_token()));
        match asked.header("authorization") == format!("Basic {pair}") {
            true => Reply::json(200, &json!({"access_token": format!("acr-{}", self.rotation)})),
            false if asked.method == http::Method::POST => Reply::text(400, ""),
            false => Reply::text(401, ""),
        }
    }

    fn entra(&self, asked: &Asked) -> Reply {
        let is = |name: &str, value: &str| asked.field(name).as_deref() == Some(value);
        let is_known = is("client_secret", FakeAzure::SECRET)
            || is("client_assertion", FakeAzure::ASSERTION)
                && is(
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                );
        let is_right = is("grant_type", "client_credentials")
            && is("scope", "https://containerregistry.azure.net/.default")
            && asked.uri.path().starts_with("/tenant-1/");
        match is_known && is_right && self.fault != Some(AzureFault::WrongClient) {
            true => Reply::json(
                200,
                &json!({"access_token": FakeAzure::ACCESS, "expires_in": 3599}),
            ),
            false => {
                let error = "AADSTS7000215: Invalid client secret provided.";
                Reply::json(
                    401,
                    &json!({"error": "invalid_client", "error_description": error}),
                )
            }
        }
    }
}

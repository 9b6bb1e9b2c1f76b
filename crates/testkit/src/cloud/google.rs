//! Google: the metadata service, the token services, and a registry that takes their tokens.

use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::service::{Asked, Reply, Service};

/// How Google misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoogleFault {
    /// The machine has no service account.
    NoAccount,
    /// Answers do not say that they are Google's.
    NoFlavor,
    /// An answer that is not JSON.
    Garbage,
    /// A redirect to another host.
    Redirect,
    /// The account may not.
    Denied,
    /// Its token service cannot answer now.
    Unavailable,
}

#[derive(Debug, Default)]
struct State {
    fault: Option<GoogleFault>,
    rotation: u32,
    /// The public key of the service account (PKCS#1).
    public_key: Option<Vec<u8>>,
    ahead: i64,
}

/// A running Google.
#[derive(Debug)]
pub struct FakeGoogle {
    service: Service,
    state: Arc<Mutex<State>>,
}

impl FakeGoogle {
    /// The account.
    pub const EMAIL: &'static str = "mover@project.iam.gserviceaccount.com";
    /// The token of another identity provider that it trusts.
    pub const SUBJECT: &'static str = "subject-token";

    /// Starts one on loopback.
    #[track_caller]
    pub fn start() -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        let answering = Arc::clone(&state);
        let service = Service::start(None, move |asked| answering.lock().unwrap().answer(asked));
        Self { service, state }
    }

    /// `127.0.0.1:PORT`, for `GCE_METADATA_HOST`.
    pub fn host(&self) -> String {
        self.service.address()
    }

    /// The server itself.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// From now on (or not any more) it misbehaves.
    pub fn fault(&self, fault: impl Into<Option<GoogleFault>>) {
        self.state.lock().unwrap().fault = fault.into();
    }

    /// Accepts JWTs signed with this key (its public half, PKCS#1).
    pub fn public_key(&self, key: &[u8]) {
        self.state.lock().unwrap().public_key = Some(key.to_vec());
    }

    /// Its clock is so many seconds ahead of ours.
    pub fn ahead(&self, seconds: i64) {
        self.state.lock().unwrap().ahead = seconds;
    }

    /// The access token that is good now.
    pub fn token(&self) -> String {
        self.state.lock().unwrap().token()
    }

    /// From now on there is another token.
    pub fn rotate(&self) {
        self.state.lock().unwrap().rotation += 1;
    }

    /// How often a token was given by the metadata service.
    pub fn metadata_tokens(&self) -> usize {
        self.service
            .count(|asked| asked.uri.path().ends_with("/default/token"))
    }
}

impl State {
    fn token(&self) -> String {
        format!("ya29.access-{}", self.rotation)
    }

    fn answer(&self, asked: &Asked) -> Reply {
        let now = std::time::SystemTime::now()
            + std::time::Duration::from_secs(u64::try_from(self.ahead).unwrap_or(0));
        let reply = match (self.fault, asked.uri.path()) {
            (Some(GoogleFault::Redirect), _) => {
                Reply::text(302, "").header("location", "http://127.0.0.1:1/x")
            }
            (_, path) if path.starts_with("/computeMetadata/") => self.metadata(asked),
            (Some(GoogleFault::Unavailable), _) => Reply::text(503, ""),
            (Some(GoogleFault::Garbage), _) => Reply::text(200, "<html>"),
            (Some(GoogleFault::Denied), "/impersonate") => {
                let error =
                    json!({"code": 403, "status": "PERMISSION_DENIED", "message": "Permission denied"});
                Reply::json(403, &json!({"error": error}))
            }
            (Some(GoogleFault::Denied), _) => invalid_grant("account not found"),
            (_, "/token") => self.grant(asked),
            (_, "/sts") => self.exchange(asked),
            (_, "/impersonate") => {
                let is_known = asked.header("authorization") == "Bearer federated";
                let body = json!({"accessToken": self.token(), "expireTime": "2099-01-01T00:00:00Z"});
                if is_known {
                    Reply::json(200, &body)
                } else {
                    Reply::text(401, "")
                }
            }
            (_, "/subject") => Reply::json(200, &json!({"value": FakeGoogle::SUBJECT})),
            _ => Reply::text(404, ""),
        };
        reply.header("date", httpdate::fmt_http_date(now))
    }

    fn metadata(&self, asked: &Asked) -> Reply {
        if asked.header("metadata-flavor") != "Google" {
            return Reply::text(403, "Missing Metadata-Flavor:Google header.");
        }
        let reply = match (self.fault, asked.uri.path()) {
            (Some(GoogleFault::NoAccount), _) => Reply::text(404, ""),
            (Some(GoogleFault::Garbage), path) if path.ends_with("/token") => Reply::text(200, "<html>"),
            (Some(GoogleFault::Unavailable), path) if path.ends_with("/token") => Reply::text(503, ""),
            (_, path) if path.ends_with("/email") => Reply::text(200, FakeGoogle::EMAIL),
            (_, path) if path.ends_with("/token") => Reply::json(200, &self.access()),
            _ => Reply::text(404, ""),
        };
        match self.fault {
            Some(GoogleFault::NoFlavor) => reply,
            _ => reply.header("metadata-flavor", "Google"),
        }
    }

    fn access(&self) -> Value {
        json!({"access_token": self.token(), "expires_in": 3599, "token_type": "Bearer"})
    }

    fn grant(&self, asked: &Asked) -> Reply {
        match asked.field("grant_type").as_deref() {
            Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => match self.check(asked) {
                Ok(()) => Reply::json(200, &self.access()),
                Err(why) => invalid_grant(why),
            },
            Some("refresh_token") if asked.field("refresh_token").as_deref() == Some("1//refresh") => {
                Reply::json(200, &self.access())
            }
            _ => invalid_grant("Bad Request"),
        }
    }

    fn check(&self, asked: &Asked) -> Result<(), &'static str> {
        let jwt = asked.field("assertion").ok_or("no assertion")?;
        let (signed, signature) = jwt.rsplit_once('.').ok_or("no signature")?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "not encoded")?;
        let key = self.public_key.as_ref().ok_or("no key")?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| "Invalid JWT Signature.")?;
        let (_, claims) = signed.split_once('.').ok_or("no claims")?;
        let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| "not encoded")?;
        let claims: Value = serde_json::from_slice(&claims).map_err(|_| "not JSON")?;
        let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
        let now = i64::try_from(now).expect("before the end of time") + self.ahead;
        let (from, until) = (
            claims["iat"].as_i64().unwrap_or(0),
            claims["exp"].as_i64().unwrap_or(0),
        );
        if (from - now).abs() > 300 || until <= now || until - from > 3600 {
            return Err(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
            );
        }
        let is_whole =
            claims["iss"] == FakeGoogle::EMAIL && claims["scope"].is_string() && claims["aud"].is_string();
        if is_whole { Ok(()) } else { Err("claims") }
    }

    fn exchange(&self, asked: &Asked) -> Reply {
        let is = |name: &str, value: &str| asked.field(name).as_deref() == Some(value);
        let is_right = is("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
            && is(
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            )
            && is("subject_token_type", "urn:ietf:params:oauth:token-type:jwt")
            && is("subject_token", FakeGoogle::SUBJECT)
            && asked.field("audience").is_some();
        match is_right {
            true => Reply::json(200, &json!({"access_token": "federated", "expires_in": 3600})),
            false => invalid_grant("The subject token is invalid."),
        }
    }
}

fn invalid_grant(why: &str) -> Reply {
    Reply::json(400, &json!({"error": "invalid_grant", "error_description": why}))
}

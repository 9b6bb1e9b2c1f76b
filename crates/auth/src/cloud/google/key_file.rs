//! Files of Google credentials: a service account's key, what `gcloud auth application-default login` left, and the
//! trust in another identity provider (workload identity federation, RFC 8693).

use std::path::PathBuf;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use landfall_net::client::{Request, RequestBody};
use serde_json::{Value, json};

use super::signer::{Claims, assertion};
use super::{Access, Google, SCOPE, access, asked};
use crate::Secret;
use crate::cloud::calls::{self, post_form, read_file, read_named, sensitive, text};
use crate::cloud::clock::parse_iso;
use crate::cloud::failure::Failure;
use crate::exchange::form;

const VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A file of credentials that was read.
struct File {
    json: Value,
    /// For messages.
    name: String,
}

impl Google<'_> {
    /// The token by a file, and whose it is. `None`: there is no file.
    pub(super) async fn file(&self) -> Result<Option<(Access, String)>, Failure> {
        let Some((text_of_file, name)) = self.read().await? else {
            return Ok(None);
        };
        let bad = || {
            Failure::unusable(
                format!("{name} is no file of Google credentials (not JSON)"),
                "see what it is",
            )
        };
        let json = serde_json::from_str(&text_of_file).map_err(|_| bad())?;
        let file = File { json, name };
        let kind = text(&file.json, "type").unwrap_or("none");
        match kind {
            "service_account" => self.service_account(&file).await.map(Some),
            "authorized_user" => self.user(&file).await.map(Some),
            "external_account" => self.external(&file).await.map(Some),
            kind => Err(Failure::unusable(
                format!(
                    "{} holds credentials of the type `{}`, which is not supported",
                    file.name,
                    super::said(kind, &[])
                ),
                "use the key of a service account, workload identity federation, or `gcloud auth application-default login`",
            )),
        }
    }

    async fn read(&self) -> Result<Option<(String, String)>, Failure> {
        if let Some(path) = self.variables.path(VARIABLE) {
            let text = read_named(&path, VARIABLE).await?;
            return Ok(Some((text, path.display().to_string())));
        }
        let folder = self.variables.path("CLOUDSDK_CONFIG");
        let folder = folder.or_else(|| Some(self.home?.join(".config/gcloud")));
        let Some(path): Option<PathBuf> =
            folder.map(|folder| folder.join("application_default_credentials.json"))
        else {
            return Ok(None);
        };
        let name = path.display().to_string();
        let read = read_file(&path).await.map_err(|error| {
            Failure::unusable(
                format!("{name} cannot be read: {error}"),
                "see who may read the file",
            )
        })?;
        Ok(read.map(|text| (text, name)))
    }

    /// The key of a service account: a JWT, signed here.
    async fn service_account(&self, file: &File) -> Result<(Access, String), Failure> {
        let email = file.text("client_email")?;
        let pem = file.text("private_key")?;
        let url = file.url("token_uri", Some(TOKEN_URL))?;
        let audience = text(&file.json, "token_uri").unwrap_or(TOKEN_URL);
        let mut knows_time = false;
        loop {
            let claims = Claims {
                issuer: email,
                key_id: text(&file.json, "private_key_id"),
                audience,
                scope: SCOPE,
                now: self.clock.seconds(),
            };
            let signed = assertion(&claims, pem).ok_or_else(|| file.bad("its private_key is no RSA key"))?;
            let body = Bytes::from(form(&[("grant_type", JWT_BEARER), ("assertion", &signed)]));
            let answer = self.calls.service(post_form(url.clone(), &body)).await?;
            // A JWT of another hour is refused as `invalid_grant`.
            if !knows_time && answer.status.as_u16() == 400 && self.clock.learn(&answer.headers) {
                knows_time = true;
                continue;
            }
            let access = access(&answer, asked(&url), email, &[&signed])?;
            return Ok((access, format!("{email} by {}", file.name)));
        }
    }

    /// What a person left who logged in with a browser.
    async fn user(&self, file: &File) -> Result<(Access, String), Failure> {
        let secret = file.text("client_secret")?;
        let refresh = file.text("refresh_token")?;
        let body = Bytes::from(form(&[
            ("grant_type", "refresh_token"),
            ("client_id", file.text("client_id")?),
            ("client_secret", secret),
            ("refresh_token", refresh),
        ]));
        let url = file.url("token_uri", Some(TOKEN_URL))?;
        let answer = self.calls.service(post_form(url.clone(), &body)).await?;
        let whom = format!("the login in {}", file.name);
        Ok((access(&answer, asked(&url), &whom, &[secret, refresh])?, whom))
    }

    /// A token of another identity provider for one of Google's, and that perhaps for one of a service account.
    async fn external(&self, file: &File) -> Result<(Access, String), Failure> {
        let subject = self.subject(file).await?;
        let url = file.url("token_url", None)?;
        let body = Bytes::from(form(&[
            ("grant_type", TOKEN_EXCHANGE),
            ("audience", file.text("audience")?),
            ("scope", SCOPE),
            ("requested_token_type", ACCESS_TOKEN),
            ("subject_token_type", file.text("subject_token_type")?),
            ("subject_token", &subject),
        ]));
        let answer = self.calls.service(post_form(url.clone(), &body)).await?;
        let whom = format!("the federated identity of {}", file.name);
        let federated = access(&answer, asked(&url), &whom, &[&subject])?;
        match text(&file.json, "service_account_impersonation_url") {
            None => Ok((federated, whom)),
            Some(_) => Ok((self.impersonate(file, &federated, &whom).await?, whom)),
        }
    }

    async fn impersonate(&self, file: &File, by: &Access, whom: &str) -> Result<Access, Failure> {
        let url = file.url("service_account_impersonation_url", None)?;
        let body = Bytes::from(json!({"scope": [SCOPE]}).to_string());
        let bearer = sensitive(&format!("Bearer {}", by.token.expose()));
        let bearer = bearer.ok_or_else(|| file.bad("the token of its identity is no header"))?;
        let request = Request::new(Method::POST, url.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(AUTHORIZATION, bearer)
            .body(RequestBody::Bytes(&body));
        let answer = self.calls.service(request).await?;
        if !answer.status.is_success() {
            return Err(super::refusal(&answer, asked(&url), whom, &[by.token.expose()]));
        }
        let json = answer.json().unwrap_or(Value::Null);
        let token =
            text(&json, "accessToken").ok_or_else(|| file.bad("there is no token in the answer to it"))?;
        let ends = text(&json, "expireTime").and_then(parse_iso);
        Ok(Access {
            token: Secret::new(token),
            life: ends.map(|ends| ends - self.clock.seconds()),
        })
    }

    /// The token of the other identity provider.
    async fn subject(&self, file: &File) -> Result<String, Failure> {
        let source = file.json.get("credential_source").unwrap_or(&Value::Null);
        let written = if let Some(path) = text(source, "file") {
            read_named(path.as_ref(), "credential_source").await?
        } else if let (Some(url), None) = (text(source, "url"), text(source, "environment_id")) {
            self.fetch_subject(source, calls::url(url, "credential_source")?)
                .await?
        } else {
            return Err(file.bad(
                "its credential_source is neither a file nor a URL (AWS and programs are not supported)",
            ));
        };
        let format = source.get("format").unwrap_or(&Value::Null);
        if text(format, "type") != Some("json") {
            return Ok(written.trim().to_owned());
        }
        let field = text(format, "subject_token_field_name").unwrap_or("access_token");
        let json = serde_json::from_str::<Value>(&written).unwrap_or(Value::Null);
        let token = text(&json, field).map(str::to_owned);
        token.ok_or_else(|| file.bad("there is no token where its credential_source says"))
    }

    async fn fetch_subject(&self, source: &Value, url: Uri) -> Result<String, Failure> {
        let mut request = Request::new(Method::GET, url.clone());
        request.headers = headers(source.get("headers"));
        let answer = self.calls.service(request).await?;
        match answer.status.is_success() {
            true => Ok(String::from_utf8_lossy(&answer.body).into_owned()),
            false => Err(super::refusal(
                &answer,
                format!("a token from {}", calls::shown(&url)),
                "nobody",
                &[],
            )),
        }
    }
}

fn headers(json: Option<&Value>) -> HeaderMap {
    let pairs = json.and_then(Value::as_object).into_iter().flatten();
    pairs
        .filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, sensitive(value.as_str()?)?)))
        .collect()
}

impl File {
    fn text(&self, name: &str) -> Result<&str, Failure> {
        text(&self.json, name).ok_or_else(|| self.bad(&format!("it has no `{name}`")))
    }

    /// A URL to which a secret goes: with TLS, or on this machine.
    fn url(&self, name: &str, usual: Option<&str>) -> Result<Uri, Failure> {
        let given = text(&self.json, name).or(usual);
        let given = given.ok_or_else(|| self.bad(&format!("it has no `{name}`")))?;
        calls::url(given, &format!("`{name}` in {}", self.name))
    }

    fn bad(&self, reason: &str) -> Failure {
        Failure::unusable(
            format!("the Google credentials in {} cannot be used: {reason}", self.name),
            "download the file again, or correct it",
        )
    }
}

//! The requests to one endpoint, in containerd's order.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use landfall_auth::{
    AuthError, Challenge, Credential, Exchange, Found, Manner, Realm, Realms, ScopeSet, basic_header,
    bearer_header,
};
use landfall_net::client::{NetError, Request, Response, Transport};
use landfall_oci::Algorithm;
use landfall_registries::{Attempt, Presented};

use super::recorder::Recorder;
use super::redact::Sieve;
use super::report::{Cause, Finding, Manifest, Step, StepKind};
use super::verdict::{self, Refusal, is_html};

/// What containerd accepts.
const MANIFESTS: &str = "application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*";
/// containerd reads no larger manifest than this.
const MAX_MANIFEST_BYTES: usize = 8 << 20;
/// A question of our own does not take longer.
const INQUIRY: Duration = Duration::from_secs(3);

/// Why an endpoint does not serve.
pub(super) enum Trouble {
    /// The way to it.
    Net(NetError),
    /// Anything else, found out already.
    Found(Finding),
}

impl Trouble {
    pub(super) fn finding(self, diagnose: impl FnOnce(&NetError) -> Finding) -> Finding {
        match self {
            Self::Net(error) => diagnose(&error),
            Self::Found(finding) => finding,
        }
    }
}

impl From<NetError> for Trouble {
    fn from(error: NetError) -> Self {
        Self::Net(error)
    }
}

/// One endpoint's conversation.
pub(super) struct Talk<'a> {
    pub(super) attempt: &'a Attempt,
    pub(super) transport: &'a Transport,
    pub(super) recorder: &'a Recorder,
    pub(super) now: SystemTime,
}

impl Talk<'_> {
    /// Asks until there is a manifest or a reason why not.
    pub(super) async fn run(&self, url: Uri, sieve: &mut Sieve) -> Result<Manifest, Trouble> {
        let (url, answer) = self.first(url).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return self.conclude(&url, answer, None).await;
        }
        let challenges = challenges(answer.headers());
        let answered_by = answer.url().clone();
        answer.discard().await;
        self.note_challenges(&challenges);
        let (header, had_token) = self.authorise(&challenges, &answered_by, sieve).await?;
        self.recorder.phase(StepKind::Manifest);
        let answer = self.send(Method::HEAD, &url, Some(&header)).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            self.recorder.last_is_bad("");
            let found = verdict::unauthorized(self.attempt, &challenges, had_token);
            return Err(Trouble::Found(found));
        }
        self.conclude(&url, answer, Some(&header)).await
    }

    /// The first request: with a fallback to plain HTTP where the runtime has one.
    async fn first(&self, url: Uri) -> Result<(Uri, Response), Trouble> {
        let outcome = self.send(Method::HEAD, &url, None).await;
        let has_port = url.port().is_some();
        let falls_back = |error: &NetError| match error.root() {
            NetError::NotTls { .. } => true,
            NetError::Connect { .. } | NetError::Timeout { .. } => !has_port,
            _ => false,
        };
        match outcome {
            Err(error) if self.attempt.http_fallback && falls_back(&error) => {
                let plain = with_scheme(&url, "http");
                Ok((plain.clone(), self.send(Method::HEAD, &plain, None).await?))
            }
            Err(error @ NetError::Interrupted { .. }) if url.scheme_str() == Some("http") => Err(self
                .plain_to_tls(&url)
                .await
                .map_or(Trouble::Net(error), Trouble::Found)),
            Err(error) => Err(error.into()),
            Ok(answer) if answer.status() == StatusCode::BAD_REQUEST => {
                let answer = self.refusal(answer, &url, None).await;
                Err(Trouble::Found(self.bad_request(&url, &answer).await))
            }
            Ok(answer) => Ok((url, answer)),
        }
    }

    async fn send(
        &self,
        method: Method,
        url: &Uri,
        header: Option<&HeaderValue>,
    ) -> Result<Response, NetError> {
        let accept = HeaderValue::from_static(MANIFESTS);
        let mut request = Request::new(method, url.clone()).header(ACCEPT, accept);
        if let Some(header) = header {
            request = request.header(AUTHORIZATION, header.clone());
        }
        self.transport.send(&request).await
    }

    fn note_challenges(&self, challenges: &[Challenge]) {
        let shown = challenges.iter().map(|challenge| match challenge {
            Challenge::Basic { realm } => format!("Basic, realm `{}`", realm.as_deref().unwrap_or_default()),
            Challenge::Bearer {
                realm,
                service,
                scope,
                ..
            } => format!(
                "Bearer, token server {}, service `{}`, scope `{}`",
                realm.parse().map_or_else(
                    |_| "(unreadable)".to_owned(),
                    |realm: Uri| landfall_net::client::ShownUrl::new(&realm).to_string()
                ),
                service.as_deref().unwrap_or_default(),
                scope.as_deref().unwrap_or_default()
            ),
            Challenge::Other { scheme } => scheme.clone(),
        });
        let shown: Vec<_> = shown.collect();
        self.recorder.push(Step {
            kind: StepKind::Challenge,
            target: self.attempt.host.clone(),
            micros: 0,
            ok: !shown.is_empty(),
            detail: match shown.is_empty() {
                true => "401 without WWW-Authenticate".to_owned(),
                false => shown.join("; "),
            },
        });
    }

    /// The header that answers a challenge, and whether it is a token. Bearer goes before Basic.
    async fn authorise(
        &self,
        challenges: &[Challenge],
        answered_by: &Uri,
        sieve: &mut Sieve,
    ) -> Result<(HeaderValue, bool), Trouble> {
        let bearer = challenges.iter().find_map(|challenge| match challenge {
            Challenge::Bearer {
                realm,
                service,
                scope,
                ..
            } => Some((realm, service, scope)),
            _ => None,
        });
        if let Some((realm, service, scope)) = bearer {
            self.recorder.phase(StepKind::Token);
            let token = self
                .token(realm, service.clone(), scope.as_deref(), answered_by, sieve)
                .await;
            return token.map(|header| (header, true));
        }
        let wants_basic = challenges
            .iter()
            .any(|one| matches!(one, Challenge::Basic { .. }));
        let header = match &self.attempt.presented {
            Presented::Basic { username, password }
                if wants_basic && !username.is_empty() && !password.is_empty() =>
            {
                basic_header(username, password)
            }
            _ => None,
        };
        let refused = || {
            self.recorder.last_is_bad("");
            Trouble::Found(verdict::unauthorized(self.attempt, challenges, false))
        };
        Ok((header.ok_or_else(refused)?, false))
    }

    async fn token(
        &self,
        realm: &str,
        service: Option<String>,
        scope: Option<&str>,
        answered_by: &Uri,
        sieve: &mut Sieve,
    ) -> Result<HeaderValue, Trouble> {
        let found = Found {
            credential: credential(&self.attempt.presented),
            provenance: "the node's configuration".into(),
        };
        let failed = |error: AuthError| {
            if self.recorder.last() == Some(StepKind::Token) {
                self.recorder.last_is_bad("");
            }
            match error {
                AuthError::Net { source, .. } => Trouble::Net(source),
                error => Trouble::Found(verdict::token_failed(&error, self.attempt)),
            }
        };
        let host = &self.attempt.host;
        let realm = Realm::check(
            &Realms::Anywhere,
            host,
            answered_by,
            realm,
            service,
            &found.credential,
        )
        .map_err(failed)?;
        let mut scopes = ScopeSet::parse(&self.attempt.token_scope);
        scopes.merge(&ScopeSet::parse(scope.unwrap_or_default()));
        let exchange = Exchange {
            transport: self.transport,
            registry: host,
            realm: &realm,
            found: &found,
            scopes: &scopes,
            manner: Manner::Containerd,
        };
        let issued = exchange.run(false).await.map_err(failed)?;
        sieve.add(issued.token.expose());
        bearer_header(&issued.token).ok_or_else(|| {
            failed(AuthError::BadAnswer {
                realm: realm.url().host().unwrap_or_default().to_owned(),
                reason: "its token cannot be sent in a header".to_owned(),
            })
        })
    }

    /// What an answer other than 401 means.
    async fn conclude(
        &self,
        url: &Uri,
        answer: Response,
        header: Option<&HeaderValue>,
    ) -> Result<Manifest, Trouble> {
        let status = answer.status();
        if status.is_success() || status == StatusCode::METHOD_NOT_ALLOWED {
            return self.manifest(url, answer, header).await;
        }
        self.recorder.last_is_bad("");
        let refusal = self.refusal(answer, url, header).await;
        Err(Trouble::Found(match status {
            StatusCode::NOT_FOUND => {
                let ping = match refusal.is_registry() {
                    true => None,
                    false => self.ping(url).await,
                };
                verdict::missing(&refusal, self.attempt, ping.as_ref())
            }
            StatusCode::UNAUTHORIZED => {
                verdict::unauthorized(self.attempt, &challenges(&refusal.headers), false)
            }
            _ => verdict::judge(&refusal, self.attempt, self.now),
        }))
    }

    /// A success: a manifest, or something that only looks like one.
    async fn manifest(
        &self,
        url: &Uri,
        answer: Response,
        header: Option<&HeaderValue>,
    ) -> Result<Manifest, Trouble> {
        let text = |name: &str| answer.header(name).map(str::to_owned);
        let mut manifest = Manifest {
            digest: text("docker-content-digest"),
            media_type: text("content-type"),
            size: answer.content_length(),
        };
        let media_type = manifest.media_type.clone().unwrap_or_default();
        if manifest.digest.is_some() && !is_html(&media_type, b"") {
            return Ok(manifest);
        }
        // Without a digest, or after 405, containerd reads the manifest itself.
        answer.discard().await;
        let answer = self.send(Method::GET, url, header).await?;
        if !answer.status().is_success() {
            self.recorder.last_is_bad("");
            let refusal = self.refusal(answer, url, header).await;
            return Err(Trouble::Found(verdict::judge(&refusal, self.attempt, self.now)));
        }
        let media_type = answer.header("content-type").unwrap_or_default().to_owned();
        let body: Bytes = answer.bytes(MAX_MANIFEST_BYTES).await?;
        if is_html(&media_type, &body) {
            self.recorder.last_is_bad("an HTML page");
            return Err(Trouble::Found(verdict::intercepted(
                &self.attempt.host,
                "an HTML page",
            )));
        }
        if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&body).is_err() {
            self.recorder.last_is_bad("not a manifest");
            return Err(Trouble::Found(verdict::intercepted(
                &self.attempt.host,
                "something that is no manifest",
            )));
        }
        manifest.digest = Some(landfall_hash::digest(Algorithm::Sha256, &body).to_string());
        manifest.media_type = Some(media_type).filter(|text| !text.is_empty());
        manifest.size = Some(body.len() as u64);
        Ok(manifest)
    }

    /// An answer with its words. A HEAD has none, so the same is asked once more as GET, but not of a registry that
    /// has had too many requests.
    async fn refusal(&self, answer: Response, url: &Uri, header: Option<&HeaderValue>) -> Refusal {
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = answer.error_body().await.to_vec();
        if body.is_empty() && status != StatusCode::TOO_MANY_REQUESTS {
            self.recorder.phase(StepKind::Inquiry);
            if let Ok(answer) = self.send(Method::GET, url, header).await
                && answer.status() == status
            {
                body = answer.error_body().await.to_vec();
            }
        }
        Refusal {
            status,
            headers,
            body,
        }
    }

    /// Whether there is a registry at all.
    async fn ping(&self, url: &Uri) -> Option<Refusal> {
        self.recorder.phase(StepKind::Inquiry);
        let url = with_path(url, "/v2/")?;
        let answer = self.transport.send(&Request::new(Method::GET, url)).await.ok()?;
        Some(Refusal {
            status: answer.status(),
            headers: answer.headers().clone(),
            body: answer.error_body().await.to_vec(),
        })
    }

    /// 400: HTTP to a TLS port, or a registry that does not like `ns`.
    async fn bad_request(&self, url: &Uri, refusal: &Refusal) -> Finding {
        self.recorder.last_is_bad("");
        if url.scheme_str() == Some("http")
            && let Some(finding) = self.plain_to_tls(url).await
        {
            return finding;
        }
        let has_namespace = url.query().is_some_and(|query| query.contains("ns="));
        if has_namespace && let Some(bare) = with_path(url, url.path()) {
            self.recorder.phase(StepKind::Inquiry);
            let answer = self.send(Method::HEAD, &bare, None).await;
            if answer.is_ok_and(|answer| matches!(answer.status().as_u16(), 200 | 401 | 404)) {
                return Finding::new(
                    StepKind::Manifest,
                    Cause::NamespaceRefused,
                    format!(
                        "{} refuses the query `ns`, which containerd sends to every mirror",
                        self.attempt.host
                    ),
                    &[
                        "have the proxy in front of the registry drop the query, or use a registry that takes it: \
                         containerd cannot leave it out",
                    ],
                );
            }
        }
        verdict::judge(refusal, self.attempt, self.now)
    }

    /// Whether a port that does not understand our HTTP speaks TLS.
    async fn plain_to_tls(&self, url: &Uri) -> Option<Finding> {
        self.recorder.phase(StepKind::Inquiry);
        let url = with_scheme(url, "https");
        // Whoever waits for the end of an HTTP head never answers a handshake.
        let asked = tokio::time::timeout(INQUIRY, self.send(Method::HEAD, &url, None))
            .await
            .ok()?;
        let speaks_tls = match &asked {
            Ok(_) => true,
            Err(error) => matches!(
                error.root(),
                NetError::TlsUnknownCa { .. }
                    | NetError::TlsExpired { .. }
                    | NetError::TlsWrongName { .. }
                    | NetError::TlsClientCertificate { .. }
            ),
        };
        speaks_tls.then(|| {
            let host = &self.attempt.host;
            Finding::new(
                StepKind::Manifest,
                Cause::TlsPort,
                format!("{host} was asked for plain HTTP, and this port speaks HTTPS"),
                &["write the endpoint with `https://`"],
            )
        })
    }
}

fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter();
    values
        .flat_map(|value| Challenge::parse(&String::from_utf8_lossy(value.as_bytes())))
        .collect()
}

/// What a token server is shown: containerd asks without a credential where the secret is empty.
fn credential(presented: &Presented) -> Credential {
    match presented {
        Presented::Basic { username, password } if !password.is_empty() => Credential::Basic {
            username: username.clone(),
            password: password.clone(),
        },
        Presented::IdentityToken(token) if !token.is_empty() => {
            Credential::IdentityToken { token: token.clone() }
        }
        _ => Credential::Anonymous,
    }
}

fn with_scheme(url: &Uri, scheme: &str) -> Uri {
    let mut parts = url.clone().into_parts();
    parts.scheme = scheme.parse().ok();
    Uri::from_parts(parts).unwrap_or_else(|_| url.clone())
}

/// The same host with another path and no query.
fn with_path(url: &Uri, path: &str) -> Option<Uri> {
    let mut parts = url.clone().into_parts();
    parts.path_and_query = Some(path.parse().ok()?);
    Uri::from_parts(parts).ok()
}

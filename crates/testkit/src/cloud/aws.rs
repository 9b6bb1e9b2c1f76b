//! AWS: ECR, ECR public and STS on one port, and the metadata services that give keys.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::service::{Asked, Reply, Service};
use super::signature::{Claim, Wrong, seconds};

/// The account of every registry and key.
const ACCOUNT: &str = "123456789012";

/// Access keys that the fake knows.
#[derive(Clone, Debug)]
pub struct AwsKeys {
    /// The id.
    pub id: String,
    /// The secret.
    pub secret: String,
    /// The session token that goes with them.
    pub session: Option<String>,
}

/// How AWS misbehaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwsFault {
    /// The identity has no right to it.
    Denied,
    /// The session of the keys is over.
    KeysOver,
    /// A success without data.
    Empty,
    /// A token that is no pair.
    NoColon,
    /// A token that is not encoded.
    NotBase64,
    /// A token that has expired already.
    Expired,
    /// A token that does not say when it ends.
    NoEnd,
    /// A token of another region.
    OtherRegion,
    /// A page for people.
    Html,
    /// "Later", so often, with a status of 400.
    Throttled(u32),
    /// "Later", so often, with a status of 503.
    Unavailable(u32),
    /// An answer after this time.
    Slow(Duration),
    /// The metadata service has no role.
    NoRole,
    /// A redirect to another host.
    Redirect,
}

/// What it knows and does.
#[derive(Debug)]
pub(super) struct State {
    keys: Vec<AwsKeys>,
    /// How far its clock is ahead of ours.
    ahead: i64,
    region: Option<String>,
    fault: Option<AwsFault>,
    rotation: u32,
    pub(super) web_token: String,
    container_token: Option<String>,
    repositories: Vec<String>,
    issued: u32,
}

/// A running AWS.
#[derive(Debug)]
pub struct FakeAws {
    service: Service,
    state: Arc<Mutex<State>>,
}

impl FakeAws {
    /// The keys that it knows from the start.
    pub fn keys() -> AwsKeys {
        AwsKeys {
            id: "AKIDEXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session: None,
        }
    }

    /// Starts one on loopback.
    #[track_caller]
    pub fn start() -> Self {
        Self::with(None)
    }

    /// Starts one; with an identity it speaks TLS.
    #[track_caller]
    pub fn with(tls: Option<&crate::Identity>) -> Self {
        let state = Arc::new(Mutex::new(State {
            keys: vec![Self::keys()],
            ahead: 0,
            region: None,
            fault: None,
            rotation: 1,
            web_token: "web-identity-token".to_owned(),
            container_token: None,
            repositories: Vec::new(),
            issued: 0,
        }));
        let answering = Arc::clone(&state);
        let service = Service::start(tls, move |asked| answering.lock().unwrap().answer(asked));
        Self { service, state }
    }

    /// `http://127.0.0.1:PORT`, for `AWS_ENDPOINT_URL` and the metadata services.
    pub fn url(&self) -> String {
        format!("http://{}", self.service.address())
    }

    /// The server itself.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// From now on (or not any more) it misbehaves.
    pub fn fault(&self, fault: impl Into<Option<AwsFault>>) {
        self.state.lock().unwrap().fault = fault.into();
    }

    /// It is of this region alone.
    pub fn region(&self, region: &str) {
        self.state.lock().unwrap().region = Some(region.to_owned());
    }

    /// Its clock is so many seconds ahead of ours.
    pub fn ahead(&self, seconds: i64) {
        self.state.lock().unwrap().ahead = seconds;
    }

    /// Knows these keys, too.
    pub fn add(&self, keys: AwsKeys) {
        self.state.lock().unwrap().keys.push(keys);
    }

    /// Forgets all keys that came with a session: they are over.
    pub fn end_sessions(&self) {
        self.state
            .lock()
            .unwrap()
            .keys
            .retain(|keys| keys.session.is_none());
    }

    /// The container's agent wants this `Authorization`.
    pub fn container_token(&self, token: &str) {
        self.state.lock().unwrap().container_token = Some(token.to_owned());
    }

    /// The password that is good now.
    pub fn password(&self) -> String {
        self.state.lock().unwrap().password()
    }

    /// From now on there is another password; those handed out are over.
    pub fn rotate(&self) {
        self.state.lock().unwrap().rotation += 1;
    }

    /// The repositories that were made.
    pub fn repositories(&self) -> Vec<String> {
        self.state.lock().unwrap().repositories.clone()
    }

    /// How often a token was asked for.
    pub fn tokens(&self) -> usize {
        self.service
            .count(|asked| asked.header("x-amz-target").ends_with("GetAuthorizationToken"))
    }

    /// How often STS was asked for an action.
    pub fn roles(&self, action: &str) -> usize {
        self.service
            .count(|asked| asked.field("Action").as_deref() == Some(action))
    }

    /// Everything secret that it knows or gave.
    pub fn secrets(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let keys = state
            .keys
            .iter()
            .flat_map(|keys| [Some(keys.secret.clone()), keys.session.clone()]);
        let others = [
            Some(state.web_token.clone()),
            state.container_token.clone(),
            Some(state.password()),
        ];
        keys.chain(others).flatten().collect()
    }
}

impl State {
    fn password(&self) -> String {
        format!("password-{}", self.rotation)
    }

    fn now(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        i64::try_from(now.as_secs()).expect("before the end of time") + self.ahead
    }

    fn answer(&mut self, asked: &Asked) -> Reply {
        let date = UNIX_EPOCH + Duration::from_secs(u64::try_from(self.now()).expect("after 1970"));
        let slow = match &self.fault {
            Some(AwsFault::Slow(delay)) => *delay,
            _ => Duration::ZERO,
        };
        self.route(asked).header("date", httpdate(date)).after(slow)
    }

    fn route(&mut self, asked: &Asked) -> Reply {
        match &mut self.fault {
            Some(AwsFault::Html) => return Reply::text(200, "<html>proxy</html>"),
            Some(AwsFault::Redirect) => {
                return Reply::text(307, "").header("location", "http://127.0.0.1:1/");
            }
            Some(AwsFault::Throttled(left)) if *left > 0 => {
                *left -= 1;
                return refuse("ThrottlingException", "Rate exceeded");
            }
            Some(AwsFault::Unavailable(left)) if *left > 0 => {
                *left -= 1;
                return Reply::text(503, "");
            }
            _ => {}
        }
        let target = asked.header("x-amz-target").to_owned();
        match asked.uri.path() {
            "/latest/api/token" => self.metadata_token(asked),
            "/container" => self.container(asked),
            path if path.starts_with("/latest/") => self.metadata(asked),
            _ if asked.field("Action").is_some() => self.sts(asked),
            _ => match target.split_once('.') {
                Some(("AmazonEC2ContainerRegistry_V20150921", what)) => self.ecr(asked, what, true),
                Some(("SpencerFrontendService", what)) => self.ecr(asked, what, false),
                _ => refuse("UnknownOperationException", ""),
            },
        }
    }

    fn ecr(&mut self, asked: &Asked, what: &str, is_private: bool) -> Reply {
        let (service, name) = if is_private {
            ("ecr", "ecr")
        } else {
            ("ecr-public", "ecr-public")
        };
        let claim = match self.verify(asked, service) {
            Ok(claim) => claim,
            Err((code, message)) => return refuse(code, &message),
        };
        if self.fault == Some(AwsFault::Denied) {
            let message = format!(
                "User: arn:aws:iam::{ACCOUNT}:user/mover is not authorized to perform: {name}:{what} on resource: * \
                 because no identity-based policy allows the {name}:{what} action"
            );
            return refuse("AccessDeniedException", &message);
        }
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        match what {
            "GetAuthorizationToken" => self.token(&claim.region, is_private),
            "CreateRepository" => {
                let repository = body["repositoryName"].as_str().unwrap_or_default().to_owned();
                if self.repositories.contains(&repository) {
                    return refuse("RepositoryAlreadyExistsException", "it is there");
                }
                self.repositories.push(repository.clone());
                Reply::json(200, &json!({"repository": {"repositoryName": repository}}))
            }
            _ => refuse("UnknownOperationException", ""),
        }
    }

    fn token(&self, region: &str, is_private: bool) -> Reply {
        let fault = self.fault.as_ref();
        let token = match fault {
            Some(AwsFault::NoColon) => STANDARD.encode("AWS"),
            Some(AwsFault::NotBase64) => "***".to_owned(),
            _ => STANDARD.encode(format!("AWS:{}", self.password())),
        };
        let region = if fault == Some(&AwsFault::OtherRegion) {
            "ap-south-1"
        } else {
            region
        };
        let mut entry = json!({
            "authorizationToken": token,
            "expiresAt": self.now() as f64 + 43_200.25,
            "proxyEndpoint": format!("https://{ACCOUNT}.dkr.ecr.{region}.amazonaws.com"),
        });
        match fault {
            Some(AwsFault::Expired) => entry["expiresAt"] = (self.now() - 1).into(),
            Some(AwsFault::NoEnd) => entry["expiresAt"] = Value::Null,
            _ => {}
        }
        let data = match (fault, is_private) {
            (Some(AwsFault::Empty), true) => json!([]),
            (Some(AwsFault::Empty), false) => Value::Null,
            (_, true) => json!([entry]),
            (_, false) => entry,
        };
        Reply::json(200, &json!({"authorizationData": data}))
    }

    /// Checks a signature as AWS does, in its words.
    pub(super) fn verify(&self, asked: &Asked, service: &str) -> Result<Claim, (&'static str, String)> {
        let claim = Claim::read(asked).map_err(|wrong| ("IncompleteSignature", format!("{wrong:?}")))?;
        let keys = self.keys.iter().find(|keys| keys.id == claim.id);
        let session = asked.header("x-amz-security-token");
        let Some(keys) = keys else {
            return Err(match session {
                "" => (
                    "UnrecognizedClientException",
                    "The security token included in the request is invalid.".into(),
                ),
                _ => (
                    "ExpiredTokenException",
                    "The security token included in the request is expired".into(),
                ),
            });
        };
        if self.fault == Some(AwsFault::KeysOver) {
            return Err((
                "ExpiredTokenException",
                "The security token included in the request is expired".into(),
            ));
        }
        if keys.session.as_deref().unwrap_or_default() != session {
            let message = "The security token included in the request is invalid.".to_owned();
            return Err(("UnrecognizedClientException", message));
        }
        if self.region.as_ref().is_some_and(|region| *region != claim.region) {
            let message = format!(
                "Credential should be scoped to a valid region, not '{}'. ",
                claim.region
            );
            return Err(("InvalidSignatureException", message));
        }
        if claim.service != service {
            let message = format!("Credential should be scoped to correct service: '{service}'. ");
            return Err(("InvalidSignatureException", message));
        }
        claim.check(asked, &keys.secret).map_err(|wrong| match wrong {
            Wrong::Missing(what) => ("IncompleteSignature", what),
            Wrong::Mismatch(canonical) => (
                "InvalidSignatureException",
                format!(
                    "The request signature we calculated does not match the signature you provided. Check your AWS \
                     Secret Access Key and signing method.\n\nThe Canonical String for this request should have \
                     been\n'{canonical}'"
                ),
            ),
        })?;
        let date = asked.header("x-amz-date");
        let off = seconds(date).map(|then| then - self.now());
        if off.is_none_or(|off| off.abs() > 300) {
            return Err((
                "InvalidSignatureException",
                format!("Signature expired: {date} is now too early or late"),
            ));
        }
        Ok(claim)
    }

    /// New keys with a session.
    pub(super) fn issue(&mut self) -> (AwsKeys, String) {
        self.issued += 1;
        let keys = AwsKeys {
            id: format!("ASIAISSUED{}", self.issued),
            secret: format!("issued-secret-{}", self.issued),
            session: Some(format!("issued/session+token=={}", self.issued)),
        };
        self.keys.push(keys.clone());
        (keys, self.iso(3600))
    }

    /// The time in so many seconds, as AWS writes it.
    fn iso(&self, later: i64) -> String {
        let then = u64::try_from(self.now() + later).expect("after 1970");
        let text = httpdate(UNIX_EPOCH + Duration::from_secs(then));
        let parts: Vec<&str> = text.split(' ').collect();
        let [_, day, month, year, clock, _] = parts[..] else {
            panic!("a date has six parts: {text}");
        };
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let month = months.iter().position(|name| *name == month).expect("a month") + 1;
        format!("{year}-{month:02}-{day}T{clock}Z")
    }

    fn sts(&mut self, asked: &Asked) -> Reply {
        super::sts::answer(self, asked)
    }

    pub(super) fn has(&self, fault: &AwsFault) -> bool {
        self.fault.as_ref() == Some(fault)
    }

    fn json_keys(&mut self, session: &str) -> Value {
        let (keys, expires) = self.issue();
        json!({
            "Code": "Success",
            "AccessKeyId": keys.id,
            "SecretAccessKey": keys.secret,
            (session): keys.session,
            "Expiration": expires,
        })
    }

    fn container(&mut self, asked: &Asked) -> Reply {
        match &self.container_token {
            Some(token) if asked.header("authorization") != token => {
                Reply::json(401, &json!({"code": "AccessDenied", "message": "wrong token"}))
            }
            _ if self.has(&AwsFault::Denied) => Reply::json(403, &json!({"code": "AccessDeniedException"})),
            _ => Reply::json(200, &self.json_keys("Token")),
        }
    }

    fn metadata_token(&self, asked: &Asked) -> Reply {
        let life = asked
            .header("x-aws-ec2-metadata-token-ttl-seconds")
            .parse::<u32>();
        match asked.method == http::Method::PUT && life.is_ok_and(|life| (1..=21_600).contains(&life)) {
            true => Reply::text(200, "imds-session"),
            false => Reply::text(400, ""),
        }
    }

    fn metadata(&mut self, asked: &Asked) -> Reply {
        if asked.header("x-aws-ec2-metadata-token") != "imds-session" {
            return Reply::text(401, "");
        }
        match asked.uri.path() {
            "/latest/meta-data/iam/security-credentials/" if self.has(&AwsFault::NoRole) => {
                Reply::text(404, "")
            }
            "/latest/meta-data/iam/security-credentials/" => Reply::text(200, "node-role\n"),
            "/latest/meta-data/iam/security-credentials/node-role" => {
                Reply::json(200, &self.json_keys("Token"))
            }
            _ => Reply::text(404, ""),
        }
    }
}

fn refuse(code: &str, message: &str) -> Reply {
    Reply::json(400, &json!({"__type": code, "message": message}))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn httpdate(time: SystemTime) -> String {
    httpdate::fmt_http_date(time)
}

//! Who may do what: Basic, or Bearer with a token server of its own that counts, expires and checks scopes.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Method, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::answer::{error, json_body};
use super::body::Body;
use super::record::Request;
use super::route::Route;

/// What the registry asks of its clients.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// Nothing.
    #[default]
    None,
    /// User and password with every request.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// A token from `/token`, for the scopes that are used.
    Bearer(Bearer),
}

/// How the token server behaves.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// Who may push (and pull); `None`: everybody.
    pub account: Option<(String, String)>,
    /// Whether those without credentials may pull all the same.
    pub anonymous_pull: bool,
    /// How long a token really lives.
    pub lifetime: Duration,
    /// What `expires_in` says, if that differs; `Some(0)` leaves the field out.
    pub stated_seconds: Option<u64>,
    /// Whether `POST` (OAuth 2 form) is answered; else 405.
    pub accepts_post: bool,
    /// An identity token that a `refresh_token` grant may use instead of the password.
    pub identity_token: Option<String>,
    /// Under which key the token stands: `token`, `access_token`, or both when empty.
    pub only_field: &'static str,
}

impl Default for Bearer {
    fn default() -> Self {
        Self {
            account: None,
            anonymous_pull: true,
            lifetime: Duration::from_secs(300),
            stated_seconds: None,
            accepts_post: true,
            identity_token: None,
            only_field: "",
        }
    }
}

impl Bearer {
    /// Tokens only for this account.
    pub fn account(user: &str, password: &str) -> Self {
        Self {
            account: Some((user.to_owned(), password.to_owned())),
            anonymous_pull: false,
            ..Self::default()
        }
    }
}

impl Auth {
    /// Basic authentication.
    pub fn basic(user: &str, password: &str) -> Self {
        Self::Basic {
            user: user.to_owned(),
            password: password.to_owned(),
        }
    }
}

#[derive(Debug)]
struct Token {
    ends: Instant,
    scopes: BTreeSet<String>,
}

/// The tokens given out.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    given: Mutex<HashMap<String, Token>>,
}

impl Tokens {
    /// Ends every token at once.
    pub(super) fn expire(&self) {
        self.given.lock().unwrap().clear();
    }

    fn give(&self, lifetime: Duration, scopes: BTreeSet<String>) -> String {
        let mut given = self.given.lock().unwrap();
        let name = format!("token-{}-{}", given.len(), scopes.len());
        let name = STANDARD.encode(format!("{name}-{:?}", Instant::now()));
        let ends = Instant::now() + lifetime;
        given.insert(name.clone(), Token { ends, scopes });
        name
    }

    fn allows(&self, token: &str, needed: &BTreeSet<String>) -> Result<(), &'static str> {
        let given = self.given.lock().unwrap();
        match given.get(token) {
            None => Err("invalid_token"),
            Some(token) if token.ends < Instant::now() => Err("invalid_token"),
            Some(token) if !needed.is_subset(&token.scopes) => Err("insufficient_scope"),
            Some(_) => Ok(()),
        }
    }
}

/// Checks a request; the answer to give instead when it is refused.
pub(super) fn check(
    auth: &Auth,
    tokens: &Tokens,
    own_url: &str,
    route: &Route,
    request: &Request,
) -> Option<Response<Body>> {
    if matches!(route, Route::Token | Route::Cdn(_) | Route::Service(_)) {
        return None;
    }
    match auth {
        Auth::None => None,
        Auth::Basic { user, password } => {
            let given = basic(request);
            let right = given.is_some_and(|given| given == (user.clone(), password.clone()));
            (!right).then(|| challenge("Basic realm=\"test\"".to_owned()))
        }
        Auth::Bearer(_) => {
            let needed = needed_scopes(route, request);
            let token = request
                .header(AUTHORIZATION)
                .strip_prefix("Bearer ")
                .unwrap_or_default();
            let refusal = tokens.allows(token, &needed).err()?;
            let mut text = format!("Bearer realm=\"{own_url}/token\",service=\"test\"");
            if let Some(scope) = challenge_scope(route, request) {
                text += &format!(",scope=\"{scope}\"");
            }
            if !token.is_empty() {
                text += &format!(",error=\"{refusal}\"");
            }
            Some(challenge(text))
        }
    }
}

/// Answers the token server's requests.
pub(super) fn answer(bearer: &Bearer, tokens: &Tokens, request: &Request, form: &str) -> Response<Body> {
    let is_post = request.method == Method::POST;
    if is_post && !bearer.accepts_post {
        return error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "GET only");
    }
    let fields = parse_form(if is_post { form } else { &request.query });
    let field = |name: &str| {
        fields
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    let given = match field("refresh_token") {
        Some(token) if bearer.identity_token.as_ref() == Some(&token) => bearer.account.clone(),
        Some(_) => Some(Default::default()),
        None if is_post => field("username").zip(field("password")),
        None => basic(request),
    };
    let is_known = bearer.account.is_none() || given == bearer.account;
    if !is_known && (given.is_some() || !bearer.anonymous_pull) {
        return error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "wrong user or password");
    }
    let scopes = fields
        .iter()
        .filter(|(key, _)| key == "scope")
        .flat_map(|(_, value)| split_scope(value));
    let scopes = scopes
        .filter(|scope| is_known || scope.ends_with(":pull"))
        .collect();
    let token = tokens.give(bearer.lifetime, scopes);
    let mut body = json!({"token": token, "access_token": token, "issued_at": "2024-01-01T00:00:00Z"});
    if !bearer.only_field.is_empty() {
        body = json!({ bearer.only_field: token });
    }
    match bearer.stated_seconds.unwrap_or(bearer.lifetime.as_secs()) {
        0 => {}
        seconds => body["expires_in"] = seconds.into(),
    }
    json_body(StatusCode::OK, &body)
}

fn challenge(text: String) -> Response<Body> {
    let mut response = error(
        StatusCode::UNAUTHORIZED,
        "UNAUTHORIZED",
        "authentication required",
    );
    let value = text.parse().expect("a challenge is ASCII");
    response.headers_mut().insert(WWW_AUTHENTICATE, value);
    response
}

/// The scopes that a request cannot do without, one action each (`repository:a/b:pull`).
fn needed_scopes(route: &Route, request: &Request) -> BTreeSet<String> {
    let Some(repository) = route.repository() else {
        return BTreeSet::new();
    };
    let action = match request.method.as_str() {
        "GET" | "HEAD" => "pull",
        "DELETE" => "delete",
        _ => "push",
    };
    [format!("repository:{repository}:{action}")].into()
}

fn challenge_scope(route: &Route, request: &Request) -> Option<String> {
    let repository = route.repository()?;
    Some(match request.method.as_str() {
        "GET" | "HEAD" => format!("repository:{repository}:pull"),
        "DELETE" => format!("repository:{repository}:delete"),
        _ => format!("repository:{repository}:pull,push"),
    })
}

/// `repository:a:pull,push repository:b:pull`, one action each.
fn split_scope(value: &str) -> Vec<String> {
    let mut out = Vec::new();
    for scope in value.split(' ') {
        if let Some((resource, actions)) = scope.rsplit_once(':') {
            out.extend(actions.split(',').map(|action| format!("{resource}:{action}")));
        }
    }
    out
}

pub(super) fn basic(request: &Request) -> Option<(String, String)> {
    let encoded = request.header(AUTHORIZATION).strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn parse_form(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| {
        percent_decode_str(&part.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (decode(key), decode(value))).collect()
}

/// One field of a query.
pub(super) fn query_field(query: &str, name: &str) -> Option<String> {
    parse_form(query)
        .into_iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}

//! Token flows, with a registry and its token server as one fake on loopback.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue, Method};
use landfall_auth::{
    AuthError, Authorizer, Credential, Keyring, ScopeSet, Secret, Ticket, TokenOptions, Verdict,
};
use landfall_net::client::{RetryOptions, Transport, TransportOptions};
use landfall_oci::{Registry, Repository};

use crate::fake::{Reply, Seen, Server, reply};

fn transport() -> Transport {
    let mut options = TransportOptions {
        retry: RetryOptions {
            attempts: 2,
            base: Duration::from_millis(1),
            ..RetryOptions::default()
        },
        ..TransportOptions::default()
    };
    options.tls.system_roots = false;
    Transport::new(options).unwrap()
}

struct Case {
    server: Server,
    authorizer: Authorizer,
    registry: Registry,
}

fn basic() -> Credential {
    Credential::Basic {
        username: "us er".into(),
        password: Secret::new("p:w&d"),
    }
}

async fn case(
    credential: Credential,
    options: TokenOptions,
    answer: impl Fn(Seen) -> Reply + Send + Sync + 'static,
) -> Case {
    let server = Server::plain(answer).await;
    let registry: Registry = server.host().parse().unwrap();
    let keyring = match credential {
        Credential::Anonymous => Keyring::default(),
        credential => Keyring::of([(registry.clone(), credential, "--username".to_owned())]),
    };
    Case {
        authorizer: Authorizer::new(transport(), keyring, options),
        server,
        registry,
    }
}

impl Case {
    async fn ticket(&self, scopes: &str) -> Result<Ticket, AuthError> {
        let name: Repository = "a".parse().unwrap();
        self.authorizer
            .ticket(&self.registry, Some(&name), &ScopeSet::parse(scopes))
            .await
    }

    fn refused(&self, ticket: &Ticket, challenge: &str) -> Result<Verdict, AuthError> {
        let mut headers = HeaderMap::new();
        let challenge = challenge.replace("HOST", &self.server.host());
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_str(&challenge).unwrap());
        self.authorizer
            .refused(ticket, &self.server.url("/v2/"), &headers)
    }

    /// A first request that was refused, then its ticket.
    async fn login(&self, scopes: &str) -> Result<Ticket, AuthError> {
        let bare = self.ticket(scopes).await?;
        assert!(bare.header.is_none());
        assert_eq!(self.refused(&bare, CHALLENGE)?, Verdict::Retry);
        self.ticket(scopes).await
    }
}

const CHALLENGE: &str = r#"Bearer realm="http://HOST/token",service="the registry""#;
const PULL: &str = "repository:a:pull";

fn header(ticket: &Ticket) -> &str {
    ticket.header.as_ref().unwrap().to_str().unwrap()
}

#[tokio::test]
async fn a_password_goes_into_the_oauth2_form() {
    let case = case(basic(), TokenOptions::default(), |_| {
        reply(200, &[], r#"{"access_token":"T"}"#)
    })
    .await;
    let ticket = case.login(PULL).await.unwrap();
    assert_eq!(header(&ticket), "Bearer T");
    assert!(!format!("{ticket:?}").contains("Bearer T"));
    let seen = &case.server.seen()[0];
    assert!(seen.is(Method::POST, "/token"));
    assert_eq!(
        seen.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(
        seen.body,
        "grant_type=password&username=us%20er&password=p%3Aw%26d&client_id=landfall&\
         service=the%20registry&scope=repository%3Aa%3Apull"
    );
    assert!(seen.header("authorization").is_none());
}

#[tokio::test]
async fn servers_without_the_form_are_asked_the_old_way_from_then_on() {
    for status in [400, 401, 403, 404, 405] {
        let case = case(basic(), TokenOptions::default(), move |seen| match seen.method {
            Method::POST => reply(status, &[], ""),
            _ => reply(200, &[], r#"{"token":"T","expires_in":300}"#),
        })
        .await;
        assert_eq!(
            header(
                &case
                    .login("repository:b:pull repository:a:push,pull")
                    .await
                    .unwrap()
            ),
            "Bearer T"
        );
        let get = &case.server.seen()[1];
        assert_eq!(
            get.query(),
            "service=the%20registry&scope=repository%3Aa%3Apull%2Cpush&scope=repository%3Ab%3Apull"
        );
        assert_eq!(get.header("authorization"), Some("Basic dXMgZXI6cDp3JmQ="));
        case.ticket("repository:c:pull").await.unwrap();
        assert_eq!(case.server.count(|seen| seen.method == Method::POST), 1);
    }
}

#[tokio::test]
async fn nobody_asks_with_get_and_identity_tokens_are_never_sent_with_it() {
    let anonymous = case(Credential::Anonymous, TokenOptions::default(), |_| {
        reply(200, &[], r#"{"token":"T"}"#)
    })
    .await;
    anonymous.login(PULL).await.unwrap();
    assert!(anonymous.server.seen()[0].is(Method::GET, "/token"));
    assert!(anonymous.server.seen()[0].header("authorization").is_none());

    let identity = Credential::IdentityToken {
        token: Secret::new("refresh me"),
    };
    let identity = case(identity, TokenOptions::default(), |_| {
        reply(401, &[], r#"{"details":"revoked"}"#)
    })
    .await;
    let error = identity.login(PULL).await.unwrap_err();
    assert!(matches!(&error, AuthError::Rejected { status: 401, .. }));
    assert!(
        error.to_string().contains("revoked") && error.to_string().contains("--username"),
        "{error}"
    );
    let seen = identity.server.seen();
    assert_eq!(seen.len(), 1);
    assert!(
        seen[0]
            .body
            .starts_with(b"grant_type=refresh_token&refresh_token=refresh%20me&")
    );

    let token = Credential::RegistryToken {
        token: Secret::new("ready"),
    };
    let ready = case(token, TokenOptions::default(), |_| {
        panic!("no token is asked for")
    })
    .await;
    let ticket = ready.ticket(PULL).await.unwrap();
    assert_eq!(header(&ticket), "Bearer ready");
    assert_eq!(ready.refused(&ticket, CHALLENGE).unwrap(), Verdict::GiveUp);
}

#[tokio::test]
async fn thirty_two_waiters_make_one_request() {
    let count = Arc::new(AtomicUsize::new(0));
    let server = {
        let count = Arc::clone(&count);
        Server::start(None, move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                reply(200, &[], r#"{"token":"T","expires_in":300}"#)
            }
        })
        .await
    };
    let registry: Registry = server.host().parse().unwrap();
    let keyring = Keyring::of([(registry.clone(), basic(), "flag".to_owned())]);
    let authorizer = Authorizer::new(transport(), keyring, TokenOptions::default());
    let case = Arc::new(Case {
        server,
        authorizer,
        registry,
    });
    let waiters: Vec<_> = (0..32)
        .map(|_| {
            let case = Arc::clone(&case);
            tokio::spawn(async move { header(&case.login_any().await).to_owned() })
        })
        .collect();
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap(), "Bearer T");
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

impl Case {
    async fn login_any(&self) -> Ticket {
        let ticket = self.ticket(PULL).await.unwrap();
        if ticket.header.is_some() {
            return ticket;
        }
        assert_eq!(self.refused(&ticket, CHALLENGE).unwrap(), Verdict::Retry);
        self.ticket(PULL).await.unwrap()
    }
}

#[tokio::test]
async fn tokens_are_renewed_before_their_end() {
    let options = TokenOptions {
        min_lifetime: Duration::from_millis(200),
        early: Duration::from_millis(50),
    };
    let count = AtomicUsize::new(0);
    let case = case(basic(), options, move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        reply(200, &[], format!(r#"{{"token":"T{number}","expires_in":0}}"#))
    })
    .await;
    assert_eq!(header(&case.login(PULL).await.unwrap()), "Bearer T0");
    assert_eq!(header(&case.ticket(PULL).await.unwrap()), "Bearer T0");
    tokio::time::sleep(Duration::from_millis(170)).await;
    assert_eq!(header(&case.ticket(PULL).await.unwrap()), "Bearer T1");
}

#[tokio::test]
async fn a_refused_token_is_renewed_and_widened_to_what_is_wanted() {
    let count = AtomicUsize::new(0);
    let case = case(basic(), TokenOptions::default(), move |_| {
        reply(
            200,
            &[],
            format!(r#"{{"token":"T{}"}}"#, count.fetch_add(1, Ordering::SeqCst)),
        )
    })
    .await;
    let fresh = case.login(PULL).await.unwrap();
    let plain = format!(r#"{CHALLENGE},scope="{PULL}""#);
    assert_eq!(
        case.refused(&fresh, &plain).unwrap(),
        Verdict::GiveUp,
        "a new one would be no better"
    );
    let same = format!(r#"{CHALLENGE},scope="{PULL}",error="invalid_token""#);
    let fresh = case.ticket(PULL).await.unwrap();
    assert_eq!(
        case.refused(&fresh, &same).unwrap(),
        Verdict::Retry,
        "it was ended between its making and its use"
    );
    case.ticket(PULL).await.unwrap();
    let old = case.ticket(PULL).await.unwrap();
    assert_eq!(case.refused(&old, &same).unwrap(), Verdict::Retry);
    let new = case.ticket(PULL).await.unwrap();
    assert_ne!(header(&new), header(&old));
    let more = format!(r#"{CHALLENGE},scope="repository:mirror/a:pull",error="insufficient_scope""#);
    assert_eq!(case.refused(&new, &more).unwrap(), Verdict::Retry);
    case.ticket(PULL).await.unwrap();
    let last = case.server.seen().pop().unwrap();
    let asked = String::from_utf8(last.body.to_vec()).unwrap();
    assert!(
        asked.ends_with("scope=repository%3Aa%3Apull%20repository%3Amirror%2Fa%3Apull"),
        "{asked}"
    );
}

#[tokio::test]
async fn basic_challenges() {
    let case = case(basic(), TokenOptions::default(), |_| {
        panic!("there is no token server")
    })
    .await;
    let bare = case.ticket(PULL).await.unwrap();
    assert_eq!(case.refused(&bare, "Basic realm=x").unwrap(), Verdict::Retry);
    let ticket = case.ticket(PULL).await.unwrap();
    assert_eq!(header(&ticket), "Basic dXMgZXI6cDp3JmQ=");
    assert_eq!(case.refused(&ticket, "Basic realm=x").unwrap(), Verdict::GiveUp);
    let error = case.refused(&ticket, "Negotiate").unwrap_err();
    assert!(matches!(&error, AuthError::Unsupported { schemes, .. } if schemes == "Negotiate"));
}

#[tokio::test]
async fn cve_2026_33540_passwords_go_to_no_stranger() {
    let case = case(basic(), TokenOptions::default(), |_| {
        reply(200, &[], r#"{"token":"T"}"#)
    })
    .await;
    let bare = case.ticket(PULL).await.unwrap();
    let error = case
        .refused(&bare, r#"Bearer realm="http://evil.example/token""#)
        .unwrap_err();
    assert!(matches!(error, AuthError::RealmRefused { .. }), "{error}");
    assert!(case.server.seen().is_empty());
}

#[tokio::test]
async fn answers_that_are_no_tokens() {
    let bad = |status: u16, body: &'static str| {
        case(basic(), TokenOptions::default(), move |_| {
            reply(status, &[], body)
        })
    };
    let error = bad(200, "{}").await.login(PULL).await.unwrap_err();
    assert!(matches!(error, AuthError::BadAnswer { .. }), "{error}");
    let error = bad(200, r#"{"token":"a\nb"}"#)
        .await
        .login(PULL)
        .await
        .unwrap_err();
    assert!(matches!(error, AuthError::BadAnswer { .. }), "{error}");
    let error = bad(503, "").await.login(PULL).await.unwrap_err();
    assert!(
        matches!(
            error,
            AuthError::Unavailable {
                status: 503,
                attempts: 2,
                ..
            }
        ),
        "{error}"
    );
    let error = bad(401, r#"{"details":"incorrect username or password"}"#)
        .await
        .login(PULL)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("incorrect username or password"),
        "{error}"
    );
    assert!(!error.to_string().contains("p:w"), "{error}");
}

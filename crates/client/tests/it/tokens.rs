//! A registry with a token server, as most are: scopes, expiry in the middle of a run, one login for many.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use http::Method;
use landfall_client::{Ask, Kind, Pushed};
use landfall_oci::Repository;

use crate::fake::{Reply, Seen, cut, reply};
use crate::{Case, Memory, collect, descriptor, log_in, noise};

/// A token server, and the tokens that are good now.
#[derive(Default)]
struct Tokens {
    issued: usize,
    good: HashSet<String>,
}

impl Tokens {
    fn issue(&mut self) -> Reply {
        self.issued += 1;
        let token = format!("T{}", self.issued);
        self.good.insert(format!("Bearer {token}"));
        reply(
            200,
            &[],
            format!(r#"{{"access_token":"{token}","expires_in":300}}"#),
        )
    }

    fn accepts(&self, seen: &Seen) -> bool {
        seen.header("authorization")
            .is_some_and(|value| self.good.contains(value))
    }
}

fn challenge(seen: &Seen, scope: &str) -> Reply {
    let host = seen.header("host").unwrap();
    let value = format!(r#"Bearer realm="http://{host}/token",service="reg",scope="{scope}""#);
    reply(
        401,
        &[("www-authenticate", &value)],
        r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#,
    )
}

fn body(seen: &Seen) -> String {
    String::from_utf8(seen.body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_token_that_expires_in_the_middle_of_a_blob_is_renewed_and_the_blob_resumed() {
    let tokens: Arc<Mutex<Tokens>> = Arc::default();
    let blob = noise(400_000);
    let (state, served) = (Arc::clone(&tokens), blob.clone());
    let case = Case::with(log_in, move |seen| {
        let mut tokens = state.lock().unwrap();
        if seen.path() == "/token" {
            return tokens.issue();
        }
        if !tokens.accepts(&seen) {
            return challenge(&seen, "repository:team/app:pull");
        }
        match seen.header("range") {
            None => {
                tokens.good.clear();
                cut(200, &[], served.slice(..150_000), Some(400_000))
            }
            Some(range) => {
                assert_eq!(range, "bytes=150000-");
                reply(
                    206,
                    &[("content-range", "bytes 150000-399999/400000")],
                    served.slice(150_000..),
                )
            }
        }
    })
    .await;
    let mut stream = case.blob(&descriptor(&blob), 0).await.unwrap();
    assert!(collect(&mut stream).await.unwrap() == blob);
    assert_eq!(tokens.lock().unwrap().issued, 2);
    assert_eq!(
        case.server.count(|seen| seen.header("range").is_some()),
        2,
        "refused once, then served"
    );
}

#[tokio::test]
async fn many_requests_at_once_log_in_once() {
    let tokens: Arc<Mutex<Tokens>> = Arc::default();
    let state = Arc::clone(&tokens);
    let case = Arc::new(
        Case::with(log_in, move |seen| {
            let mut tokens = state.lock().unwrap();
            match seen.path() {
                "/token" => tokens.issue(),
                _ if tokens.accepts(&seen) => reply(200, &[], "abc"),
                _ => challenge(&seen, "repository:team/app:pull"),
            }
        })
        .await,
    );
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let case = Arc::clone(&case);
            tokio::spawn(async move {
                let digest = descriptor(b"abc").digest;
                assert!(
                    case.client
                        .has_blob(&case.registry, &case.repository, &digest)
                        .await
                        .unwrap()
                );
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(tokens.lock().unwrap().issued, 1);
}

#[tokio::test]
async fn a_mount_asks_for_both_repositories() {
    let tokens: Arc<Mutex<Tokens>> = Arc::default();
    let state = Arc::clone(&tokens);
    let case = Case::with(log_in, move |seen| {
        let mut tokens = state.lock().unwrap();
        match seen.path() {
            "/token" => tokens.issue(),
            _ if !tokens.accepts(&seen) => challenge(&seen, "repository:team/app:pull"),
            _ if seen.method == Method::POST => reply(201, &[], ""),
            _ => reply(404, &[], ""),
        }
    })
    .await;
    let blob = noise(10);
    let base: Repository = "base/image".parse().unwrap();
    let pushed = case
        .client
        .push_blob(
            &case.registry,
            &case.repository,
            &descriptor(&blob),
            &Memory(blob.clone()),
            std::slice::from_ref(&base),
            Ask::First,
        )
        .await;
    assert_eq!(pushed.unwrap(), Pushed::Mounted(base));
    let seen = case.server.seen();
    let scopes: Vec<_> = seen
        .iter()
        .filter(|seen| seen.path() == "/token")
        .map(body)
        .collect();
    assert!(
        scopes[0].ends_with("scope=repository%3Ateam%2Fapp%3Apull%2Cpush"),
        "{scopes:?}"
    );
    let both = "scope=repository%3Abase%2Fimage%3Apull%20repository%3Ateam%2Fapp%3Apull%2Cpush";
    assert!(scopes[1].ends_with(both), "{scopes:?}");
}

#[tokio::test]
async fn a_token_that_never_suffices_ends_the_story() {
    let tokens: Arc<Mutex<Tokens>> = Arc::default();
    let state = Arc::clone(&tokens);
    let case = Case::with(log_in, move |seen| match seen.path() {
        "/token" => state.lock().unwrap().issue(),
        _ => challenge(&seen, "repository:team/app:pull"),
    })
    .await;
    let error = case.blob(&descriptor(b"x"), 0).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthorized, "{error}");
    assert_eq!(tokens.lock().unwrap().issued, 1);
    assert_eq!(case.server.seen().len(), 3);
}

#[tokio::test]
async fn a_wrong_password_is_told_with_where_it_came_from() {
    let case = Case::with(log_in, |seen| match seen.path() {
        "/token" => reply(401, &[], r#"{"details":"incorrect username or password"}"#),
        _ => challenge(&seen, "repository:team/app:pull"),
    })
    .await;
    let error = case.blob(&descriptor(b"x"), 0).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthorized);
    let text = error.to_string();
    assert!(
        text.contains("--username") && text.contains("incorrect username or password"),
        "{text}"
    );
    assert!(!format!("{error:?}").contains(crate::PASSWORD));
}

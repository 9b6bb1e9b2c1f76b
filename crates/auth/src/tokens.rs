//! Tokens by registry, credential and scopes: fetched once for all who wait, renewed before they end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use landfall_oci::Registry;
use tokio::time::Instant;

use crate::exchange::{Issued, bearer_header};
use crate::{AuthError, ScopeSet};

/// The number of scope sets above which expired tokens are thrown out.
const MANY: usize = 1024;

/// How long tokens live.
#[derive(Clone, Copy, Debug)]
pub struct TokenOptions {
    /// What is assumed of a token that says nothing, or less: the token specification's 60 seconds.
    pub min_lifetime: Duration,
    /// How long before its end a token is renewed (never more than a quarter of its life).
    pub early: Duration,
}

impl Default for TokenOptions {
    fn default() -> Self {
        Self {
            min_lifetime: Duration::from_secs(60),
            early: Duration::from_secs(15),
        }
    }
}

/// What a token is for. The provenance stands for the credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) registry: Registry,
    pub(crate) provenance: Arc<str>,
    pub(crate) scopes: ScopeSet,
}

/// A token ready for use.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) header: HeaderValue,
    pub(crate) id: u64,
    got: Instant,
    renew: Instant,
}

/// One who fetches holds the flight; what is known is read and changed without waiting for that. Whoever gives a token
/// back may still hold a place in the schedule of the very host that is to give the next one.
#[derive(Debug, Default)]
struct Slot {
    flight: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Token>,
    /// The last failure: the answer for all who began to wait before it happened.
    failure: Option<(Instant, AuthError)>,
    /// What the registry wants beyond the key's scopes.
    extra: ScopeSet,
}

/// All tokens of a run.
#[derive(Debug)]
pub(crate) struct Tokens {
    options: TokenOptions,
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
    issued: AtomicU64,
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tokens {
    pub(crate) fn new(options: TokenOptions) -> Self {
        Self {
            options,
            slots: Mutex::default(),
            issued: AtomicU64::new(0),
        }
    }

    /// A token for `key`, and whether it is new since the caller began to wait. `fetch` gets the scopes to ask for.
    ///
    /// The slot's flight is for one: one caller fetches while it holds it. If that caller goes away, the next
    /// one takes over; if it fails, those who already waited share its failure instead of repeating it.
    pub(crate) async fn get(
        &self,
        key: &Key,
        fetch: impl AsyncFnOnce(&ScopeSet) -> Result<Issued, AuthError>,
    ) -> Result<(Token, bool), AuthError> {
        let arrived = Instant::now();
        let slot = self.slot(key);
        let _flight = slot.flight.lock().await;
        let scopes = {
            let state = slot.state();
            if let Some(token) = state.token.as_ref().filter(|token| Instant::now() < token.renew) {
                return Ok((token.clone(), token.got >= arrived));
            }
            if let Some((_, failure)) = state.failure.as_ref().filter(|(at, _)| *at >= arrived) {
                return Err(failure.clone());
            }
            let mut scopes = key.scopes.clone();
            scopes.merge(&state.extra);
            scopes
        };
        let fetched = fetch(&scopes).await.and_then(|issued| self.keep(key, issued));
        let mut state = slot.state();
        match fetched {
            Ok(token) => {
                state.token = Some(token.clone());
                state.failure = None;
                Ok((token, true))
            }
            Err(error) => {
                state.token = None;
                state.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Forgets a token that was refused, unless it has been renewed since; and notes what it lacked.
    pub(crate) fn reject(&self, key: &Key, id: u64, lacking: &ScopeSet) {
        let slot = self.slot(key);
        let mut state = slot.state();
        state.extra.merge(lacking);
        if state.token.as_ref().is_some_and(|token| token.id == id) {
            state.token = None;
        }
    }

    /// Notes scopes to ask for besides the key's own.
    pub(crate) fn widen(&self, key: &Key, extra: &ScopeSet) {
        if !key.scopes.covers(extra) {
            self.slot(key).state().extra.merge(extra);
        }
    }

    fn slot(&self, key: &Key) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(key) {
            return Arc::clone(slot);
        }
        if slots.len() >= MANY {
            let now = Instant::now();
            slots.retain(|_, slot| match slot.flight.try_lock() {
                Ok(_) => slot.state().token.as_ref().is_some_and(|token| now < token.renew),
                Err(_in_use) => true,
            });
        }
        Arc::clone(slots.entry(key.clone()).or_default())
    }

    fn keep(&self, key: &Key, issued: Issued) -> Result<Token, AuthError> {
        let header = bearer_header(&issued.token).ok_or_else(|| AuthError::BadAnswer {
            realm: format!("of {}", key.registry),
            reason: "its token holds characters that no header may".to_owned(),
        })?;
        let got = Instant::now();
        let lifetime = issued.lifetime.unwrap_or_default().max(self.options.min_lifetime);
        // Some servers issue tokens for years.
        let lifetime = lifetime.min(Duration::from_secs(24 * 3600));
        Ok(Token {
            header,
            id: self.issued.fetch_add(1, Ordering::Relaxed),
            got,
            renew: got + (lifetime - self.options.early.min(lifetime / 4)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;
    use std::sync::atomic::AtomicUsize;

    fn key() -> Key {
        Key {
            registry: "reg".parse().unwrap(),
            provenance: "flags".into(),
            scopes: ScopeSet::parse("repository:a:pull"),
        }
    }

    fn issued(seconds: u64) -> Issued {
        Issued {
            token: Secret::new("t"),
            lifetime: Some(Duration::from_secs(seconds)),
            by_get: false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_waiters_share_one_answer_good_or_bad() {
        for good in [true, false] {
            let tokens = Arc::new(Tokens::new(TokenOptions::default()));
            let fetched = Arc::new(AtomicUsize::new(0));
            let waiters: Vec<_> = (0..32)
                .map(|_| {
                    let (tokens, fetched) = (Arc::clone(&tokens), Arc::clone(&fetched));
                    tokio::spawn(async move {
                        let key = key();
                        let answer = tokens.get(&key, async |_| {
                            fetched.fetch_add(1, Ordering::SeqCst);
                            tokio::time::sleep(Duration::from_secs(1)).await;
                            match good {
                                true => Ok(issued(300)),
                                false => Err(AuthError::BadAnswer {
                                    realm: "r".into(),
                                    reason: "x".into(),
                                }),
                            }
                        });
                        answer.await.is_ok()
                    })
                })
                .collect();
            for waiter in waiters {
                assert_eq!(waiter.await.unwrap(), good);
            }
            assert_eq!(fetched.load(Ordering::SeqCst), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_takes_over_when_the_fetcher_goes_away() {
        let tokens = Arc::new(Tokens::new(TokenOptions::default()));
        let first = {
            let tokens = Arc::clone(&tokens);
            tokio::spawn(async move {
                let _ = tokens.get(&key(), async |_| std::future::pending().await).await;
            })
        };
        tokio::task::yield_now().await;
        let second = {
            let tokens = Arc::clone(&tokens);
            tokio::spawn(async move { tokens.get(&key(), async |_| Ok(issued(300))).await.is_ok() })
        };
        tokio::task::yield_now().await;
        first.abort();
        assert!(second.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn renewed_before_the_end_and_after_a_refusal() {
        let tokens = Tokens::new(TokenOptions::default());
        let get = async || tokens.get(&key(), async |_| Ok(issued(5))).await.unwrap();
        let (first, fresh) = get().await;
        assert!(fresh);
        tokio::time::advance(Duration::from_secs(44)).await;
        assert_eq!(get().await.0.id, first.id, "five seconds count as sixty");
        tokio::time::advance(Duration::from_secs(2)).await;
        let (second, _) = get().await;
        assert_ne!(second.id, first.id);
        tokens.reject(&key(), first.id, &ScopeSet::none());
        assert_eq!(get().await.0.id, second.id, "a newer token is not thrown away");
        tokens.reject(&key(), second.id, &ScopeSet::parse("repository:b:pull"));
        let key = key();
        let asked = tokens.get(&key, async |scopes| {
            assert_eq!(scopes.to_string(), "repository:a:pull repository:b:pull");
            Ok(issued(5))
        });
        assert!(asked.await.unwrap().1);
    }

    /// Who gives a token back may hold up the one who fetches: it must never wait for it.
    #[tokio::test(start_paused = true)]
    async fn a_token_is_given_back_while_another_is_fetched() {
        let tokens = Tokens::new(TokenOptions::default());
        let key = key();
        let fetch = async |_: &ScopeSet| {
            tokens.reject(&key, 7, &ScopeSet::none());
            tokens.widen(&key, &ScopeSet::parse("repository:b:pull"));
            Ok(issued(300))
        };
        assert!(tokens.get(&key, fetch).await.unwrap().1);
    }
}

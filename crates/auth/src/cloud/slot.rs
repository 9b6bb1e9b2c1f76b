//! What a cloud gave for a registry: fetched once for all who wait, kept for half of its life, renewed when the registry
//! does not accept it any more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::failure::Failure;
use crate::{AuthError, Credential, Found};

/// How long it is remembered that there is nothing to log in with.
const ABSENT_LIFE: Duration = Duration::from_secs(15 * 60);
/// How long a failure is remembered where a registry can be asked without credentials, and how soon a renewal that
/// failed is tried again while the old one is good.
const FAILED_LIFE: Duration = Duration::from_secs(30);
/// What is assumed of a credential that says nothing of its end.
const UNSAID_LIFE: Duration = Duration::from_secs(60);
/// Some clouds give tokens for days.
const MAX_LIFE: Duration = Duration::from_secs(24 * 3600);

/// A credential that a cloud gave.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) credential: Credential,
    /// For people.
    pub(crate) provenance: String,
    /// How long it is good; `None`: it did not say.
    pub(crate) life: Option<Duration>,
}

/// Which credential of which slot was handed out, so that it can be given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    slot: Arc<str>,
    id: u64,
}

#[derive(Debug)]
struct Kept {
    found: Found,
    id: u64,
    renew: Instant,
    ends: Instant,
}

/// One who fetches holds the flight; what is known is read and changed without waiting for that, as with the registries'
/// own tokens.
#[derive(Debug, Default)]
struct Slot {
    flight: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    kept: Option<Kept>,
    /// The last failure: the answer for all who began to wait before it happened.
    failure: Option<(Instant, AuthError)>,
    /// When the last one was thrown away because it was refused.
    thrown: Option<Instant>,
}

/// All that clouds gave in this run.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Mutex<HashMap<Arc<str>, Arc<Slot>>>,
    handed: AtomicU64,
}

/// Whom a slot is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct For<'a> {
    /// The slot's name: what is equal for all who share a credential.
    pub(crate) slot: &'a str,
    /// The registry, for messages.
    pub(crate) registry: &'a str,
    /// Whether it may be asked without a credential, so that a failure is no end.
    pub(crate) may_be_public: bool,
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn handed(&self, slot: Arc<str>) -> (Found, Lease) {
        (self.found.clone(), Lease { slot, id: self.id })
    }
}

impl Slots {
    /// The credential of a slot; one who comes first fetches it for all.
    pub(crate) async fn get(
        &self,
        whom: For<'_>,
        fetch: impl Future<Output = Result<Granted, Failure>>,
    ) -> Result<(Found, Lease), AuthError> {
        let arrived = Instant::now();
        let (name, slot) = self.slot(whom.slot);
        let _flight = slot.flight.lock().await;
        {
            let state = slot.state();
            if let Some(kept) = state.kept.as_ref().filter(|kept| Instant::now() < kept.renew) {
                return Ok(kept.handed(name));
            }
            if let Some((_, failure)) = state.failure.as_ref().filter(|(at, _)| *at >= arrived) {
                return Err(failure.clone());
            }
        }
        let fetched = fetch.await;
        let mut state = slot.state();
        match self.judge(fetched, state.kept.take(), whom) {
            Ok(kept) => {
                let handed = kept.handed(name);
                state.kept = Some(kept);
                state.failure = None;
                Ok(handed)
            }
            Err(error) => {
                state.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// What is kept from now on.
    fn judge(
        &self,
        fetched: Result<Granted, Failure>,
        old: Option<Kept>,
        whom: For<'_>,
    ) -> Result<Kept, AuthError> {
        let now = Instant::now();
        let is_good = |old: &Kept| now < old.ends && old.found.credential != Credential::Anonymous;
        match (fetched, old.filter(is_good)) {
            (Ok(granted), _) => Ok(self.keep(granted)),
            // Half of its life is left for such cases.
            (Err(failure), Some(old)) => {
                let error = failure.of(whom.registry);
                tracing::warn!(registry = whom.registry, %error, "cannot renew the credential yet");
                Ok(Kept {
                    renew: (now + FAILED_LIFE).min(old.ends),
                    ..old
                })
            }
            (Err(failure), None) if whom.may_be_public || matches!(failure, Failure::Absent(_)) => {
                Ok(self.without(failure, whom.registry))
            }
            (Err(failure), None) => Err(failure.of(whom.registry)),
        }
    }

    /// Throws a credential away that was refused. Whether it is worth asking again: there is another one already, or one
    /// may be fetched. Not when the last renewal for that reason is shorter ago than `pause`: then it does not help.
    pub(crate) fn refuse(&self, lease: &Lease, pause: Duration) -> bool {
        let (_, slot) = self.slot(&lease.slot);
        let mut state = slot.state();
        let Some(kept) = state.kept.as_ref().filter(|kept| kept.id == lease.id) else {
            return true;
        };
        let now = Instant::now();
        let is_too_soon = state.thrown.is_some_and(|at| now < at + pause);
        if is_too_soon || kept.found.credential == Credential::Anonymous {
            return false;
        }
        state.kept = None;
        state.thrown = Some(now);
        true
    }

    fn keep(&self, granted: Granted) -> Kept {
        let now = Instant::now();
        let life = granted.life.map_or(UNSAID_LIFE, |life| life.min(MAX_LIFE));
        Kept {
            found: Found::new(granted.credential, granted.provenance),
            id: self.handed.fetch_add(1, Ordering::Relaxed),
            renew: now + life / 2,
            ends: now + life,
        }
    }

    /// No credential, and why.
    fn without(&self, failure: Failure, registry: &str) -> Kept {
        let life = match &failure {
            Failure::Absent(_) => ABSENT_LIFE,
            failure if failure.is_passing() => FAILED_LIFE,
            _ => ABSENT_LIFE,
        };
        let reason = match failure {
            Failure::Absent(reason) => {
                tracing::debug!(registry, reason, "no credential of a cloud");
                reason
            }
            failure => {
                let error = failure.of(registry);
                tracing::warn!(registry, %error, "asking without a credential");
                error.to_string()
            }
        };
        let now = Instant::now();
        Kept {
            found: Found::new(Credential::Anonymous, format!("no credential: {reason}")),
            id: self.handed.fetch_add(1, Ordering::Relaxed),
            renew: now + life,
            ends: now + life,
        }
    }

    fn slot(&self, name: &str) -> (Arc<str>, Arc<Slot>) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((name, slot)) = slots.get_key_value(name) {
            return (Arc::clone(name), Arc::clone(slot));
        }
        let name: Arc<str> = name.into();
        let slot = slots.entry(Arc::clone(&name)).or_default();
        (name, Arc::clone(slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;
    use std::sync::atomic::AtomicUsize;

    const HOUR: Duration = Duration::from_secs(3600);
    const PAUSE: Duration = Duration::from_secs(60);

    fn whom(may_be_public: bool) -> For<'static> {
        For {
            slot: "s",
            registry: "reg",
            may_be_public,
        }
    }

    fn granted(password: &str, life: Option<Duration>) -> Result<Granted, Failure> {
        Ok(Granted {
            credential: Credential::Basic {
                username: "u".to_owned(),
                password: Secret::new(password),
            },
            provenance: "test".to_owned(),
            life,
        })
    }

    fn password(found: &Found) -> &str {
        match &found.credential {
            Credential::Basic { password, .. } => password.expose(),
            _ => "",
        }
    }

    async fn get(slots: &Slots, answer: Result<Granted, Failure>) -> (Found, Lease) {
        slots.get(whom(false), async { answer }).await.unwrap()
    }

    /// A fetch that must not happen.
    async fn kept(slots: &Slots) -> (Found, Lease) {
        slots.get(whom(false), async { panic!("fetched") }).await.unwrap()
    }

    fn down() -> Result<Granted, Failure> {
        Err(Failure::Unavailable("down".to_owned()))
    }

    #[tokio::test(start_paused = true)]
    async fn kept_for_half_of_its_life() {
        let slots = Slots::default();
        get(&slots, granted("1", Some(12 * HOUR))).await;
        tokio::time::advance(6 * HOUR - Duration::from_secs(1)).await;
        assert_eq!(password(&kept(&slots).await.0), "1");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(password(&get(&slots, granted("2", Some(HOUR))).await.0), "2");
        tokio::time::advance(HOUR / 2 + Duration::from_secs(1)).await;
        assert_eq!(password(&get(&slots, granted("3", None)).await.0), "3");
        tokio::time::advance(Duration::from_secs(31)).await;
        assert_eq!(
            password(&get(&slots, granted("4", None)).await.0),
            "4",
            "a minute is assumed"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_other_half_is_for_outages() {
        let slots = Slots::default();
        get(&slots, granted("1", Some(HOUR))).await;
        tokio::time::advance(HOUR / 2).await;
        assert_eq!(password(&get(&slots, down()).await.0), "1");
        assert_eq!(password(&kept(&slots).await.0), "1", "nobody asks at once again");
        tokio::time::advance(FAILED_LIFE).await;
        assert_eq!(password(&get(&slots, granted("2", Some(HOUR))).await.0), "2");
        tokio::time::advance(HOUR).await;
        assert!(
            slots.get(whom(false), async { down() }).await.is_err(),
            "it is over"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn refused_once_it_is_renewed_and_then_not_for_a_while() {
        let slots = Slots::default();
        let (_, first) = get(&slots, granted("1", Some(HOUR))).await;
        assert!(slots.refuse(&first, PAUSE));
        let (found, second) = get(&slots, granted("2", Some(HOUR))).await;
        assert_eq!(password(&found), "2");
        assert!(slots.refuse(&first, PAUSE), "there is another one already");
        assert_eq!(password(&kept(&slots).await.0), "2");
        assert!(!slots.refuse(&second, PAUSE), "a new one did not help");
        assert_eq!(password(&kept(&slots).await.0), "2");
        tokio::time::advance(PAUSE).await;
        assert!(slots.refuse(&second, PAUSE));
        get(&slots, granted("3", Some(HOUR))).await;
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_to_log_in_with_is_remembered() {
        let slots = Slots::default();
        let absent = Err(Failure::Absent("nobody".to_owned()));
        let (found, lease) = get(&slots, absent).await;
        assert_eq!(found.credential, Credential::Anonymous);
        assert_eq!(&*found.provenance, "no credential: nobody");
        assert!(!slots.refuse(&lease, PAUSE));
        tokio::time::advance(ABSENT_LIFE - Duration::from_secs(1)).await;
        kept(&slots).await;
        tokio::time::advance(Duration::from_secs(1)).await;
        get(&slots, granted("1", Some(HOUR))).await;
        // An outage where images may be public is remembered shortly.
        let slots = Slots::default();
        let (found, _) = slots.get(whom(true), async { down() }).await.unwrap();
        assert_eq!(found.credential, Credential::Anonymous);
        tokio::time::advance(FAILED_LIFE).await;
        assert_eq!(password(&get(&slots, granted("1", Some(HOUR))).await.0), "1");
    }

    #[tokio::test(start_paused = true)]
    async fn many_waiters_share_one_answer_good_or_bad() {
        for good in [true, false] {
            let slots = Arc::new(Slots::default());
            let fetched = Arc::new(AtomicUsize::new(0));
            let waiters: Vec<_> = (0..64)
                .map(|_| {
                    let (slots, fetched) = (Arc::clone(&slots), Arc::clone(&fetched));
                    tokio::spawn(async move {
                        let fetch = async {
                            fetched.fetch_add(1, Ordering::SeqCst);
                            tokio::time::sleep(Duration::from_secs(1)).await;
                            if good { granted("1", Some(HOUR)) } else { down() }
                        };
                        slots.get(whom(false), fetch).await.is_ok()
                    })
                })
                .collect();
            for waiter in waiters {
                assert_eq!(waiter.await.unwrap(), good);
            }
            assert_eq!(fetched.load(Ordering::SeqCst), 1);
        }
    }
}

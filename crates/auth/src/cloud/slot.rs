//! What a cloud gave for a registry: fetched once for all who wait, kept for half of its life, renewed when the registry
//! does not accept it any more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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

#[derive(Debug, Default)]
struct Slot {
    kept: Option<Kept>,
    /// The last failure: the answer for all who began to wait before it happened.
    failure: Option<(Instant, AuthError)>,
    /// When the last one was thrown away because it was refused.
    thrown: Option<Instant>,
}

/// All that clouds gave in this run.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Mutex<HashMap<Arc<str>, Arc<tokio::sync::Mutex<Slot>>>>,
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

impl Slots {
    /// The credential of a slot. The slot's lock is the single flight, as with the registries' own tokens.
    pub(crate) async fn get(
        &self,
        whom: For<'_>,
        fetch: impl Future<Output = Result<Granted, Failure>>,
    ) -> Result<(Found, Lease), AuthError> {
        let arrived = Instant::now();
        let (name, slot) = self.slot(whom.slot);
        let mut slot = slot.lock().await;
        let handed = |kept: &Kept| {
            let lease = Lease {
                slot: Arc::clone(&name),
                id: kept.id,
            };
            (kept.found.clone(), lease)
        };
        if let Some(kept) = slot.kept.as_ref().filter(|kept| Instant::now() < kept.renew) {
            return Ok(handed(kept));
        }
        if let Some((_, failure)) = slot.failure.as_ref().filter(|(at, _)| *at >= arrived) {
            return Err(failure.clone());
        }
        let fetched = fetch.await;
        let now = Instant::now();
        match (fetched, slot.kept.take()) {
            (Ok(granted), _) => slot.kept = Some(self.keep(granted)),
            // Half of its life is left for such cases.
            (Err(failure), Some(old)) if now < old.ends && old.found.credential != Credential::Anonymous => {
                tracing::warn!(registry = whom.registry, error = %failure.of(whom.registry), "cannot renew the credential yet");
                slot.kept = Some(Kept {
                    renew: (now + FAILED_LIFE).min(old.ends),
                    ..old
                });
            }
            (Err(failure), _) if whom.may_be_public || matches!(failure, Failure::Absent(_)) => {
                slot.kept = Some(self.without(failure, whom.registry));
            }
            (Err(failure), _) => {
                let error = failure.of(whom.registry);
                slot.failure = Some((now, error.clone()));
                return Err(error);
            }
        }
        slot.failure = None;
        slot.kept.as_ref().map(handed).ok_or_else(|| {
            let gone = Failure::Unavailable("it was lost".to_owned());
            gone.of(whom.registry)
        })
    }

    /// Throws a credential away that was refused. Whether it is worth asking again: there is another one already, or one
    /// may be fetched. Not when the last renewal for that reason is shorter ago than `pause`: then it does not help.
    pub(crate) async fn refuse(&self, lease: &Lease, pause: Duration) -> bool {
        let (_, slot) = self.slot(&lease.slot);
        let mut slot = slot.lock().await;
        let Some(kept) = slot.kept.as_ref().filter(|kept| kept.id == lease.id) else {
            return true;
        };
        let now = Instant::now();
        let is_too_soon = slot.thrown.is_some_and(|at| now < at + pause);
        if is_too_soon || kept.found.credential == Credential::Anonymous {
            return false;
        }
        slot.kept = None;
        slot.thrown = Some(now);
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

    fn slot(&self, name: &str) -> (Arc<str>, Arc<tokio::sync::Mutex<Slot>>) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((name, slot)) = slots.get_key_value(name) {
            return (Arc::clone(name), Arc::clone(slot));
        }
        let name: Arc<str> = name.into();
        let slot = slots.entry(Arc::clone(&name)).or_default();
        (name, Arc::clone(slot))
    }
}

//! Alive, and ready: what a load balancer and a kubelet ask.
//!
//! Alive is a process that answers. Ready is a registry whose store answers and that is not about to stop. The store
//! is asked at most every few seconds, by one request; the others hear what it said last.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use landfall_oci::{Tag, Target};
use landfall_store::Store;

/// How long an answer of the store is good.
const GOOD_FOR: Duration = Duration::from_secs(5);
/// How long the store may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// A place in the store that nobody needs.
const ASKED: &str = "landfall/is-the-store-there";

/// Whether requests should come here.
#[derive(Debug, Default)]
pub(crate) struct Health {
    draining: AtomicBool,
    asking: AtomicBool,
    last: Mutex<Option<(Instant, Result<(), String>)>>,
}

/// Ends the asking however it ends.
struct Asking<'a>(&'a AtomicBool);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Health {
    /// From now on, not ready.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether requests should come; why not.
    pub(crate) async fn ready(&self, store: &dyn Store) -> Result<(), String> {
        if self.draining.load(Ordering::Acquire) {
            return Err("the registry is about to stop".to_owned());
        }
        let known = self.last();
        let is_fresh = known.as_ref().is_some_and(|(at, _)| at.elapsed() < GOOD_FOR);
        let asked_already = is_fresh || self.asking.swap(true, Ordering::AcqRel);
        match known {
            Some((_, answer)) if asked_already => return answer,
            None if asked_already => return Err("the store has not answered yet".to_owned()),
            _ => {}
        }
        let _asking = Asking(&self.asking);
        let answer = ask(store).await;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), answer.clone()));
        answer
    }

    fn last(&self) -> Option<(Instant, Result<(), String>)> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Looks for something that is not there: a store that is in its place and can say so works. Why it cannot stays in
/// the log.
async fn ask(store: &dyn Store) -> Result<(), String> {
    let Ok(repository) = ASKED.parse() else {
        return Ok(());
    };
    let target = Target::Tag(Tag::latest());
    let asked = async {
        store.check().await?;
        store.stat_manifest(&repository, &target).await
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.is_not_found() => Ok(()),
        Ok(Err(error)) => {
            tracing::error!(%error, "the store does not work");
            Err("the store does not work; the log says why".to_owned())
        }
        Err(_elapsed) => {
            tracing::error!("the store does not answer");
            Err("the store does not answer".to_owned())
        }
    }
}

//! Slow hashes, a few at a time: neither the processors nor the memory are there for log-ins alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::hash::PasswordHash;
use super::htpasswd::Password;
use crate::reply::Failure;

/// Verifications at a time; one that takes much memory is alone. More wait.
const AT_ONCE: u32 = 2;
/// Verifications that may wait; more are told to come again.
const MAX_WAITING: usize = 64;

/// Computes hashes; shared by all password files that come one after another.
#[derive(Debug)]
pub(super) struct Verifier {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
    hashes: AtomicU64,
}

impl Default for Verifier {
    fn default() -> Self {
        Self {
            running: Arc::new(Semaphore::new(AT_ONCE as usize)),
            waiting: AtomicUsize::new(0),
            hashes: AtomicU64::new(0),
        }
    }
}

impl Verifier {
    /// Compares a password with a hash, after those that came before. `admit` is asked when it is this one's turn:
    /// what those have found out counts.
    pub(super) async fn verify(
        &self,
        hash: PasswordHash,
        password: Password,
        admit: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        let busy = || Failure::too_many("too many log-ins at once; try again", 2);
        let _turn = Turn::take(&self.waiting).ok_or_else(busy)?;
        let weight = if hash.is_large() { AT_ONCE } else { 1 };
        let permit = Arc::clone(&self.running)
            .acquire_many_owned(weight)
            .await
            .map_err(|_| busy())?;
        admit()?;
        self.hashes.fetch_add(1, Ordering::Relaxed);
        let work = move || {
            let _permit = permit;
            hash.verify(&password.0)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| busy())
    }

    /// How many were computed.
    pub(super) fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }
}

/// A place in the queue, given back however the request ends.
struct Turn<'a>(&'a AtomicUsize);

impl<'a> Turn<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let before = waiting.fetch_add(1, Ordering::AcqRel);
        let turn = Self(waiting);
        (before < MAX_WAITING).then_some(turn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    #[tokio::test]
    async fn a_crowd_is_told_to_come_again() {
        let verifier = Verifier::default();
        let _places: Vec<_> = (0..MAX_WAITING)
            .map(|_| Turn::take(&verifier.waiting).unwrap())
            .collect();
        let hash = PasswordHash::parse(&bcrypt::hash("x", 4).unwrap()).unwrap();
        let refused = verifier
            .verify(hash, Password("x".into()), || Ok(()))
            .await
            .unwrap_err();
        assert_eq!(refused.status, 429);
        let retry = refused
            .headers
            .iter()
            .any(|(name, _)| name == header::RETRY_AFTER);
        assert!(retry);
        assert_eq!(verifier.waiting.load(Ordering::Acquire), MAX_WAITING);
        assert_eq!(verifier.hashes(), 0);
    }
}

//! Things remembered for a while and in bounded number: what is not there, what was looked at lately.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What is remembered, with the time when it is forgotten.
#[derive(Debug)]
pub(super) struct Recall<K> {
    most: usize,
    until: Mutex<HashMap<K, Instant>>,
}

impl<K: Eq + Hash> Recall<K> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            until: Mutex::default(),
        }
    }

    fn until(&self) -> MutexGuard<'_, HashMap<K, Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers for so long. Where there is no room, what is over goes, and if that is not enough everything: to
    /// forget costs a question, no more.
    pub(super) fn note(&self, key: K, now: Instant, how_long: Duration) {
        let mut until = self.until();
        if until.len() >= self.most && !until.contains_key(&key) {
            until.retain(|_, until| *until > now);
            if until.len() >= self.most {
                until.clear();
            }
        }
        if let Some(end) = now.checked_add(how_long) {
            until.insert(key, end);
        }
    }

    pub(super) fn has(&self, key: &K, now: Instant) -> bool {
        self.until().get(key).is_some_and(|until| *until > now)
    }

    pub(super) fn forget(&self, key: &K) {
        self.until().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_forgotten_in_time_and_never_too_much() {
        let (recall, now) = (Recall::new(3), Instant::now());
        let second = Duration::from_secs(1);
        recall.note(1, now, second);
        assert!(recall.has(&1, now));
        assert!(!recall.has(&1, now + second));
        recall.note(2, now, 3 * second);
        recall.note(3, now, 3 * second);
        recall.note(4, now + second, second);
        assert!(recall.has(&2, now) && recall.has(&4, now + second));
        recall.note(5, now + second, second);
        assert!(!recall.has(&2, now), "no room: all is forgotten");
        assert!(recall.has(&5, now + second));
        recall.forget(&5);
        assert!(!recall.has(&5, now));
    }
}

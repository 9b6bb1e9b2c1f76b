//! What we know of a host's state, so that nothing is begun that it cannot finish: one that fails again and again is
//! left alone for a while, and one that asks for rest gets it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures one after the other, before a host is left alone.
const THRESHOLD: u32 = 3;
/// For how long, at first; doubles with each further failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long one request may be alone with a host that is tried again.
const TRIAL: Duration = Duration::from_secs(5);
/// The rest of a host that limits us and does not say for how long.
const USUAL_REST: Duration = Duration::from_secs(10);
/// No host is left alone for longer, whatever it says.
const LONGEST_REST: Duration = Duration::from_secs(3600);

/// The state of one host.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    closed_until: Option<Instant>,
    resting_until: Option<Instant>,
}

/// Why a host is not asked now, and for how long still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It failed again and again.
    Failing(Duration),
    /// It has asked to be left alone.
    Resting(Duration),
}

impl Health {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it may be asked now. Of those who come after a pause, one is let through to see.
    pub(super) fn admit(&self, now: Instant) -> Result<(), Unfit> {
        let mut state = self.state();
        let left = |until: Option<Instant>| until?.checked_duration_since(now).filter(|left| !left.is_zero());
        if let Some(left) = left(state.resting_until) {
            return Err(Unfit::Resting(left));
        }
        if let Some(left) = left(state.closed_until) {
            return Err(Unfit::Failing(left));
        }
        if state.failures >= THRESHOLD {
            state.closed_until = Some(now + TRIAL);
        }
        Ok(())
    }

    /// Whether it is known to be of no use now; lets nobody through.
    pub(super) fn is_fit(&self, now: Instant) -> bool {
        let state = self.state();
        ![state.resting_until, state.closed_until]
            .iter()
            .flatten()
            .any(|until| *until > now)
    }

    /// It has answered as it should.
    pub(super) fn succeeded(&self) {
        let mut state = self.state();
        state.failures = 0;
        state.closed_until = None;
    }

    /// It did not answer, or not as it should.
    pub(super) fn failed(&self, now: Instant) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if let Some(beyond) = state.failures.checked_sub(THRESHOLD) {
            let pause = FIRST_PAUSE.saturating_mul(1 << beyond.min(16));
            state.closed_until = Some(now + pause.min(LONGEST_PAUSE));
        }
    }

    /// It said that we ask too often.
    pub(super) fn limited(&self, now: Instant, asked: Option<Duration>) {
        let rest = asked.unwrap_or(USUAL_REST).min(LONGEST_REST);
        self.state().resting_until = Some(now + rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_fails_is_left_alone_and_tried_by_one() {
        let (health, mut now) = (Health::default(), Instant::now());
        for _ in 0..THRESHOLD {
            assert_eq!(health.admit(now), Ok(()));
            assert!(health.is_fit(now));
            health.failed(now);
        }
        assert_eq!(health.admit(now), Err(Unfit::Failing(FIRST_PAUSE)));
        assert!(!health.is_fit(now));
        now += FIRST_PAUSE;
        assert_eq!(health.admit(now), Ok(()));
        assert_eq!(health.admit(now), Err(Unfit::Failing(TRIAL)), "one at a time");
        health.failed(now);
        assert_eq!(health.admit(now), Err(Unfit::Failing(2 * FIRST_PAUSE)));
        for _ in 0..40 {
            health.failed(now);
        }
        assert_eq!(health.admit(now), Err(Unfit::Failing(LONGEST_PAUSE)));
        health.succeeded();
        assert_eq!(health.admit(now), Ok(()));
        assert_eq!(health.admit(now), Ok(()));
    }

    #[test]
    fn a_host_gets_the_rest_that_it_asks_for() {
        let (health, now) = (Health::default(), Instant::now());
        let seconds = Duration::from_secs;
        health.limited(now, Some(seconds(120)));
        assert_eq!(health.admit(now + seconds(20)), Err(Unfit::Resting(seconds(100))));
        health.succeeded();
        assert!(
            health.admit(now + seconds(119)).is_err(),
            "an answer under way does not end it"
        );
        assert_eq!(health.admit(now + seconds(120)), Ok(()));
        health.limited(now, None);
        assert_eq!(health.admit(now), Err(Unfit::Resting(USUAL_REST)));
        health.limited(now, Some(Duration::MAX));
        assert_eq!(health.admit(now), Err(Unfit::Resting(LONGEST_REST)));
    }
}

//! One scheduler per host: how many requests run at once, and when none may.
//!
//! Additive increase, multiplicative decrease: 429 and 503 halve the limit (once for all requests that were under
//! way together), every success raises it a little. A `Retry-After` holds the whole host, so that the other
//! streams do not run into the same wall. Reading and writing are counted apart: a copy within one registry reads a
//! blob while it writes it, and must not wait for itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Which of a host's two counts a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Read,
    Write,
}

/// The schedulers of all hosts.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

#[derive(Debug)]
struct Host {
    state: Mutex<State>,
    freed: [Notify; 2],
}

#[derive(Debug)]
struct State {
    limit: f64,
    most: f64,
    running: [usize; 2],
    paused_until: Option<Instant>,
    lowered_at: Option<Instant>,
}

/// Leave to run one request; held until its body has been read.
#[derive(Debug)]
pub(crate) struct Permit {
    host: Arc<Host>,
    lane: Lane,
    started: Instant,
}

enum Entry {
    Go(Instant),
    Full,
    Paused(Instant),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds one of these locks; were it to, the numbers are still usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pace {
    /// Waits for leave to send a request to `authority`, of which `most` may run at once in each lane.
    pub(crate) async fn enter(&self, authority: &str, most: usize, lane: Lane) -> Permit {
        let host = self.host(authority, most);
        loop {
            let freed = host.freed[lane as usize].notified();
            match host.try_enter(lane) {
                Entry::Go(started) => {
                    return Permit {
                        host: Arc::clone(&host),
                        lane,
                        started,
                    };
                }
                Entry::Full => freed.await,
                Entry::Paused(until) => tokio::time::sleep_until(until).await,
            }
        }
    }

    fn host(&self, authority: &str, most: usize) -> Arc<Host> {
        let mut hosts = lock(&self.hosts);
        if let Some(host) = hosts.get(authority) {
            return Arc::clone(host);
        }
        let host = Arc::new(Host::new(most));
        hosts.insert(authority.to_owned(), Arc::clone(&host));
        host
    }
}

impl Host {
    fn new(most: usize) -> Self {
        #[allow(clippy::cast_precision_loss)] // a handful of connections
        let most = most.max(1) as f64;
        Self {
            state: Mutex::new(State {
                limit: most,
                most,
                running: [0, 0],
                paused_until: None,
                lowered_at: None,
            }),
            freed: [Notify::new(), Notify::new()],
        }
    }

    fn try_enter(&self, lane: Lane) -> Entry {
        let now = Instant::now();
        let mut state = lock(&self.state);
        if let Some(until) = state.paused_until.filter(|until| *until > now) {
            return Entry::Paused(until);
        }
        state.paused_until = None;
        if state.running[lane as usize] >= state.places() {
            return Entry::Full;
        }
        state.running[lane as usize] += 1;
        Entry::Go(now)
    }
}

impl State {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 1 and `most`
    fn places(&self) -> usize {
        self.limit as usize
    }
}

impl Permit {
    /// The host answered as it should.
    pub(crate) fn succeeded(&self) {
        let mut state = lock(&self.host.state);
        let before = state.places();
        state.limit = (state.limit + 1.0 / state.limit).min(state.most);
        if state.places() > before {
            drop(state);
            self.host.freed.iter().for_each(Notify::notify_one);
        }
    }

    /// The host said that we are too fast, and perhaps for how long to leave it alone.
    pub(crate) fn throttled(&self, pause: Option<Duration>) {
        let now = Instant::now();
        let mut state = lock(&self.host.state);
        // Requests that were under way when the limit was lowered say nothing about the lowered limit.
        if state.lowered_at.is_none_or(|at| self.started > at) {
            state.limit = (state.limit / 2.0).max(1.0);
            state.lowered_at = Some(now);
        }
        if let Some(pause) = pause {
            let until = now + pause;
            state.paused_until = Some(state.paused_until.map_or(until, |earlier| earlier.max(until)));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = lock(&self.host.state);
        state.running[self.lane as usize] -= 1;
        drop(state);
        self.host.freed[self.lane as usize].notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(pace: &Pace) -> usize {
        lock(&pace.host("h", 8).state).places()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_refusals_halves_once_and_success_brings_it_back() {
        let pace = Pace::default();
        let mut permits = Vec::new();
        for _ in 0..8 {
            permits.push(pace.enter("h", 8, Lane::Read).await);
        }
        tokio::time::advance(Duration::from_millis(1)).await;
        permits.iter().for_each(|permit| permit.throttled(None));
        assert_eq!(places(&pace), 4);
        permits.clear();
        tokio::time::advance(Duration::from_millis(1)).await;
        pace.enter("h", 8, Lane::Read).await.throttled(None);
        assert_eq!(places(&pace), 2);
        for _ in 0..40 {
            pace.enter("h", 8, Lane::Read).await.succeeded();
        }
        assert_eq!(places(&pace), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_the_whole_host_and_no_other() {
        let pace = Pace::default();
        pace.enter("h", 8, Lane::Read)
            .await
            .throttled(Some(Duration::from_secs(5)));
        let start = Instant::now();
        drop(pace.enter("other", 8, Lane::Read).await);
        assert_eq!(start.elapsed(), Duration::ZERO);
        drop(pace.enter("h", 8, Lane::Write).await);
        assert!(start.elapsed() >= Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_limit_run_and_all_get_their_turn() {
        let pace = Arc::new(Pace::default());
        let running = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (pace, running) = (Arc::clone(&pace), Arc::clone(&running));
                tokio::spawn(async move {
                    let _permit = pace.enter("h", 3, Lane::Read).await;
                    let now = running.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    assert!(now < 3);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    running.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn writers_do_not_wait_for_readers() {
        let pace = Pace::default();
        let _reader = pace.enter("h", 1, Lane::Read).await;
        let _writer = pace.enter("h", 1, Lane::Write).await;
    }
}

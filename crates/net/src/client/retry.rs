//! The one retry policy: what is worth another try, how often, and after how long.
//!
//! Exponential backoff with full jitter (the delay is drawn between nothing and the exponential bound), never
//! shorter than a server's `Retry-After`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};

/// When to stop, and how long to wait between.
#[derive(Clone, Copy, Debug)]
pub struct RetryOptions {
    /// Tries in all, the first included. At least one is made.
    pub attempts: u32,
    /// Bound of the first delay; doubles each time.
    pub base: Duration,
    /// The bound never grows over this.
    pub cap: Duration,
    /// A server that asks for more than this is not waited for.
    pub retry_after_cap: Duration,
    /// Where the chance comes from.
    pub jitter: Jitter,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            attempts: 5,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            retry_after_cap: Duration::from_secs(300),
            jitter: Jitter::Random,
        }
    }
}

/// Where the chance in the delays comes from.
#[derive(Clone, Copy, Debug)]
pub enum Jitter {
    /// The system.
    Random,
    /// Always the same sequence.
    Seeded(u64),
    /// None: every delay is its bound.
    None,
}

/// Statuses after which the same request may succeed.
#[must_use]
pub fn is_retryable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// `Retry-After`: seconds, or an HTTP date (RFC 9110, 10.2.3). A date in the past is no wait at all.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

/// A source of random numbers that many requests share (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Chance {
    state: Option<Arc<AtomicU64>>,
}

impl Chance {
    pub(crate) fn new(jitter: Jitter) -> Self {
        let seed = match jitter {
            Jitter::None => None,
            Jitter::Seeded(seed) => Some(seed),
            // A system without randomness still gets a delay, only a guessable one.
            Jitter::Random => Some(getrandom::u64().unwrap_or(0x5eed)),
        };
        Self {
            state: seed.map(|seed| Arc::new(AtomicU64::new(seed))),
        }
    }

    /// A part of `bound`.
    fn draw(&self, bound: Duration) -> Duration {
        let Some(state) = &self.state else { return bound };
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut value = state.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA);
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^= value >> 31;
        let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        let part = (u128::from(value) * u128::from(nanos)) >> 64;
        Duration::from_nanos(u64::try_from(part).unwrap_or(nanos))
    }
}

/// Counts the failures of one piece of work and says how long to wait before the next try.
#[derive(Debug)]
pub struct Backoff {
    options: RetryOptions,
    chance: Chance,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(options: RetryOptions, chance: Chance) -> Self {
        Self {
            options,
            chance,
            failures: 0,
        }
    }

    /// Notes a failure. `asked` is what the server wants us to wait. `None`: no more tries.
    pub fn next_delay(&mut self, asked: Option<Duration>) -> Option<Duration> {
        self.failures += 1;
        if self.failures >= self.options.attempts
            || asked.is_some_and(|asked| asked > self.options.retry_after_cap)
        {
            return None;
        }
        let doublings = (self.failures - 1).min(16);
        let bound = self
            .options
            .base
            .saturating_mul(1 << doublings)
            .min(self.options.cap);
        let delay = self.chance.draw(bound);
        Some(asked.map_or(delay, |asked| asked + delay.min(self.options.base)))
    }

    /// Notes a failure and sleeps. `false`: no more tries.
    pub async fn pause(&mut self, asked: Option<Duration>) -> bool {
        match self.next_delay(asked) {
            Some(delay) => {
                tokio::time::sleep(delay).await;
                true
            }
            None => false,
        }
    }

    /// Tries made so far, once a failure was noted.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.failures.max(1)
    }

    /// Tries made, counting the one that is under way.
    pub(crate) fn attempts_with_this(&self) -> u32 {
        self.failures + 1
    }

    /// There was progress: the count starts anew.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff(jitter: Jitter) -> Backoff {
        let options = RetryOptions {
            base: Duration::from_millis(100),
            cap: Duration::from_millis(300),
            jitter,
            ..RetryOptions::default()
        };
        Backoff::new(options, Chance::new(jitter))
    }

    #[test]
    fn grows_to_the_cap_and_ends() {
        let mut backoff = backoff(Jitter::None);
        let delays: Vec<_> = std::iter::from_fn(|| backoff.next_delay(None))
            .map(|delay| delay.as_millis())
            .collect();
        assert_eq!(delays, [100, 200, 300, 300]);
        assert_eq!(backoff.attempts(), 5);
        backoff.reset();
        assert_eq!(backoff.next_delay(None), Some(Duration::from_millis(100)));
    }

    #[test]
    fn jitter_stays_below_the_bound_and_is_repeatable() {
        let draw = |seed| {
            let mut backoff = backoff(Jitter::Seeded(seed));
            std::iter::from_fn(move || backoff.next_delay(None)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        for seed in 0..200 {
            for (delay, bound) in draw(seed).into_iter().zip([100, 200, 300, 300]) {
                assert!(delay <= Duration::from_millis(bound));
            }
        }
    }

    #[test]
    fn the_server_is_obeyed_up_to_the_cap() {
        let mut patient = backoff(Jitter::None);
        let delay = patient.next_delay(Some(Duration::from_secs(7))).unwrap();
        assert!(delay >= Duration::from_secs(7));
        assert_eq!(patient.next_delay(Some(Duration::from_secs(3600))), None);
    }

    #[test]
    fn reads_both_forms_of_retry_after() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, http::HeaderValue::from_static(text));
            retry_after(&headers, now)
        };
        assert_eq!(read("12"), Some(Duration::from_secs(12)));
        assert_eq!(
            read("Sun, 06 Nov 1994 08:49:47 GMT"),
            Some(Duration::from_secs(10))
        );
        assert_eq!(read("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-1"), None);
    }
}

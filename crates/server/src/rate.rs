//! So many requests a second from one client, where that is asked for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use landfall_net::server::client_of;

/// What a client may have saved up.
const BURST: Duration = Duration::from_secs(2);
/// Clients that are remembered.
const MAX_CLIENTS: usize = 65_536;

/// A bound on the requests of each client.
#[derive(Debug)]
pub(crate) struct Rate {
    /// The time that one request stands for.
    each: Duration,
    /// Up to when each client has used up its time. One that has none used up need not be remembered.
    used: Mutex<HashMap<IpAddr, Instant>>,
}

impl Rate {
    pub(crate) fn new(per_second: NonZeroU32) -> Self {
        Self {
            each: Duration::from_secs(1) / per_second.get(),
            used: Mutex::default(),
        }
    }

    /// Lets a request through, or says in how many seconds it may come again.
    pub(crate) fn take(&self, address: IpAddr, now: Instant) -> Result<(), u32> {
        let client = client_of(address);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MAX_CLIENTS && !used.contains_key(&client) {
            used.retain(|_, until| *until > now);
            // All of these are busy: one more cannot be held back.
            if used.len() >= MAX_CLIENTS {
                return Ok(());
            }
        }
        let until = used.entry(client).or_insert(now);
        let next = (*until).max(now) + self.each;
        let ahead = next.saturating_duration_since(now);
        if ahead > BURST.max(self.each) {
            let wait = ahead.saturating_sub(BURST).as_secs();
            return Err(u32::try_from(wait).unwrap_or(u32::MAX).saturating_add(1));
        }
        *until = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_so_many_a_second_for_each_client() {
        let rate = Rate::new(NonZeroU32::new(10).unwrap());
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut now = Instant::now();
        let passed = (0..100).filter(|_| rate.take(one, now).is_ok()).count();
        assert_eq!(passed, 20);
        assert_eq!(rate.take(one, now), Err(1));
        assert_eq!(rate.take(other, now), Ok(()));
        for _ in 0..5 {
            now += Duration::from_secs(1);
            let passed = (0..100).filter(|_| rate.take(one, now).is_ok()).count();
            assert_eq!(passed, 10);
        }
    }

    #[test]
    fn one_a_second_is_possible() {
        let rate = Rate::new(NonZeroU32::MIN);
        let now = Instant::now();
        let client = IpAddr::from([10, 0, 0, 1]);
        assert_eq!((rate.take(client, now), rate.take(client, now)), (Ok(()), Ok(())));
        assert_eq!(rate.take(client, now), Err(2));
    }
}

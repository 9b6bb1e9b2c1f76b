//! Who guesses passwords is slowed down, before a hash is computed for them.
//!
//! A client is its address; of IPv6 its /64, which is what one machine is given. A few failures are free, because
//! people mistype; after them, one attempt is let through at a time, and the wait between attempts doubles.
//! Credentials that are remembered as right need no attempt: the one wrong node behind a shared address does not
//! lock its neighbours out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use landfall_net::server::client_of;

/// Failures that cost nothing.
const FREE: u32 = 5;
/// The wait after the first failure that is not free.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// No wait is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A client that did not fail for this long has a clean sheet.
const FORGOTTEN: Duration = Duration::from_secs(600);
/// Clients that are known; the one that failed longest ago makes room.
const MAX_CLIENTS: usize = 4096;

/// Recent failures.
#[derive(Debug, Default)]
pub(super) struct Failures {
    clients: Mutex<HashMap<IpAddr, Sheet>>,
}

#[derive(Clone, Copy, Debug)]
struct Sheet {
    failures: u32,
    last: Instant,
    /// No attempt before.
    until: Instant,
}

impl Sheet {
    /// Whether there were too many failures, not long ago.
    fn counts(&self, now: Instant) -> bool {
        self.failures >= FREE && now < self.last + FORGOTTEN
    }

    fn check(&self, now: Instant) -> Result<(), Duration> {
        match self.counts(now) && now < self.until {
            true => Err(self.until - now),
            false => Ok(()),
        }
    }
}

impl Failures {
    /// How long the client has to wait, if it has to; not yet an attempt.
    pub(super) fn look(&self, client: IpAddr, now: Instant) -> Result<(), Duration> {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        match clients.get(&client_of(client)) {
            Some(sheet) => sheet.check(now),
            None => Ok(()),
        }
    }

    /// Lets an attempt through, or says how long the client has to wait.
    pub(super) fn admit(&self, client: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sheet) = clients.get_mut(&client_of(client)) else {
            return Ok(());
        };
        sheet.check(now)?;
        if sheet.counts(now) {
            // Counted as if it failed until we know better: a crowd does not slip through at once.
            sheet.until = now + wait_after(sheet.failures);
        }
        Ok(())
    }

    /// The attempt was wrong.
    pub(super) fn failed(&self, client: IpAddr, now: Instant) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let key = client_of(client);
        let before = clients.get(&key).filter(|sheet| now < sheet.last + FORGOTTEN);
        let failures = before.map_or(0, |sheet| sheet.failures).saturating_add(1);
        if clients.len() >= MAX_CLIENTS && !clients.contains_key(&key) {
            make_room(&mut clients, now);
        }
        let until = match failures {
            ..FREE => now,
            _ => now + wait_after(failures),
        };
        let last = now;
        clients.insert(
            key,
            Sheet {
                failures,
                last,
                until,
            },
        );
    }

    /// The attempt was right.
    pub(super) fn succeeded(&self, client: IpAddr) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.remove(&client_of(client));
    }
}

fn wait_after(failures: u32) -> Duration {
    let doubled = 1_u32
        .checked_shl(failures.saturating_sub(FREE))
        .unwrap_or(u32::MAX);
    FIRST_WAIT.saturating_mul(doubled).min(LONGEST_WAIT)
}

fn make_room(clients: &mut HashMap<IpAddr, Sheet>, now: Instant) {
    clients.retain(|_, sheet| now < sheet.last + FORGOTTEN);
    if clients.len() >= MAX_CLIENTS
        && let Some(oldest) = clients
            .iter()
            .min_by_key(|(_, sheet)| sheet.last)
            .map(|(key, _)| *key)
    {
        clients.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_few_are_free_and_then_the_wait_doubles_up_to_a_minute() {
        let failures = Failures::default();
        let client = address("192.0.2.1");
        let mut now = Instant::now();
        for _ in 0..FREE {
            failures.admit(client, now).unwrap();
            failures.failed(client, now);
        }
        let mut waits = Vec::new();
        for _ in 0..9 {
            let wait = failures.admit(client, now).unwrap_err();
            // To be refused is not to fail: the wait does not grow by asking.
            assert_eq!(failures.admit(client, now), Err(wait));
            waits.push(wait.as_secs());
            now += wait;
            failures.admit(client, now).unwrap();
            // One at a time.
            assert!(failures.admit(client, now).is_err());
            failures.failed(client, now);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        failures.admit(address("192.0.2.2"), now).unwrap();
        failures.succeeded(client);
        failures.admit(client, now).unwrap();
    }

    #[test]
    fn time_heals() {
        let failures = Failures::default();
        let (client, start) = (address("192.0.2.1"), Instant::now());
        for _ in 0..40 {
            failures.failed(client, start);
        }
        assert!(failures.admit(client, start + SECOND).is_err());
        failures.admit(client, start + FORGOTTEN).unwrap();
        failures.failed(client, start + FORGOTTEN);
        failures.admit(client, start + FORGOTTEN).unwrap();
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let failures = Failures::default();
        let now = Instant::now();
        for index in 0..FREE {
            failures.failed(address(&format!("2001:db8:1:2::{index}")), now);
            failures.failed(address("::ffff:192.0.2.1"), now);
        }
        assert!(failures.admit(address("2001:db8:1:2:3::"), now).is_err());
        failures.admit(address("2001:db8:1:3::"), now).unwrap();
        // An IPv4 address in IPv6's clothes is that address, not all of them.
        assert!(failures.admit(address("192.0.2.1"), now).is_err());
        failures.admit(address("192.0.2.2"), now).unwrap();
    }

    #[test]
    fn the_table_is_bounded() {
        let failures = Failures::default();
        let now = Instant::now();
        let of = |index: u32| IpAddr::from(index.to_be_bytes());
        for _ in 0..FREE {
            failures.failed(of(u32::MAX), now + SECOND);
        }
        for index in 0..MAX_CLIENTS as u32 + 10 {
            failures.failed(of(index), now);
        }
        assert_eq!(failures.clients.lock().unwrap().len(), MAX_CLIENTS);
        // What failed last stays.
        assert!(failures.admit(of(u32::MAX), now + SECOND).is_err());
    }
}

//! For tests only: pauses where threads can pass each other, and the proof that the guards are what keeps the
//! peace: without any one of them, the collector must be caught doing harm.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::leases::Guard;

/// Off until a test turns it on.
#[derive(Default)]
pub(in crate::directory) struct Chaos {
    /// The state of the generator; zero is off.
    seed: AtomicU64,
    off: Mutex<Option<Guard>>,
    looks: AtomicU64,
}

impl Chaos {
    pub(in crate::directory) fn start(&self, seed: u64, off: Option<Guard>) {
        self.seed.store(seed | 1, Ordering::Relaxed);
        *self.off.lock().unwrap_or_else(PoisonError::into_inner) = off;
    }

    pub(super) fn is_off(&self, guard: Guard) -> bool {
        let off = *self.off.lock().unwrap_or_else(PoisonError::into_inner);
        off.is_some_and(|off| off == guard || off == Guard::All)
    }

    pub(in crate::directory) fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// Gives the others time for more than one step.
    pub(super) fn long_pause(&self) {
        self.looks.fetch_add(1, Ordering::Relaxed);
        for _ in 0..20 {
            self.pause();
        }
    }

    /// Goes on, lets others go on, or waits a little, as the seed says.
    pub(super) fn pause(&self) {
        if self.seed.load(Ordering::Relaxed) == 0 {
            return;
        }
        let step = |seed: u64| {
            Some(
                seed.wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407)
                    | 1,
            )
        };
        let draw = self
            .seed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step)
            .unwrap_or_default()
            >> 33;
        match draw % 8 {
            0..=3 => {}
            4 | 5 => std::thread::yield_now(),
            _ => std::thread::sleep(Duration::from_micros(draw / 8 % 300)),
        }
    }
}

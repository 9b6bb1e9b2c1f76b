//! For tests only: pauses where threads can pass each other, and the proof that the leases are what keeps the
//! peace: blind to them, the collector must be caught doing harm.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Off until a test turns it on.
#[derive(Default)]
pub(in crate::directory) struct Chaos {
    /// The state of the generator; zero is off.
    seed: AtomicU64,
    blind: AtomicBool,
}

impl Chaos {
    pub(in crate::directory) fn start(&self, seed: u64, blind: bool) {
        self.seed.store(seed | 1, Ordering::Relaxed);
        self.blind.store(blind, Ordering::Relaxed);
    }

    pub(super) fn is_blind(&self) -> bool {
        self.blind.load(Ordering::Relaxed)
    }

    /// Gives the others time for more than one step.
    pub(super) fn long_pause(&self) {
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

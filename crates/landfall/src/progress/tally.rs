//! How far a run is: counted from events, for the listeners that speak now and then.

use std::time::{Duration, Instant};

use landfall_transfer::Event;

use crate::human;

/// Counts of a run.
#[derive(Debug)]
pub(crate) struct Tally {
    started: Instant,
    spoken: Instant,
    pub(crate) total: u64,
    pub(crate) moved: u64,
    pub(crate) images: usize,
    pub(crate) resolved: usize,
}

impl Default for Tally {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            spoken: now,
            total: 0,
            moved: 0,
            images: 0,
            resolved: 0,
        }
    }
}

impl Tally {
    /// Takes an event into account.
    pub(crate) fn count(&mut self, event: &Event<'_>) {
        match event {
            Event::Resolving { images } => self.images = *images,
            Event::Resolved { .. } => self.resolved += 1,
            Event::Planned { plan } => {
                self.total = plan.bytes_to_move;
                self.started = Instant::now();
            }
            Event::BlobMoved { bytes, .. } => self.moved += bytes,
            Event::BlobRestarted { bytes, .. } => self.moved = self.moved.saturating_sub(*bytes),
            _ => {}
        }
    }

    /// Whether it is time to speak again.
    pub(crate) fn is_due(&mut self, every: Duration) -> bool {
        let due = self.spoken.elapsed() >= every;
        if due {
            self.spoken = Instant::now();
        }
        due
    }

    /// Bytes a second since the first layer.
    pub(crate) fn rate(&self) -> u64 {
        let seconds = self.started.elapsed().as_secs_f64();
        if seconds > 0.0 {
            (self.moved as f64 / seconds) as u64
        } else {
            0
        }
    }

    /// Time left at this rate.
    pub(crate) fn eta(&self) -> Option<Duration> {
        let left = self.total.saturating_sub(self.moved);
        left.checked_div(self.rate()).map(Duration::from_secs)
    }

    /// One line: how much of how much, rate, time left.
    pub(crate) fn line(&self) -> String {
        let eta = self
            .eta()
            .map(|eta| format!(", {} left", human::duration(eta)))
            .unwrap_or_default();
        let percent = (self.moved * 100).checked_div(self.total).unwrap_or(100).min(100);
        let (moved, total, rate) = (
            human::bytes(self.moved),
            human::bytes(self.total),
            human::bytes(self.rate()),
        );
        format!("{percent:>3} %  {moved} of {total}, {rate}/s{eta}")
    }
}

//! Bars on a terminal: one for everything, with rate and time left, and one for each blob that is moving.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use landfall_oci::Digest;
use landfall_transfer::{Event, Reporter};

/// More than a few lines would only flicker.
const MOST_BLOBS: usize = 6;
const OVERALL: &str =
    "{msg:<12} [{bar:32}] {decimal_bytes} of {decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left";
const BLOB: &str = "  {msg:<12} [{bar:32}] {decimal_bytes} of {decimal_total_bytes}";

/// The bars.
pub(crate) struct Bars {
    all: MultiProgress,
    overall: ProgressBar,
    blobs: Mutex<HashMap<Digest, ProgressBar>>,
}

impl Bars {
    pub(crate) fn new() -> Self {
        let all = MultiProgress::new();
        let overall = all.add(ProgressBar::new(0));
        Self {
            all,
            overall,
            blobs: Mutex::default(),
        }
    }

    fn line(&self, line: &str) {
        // A terminal that went away is no reason to stop.
        let _ = self.all.println(line);
    }

    fn blobs(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, ProgressBar>> {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, digest: Digest, size: u64, already: u64) {
        let mut blobs = self.blobs();
        if blobs.len() < MOST_BLOBS {
            let bar = self.all.add(
                ProgressBar::new(size)
                    .with_style(style(BLOB))
                    .with_message(digest.short()),
            );
            bar.set_position(already);
            blobs.insert(digest, bar);
        }
    }

    fn moved(&self, digest: &Digest, bytes: u64) {
        self.overall.inc(bytes);
        if let Some(bar) = self.blobs().get(digest) {
            bar.inc(bytes);
        }
    }

    fn finish(&self, digest: &Digest) {
        if let Some(bar) = self.blobs().remove(digest) {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

impl Reporter for Bars {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Resolving { images } => {
                self.overall
                    .set_style(style("{msg:<12} [{bar:32}] {pos} of {len} images"));
                self.overall.set_message("resolving");
                self.overall.set_length(*images as u64);
            }
            Event::Resolved { .. } => self.overall.inc(1),
            Event::Planned { plan } => {
                self.line(&super::plain::summary(plan));
                self.overall.reset();
                self.overall.set_style(style(OVERALL));
                self.overall.set_message("moving");
                self.overall.set_length(plan.bytes_to_move);
            }
            Event::BlobStarted {
                digest,
                size,
                already,
            } => self.start(*digest, *size, *already),
            Event::BlobMoved { digest, bytes } => self.moved(digest, *bytes),
            Event::BlobRestarted { digest, bytes } => {
                self.overall
                    .set_position(self.overall.position().saturating_sub(*bytes));
                self.finish(digest);
            }
            Event::BlobFinished { digest, .. } => self.finish(digest),
            Event::ImageFailed { failure } => {
                self.line(&format!("FAILED  {}: {}", failure.asked, failure.reason))
            }
            Event::ImageFinished { .. } => {}
            Event::Note { message } => self.line(&format!("note: {message}")),
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        for (_, bar) in self.blobs().drain() {
            bar.finish_and_clear();
        }
        self.overall.finish_and_clear();
    }
}

//! Plain lines on standard error: what a log file or a CI job should hold.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use landfall_transfer::{Event, Reporter};

use super::tally::Tally;
use crate::human;

const EVERY: Duration = Duration::from_secs(5);

/// One line per image, and one every few seconds between them.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    tally: Mutex<Tally>,
}

impl Reporter for Lines {
    fn event(&self, event: &Event<'_>) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.count(event);
        let line = match event {
            Event::Resolving { images } => format!("resolving {}", human::count(*images, "image")),
            Event::Planned { plan } => summary(plan),
            Event::ImageFinished {
                reference,
                target: Some(target),
            } => format!("ok      {} -> {target}", reference.familiar()),
            Event::ImageFinished {
                reference,
                target: None,
            } => format!("ok      {}", reference.familiar()),
            Event::ImageFailed { failure } => format!("FAILED  {}: {}", failure.asked, failure.reason),
            Event::Note { message } => format!("note: {message}"),
            Event::BlobMoved { .. } if tally.is_due(EVERY) => tally.line(),
            _ => return,
        };
        crate::out::progress(&line);
    }
}

/// The plan in one line.
pub(crate) fn summary(plan: &landfall_transfer::Plan) -> String {
    format!(
        "plan: {}, {}, {}; {} there already, {} to move",
        human::count(plan.images.len(), "image"),
        human::count(plan.blobs, "unique blob"),
        human::bytes(plan.bytes),
        human::bytes(plan.bytes_there),
        human::bytes(plan.bytes_to_move),
    )
}

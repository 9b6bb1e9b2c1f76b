//! JSON lines on standard output, one event each, for programs.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use landfall_transfer::{Event, Reporter};
use serde_json::{Value, json};

use super::tally::Tally;

const EVERY: Duration = Duration::from_millis(500);

/// One object a line; moved bytes are summed up and told at most twice a second.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    tally: Mutex<Tally>,
}

impl Reporter for Lines {
    fn event(&self, event: &Event<'_>) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.count(event);
        if let Some(value) = value(event, &mut tally) {
            crate::out::result(&format!("{value}\n"));
        }
    }
}

fn value(event: &Event<'_>, tally: &mut Tally) -> Option<Value> {
    Some(match event {
        Event::Resolving { images } => json!({"event": "resolving", "images": images}),
        Event::Resolved { reference } => json!({"event": "resolved", "reference": reference}),
        Event::Planned { plan } => json!({"event": "planned", "plan": plan}),
        Event::BlobStarted {
            digest,
            size,
            already,
        } => {
            json!({"event": "blob-started", "digest": digest, "size": size, "already": already})
        }
        Event::BlobMoved { .. } if tally.is_due(EVERY) => json!({
            "event": "progress", "bytes": tally.moved, "of": tally.total, "bytes_per_second": tally.rate(),
            "seconds_left": tally.eta().map(|eta| eta.as_secs()),
        }),
        Event::BlobMoved { .. } => return None,
        Event::BlobRestarted { digest, bytes } => {
            json!({"event": "blob-restarted", "digest": digest, "bytes": bytes})
        }
        Event::BlobFinished { digest, size, how } => {
            json!({"event": "blob-finished", "digest": digest, "size": size, "how": how})
        }
        Event::ImageFinished { reference, target } => {
            json!({"event": "image-finished", "reference": reference, "target": target})
        }
        Event::ImageFailed { failure } => json!({"event": "image-failed", "failure": failure}),
        Event::Note { message } => json!({"event": "note", "message": message}),
    })
}

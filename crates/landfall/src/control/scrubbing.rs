//! Hashing everything again, and mending it from elsewhere.

use std::sync::Arc;

use landfall_bundle::mount;
use landfall_store::{ScrubOptions, Store};
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;

use super::failure;
use super::request::Scrub;
use super::told::Told;
use super::work::{Done, count, local};
use super::workshop::Workshop;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::human;

pub(super) async fn scrub(workshop: &Workshop, asked: &Scrub, items: Sender<Value>) -> Result<Done, Failure> {
    let paths = asked.heal_from.clone();
    let mounted = tokio::task::spawn_blocking(move || -> Result<Vec<Arc<dyn Store>>, Failure> {
        paths.iter().map(|path| Ok(mount(path)?)).collect()
    });
    let options = ScrubOptions {
        bytes_per_second: asked.bytes_per_second,
        heal_from: mounted.await.map_err(local)??,
        quarantine: asked.quarantine,
        ..ScrubOptions::default()
    };
    let told = Arc::new(Told::new(items));
    let done = workshop.store.scrub(options, told).await.map_err(failure)?;
    let verdict = match (done.damaged, done.is_clean()) {
        (0, _) => "all right".to_owned(),
        (damaged, true) => format!("{damaged} damaged and healed"),
        (damaged, false) => format!(
            "{damaged} damaged, {} healed, {} moved aside",
            done.healed, done.quarantined
        ),
    };
    let text = format!(
        "{} ({}) in {} checked: {verdict}",
        count(done.blobs, "blob"),
        human::bytes(done.bytes),
        count(done.repositories, "repository"),
    );
    Ok(Done {
        exit: match done.is_clean() {
            true => Exit::Complete,
            false => Exit::Damaged,
        },
        summary: json!({
            "text": text, "clean": done.is_clean(), "blobs": done.blobs, "bytes": done.bytes,
            "repositories": done.repositories, "damaged": done.damaged, "healed": done.healed,
            "quarantined": done.quarantined, "notes": done.notes,
        }),
    })
}

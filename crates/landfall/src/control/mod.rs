//! Looking after a registry's directory: collection, scrub, history, what is wanted.
//!
//! One process owns a directory. When no server runs, a command opens it and does the work itself; when one does, the
//! command asks it to, over a socket in the directory. The work is the same function ([`work::perform`]) both times.

mod request;
mod socket;
#[cfg(test)]
mod tests;
mod told;
mod work;
mod workshop;

use std::path::Path;

use landfall_store::{DirectoryOptions, DirectoryStore, StoreError};
use serde_json::Value;

pub(crate) use self::request::{Collect, Moment, Request, Scrub};
pub(crate) use self::socket::listen;
pub(crate) use self::work::{Done, collection_summary};
pub(crate) use self::workshop::{Policy, Workshop, wanted_file};
use crate::connect::hash_service;
use crate::exit::Exit;
use crate::failure::Failure;

/// Has a piece of work done on the directory, wherever it must be done; `item` sees each thing found on the way. Gives
/// the summary.
pub(crate) async fn ask(root: &Path, request: Request, mut item: impl FnMut(Value)) -> Result<Done, Failure> {
    if let Some(stream) = socket::connect(root).await {
        return socket::ask(stream, &request, &mut item).await;
    }
    if !root.is_dir() {
        return Err(Failure::new(
            Exit::Local,
            format!("there is no directory {}", root.display()),
        ));
    }
    let workshop = Workshop::open(root).await?;
    let (items, mut found) = tokio::sync::mpsc::channel(64);
    let work = work::perform(&workshop, request, items);
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            Some(value) = found.recv() => item(value),
            done = &mut work => {
                while let Ok(value) = found.try_recv() {
                    item(value);
                }
                return done;
            }
        }
    }
}

/// Opens a directory as its owner.
pub(crate) async fn open(root: &Path) -> Result<DirectoryStore, Failure> {
    DirectoryStore::open(root, hash_service(), DirectoryOptions::default())
        .await
        .map_err(failure)
}

/// What an error of the store means for the program.
pub(crate) fn failure(error: StoreError) -> Failure {
    let exit = match error {
        StoreError::NotFound(_) => Exit::Partial,
        StoreError::Corrupt { .. } | StoreError::DigestMismatch { .. } => Exit::Damaged,
        _ => Exit::Local,
    };
    Failure::new(exit, error.to_string())
}

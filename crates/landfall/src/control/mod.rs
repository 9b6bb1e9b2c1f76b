//! Looking after a registry's directory: collection, scrub, history, what is wanted.
//!
//! One process owns a directory. When no server runs, a command opens it and does the work itself; when one does, the
//! command asks it to, over a socket in the directory. The work is the same function ([`work::perform`]) both times.

mod collecting;
mod request;
mod scrubbing;
mod socket;
mod tags;
#[cfg(test)]
mod tests;
mod told;
mod work;
mod workshop;

use std::path::Path;
use std::time::{Duration, Instant};

use landfall_store::{DirectoryOptions, DirectoryStore, StoreError};
use serde_json::Value;
use tokio::net::UnixStream;

pub(crate) use self::collecting::collection_summary;
pub(crate) use self::request::{Collect, Moment, Request, Scrub};
pub(crate) use self::socket::listen;
pub(crate) use self::work::Done;
pub(crate) use self::workshop::{Policy, Workshop, wanted_file};
use crate::connect::hash_service;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

/// How long an owner that cannot be asked is waited for: a command at work in the directory.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is tried again.
const AGAIN: Duration = Duration::from_millis(100);
/// What marks a directory as a registry's.
const MARKER: &str = "landfall-store";

/// Has a piece of work done on the directory, wherever it must be done; `item` sees each thing found on the way. Gives
/// the summary.
pub(crate) async fn ask(root: &Path, request: Request, mut item: impl FnMut(Value)) -> Result<Done, Failure> {
    check_is_store(root)?;
    let store = match claim(root, DirectoryOptions::default()).await? {
        Claimed::Served(stream) => return socket::ask(stream, &request, &mut item).await,
        Claimed::Ours(store) => *store,
    };
    let workshop = Workshop::open(root, store).await?;
    let (items, mut found) = tokio::sync::mpsc::channel(64);
    // A task of its own, as in a server: it may wait until what it found has been taken.
    let work = tokio::spawn(async move { work::perform(&workshop, request, items).await });
    while let Some(value) = found.recv().await {
        item(value);
    }
    work.await
        .unwrap_or_else(|stopped| Err(Failure::new(Exit::Local, stopped.to_string())))
}

/// A directory that is empty, or not there, would become a store by being opened: no upkeep is meant for those.
fn check_is_store(root: &Path) -> Result<(), Failure> {
    let wrong = match (root.is_dir(), root.join(MARKER).is_file()) {
        (true, true) => return Ok(()),
        (true, false) => format!(
            "{} is not the directory of a registry: it has no file `{MARKER}`",
            root.display()
        ),
        (false, _) => format!("there is no directory {}", root.display()),
    };
    Err(Failure::new(Exit::Local, wrong))
}

/// Whose a directory is.
pub(crate) enum Claimed {
    /// Ours, until the store is dropped.
    Ours(Box<DirectoryStore>),
    /// A server's, which can be asked.
    Served(UnixStream),
}

/// Opens a directory as its owner, or finds the server that is. One that is neither at the moment (a server that is
/// starting, a command that is at work) is waited for a while.
pub(crate) async fn claim(root: &Path, options: DirectoryOptions) -> Result<Claimed, Failure> {
    let patience = Instant::now() + PATIENCE;
    let mut told = false;
    loop {
        if let Some(stream) = socket::connect(root).await {
            return Ok(Claimed::Served(stream));
        }
        match DirectoryStore::open(root, hash_service(), options.clone()).await {
            Ok(store) => return Ok(Claimed::Ours(Box::new(store))),
            Err(error @ StoreError::InUse { .. }) if Instant::now() < patience => {
                if !std::mem::replace(&mut told, true) {
                    out::progress(&format!("waiting: {error}"));
                }
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) => return Err(failure(error)),
        }
    }
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

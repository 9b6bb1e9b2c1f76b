//! Missing images are remembered: what was asked for, was allowed, and is not here, is the next trip's shopping list.
//!
//! A request that finds its image pays for a look at one number while nothing is wanted, and for a look-up when
//! something is. One that does not find it changes memory only; the file is written every few seconds.

mod file;
mod indexes;
mod memory;
mod name;
mod render;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::IpAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use landfall_oci::Reference;

pub(crate) use self::indexes::RecentIndexes;
pub(crate) use self::name::{Meant, is_probe, platform_of};
pub use self::render::{WantedImage, image_list, json};

use self::file::StateFile;
use self::memory::{Memory, Miss};
use crate::clock::unix_ms;
use crate::error::ServerError;

/// Entries that are kept.
const CAPACITY: usize = 10_000;
/// How many of them one client alone may have asked for.
const SHARE: usize = 1000;

/// Images that were asked for and are not here.
#[derive(Clone, Debug)]
pub struct Wanted(Arc<Inner>);

struct Inner {
    memory: Mutex<Memory>,
    /// As many as `memory` has, to be read without its lock.
    len: AtomicUsize,
    changed: AtomicBool,
    file: Option<StateFile>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wanted")
            .field("len", &self.len)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Wanted {
    /// Remembers across restarts, in a file that need not be there yet. One process at a time.
    ///
    /// # Errors
    /// [`ServerError::Io`] when the file cannot be read. One that can be read and makes no sense is set aside.
    pub async fn open(path: &Path) -> Result<Self, ServerError> {
        let path = path.to_owned();
        let open = move || {
            let file = StateFile::new(&path);
            let mut memory = Memory::new(CAPACITY, SHARE);
            file.read()?.into_iter().for_each(|entry| memory.restore(entry));
            Ok(Self::new(memory, Some(file)))
        };
        tokio::task::spawn_blocking(open)
            .await
            .unwrap_or(Err(ServerError::Stopped))
    }

    /// Remembers until the end of the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(Memory::new(CAPACITY, SHARE), None)
    }

    fn new(memory: Memory, file: Option<StateFile>) -> Self {
        Self(Arc::new(Inner {
            len: AtomicUsize::new(memory.len()),
            memory: Mutex::new(memory),
            changed: AtomicBool::new(false),
            file,
        }))
    }

    /// What is wanted, each image once, by name.
    #[must_use]
    pub fn list(&self) -> Vec<WantedImage> {
        let mut images: BTreeMap<Reference, WantedImage> = BTreeMap::new();
        // The least recently wanted first: of what differs, the latest stays.
        for entry in self.0.memory().entries() {
            let image = images.entry(entry.image.clone()).or_insert_with(|| WantedImage {
                reference: entry.image.clone(),
                written: String::new(),
                platforms: Vec::new(),
                members: Vec::new(),
                clients: Vec::new(),
                first_ms: entry.first_ms,
                last_ms: entry.last_ms,
                count: 0,
            });
            image.written.clone_from(&entry.written);
            image
                .members
                .extend(entry.asked.digest().filter(|_| entry.asked != entry.image));
            add_new(&mut image.platforms, &entry.platforms);
            add_new(&mut image.clients, &entry.clients);
            image.first_ms = image.first_ms.min(entry.first_ms);
            image.last_ms = image.last_ms.max(entry.last_ms);
            image.count = image.count.saturating_add(entry.count);
        }
        images.into_values().collect()
    }

    /// How many requests for different things wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len.load(Ordering::Relaxed)
    }

    /// Whether nothing is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes an image off the list: it will not be brought. Says whether it was on it.
    pub fn forget(&self, image: &Reference) -> bool {
        self.0.change(|memory| memory.forget(image)) > 0
    }

    /// Writes the file, if anything has changed since it was written last.
    ///
    /// # Errors
    /// [`ServerError`] when it cannot be written; the changes are kept for the next time.
    pub async fn flush(&self) -> Result<(), ServerError> {
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || inner.flush())
            .await
            .unwrap_or(Err(ServerError::Stopped))
    }

    /// Writes the file every so often until `stop`, and then once more.
    pub async fn keep(&self, every: Duration, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut failing = false;
        loop {
            let last = tokio::select! {
                () = tokio::time::sleep(every) => false,
                () = stop.as_mut() => true,
            };
            let written = self.flush().await;
            let failed_before = std::mem::replace(&mut failing, written.is_err());
            // Once, not every few seconds while a disk is full.
            if let Err(error) = written
                && !failed_before
            {
                tracing::error!(%error, "which images are wanted cannot be written down; trying again until it works");
            }
            if last {
                return;
            }
        }
    }

    /// Takes note of a request. `asked` is not here; `image` would bring it.
    pub(crate) fn miss(
        &self,
        asked: Reference,
        image: Meant,
        platform: Option<landfall_oci::Platform>,
        client: IpAddr,
    ) {
        let miss = Miss {
            asked,
            image,
            platform,
            client,
        };
        self.0.change(|memory| memory.miss(miss, unix_ms()));
    }

    /// Something is here. Cheap while nothing is wanted; `asked` is not called then.
    pub(crate) fn arrived(&self, asked: impl FnOnce() -> Option<Meant>) {
        if self.is_empty() {
            return;
        }
        let Some(meant) = asked() else { return };
        let mut memory = self.0.memory();
        if memory.arrived(&meant.reference) {
            self.0.changed(&memory);
        }
    }
}

impl Inner {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        let mut memory = self.memory();
        let done = change(&mut memory);
        self.changed(&memory);
        done
    }

    fn changed(&self, memory: &Memory) {
        self.len.store(memory.len(), Ordering::Relaxed);
        self.changed.store(true, Ordering::Relaxed);
    }

    fn flush(&self) -> Result<(), ServerError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        // Before the entries are read: what changes meanwhile is written the next time.
        if !self.changed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let written = file.write(|| self.memory().entries().cloned().collect());
        if written.is_err() {
            self.changed.store(true, Ordering::Relaxed);
        }
        written
    }
}

fn add_new<T: Clone + PartialEq>(values: &mut Vec<T>, more: &[T]) {
    for value in more {
        if !values.contains(value) {
            values.push(value.clone());
        }
    }
}

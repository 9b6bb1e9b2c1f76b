//! A blob on its way here, and those who read it meanwhile. However many they are, it comes once; the last of its bytes
//! are given to nobody before all of them are proven.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use landfall_net::server::Grown;
use landfall_oci::{Digest, Repository};
use landfall_store::Extent;
use tokio::sync::watch;

use super::Source;
use super::verdict::Verdict;

/// So much of the end is held back until the digest is proven.
const HELD_BACK: u64 = 64 * 1024;
/// Blobs up to this are given out only when they are proven, so that a host with wrong bytes is not noticed at all.
const PROVEN_FIRST: u64 = 1024 * 1024;

/// How far a fetch has come.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Counts the beginnings: after wrong bytes it begins again, and what was read before is worth nothing.
    pub(super) run: u32,
    /// Since an upstream has begun to send.
    pub(super) begun: Option<Begun>,
    /// Bytes that can be read.
    pub(super) written: u64,
    /// Whether they are all there, with the right digest.
    pub(super) proven: bool,
    /// How it has ended, if not well.
    pub(super) failed: Option<Verdict>,
}

#[derive(Clone, Debug)]
pub(super) struct Begun {
    /// The file, as long as it will be.
    pub(super) extent: Extent,
    /// Who sends it.
    pub(super) from: Arc<str>,
}

impl State {
    /// How much of so many bytes may be given out.
    fn released(&self, size: u64) -> u64 {
        match self.proven {
            true => size,
            false => self.written.min(size.saturating_sub(HELD_BACK)),
        }
    }
}

/// A fetch under way.
pub(super) struct Flight {
    /// Whose it is, and who else has been found to have the same blob.
    sources: Mutex<Vec<Source>>,
    state: watch::Receiver<State>,
}

impl Flight {
    pub(super) fn new(owner: Source) -> (Arc<Self>, watch::Sender<State>) {
        let (tell, state) = watch::channel(State::default());
        let flight = Self {
            sources: Mutex::new(vec![owner]),
            state,
        };
        (Arc::new(flight), tell)
    }

    pub(super) fn sources(&self) -> MutexGuard<'_, Vec<Source>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is on behalf of this repository too.
    pub(super) fn is_for(&self, kept: &Repository) -> bool {
        self.sources().iter().any(|source| source.kept == *kept)
    }

    /// The length, where it is known.
    pub(super) fn size(&self) -> Option<(u64, Arc<str>)> {
        let state = self.state.borrow();
        state
            .begun
            .as_ref()
            .map(|begun| (begun.extent.len, Arc::clone(&begun.from)))
    }

    /// Waits until there is something to read.
    pub(super) async fn reader(&self) -> Result<Reader, Verdict> {
        let mut state = self.state.clone();
        let is_ready = |state: &State| match &state.begun {
            _ if state.failed.is_some() => true,
            Some(begun) => state.proven || begun.extent.len > PROVEN_FIRST,
            None => false,
        };
        let now = match state.wait_for(is_ready).await {
            Ok(now) => now.clone(),
            // The program ends.
            Err(_) => return Err(Verdict::default()),
        };
        match (now.begun, now.failed) {
            (Some(begun), failed) if now.proven || failed.is_none() => Ok(Reader {
                state,
                run: now.run,
                extent: begun.extent,
                from: begun.from,
            }),
            (_, failed) => Err(failed.unwrap_or_default()),
        }
    }
}

/// One who reads a blob while it comes.
#[derive(Clone)]
pub(crate) struct Reader {
    state: watch::Receiver<State>,
    run: u32,
    /// The file, as long as it will be.
    pub(crate) extent: Extent,
    /// Who sends it.
    pub(crate) from: Arc<str>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("extent", &self.extent)
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// Waits until the file may be read beyond `offset`, and says up to where.
    ///
    /// # Errors
    /// When the fetch has failed: what was read so far is not to be used.
    pub(crate) async fn beyond(mut self, offset: u64) -> io::Result<u64> {
        let (run, size) = (self.run, self.extent.len);
        let is_over = |state: &State| state.run != run || state.failed.is_some() && !state.proven;
        let waited = self
            .state
            .wait_for(|state| is_over(state) || state.released(size) > offset)
            .await;
        match waited {
            Ok(state) if !is_over(&state) => Ok(state.released(size)),
            _ => Err(io::Error::other("the upstream did not send the blob to its end")),
        }
    }

    /// The same, as the sender of answers asks it.
    pub(crate) fn grown(self) -> Grown {
        Box::new(move |offset| Box::pin(self.clone().beyond(offset)))
    }
}

/// All fetches under way.
#[derive(Default)]
pub(super) struct Flights {
    running: Mutex<HashMap<Digest, Arc<Flight>>>,
}

impl Flights {
    fn running(&self) -> MutexGuard<'_, HashMap<Digest, Arc<Flight>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<Flight>> {
        self.running().get(digest).cloned()
    }

    /// The fetch of a blob, and whether it was begun by this call.
    pub(super) fn join(&self, digest: &Digest, begin: impl FnOnce() -> Arc<Flight>) -> (Arc<Flight>, bool) {
        let mut running = self.running();
        if let Some(flight) = running.get(digest) {
            return (Arc::clone(flight), false);
        }
        let flight = begin();
        running.insert(*digest, Arc::clone(&flight));
        (flight, true)
    }

    pub(super) fn end(&self, digest: &Digest, flight: &Arc<Flight>) {
        let mut running = self.running();
        if running
            .get(digest)
            .is_some_and(|known| Arc::ptr_eq(known, flight))
        {
            running.remove(digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_held_back_until_it_is_proven() {
        let mut state = State {
            written: 1_000_000,
            ..State::default()
        };
        assert_eq!(state.released(2_000_000), 1_000_000);
        assert_eq!(state.released(1_000_000), 1_000_000 - HELD_BACK);
        assert_eq!(state.released(100), 0);
        state.proven = true;
        assert_eq!(state.released(1_000_000), 1_000_000);
    }
}

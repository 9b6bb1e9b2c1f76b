//! Tombstones and leases: how a writer and the collector never pass each other unseen.
//!
//! Whoever makes a thing be needed (a push, a mount, an answer "it is there") holds a [`Lease`] on it for as long
//! as that takes. The collector puts up a tombstone ([`Leases::condemn`]) before it removes a thing, and may not
//! where there is a lease or was one since the collection began; whoever wants a lease on a condemned thing waits
//! for the end of it and then finds the thing gone. One mutex decides who came first. Both live in memory only:
//! one process writes to a root, and a crash ends all writers and the collector together.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use landfall_oci::{Digest, Repository};

/// What is leased: 24 bytes whatever the names. Where two things share a key, one is kept for the other's sake.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::directory) struct Key {
    owner: u64,
    digest: u128,
}

/// The key of no thing.
const NOTHING: Key = Key { owner: 0, digest: 0 };

/// The first half of a SHA-256: enough to say that something must be kept.
pub(super) fn fingerprint(digest: &Digest) -> u128 {
    let mut first = [0; 16];
    first.copy_from_slice(&digest.as_bytes()[..16]);
    u128::from_le_bytes(first)
}

fn owner(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

impl Key {
    /// The bytes of a blob or manifest.
    pub(in crate::directory) fn bytes(digest: &Digest) -> Self {
        Self {
            owner: owner("bytes"),
            digest: fingerprint(digest),
        }
    }

    /// That a repository holds a blob.
    pub(in crate::directory) fn member(repository: &Repository, digest: &Digest) -> Self {
        Self {
            owner: owner(("member", repository)),
            digest: fingerprint(digest),
        }
    }

    /// That a repository has a manifest.
    pub(in crate::directory) fn manifest(repository: &Repository, digest: &Digest) -> Self {
        Self {
            owner: owner(("manifest", repository)),
            digest: fingerprint(digest),
        }
    }
}

/// What keeps a writer and the collector out of each other's way, place by place: so that a test can take one away,
/// and see that its loss would be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "suite"), allow(dead_code, unreachable_pub))]
pub enum Guard {
    /// The lease on the bytes of a blob while a push of it ends.
    Upload,
    /// The lease on the bytes of a blob while it is mounted.
    Mount,
    /// The lease on a membership while it is made, or found.
    Membership,
    /// The lease on a membership while somebody is told of it.
    Stat,
    /// The lease on the bytes of a manifest while it is put.
    Manifest,
    /// The lease on a manifest while somebody is told of it.
    StatManifest,
    /// The note that a manifest was put into a repository, or a tag.
    Change,
    /// The wait of a writer for the end of a removal.
    Tombstone,
    /// The lease on bytes that are healed. Its loss harms nobody: bytes that are needed are not removed.
    Repair,
    /// Whatever the collector could see of the writers.
    All,
}

/// All leases and tombstones of a store.
#[derive(Default)]
pub(in crate::directory) struct Leases {
    state: Mutex<State>,
    ended: Condvar,
    #[cfg(feature = "suite")]
    pub(in crate::directory) chaos: super::chaos::Chaos,
}

#[derive(Default)]
struct State {
    /// Who is at it now, and how many of them.
    held: HashMap<Key, u32>,
    /// What is being removed now.
    condemned: HashSet<Key>,
    /// While a collection runs.
    run: Option<Run>,
}

/// What happened since the collection began.
#[derive(Default)]
struct Run {
    leased: HashSet<Key>,
    /// Repositories in which a manifest or a tag was put.
    changed: HashSet<u64>,
}

/// Keeps a thing from being removed, now and until the end of the collection that runs.
pub(in crate::directory) struct Lease<'a> {
    leases: &'a Leases,
    key: Key,
    used: bool,
}

/// Keeps writers from relying on a thing until its removal is over.
pub(in crate::directory) struct Condemned<'a> {
    leases: &'a Leases,
    key: Key,
}

/// A collection under way.
pub(super) struct Collecting<'a>(&'a Leases);

impl Leases {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody removes the thing, then keeps everybody from it. Blocks for the time of a rename.
    pub(in crate::directory) fn take(&self, guard: Guard, key: Key) -> Lease<'_> {
        let key = if self.is_off(guard) { NOTHING } else { key };
        let mut state = self.state();
        while state.condemned.contains(&key) && !self.is_off(Guard::Tombstone) {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.lease(state, key)
    }

    /// The same where nobody removes the thing; never waits.
    pub(in crate::directory) fn try_take(&self, guard: Guard, key: Key) -> Option<Lease<'_>> {
        let key = if self.is_off(guard) { NOTHING } else { key };
        let state = self.state();
        let is_free = !state.condemned.contains(&key) || self.is_off(Guard::Tombstone);
        is_free.then(|| self.lease(state, key))
    }

    fn lease(&self, mut state: MutexGuard<'_, State>, key: Key) -> Lease<'_> {
        *state.held.entry(key).or_default() += 1;
        drop(state);
        self.pause();
        Lease {
            leases: self,
            key,
            used: true,
        }
    }

    /// Notes that what is needed in a repository may have changed. Under the repository's lock.
    pub(in crate::directory) fn note_change(&self, repository: &Repository) {
        if let (Some(run), false) = (&mut self.state().run, self.is_off(Guard::Change)) {
            run.changed.insert(owner(repository));
        }
        self.pause();
    }

    /// From here on, what is leased is remembered. `Drop` ends it.
    pub(super) fn begin(&self) -> Collecting<'_> {
        self.state().run = Some(Run::default());
        Collecting(self)
    }

    /// Forgets earlier changes of the repository. Under the repository's lock, so that what comes later is seen.
    pub(super) fn forget_changes(&self, repository: &Repository) {
        if let Some(run) = &mut self.state().run {
            run.changed.remove(&owner(repository));
        }
    }

    /// Whether something was put into the repository since then. Under the repository's lock.
    pub(super) fn has_changed(&self, repository: &Repository) -> bool {
        let state = self.state();
        let changed = state.run.as_ref().map(|run| &run.changed);
        changed.is_some_and(|changed| changed.contains(&owner(repository)))
    }

    /// Whether somebody relies on the thing.
    pub(super) fn is_leased(&self, key: Key) -> bool {
        let state = self.state();
        let leased = state.run.as_ref().is_some_and(|run| run.leased.contains(&key));
        leased || state.held.contains_key(&key)
    }

    /// Puts up a tombstone, unless somebody relies on the thing.
    pub(super) fn condemn(&self, key: Key) -> Option<Condemned<'_>> {
        let mut state = self.state();
        let leased = state.run.as_ref().is_some_and(|run| run.leased.contains(&key));
        if leased || state.held.contains_key(&key) {
            return None;
        }
        state.condemned.insert(key);
        drop(state);
        self.pause();
        Some(Condemned { leases: self, key })
    }

    /// Puts up a tombstone as soon as nobody is at the thing: for wrong bytes, which go whoever relies on them.
    pub(in crate::directory) fn seize(&self, key: Key) -> Condemned<'_> {
        let mut state = self.state();
        while state.held.contains_key(&key) || !state.condemned.insert(key) {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Condemned { leases: self, key }
    }

    #[cfg(feature = "suite")]
    fn is_off(&self, guard: Guard) -> bool {
        self.chaos.is_off(guard)
    }

    /// Between what the collector has seen and what it does about it.
    pub(super) fn look_away(&self) {
        #[cfg(feature = "suite")]
        self.chaos.long_pause();
    }

    #[cfg(feature = "suite")]
    fn pause(&self) {
        self.chaos.pause();
    }

    #[cfg(not(feature = "suite"))]
    #[allow(clippy::unused_self)]
    fn is_off(&self, _: Guard) -> bool {
        false
    }

    #[cfg(not(feature = "suite"))]
    #[allow(clippy::unused_self)]
    fn pause(&self) {}
}

impl Lease<'_> {
    /// The thing turned out not to be there: nothing to keep.
    pub(in crate::directory) fn unused(mut self) {
        self.used = false;
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut state = self.leases.state();
        if let Some(count) = state.held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                state.held.remove(&self.key);
            }
        }
        if let Some(run) = state.run.as_mut().filter(|_| self.used) {
            run.leased.insert(self.key);
        }
        drop(state);
        self.leases.ended.notify_all();
    }
}

impl Drop for Condemned<'_> {
    fn drop(&mut self) {
        self.leases.state().condemned.remove(&self.key);
        self.leases.ended.notify_all();
    }
}

impl Drop for Collecting<'_> {
    fn drop(&mut self) {
        self.0.state().run = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const KEY: Key = Key { owner: 1, digest: 2 };

    #[test]
    fn who_came_first_decides() {
        let leases = Leases::default();
        let run = leases.begin();
        let lease = leases.take(Guard::Upload, KEY);
        assert!(leases.condemn(KEY).is_none());
        drop(lease);
        // Used during this collection: kept by it, not by the next one.
        assert!(leases.condemn(KEY).is_none());
        drop(run);
        let run = leases.begin();
        leases.take(Guard::Upload, KEY).unused();
        assert!(leases.condemn(KEY).is_some());
        drop(run);
        // Begun before the collection, ended within it.
        let lease = leases.take(Guard::Upload, KEY);
        let _run = leases.begin();
        drop(lease);
        assert!(leases.is_leased(KEY));
    }

    #[test]
    fn a_writer_waits_for_the_end_of_a_removal() {
        let leases = Leases::default();
        let (sender, receiver) = mpsc::channel();
        std::thread::scope(|scope| {
            let condemned = leases.condemn(KEY).unwrap();
            scope.spawn(|| {
                let _lease = leases.take(Guard::Upload, KEY);
                sender.send("leased").unwrap();
            });
            scope.spawn(|| {
                // Whatever the order, this is sent while the tombstone stands.
                sender.send("removed").unwrap();
                drop(condemned);
            });
            assert_eq!(receiver.recv(), Ok("removed"));
            assert_eq!(receiver.recv(), Ok("leased"));
        });
    }

    #[test]
    fn changes_are_noticed_per_repository() {
        let leases = Leases::default();
        let (one, other): (Repository, Repository) = ("one".parse().unwrap(), "other".parse().unwrap());
        let _run = leases.begin();
        leases.note_change(&one);
        assert!(leases.has_changed(&one) && !leases.has_changed(&other));
        leases.forget_changes(&one);
        assert!(!leases.has_changed(&one));
    }
}

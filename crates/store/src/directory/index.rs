//! Sorted indexes of the folders that are listed, so that a page costs what the page holds.
//!
//! A folder gives its names in no order: a page of a large one would mean reading all of it. The first listing of
//! such a folder makes an index, and as one process writes here and every change goes through one place
//! ([`super::disk`]), the index stays exact. Nothing is read at start, and nothing is kept that another start
//! would need. The catalog, the repositories that have manifests, is an index like the others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use landfall_oci::Algorithm;

use super::names::Names;
use super::publish::is_absent;
use crate::StoreError;

/// Memory for all indexes of a store: a million tags and some, and with it a thousand pulls at once stay below 64 MiB
/// (scripts/bench-serve).
pub(super) const BUDGET: usize = 16 * 1024 * 1024;
/// Folders remembered, with or without an index.
const MAX_ENTRIES: usize = 1024;

/// The indexes of one store.
pub(super) struct Indexes {
    repositories: PathBuf,
    budget: usize,
    /// Held for reading while something is changed, so that an index is never begun in the middle of a change.
    entries: RwLock<HashMap<PathBuf, Arc<Entry>>>,
    clock: AtomicU64,
    /// Bytes of all indexes.
    bytes: AtomicUsize,
}

struct Entry {
    state: Mutex<State>,
    /// When it was last asked, by the clock.
    used: AtomicU64,
}

enum State {
    /// Being made; what changes meanwhile.
    Building(Vec<(String, bool)>),
    Ready(Names),
    /// Too large for the budget: the folder is read each time.
    TooLarge,
    /// Something failed and nobody knows with what outcome: to be made anew.
    Unsure,
}

/// Part of a listing, and whether there is more behind it.
pub(super) type NamePage = (Vec<String>, bool);

/// Takes names, until it says that it has seen enough.
pub(super) type Take<'a> = dyn FnMut(&str) -> ControlFlow<()> + 'a;

impl Indexes {
    /// For the folders below a root whose repositories lie in `repositories`.
    pub(super) fn new(repositories: PathBuf, budget: usize) -> Self {
        Self {
            repositories,
            budget,
            entries: RwLock::default(),
            clock: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    /// Under this name the catalog has its index. No repository can have it.
    pub(super) fn catalog(&self) -> PathBuf {
        self.repositories.join("_catalog")
    }

    /// Does something that makes these paths be there or not, and keeps the indexes exact.
    pub(super) fn while_changing<T>(
        &self,
        changes: &[(&Path, bool)],
        work: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let entries = self.read();
        if entries.is_empty() {
            return work();
        }
        let catalog = self.catalog();
        let folders = changes.iter().filter_map(|(path, _)| path.parent());
        let is_manifest = changes.iter().any(|(path, _)| self.repository_of(path).is_some());
        let keys: BTreeSet<&Path> = folders.chain(is_manifest.then_some(&*catalog)).collect();
        // Locked in the order of their keys: two changes never wait for each other.
        let mut states: BTreeMap<&Path, MutexGuard<'_, State>> = keys
            .into_iter()
            .filter_map(|key| Some((key, entries.get(key)?.lock())))
            .collect();
        let done = work();
        let is_sure = match &done {
            Ok(_) => true,
            Err(error) if did_nothing(error) => return done,
            Err(_) => false,
        };
        for (path, present) in changes {
            let name = path.file_name().and_then(|name| name.to_str());
            if let (Some(state), Some(name)) = (path.parent().and_then(|folder| states.get_mut(folder)), name)
            {
                self.note(state, name.to_owned(), is_sure.then_some(*present));
            }
            if let (Some(repository), Some(state)) = (self.repository_of(path), states.get_mut(&*catalog)) {
                let outcome = match present {
                    true => Some(true),
                    false => has_manifests(&self.repositories.join(repository)).ok(),
                };
                self.note(state, repository.to_owned(), outcome.filter(|_| is_sure));
            }
        }
        done
    }

    /// A page of an index; `None` when there is none, and the folder must be read.
    pub(super) fn page(&self, key: &Path, after: Option<&str>, limit: usize) -> Option<NamePage> {
        if self.bytes.load(Ordering::Relaxed) > self.budget {
            self.evict();
        }
        let entry = self.read().get(key).cloned()?;
        entry
            .used
            .store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        let state = entry.lock();
        match &*state {
            State::Ready(names) => Some(names.after(after, limit)),
            State::Building(_) | State::TooLarge => None,
            State::Unsure => {
                drop(state);
                self.write().remove(key);
                None
            }
        }
    }

    /// Makes an index from what `scan` gives, unless somebody has.
    pub(super) fn build(
        &self,
        key: &Path,
        scan: impl FnOnce(&mut Take<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Some(entry) = self.begin(key) else {
            return Ok(());
        };
        let mut names = Names::default();
        let mut fits = true;
        let scanned = scan(&mut |name| {
            fits = names.insert(name).is_ok() && names.bytes() <= self.budget;
            match fits {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        let mut state = entry.lock();
        let next = match (&scanned, fits) {
            (Err(_), _) => State::Unsure,
            (Ok(()), false) => State::TooLarge,
            (Ok(()), true) => State::Ready(names),
        };
        if let State::Building(changes) = std::mem::replace(&mut *state, State::Unsure) {
            *state = next;
            self.bytes.fetch_add(state.bytes(), Ordering::Relaxed);
            for (name, present) in changes {
                self.note(&mut state, name, Some(present));
            }
        }
        drop(state);
        self.evict();
        scanned
    }

    /// From here on changes are noted for the index. `None` when it is there or on its way.
    fn begin(&self, key: &Path) -> Option<Arc<Entry>> {
        let mut entries = self.write();
        if entries.contains_key(key) {
            return None;
        }
        let entry = Arc::new(Entry {
            state: Mutex::new(State::Building(Vec::new())),
            used: AtomicU64::new(self.clock.fetch_add(1, Ordering::Relaxed)),
        });
        entries.insert(key.to_owned(), Arc::clone(&entry));
        Some(entry)
    }

    /// Takes note that a name is there now or not; `None` stands for what is not known.
    fn note(&self, state: &mut State, name: String, present: Option<bool>) {
        let Some(present) = present else {
            self.bytes.fetch_sub(state.bytes(), Ordering::Relaxed);
            *state = State::Unsure;
            return;
        };
        let before = state.bytes();
        match state {
            State::Building(changes) => changes.push((name, present)),
            State::Ready(names) if present => {
                if names.insert(&name).is_err() {
                    *state = State::TooLarge;
                }
            }
            State::Ready(names) => names.remove(&name),
            State::TooLarge | State::Unsure => {}
        }
        self.bytes.fetch_add(state.bytes(), Ordering::Relaxed);
        self.bytes.fetch_sub(before, Ordering::Relaxed);
    }

    /// Forgets what was not asked for longest, until the rest fits.
    fn evict(&self) {
        let mut entries = self.write();
        while self.bytes.load(Ordering::Relaxed) > self.budget || entries.len() > MAX_ENTRIES {
            let oldest = entries
                .iter()
                .filter(|(_, entry)| !entry.is_building())
                .min_by_key(|(_, entry)| entry.used.load(Ordering::Relaxed))
                .map(|(key, _)| key.clone());
            let Some(entry) = oldest.and_then(|key| entries.remove(&key)) else {
                break;
            };
            self.bytes.fetch_sub(entry.lock().bytes(), Ordering::Relaxed);
        }
    }

    /// The repository whose manifest the path is, if it is one: `<name>/_manifests/<alg>/<hex>`.
    fn repository_of<'a>(&self, path: &'a Path) -> Option<&'a str> {
        let manifests = path.parent()?.parent()?;
        if manifests.file_name()? != "_manifests" {
            return None;
        }
        manifests
            .parent()?
            .strip_prefix(&self.repositories)
            .ok()?
            .to_str()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<PathBuf, Arc<Entry>>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<PathBuf, Arc<Entry>>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_building(&self) -> bool {
        matches!(*self.lock(), State::Building(_))
    }
}

impl State {
    fn bytes(&self) -> usize {
        match self {
            Self::Ready(names) => names.bytes(),
            _ => 0,
        }
    }
}

/// Whether a change that failed so has changed nothing.
fn did_nothing(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, NotADirectory, NotFound, QuotaExceeded, StorageFull};
    matches!(
        error.kind(),
        AlreadyExists | NotADirectory | NotFound | QuotaExceeded | StorageFull
    )
}

/// Whether the repository in this folder has at least one manifest.
pub(super) fn has_manifests(repository: &Path) -> io::Result<bool> {
    for algorithm in Algorithm::ALL {
        let folder = repository.join("_manifests").join(algorithm.as_str());
        match fs::read_dir(folder) {
            Ok(mut files) => {
                if files.next().transpose()?.is_some() {
                    return Ok(true);
                }
            }
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::super::disk::Disk;
    use super::super::publish::Durability;
    use super::*;

    fn disk(root: &Path, budget: usize) -> Disk {
        let indexes = Indexes::new(root.join("repos"), budget);
        Disk::new(root, Durability::None, Arc::new(indexes), None)
    }

    fn read(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn build(disk: &Disk, folder: &Path) {
        let scan = |take: &mut Take<'_>| {
            let _ = fs::read_dir(folder)
                .unwrap()
                .try_for_each(|entry| take(entry.unwrap().file_name().to_str().unwrap()));
            Ok(())
        };
        disk.indexes().build(folder, scan).unwrap();
    }

    fn page(disk: &Disk, folder: &Path) -> Option<Vec<String>> {
        disk.indexes()
            .page(folder, None, usize::MAX)
            .map(|(names, _)| names)
    }

    #[test]
    fn an_index_made_while_the_folder_changes_is_exact() {
        let root = tempfile::tempdir().unwrap();
        let disk = disk(root.path(), BUDGET);
        for round in 0..8_u64 {
            let folder = root.path().join(round.to_string());
            fs::create_dir(&folder).unwrap();
            let done = AtomicBool::new(false);
            thread::scope(|scope| {
                for hand in 1..4_u64 {
                    let (disk, folder) = (&disk, &folder);
                    scope.spawn(move || change(disk, folder, round * 10 + hand));
                }
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        build(&disk, &folder);
                        // Forgotten now and then, to be begun again in the middle of changes.
                        disk.indexes().write().retain(|_, entry| entry.is_building());
                    }
                });
                thread::sleep(std::time::Duration::from_millis(5));
                build(&disk, &folder);
                done.store(true, Ordering::Relaxed);
            });
            build(&disk, &folder);
            assert_eq!(page(&disk, &folder), Some(read(&folder)));
        }
    }

    /// What a look at the folder gave is out of date before it is in the index.
    #[test]
    fn changes_during_the_look_are_not_lost() {
        let root = tempfile::tempdir().unwrap();
        let disk = disk(root.path(), BUDGET);
        for name in ["goes", "stays", "comes back"] {
            disk.create(&root.path().join(name)).unwrap();
        }
        let scan = |take: &mut Take<'_>| {
            let seen = read(root.path());
            for name in ["goes", "comes back"] {
                disk.remove(&root.path().join(name)).unwrap();
            }
            for name in ["comes", "comes back"] {
                disk.create(&root.path().join(name)).unwrap();
            }
            let _ = seen.iter().try_for_each(|name| take(name));
            Ok(())
        };
        disk.indexes().build(root.path(), scan).unwrap();
        let wanted = ["comes", "comes back", "stays"].map(str::to_owned);
        assert_eq!(page(&disk, root.path()), Some(wanted.to_vec()));
    }

    #[test]
    fn a_file_that_moves_is_in_one_listing_and_not_in_the_other() {
        let root = tempfile::tempdir().unwrap();
        let disk = disk(root.path(), BUDGET);
        let folders = ["a", "b"].map(|name| root.path().join(name));
        for folder in &folders {
            fs::create_dir(folder).unwrap();
            build(&disk, folder);
        }
        disk.create(&folders[0].join("x")).unwrap();
        // To and fro at the same time: nobody waits for ever.
        thread::scope(|scope| {
            for (from, to) in [(0, 1), (1, 0)] {
                let (disk, folders) = (&disk, &folders);
                scope.spawn(move || {
                    for _ in 0..500 {
                        let _ = disk.rename(&folders[from].join("x"), &folders[to].join("x"));
                    }
                });
            }
        });
        for folder in &folders {
            assert_eq!(page(&disk, folder), Some(read(folder)));
        }
    }

    /// Hands get in each other's way: all use the same few names.
    fn change(disk: &Disk, folder: &Path, seed: u64) {
        let mut random = seed;
        for _ in 0..400 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(seed | 1);
            let path = folder.join(format!("t{}", (random >> 33) % 40));
            let _ = match random >> 62 {
                0 => disk.remove(&path),
                _ => disk.create(&path).map(|_| ()),
            };
        }
    }

    #[test]
    fn what_does_not_fit_is_read_each_time_and_the_oldest_goes_first() {
        let root = tempfile::tempdir().unwrap();
        let disk = disk(root.path(), 600);
        let folders: Vec<_> = [10, 10, 10, 200]
            .into_iter()
            .enumerate()
            .map(|(number, files)| {
                let folder = root.path().join(number.to_string());
                fs::create_dir(&folder).unwrap();
                (0..files).for_each(|name| {
                    let long = format!("{name}{}", "x".repeat(20));
                    fs::write(folder.join(long), "").unwrap();
                });
                build(&disk, &folder);
                folder
            })
            .collect();
        let kept = [0, 1, 2, 3].map(|at| page(&disk, &folders[at]).is_some());
        assert_eq!(kept, [false, true, true, false]);
        let names: usize = [1, 2]
            .map(|at: usize| disk.indexes().read()[&folders[at]].lock().bytes())
            .iter()
            .sum();
        assert_eq!(disk.indexes().bytes.load(Ordering::Relaxed), names);
        // Grown out of the budget: the next listing makes room.
        for number in 0..40 {
            disk.create(&folders[2].join(format!("{number:x}{}", "y".repeat(20))))
                .unwrap();
        }
        assert_eq!(page(&disk, &folders[1]), None);
    }

    #[test]
    fn after_a_change_that_failed_somehow_the_index_is_made_anew() {
        let root = tempfile::tempdir().unwrap();
        let disk = disk(root.path(), BUDGET);
        build(&disk, root.path());
        fs::create_dir(root.path().join("folder")).unwrap();
        // A folder is not removed like a file: an error that does not say what was done.
        assert!(disk.remove(&root.path().join("folder")).is_err());
        assert_eq!(page(&disk, root.path()), None);
        build(&disk, root.path());
        assert_eq!(page(&disk, root.path()), Some(vec!["folder".to_owned()]));
        assert!(disk.indexes().bytes.load(Ordering::Relaxed) > 0);
    }
}

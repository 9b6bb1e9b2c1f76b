//! Crash replay: a workload is recorded change by change, and for every prefix of the record the folders that a
//! crash could leave there are built, opened and checked.
//!
//! Three kinds of crash: the process is killed (everything up to there was done), the power goes and only what was
//! fsynced is there, the power goes and some of the rest is there too. After each the store must hold what it had
//! acknowledged and nothing that dangles, and the same workload once more must end as it should. Seeded defects
//! show that the test can fail.

mod check;
mod defects;
mod model;
mod upkeep;
mod workload;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use landfall_hash::HashService;
use landfall_store::{Change, DirectoryOptions, DirectoryStore, Durability, Recorder};

use self::check::{Between, Broken, check, resume};
use self::model::{Model, Random, Survival, Tree};
use self::workload::{Begun, Content, STEPS, State, Step, states};
use crate::{hash, options};

#[derive(Default)]
struct Tape(Mutex<Vec<Change>>);

impl Recorder for Tape {
    fn note(&self, change: Change) {
        self.0.lock().unwrap().push(change);
    }
}

impl Tape {
    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// A run of the workload.
struct Recording {
    changes: Vec<Change>,
    /// How many changes had been made when each state was reached: after opening, after each step.
    reached: Vec<usize>,
    begun: Begun,
}

struct Replay {
    content: Content,
    states: Vec<State>,
    hash: HashService,
    /// The folder that all crashed stores are built in, one at a time.
    folder: tempfile::TempDir,
    seen: HashSet<u64>,
}

/// Memory where there is some to be had: the test makes thousands of folders, and fsyncs.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

async fn record(root: &Path, hash: &HashService, content: &Content, steps: &[Step]) -> Recording {
    let tape = Arc::new(Tape::default());
    let options = DirectoryOptions {
        durability: Durability::Full,
        ..options()
    };
    let recorder: Arc<dyn Recorder> = Arc::clone(&tape) as _;
    let store = DirectoryStore::open_recorded(root, hash.clone(), options, recorder)
        .await
        .unwrap();
    let mut reached = vec![tape.len()];
    let mut begun = Begun::new();
    for step in steps {
        step.run(&store, content, &mut begun).await;
        reached.push(tape.len());
    }
    let changes = tape.0.lock().unwrap().clone();
    Recording {
        changes,
        reached,
        begun,
    }
}

impl Recording {
    /// What a crash after so many changes may leave.
    fn between<'a>(&self, states: &'a [State], changes: usize) -> Between<'a> {
        let acknowledged = self.reached.iter().filter(|reached| **reached <= changes).count();
        let before = acknowledged.saturating_sub(1);
        let under_way = usize::from(acknowledged > 0);
        Between {
            before: &states[before],
            after: states.get(before + under_way).unwrap_or(&states[before]),
        }
    }
}

impl Replay {
    fn new() -> Self {
        let content = Content::new();
        Self {
            states: states(&content),
            content,
            hash: hash(),
            folder: folder(),
            seen: HashSet::new(),
        }
    }

    async fn record(&self) -> Recording {
        let root = folder();
        record(root.path(), &self.hash, &self.content, STEPS).await
    }

    /// A folder as the crash left it; `None` when just this was looked at before.
    fn build(&mut self, tree: &Tree) -> Option<PathBuf> {
        self.seen.insert(tree.fingerprint()).then(|| self.write(tree))
    }

    fn write(&self, tree: &Tree) -> PathBuf {
        let root = self.folder.path().join("root");
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir(&root).unwrap();
        tree.write(&root);
        root
    }

    async fn open(&self, root: &Path) -> Result<DirectoryStore, String> {
        DirectoryStore::open(root, self.hash.clone(), options())
            .await
            .map_err(|error| format!("does not open: {error}"))
    }

    /// Opens a crashed store and looks at everything.
    async fn look(&mut self, tree: &Tree, allowed: &Between<'_>) -> Result<Option<DirectoryStore>, String> {
        let Some(root) = self.build(tree) else {
            return Ok(None);
        };
        let store = self.open(&root).await?;
        upkeep::nothing_dangles(&root)?;
        check(&store, &root, &self.content, allowed).await?;
        Ok(Some(store))
    }

    /// Collects, in the folder as the crash left it; and where something can be brought back, does that first in
    /// another.
    async fn upkeep(&mut self, tree: &Tree, allowed: &Between<'_>) -> Broken {
        let root = self.write(tree);
        let store = self.open(&root).await?;
        let has_runs = !store.trash().await.unwrap().is_empty();
        upkeep::collect(&store, &root, &self.content, allowed).await?;
        drop(store);
        if has_runs {
            let root = self.write(tree);
            let store = self.open(&root).await?;
            upkeep::undo(&store, &root, &self.content, allowed).await?;
        }
        Ok(())
    }

    /// Takes up what was begun, then does everything once more.
    async fn go_on(&self, store: &DirectoryStore, begun: &Begun) -> Broken {
        resume(store, &self.content, begun).await?;
        for step in STEPS {
            step.run(store, &self.content, &mut Begun::new()).await;
        }
        self.check_end(store).await
    }

    /// A killed store is opened and told to do these steps; then the power goes, with nothing kept that was not
    /// synced.
    async fn ask_again(&mut self, model: &Model, steps: &[Step], before: &State, after: &State) -> Broken {
        self.seen.clear();
        let root = self.build(&model.crash(Survival::All)).ok_or("seen")?;
        let again = record(&root, &self.hash, &self.content, steps).await;
        let mut model = model.clone();
        again.changes.iter().for_each(|change| model.apply(change));
        let tree = model.crash(Survival::Synced);
        self.look(&tree, &Between { before, after }).await.map(|_| ())
    }

    async fn check_end(&self, store: &DirectoryStore) -> Broken {
        let end = self.states.last().unwrap();
        let allowed = Between {
            before: end,
            after: end,
        };
        check(store, &self.folder.path().join("root"), &self.content, &allowed).await
    }

    /// One crash, with what may be done after it.
    async fn crash(&mut self, tree: &Tree, allowed: &Between<'_>, begun: &Begun, after: After) -> Broken {
        let Some(store) = self.look(tree, allowed).await? else {
            return Ok(());
        };
        if after.again {
            self.go_on(&store, begun).await?;
        }
        drop(store);
        match after.upkeep {
            true => self.upkeep(tree, allowed).await,
            false => Ok(()),
        }
    }

    /// Every crash of one kind; the first broken promise, with the change before which it happened.
    async fn run(&mut self, recording: &Recording, kind: Kind) -> Broken {
        self.run_from(0, recording, kind).await
    }

    /// Only those after so many changes.
    async fn run_from(&mut self, from: usize, recording: &Recording, kind: Kind) -> Broken {
        let states = self.states.clone();
        let mut model = Model::new();
        recording.changes[..from]
            .iter()
            .for_each(|change| model.apply(change));
        for done in from..=recording.changes.len() {
            let allowed = recording.between(&states, done);
            let tree = model.crash(kind.survival(done));
            let looked = self.crash(&tree, &allowed, &recording.begun, kind.after(done));
            looked.await.map_err(|error| {
                let next = recording.changes.get(done);
                format!("a crash after {done} changes, before {next:?}: {error}")
            })?;
            if let Some(change) = recording.changes.get(done) {
                model.apply(change);
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Killed,
    PowerGone,
    /// What was not synced is there in part, as the seed says.
    Partly(u64),
}

/// What is done after a crash, besides looking.
struct After {
    again: bool,
    upkeep: bool,
}

impl Kind {
    fn survival(self, done: usize) -> Survival {
        match self {
            Self::Killed => Survival::All,
            Self::PowerGone => Survival::Synced,
            Self::Partly(seed) => Survival::Some(Random(seed << 32 | done as u64)),
        }
    }

    /// Once more takes as long as all the rest, so not everywhere; nor upkeep where each seed is another sample.
    fn after(self, done: usize) -> After {
        let every = |number: usize| done.is_multiple_of(number);
        match self {
            Self::Killed | Self::PowerGone => After {
                again: every(4),
                upkeep: true,
            },
            Self::Partly(seed) => After {
                again: every(16),
                upkeep: (done as u64 + seed).is_multiple_of(2),
            },
        }
    }
}

#[tokio::test]
async fn killed_anywhere() {
    let mut replay = Replay::new();
    let recording = replay.record().await;
    assert!(recording.changes.len() > 600, "{}", recording.changes.len());
    replay.run(&recording, Kind::Killed).await.unwrap();
}

#[tokio::test]
async fn power_gone_anywhere_and_nothing_kept_but_what_was_synced() {
    let mut replay = Replay::new();
    let recording = replay.record().await;
    replay.run(&recording, Kind::PowerGone).await.unwrap();
}

#[tokio::test]
async fn power_gone_anywhere_and_some_of_the_rest_kept() {
    let mut replay = Replay::new();
    let recording = replay.record().await;
    for seed in 1..=crate::seeds(1) {
        let found = replay.run(&recording, Kind::Partly(seed)).await;
        found.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

/// What the killed process had done and not synced is no more durable for having been found by the next one: the
/// client asks again for what it had no answer to, or for the opposite, is told that it is so, and the power goes.
#[tokio::test]
async fn killed_then_asked_again_then_power_gone() {
    let mut replay = Replay::new();
    let recording = replay.record().await;
    let mut model = Model::new();
    for (done, change) in recording.changes.iter().enumerate() {
        model.apply(change);
        let Some(at) = recording.reached.iter().rposition(|reached| *reached <= done + 1) else {
            continue;
        };
        let Some(under_way) = STEPS.get(at) else {
            break;
        };
        let (before, after) = (replay.states[at].clone(), replay.states[at + 1].clone());
        let retried = replay.ask_again(&model, std::slice::from_ref(under_way), &after, &after);
        let told = retried.await;
        told.unwrap_or_else(|error| panic!("killed after {change:?} ({done}), then {under_way:?}: {error}"));
        if matches!(under_way, Step::DeleteManifest(..)) {
            continue;
        }
        let mut mixed = after;
        mixed.tags.extend(&before.tags);
        let told = replay
            .ask_again(&model, &reassert(&before), &before, &mixed)
            .await;
        told.unwrap_or_else(|error| panic!("killed after {change:?} ({done}), then tags set: {error}"));
    }
}

/// Puts every tag where it was.
fn reassert(state: &State) -> Vec<Step> {
    let tags = state.tags.iter();
    tags.map(|((place, tag), manifest)| Step::SetTag(*place, tag, *manifest))
        .collect()
}

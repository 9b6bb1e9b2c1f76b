//! What a client was just told is there (by a push, a mount, a question) outlives a collection, however old it was.
//!
//! Each hand makes a thing of its own old, so that the collector wants it, waits until the collector has looked,
//! has the thing acknowledged in one of several ways, and looks for it when the collection is over.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use landfall_oci::{Digest, RawManifest, Repository, Target};
use landfall_store::{CollectOptions, DirectoryStore, Expected, Guard, Store, suite};

use super::Dice;
use crate::upkeep::blob_path;
use crate::{open, seeds};

const HANDS: u64 = 3;
const TURNS: usize = 12;

struct Site {
    store: DirectoryStore,
    root: tempfile::TempDir,
    collections: AtomicU64,
    violations: Mutex<Vec<String>>,
}

impl Site {
    /// The grace period of the store is an hour: only what a hand has made old is rubbish.
    async fn collect(&self) {
        let options = CollectOptions {
            untagged_after: Some(Duration::ZERO),
            ..CollectOptions::default()
        };
        self.store.collect(options, Arc::new(())).await.unwrap();
        self.collections.fetch_add(1, Ordering::Relaxed);
    }

    fn make_old(&self, path: &Path) {
        let old = SystemTime::now() - Duration::from_secs(86_400);
        if let Ok(file) = std::fs::File::open(path) {
            file.set_modified(old).unwrap();
        }
    }

    fn record(&self, here: &Repository, kind: &str, digest: &Digest) -> std::path::PathBuf {
        self.root
            .path()
            .join(format!("repos/{here}/{kind}/sha256/{}", digest.hex()))
    }

    /// Until the collector has seen what there is, and has not done anything about it; or not for long.
    async fn let_it_look(&self, dice: &mut Dice) {
        let looks = self.store.looks();
        for _ in 0..200 {
            if self.store.looks() > looks {
                break;
            }
            tokio::time::sleep(Duration::from_micros(50)).await;
        }
        tokio::time::sleep(Duration::from_micros(dice.roll(300).try_into().unwrap())).await;
    }

    /// Until the collection that is under way is over.
    async fn let_it_end(&self) {
        let so_far = self.collections.load(Ordering::Relaxed);
        while self.collections.load(Ordering::Relaxed) == so_far {
            tokio::time::sleep(Duration::from_micros(50)).await;
        }
    }

    async fn must_have(&self, here: &Repository, digest: &Digest, how: &str) {
        self.let_it_end().await;
        if self.store.open_blob(here, digest).await.is_err() {
            self.violation(format!(
                "{digest} in {here} was acknowledged by {how} and is gone"
            ));
        }
    }

    fn violation(&self, what: String) {
        self.violations.lock().unwrap().push(what);
    }

    async fn rely_on_a_blob(&self, hand: u64, dice: &mut Dice) {
        let here = suite::repository(&format!("hand/{hand}"));
        let there = suite::repository(&format!("mounted/{hand}"));
        let blob = suite::blob(match dice.roll(3) {
            0 => "of all hands".to_owned(),
            _ => format!("of hand {hand}"),
        });
        let digest = &blob.0;
        suite::push_blob(&self.store, &here, &blob).await;
        self.make_old(&self.record(&here, "_blobs", digest));
        self.make_old(&blob_path(self.root.path(), digest));
        let way = dice.roll(4);
        if way == 3 {
            // Then nobody holds the bytes.
            let _ = self.store.delete_blob(&here, digest).await;
        }
        self.let_it_look(dice).await;
        // Where it was collected before the question, that is an answer too.
        match way {
            0 if self.store.stat_blob(&here, digest).await.is_ok() => {
                self.must_have(&here, digest, "a question").await;
            }
            1 if self.store.mount(&here, &there, digest).await.is_ok() => {
                self.must_have(&there, digest, "a mount").await;
                let _ = self.store.delete_blob(&there, digest).await;
            }
            2 | 3 => {
                suite::push_blob(&self.store, &here, &blob).await;
                self.must_have(&here, digest, "a push").await;
            }
            _ => {}
        }
        if dice.roll(4) > 0 {
            let _ = self.store.delete_blob(&here, digest).await;
        }
    }

    async fn rely_on_a_manifest(&self, hand: u64, dice: &mut Dice) {
        let here = suite::repository(&format!("hand/{hand}"));
        let tag = suite::tag("relied-on");
        let (manifest, blobs) = image(hand);
        let digest = &manifest.digest;
        self.put(&here, &manifest, &blobs).await;
        self.make_old(&self.record(&here, "_manifests", digest));
        self.make_old(&blob_path(self.root.path(), digest));
        let way = dice.roll(4);
        if way == 3 {
            let _ = self.store.delete_manifest(&here, digest).await;
        }
        self.let_it_look(dice).await;
        let target = Target::Digest(*digest);
        let how = match way {
            0 if self.store.stat_manifest(&here, &target).await.is_ok() => "a question",
            1 if self
                .store
                .set_tag(&here, &tag, digest, Expected::Any)
                .await
                .is_ok() =>
            {
                "a tag"
            }
            2 | 3 => {
                self.put(&here, &manifest, &blobs).await;
                "a push"
            }
            _ => return,
        };
        self.let_it_end().await;
        if self.store.manifest(&here, &target).await.is_err() {
            self.violation(format!(
                "{digest} in {here} was acknowledged by {how} and is gone"
            ));
        }
        let _ = self.store.delete_tag(&here, &tag).await;
        if dice.roll(4) > 0 {
            let _ = self.store.delete_manifest(&here, digest).await;
        }
    }

    async fn put(&self, here: &Repository, manifest: &RawManifest, blobs: &[(Digest, Bytes)]) {
        for blob in blobs {
            suite::push_blob(&self.store, here, blob).await;
        }
        if let Err(error) = suite::put(&self.store, here, manifest, &[]).await {
            self.violation(format!("a push failed though all was just pushed: {error}"));
        }
    }
}

fn image(hand: u64) -> (RawManifest, Vec<(Digest, Bytes)>) {
    let blobs = ["config", "layer"].map(|kind| suite::blob(format!("{kind} of the image of hand {hand}")));
    (suite::image(&blobs, None, Some("t/relied-on")), blobs.into())
}

/// One seed; what went wrong.
async fn run(seed: u64, off: Option<Guard>) -> Vec<String> {
    let root = tempfile::tempdir().unwrap();
    let site = Arc::new(Site {
        store: open(root.path()).await,
        root,
        collections: AtomicU64::new(0),
        violations: Mutex::default(),
    });
    site.store.shake(seed, off);
    let hands: Vec<_> = (0..HANDS)
        .map(|hand| {
            let site = Arc::clone(&site);
            tokio::spawn(async move {
                let mut dice = Dice(seed * 1000 + hand + 1);
                for _ in 0..TURNS {
                    match dice.roll(2) {
                        0 => site.rely_on_a_blob(hand, &mut dice).await,
                        _ => site.rely_on_a_manifest(hand, &mut dice).await,
                    }
                }
            })
        })
        .collect();
    while !hands.iter().all(tokio::task::JoinHandle::is_finished) {
        site.collect().await;
    }
    for hand in hands {
        hand.await.unwrap();
    }
    let violations = site.violations.lock().unwrap();
    violations.clone()
}

/// What CI runs.
const SEEDS: u64 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_just_acknowledged_outlives_a_collection() {
    for seed in 1..=seeds(SEEDS) {
        let violations = run(seed, None).await;
        assert!(violations.is_empty(), "seed {seed}: {violations:#?}");
    }
}

/// With one guard away the same scripts, and no more of them than CI runs, come to harm.
async fn is_missed(guard: Guard) {
    for seed in 1..=SEEDS {
        if !run(seed, Some(guard)).await.is_empty() {
            return;
        }
    }
    panic!("no seed has found what {guard:?} is for");
}

macro_rules! guards {
    ($($name:ident: $guard:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $name() {
            is_missed(Guard::$guard).await;
        }
    )*};
}

guards! {
    a_lost_lease_of_an_upload_is_noticed: Upload,
    a_lost_lease_of_a_mount_is_noticed: Mount,
    a_lost_lease_of_a_membership_is_noticed: Membership,
    a_lost_lease_of_a_question_is_noticed: Stat,
    a_lost_lease_of_a_manifest_is_noticed: Manifest,
    a_lost_lease_of_a_question_for_a_manifest_is_noticed: StatManifest,
    a_lost_note_of_a_change_is_noticed: Change,
    a_lost_wait_for_a_tombstone_is_noticed: Tombstone,
}

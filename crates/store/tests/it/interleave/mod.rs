//! Many hands and a collector that never rests: whatever order they come in, no manifest answers whose layer does
//! not, and what was acknowledged and not deleted is whole.
//!
//! The scripts here are of all kinds; those in [`reliance`] go to the narrow places. Each seed makes its own script for each hand, and pauses of its own wherever the store could let two of them
//! pass each other. That the test can fail is shown by the last one here: there the collector ignores the writers.

mod reliance;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use landfall_oci::{Digest, RawManifest, Repository, Target};
use landfall_store::{
    CollectOptions, DirectoryStore, Guard, PutManifest, Store, StoreError, Unchecked, suite,
};

use crate::{open, seeds};

const HANDS: u64 = 4;
const STEPS: usize = 25;
/// Layers that all images are made of: few, so that everybody is at the same ones.
const LAYERS: usize = 4;

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % sides
    }
}

type Key = (String, Digest);

/// What the hands know of a manifest: pushes and deletes that overlap say nothing about how it ends.
#[derive(Clone, Default)]
struct Known {
    deletes_begun: u64,
    deletes_ended: u64,
    /// Its blobs, when a push was acknowledged and no delete has begun since.
    acknowledged: Option<Vec<Digest>>,
}

struct World {
    store: DirectoryStore,
    layers: Vec<(Digest, Bytes)>,
    known: Mutex<BTreeMap<Key, Known>>,
    violations: Mutex<Vec<String>>,
    over: AtomicBool,
    /// Whether manifests without a tag go as well: then an acknowledged push may, but only as a whole.
    untagged_go: bool,
    collections: AtomicU64,
    removed: AtomicU64,
}

/// Where images are pushed, and nobody deletes a blob.
const PLACES: [&str; 3] = ["one", "one/below", "other"];

impl World {
    fn image(&self, dice: &mut Dice) -> (RawManifest, Vec<(Digest, Bytes)>) {
        self.image_of(dice.roll(3), dice.roll(LAYERS))
    }

    fn image_of(&self, config: usize, layer: usize) -> (RawManifest, Vec<(Digest, Bytes)>) {
        let blobs = vec![
            suite::blob(format!("config {config}")),
            self.layers[layer].clone(),
            self.layers[(layer + 1) % LAYERS].clone(),
        ];
        (suite::image(&blobs, None, Some("t/i")), blobs)
    }

    fn violation(&self, what: String) {
        self.violations.lock().unwrap().push(what);
    }

    /// Brings a blob to where the manifest will be: asks first, or mounts, or just pushes.
    async fn bring(&self, dice: &mut Dice, here: &Repository, blob: &(Digest, Bytes)) {
        match dice.roll(4) {
            0 if self.store.stat_blob(here, &blob.0).await.is_ok() => return,
            1 => {
                let from = suite::repository(PLACES[dice.roll(PLACES.len())]);
                if self.store.mount(&from, here, &blob.0).await.is_ok() {
                    return;
                }
            }
            _ => {}
        }
        suite::push_blob(&self.store, here, blob).await;
    }

    async fn push(&self, dice: &mut Dice, here: &Repository) {
        let (manifest, blobs) = self.image(dice);
        let tag = suite::tag(["a", "b", "c"][dice.roll(3)]);
        for _ in 0..20 {
            for blob in &blobs {
                self.bring(dice, here, blob).await;
            }
            let put = PutManifest {
                manifest: &manifest,
                tags: std::slice::from_ref(&tag),
                unchecked: Unchecked::None,
            };
            let quiet = self.quiet(here, &manifest);
            match self.store.put_manifest(here, put).await {
                Ok(()) => return self.acknowledge(here, &manifest, &blobs, quiet),
                // Collected between the push of the blob and that of the manifest: there is no grace here.
                Err(StoreError::MissingBlobs { .. }) => {}
                Err(error) => return self.violation(format!("a push failed: {error}")),
            }
        }
    }

    /// How many deletes of it there were, if none is under way.
    fn quiet(&self, here: &Repository, manifest: &RawManifest) -> Option<u64> {
        let mut known = self.known.lock().unwrap();
        let known = known.entry((here.to_string(), manifest.digest)).or_default();
        (known.deletes_begun == known.deletes_ended).then_some(known.deletes_begun)
    }

    fn acknowledge(
        &self,
        here: &Repository,
        manifest: &RawManifest,
        blobs: &[(Digest, Bytes)],
        quiet: Option<u64>,
    ) {
        let mut known = self.known.lock().unwrap();
        let known = known.entry((here.to_string(), manifest.digest)).or_default();
        if quiet == Some(known.deletes_begun) {
            known.acknowledged = Some(blobs.iter().map(|(digest, _)| *digest).collect());
        }
    }

    async fn delete(&self, here: &Repository, manifest: &RawManifest) {
        let key = (here.to_string(), manifest.digest);
        {
            let mut known = self.known.lock().unwrap();
            let known = known.entry(key.clone()).or_default();
            known.deletes_begun += 1;
            known.acknowledged = None;
        }
        let _ = self.store.delete_manifest(here, &manifest.digest).await;
        self.known.lock().unwrap().entry(key).or_default().deletes_ended += 1;
    }

    async fn step(&self, dice: &mut Dice) {
        let here = suite::repository(PLACES[dice.roll(PLACES.len())]);
        let tag = suite::tag(["a", "b", "c"][dice.roll(3)]);
        match dice.roll(8) {
            0..=3 => self.push(dice, &here).await,
            4 => {
                let _ = self.store.delete_tag(&here, &tag).await;
            }
            5 => {
                let (manifest, _) = self.image(dice);
                self.delete(&here, &manifest).await;
            }
            6 => {
                let (manifest, _) = self.image(dice);
                let any = landfall_store::Expected::Any;
                let _ = self.store.set_tag(&here, &tag, &manifest.digest, any).await;
            }
            _ => {
                // Somewhere nobody puts manifests: there it harms nobody, and makes bytes come and go.
                let scratch = suite::repository("scratch");
                let blob = &self.layers[dice.roll(LAYERS)];
                self.bring(dice, &scratch, blob).await;
                let _ = self.store.delete_blob(&scratch, &blob.0).await;
            }
        }
    }

    /// A manifest that answers: its blobs must, unless somebody deletes it meanwhile.
    async fn check(&self, dice: &mut Dice) {
        let here = suite::repository(PLACES[dice.roll(PLACES.len())]);
        let (manifest, blobs) = self.image(dice);
        let target = Target::Digest(manifest.digest);
        let quiet = self.quiet(&here, &manifest);
        if self.untagged_go || quiet.is_none() || self.store.manifest(&here, &target).await.is_err() {
            return;
        }
        for (digest, bytes) in &blobs {
            let found = self.store.open_blob(&here, digest).await;
            let right = found.is_ok_and(|content| content.len() == bytes.len() as u64);
            if !right && self.quiet(&here, &manifest) == quiet {
                self.violation(format!("{here}@{} answers, {digest} does not", manifest.digest));
            }
        }
    }

    async fn collect(&self, dice: &mut Dice) {
        while !self.over.load(Ordering::Relaxed) {
            let options = CollectOptions {
                grace: Some(Duration::from_micros([0, 0, 500][dice.roll(3)])),
                keep_trash: Duration::from_secs([0, 60, 60][dice.roll(3)]),
                untagged_after: self.untagged_go.then_some(Duration::ZERO),
                ..CollectOptions::default()
            };
            match self.store.collect(options, Arc::new(())).await {
                Ok(collected) => {
                    self.collections.fetch_add(1, Ordering::Relaxed);
                    self.removed.fetch_add(collected.blobs, Ordering::Relaxed);
                    if let (Some(run), 0) = (collected.run, dice.roll(3))
                        && let Err(error) = self.store.undo(run).await
                    {
                        self.violation(format!("an undo failed: {error}"));
                    }
                }
                Err(error) => self.violation(format!("a collection failed: {error}")),
            }
        }
    }

    /// At the end: every manifest that answers, and every one that a tag points at.
    async fn check_answering(&self) {
        for here in PLACES.map(suite::repository) {
            let tags = ["a", "b", "c"].map(|tag| Target::Tag(suite::tag(tag)));
            let all = (0..3).flat_map(|config| (0..LAYERS).map(move |layer| (config, layer)));
            let images = all.map(|(config, layer)| Target::Digest(self.image_of(config, layer).0.digest));
            for target in tags.into_iter().chain(images) {
                let Ok(manifest) = self.store.manifest(&here, &target).await else {
                    continue;
                };
                let view = manifest.view().unwrap();
                for blob in view.blobs() {
                    if self.store.open_blob(&here, &blob.digest).await.is_err() {
                        self.violation(format!("{here} {target} answers, {} does not", blob.digest));
                    }
                }
            }
        }
    }

    /// At the end: everything that was acknowledged and not deleted, byte for byte.
    async fn check_all(&self) {
        let known = self.known.lock().unwrap().clone();
        for ((here, digest), known) in known {
            let Some(blobs) = known.acknowledged else {
                continue;
            };
            let here = suite::repository(&here);
            let found = self.store.manifest(&here, &Target::Digest(digest)).await;
            if found.is_err() {
                self.violation(format!("{here}@{digest} was acknowledged and is gone"));
                continue;
            }
            for blob in blobs {
                let right = self.layers.iter().find(|(layer, _)| *layer == blob);
                match self.store.open_blob(&here, &blob).await {
                    Ok(content) if right.is_none_or(|(_, bytes)| content.len() == bytes.len() as u64) => {}
                    _ => self.violation(format!("{here}@{digest} was acknowledged and lacks {blob}")),
                }
            }
        }
    }
}

/// One seed, all of it: what went wrong, and how many blobs were collected.
async fn run(seed: u64, off: Option<Guard>) -> (Vec<String>, u64) {
    let root = tempfile::tempdir().unwrap();
    let world = Arc::new(World {
        store: open(root.path()).await,
        layers: (0..LAYERS)
            .map(|number| suite::blob(vec![u8::try_from(number).unwrap(); 100 + number]))
            .collect(),
        known: Mutex::default(),
        violations: Mutex::default(),
        over: AtomicBool::new(false),
        untagged_go: seed.is_multiple_of(3),
        collections: AtomicU64::new(0),
        removed: AtomicU64::new(0),
    });
    world.store.shake(seed, off);
    let collector = {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.collect(&mut Dice(seed * 1000 + 999)).await })
    };
    let hands: Vec<_> = (0..HANDS)
        .map(|hand| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let mut dice = Dice(seed * 1000 + hand + 1);
                for _ in 0..STEPS {
                    world.step(&mut dice).await;
                    world.check(&mut dice).await;
                }
            })
        })
        .collect();
    for hand in hands {
        hand.await.unwrap();
    }
    // At least one whole collection after the last step.
    let so_far = world.collections.load(Ordering::Relaxed);
    while world.collections.load(Ordering::Relaxed) < so_far + 2
        && world.violations.lock().unwrap().is_empty()
    {
        tokio::task::yield_now().await;
    }
    world.over.store(true, Ordering::Relaxed);
    collector.await.unwrap();
    world.check_answering().await;
    if !world.untagged_go {
        world.check_all().await;
    }
    let violations = world.violations.lock().unwrap().clone();
    (violations, world.removed.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_order_of_push_delete_and_collection_hurts_an_image() {
    let mut removed = 0;
    for seed in 1..=seeds(12) {
        let (violations, blobs) = run(seed, None).await;
        assert!(violations.is_empty(), "seed {seed}: {violations:#?}");
        removed += blobs;
    }
    // The collector was not idle.
    assert!(removed > 0);
}

/// Without leases and tombstones the same scripts come to harm: the test above can fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_collector_that_ignores_the_writers_is_caught() {
    for seed in 1..=400 {
        let (violations, _) = run(seed, Some(Guard::All)).await;
        if !violations.is_empty() {
            return;
        }
    }
    panic!("no seed has found what the leases are for");
}

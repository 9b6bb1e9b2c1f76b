//! Continuing: from every state of the journal, after a reboot, under a changed plan.

use std::path::{Path, PathBuf};

use landfall_bundle::{BundleError, Writer, space};
use landfall_hash::Sink;
use landfall_oci::Digest;

use crate::support::{World, later_world, listing, options, scratch, world};

const NAME: &str = "b.tar";

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: scratch() }
    }

    fn target(&self) -> PathBuf {
        self.dir.path().join(NAME)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        self.dir.path().join(format!("{NAME}{suffix}"))
    }

    fn open(&self, world: &World, epoch: &str) -> (Writer, landfall_bundle::Resume) {
        Writer::open_with(&self.target(), world.layout(), options(epoch)).unwrap()
    }

    /// Opens, does the rest, finishes, compares; returns the bytes that were fetched.
    fn end(&self, world: &World, epoch: &str) -> u64 {
        let (writer, _) = self.open(world, epoch);
        let fetched = world.fill(&writer);
        writer.finish().unwrap();
        assert_eq!(std::fs::read(self.target()).unwrap(), world.expected());
        assert_eq!(listing(self.dir.path()), [NAME]);
        fetched
    }
}

/// A run that was killed in the middle: some blobs done and synced, some done only, one begun, some untouched.
fn killed_run(place: &Place, world: &World) -> Vec<Digest> {
    let (writer, _) = place.open(world, "one");
    let pending = writer.pending();
    let half = pending.len() / 2;
    for blob in &pending[..half - 1] {
        world.fetch(&writer, &blob.digest);
    }
    writer.sync().unwrap();
    for blob in &pending[half - 1..=half] {
        world.fetch(&writer, &blob.digest);
    }
    let biggest = pending[half + 1..].iter().max_by_key(|blob| blob.size).unwrap();
    let mut sink = writer.sink(&biggest.digest, 0).unwrap();
    sink.write(&world.blobs[&biggest.digest].0[..2100]).unwrap();
    pending[half - 1..].iter().map(|blob| blob.digest).collect()
}

#[test]
fn what_is_done_is_not_fetched_again() {
    let (place, world) = (Place::new(), world());
    killed_run(&place, &world);
    let space = space(&place.target(), &world.layout()).unwrap();
    let (writer, resume) = place.open(&world, "one");
    let pending = writer.pending();
    assert_eq!(resume.done_blobs + pending.len(), world.blobs.len());
    assert_eq!((resume.prefix_bytes, resume.recheck.len()), (2100, 0));
    assert!(space.already_there < resume.done_bytes + 2100 + 1);
    drop(writer);
    let rest: u64 = pending.iter().map(|blob| blob.size - blob.written).sum();
    assert_eq!(place.end(&world, "one"), rest);
}

#[test]
fn after_a_reboot_what_was_not_synced_is_hashed_in_place() {
    let (place, world) = (Place::new(), world());
    let unsynced = killed_run(&place, &world);
    let (writer, resume) = place.open(&world, "two");
    assert_eq!(resume.recheck, unsynced[..2]);
    let pending = writer.pending();
    let rechecked = pending.iter().find(|blob| blob.digest == unsynced[0]).unwrap();
    assert_eq!(rechecked.written, rechecked.size);
    drop(writer);
    // The bytes are there after all, so hashing suffices; only what was begun and never synced is fetched.
    let never: u64 = unsynced[2..]
        .iter()
        .map(|digest| world.blobs[digest].0.len() as u64)
        .sum();
    assert_eq!(place.end(&world, "two"), never);
}

#[test]
fn no_cut_of_the_journal_makes_a_wrong_bundle() {
    let (template, world) = (Place::new(), world());
    let unsynced = killed_run(&template, &world);
    let partial = std::fs::read(template.beside(".partial")).unwrap();
    let journal = std::fs::read(template.beside(".journal")).unwrap();
    let mut lost = partial.clone();
    for digest in &unsynced {
        let span = world.layout().extent_of(digest).unwrap();
        let range = usize::try_from(span.offset).unwrap()..usize::try_from(span.offset + span.len).unwrap();
        lost[range].fill(0);
    }
    let start_with = |partial: &[u8], cut: usize| {
        let place = Place::new();
        std::fs::write(place.beside(".partial"), partial).unwrap();
        std::fs::write(place.beside(".journal"), &journal[..cut]).unwrap();
        place
    };
    for cut in 0..=journal.len() {
        start_with(&partial, cut).end(&world, "one");
        start_with(&lost, cut).end(&world, "two");
    }
    // The check of the check: had the lost bytes been trusted, the bundle would be wrong.
    let place = start_with(&lost, journal.len());
    let (writer, _) = place.open(&world, "one");
    world.fill(&writer);
    writer.finish().unwrap();
    assert_ne!(std::fs::read(place.target()).unwrap(), world.expected());
}

#[test]
fn a_partial_file_of_any_length_is_continued() {
    let (template, world) = (Place::new(), world());
    killed_run(&template, &world);
    let partial = std::fs::read(template.beside(".partial")).unwrap();
    let journal = std::fs::read(template.beside(".journal")).unwrap();
    for len in (0..partial.len()).step_by(512).chain([1, 511, partial.len() - 1]) {
        let place = Place::new();
        std::fs::write(place.beside(".partial"), &partial[..len]).unwrap();
        std::fs::write(place.beside(".journal"), &journal).unwrap();
        place.end(&world, "one");
    }
}

#[test]
fn a_lost_journal_costs_hashing_not_fetching() {
    let (place, world) = (Place::new(), world());
    let (writer, _) = place.open(&world, "one");
    world.fill(&writer);
    drop(writer);
    std::fs::remove_file(place.beside(".journal")).unwrap();
    assert_eq!(place.end(&world, "one"), 0);
}

#[test]
fn a_partial_file_of_nobody_is_not_touched() {
    let (place, world) = (Place::new(), world());
    std::fs::write(place.beside(".partial"), b"somebody's work").unwrap();
    let error = Writer::open(&place.target(), world.layout()).err().unwrap();
    assert!(matches!(error, BundleError::JournalDamaged { .. }), "{error}");
    assert_eq!(
        std::fs::read(place.beside(".partial")).unwrap(),
        b"somebody's work"
    );
}

#[test]
fn a_changed_plan_keeps_what_did_not_change() {
    let (place, world, later) = (Place::new(), world(), later_world());
    let (writer, _) = place.open(&world, "one");
    world.fill(&writer);
    drop(writer);
    let shared = later
        .blobs
        .keys()
        .filter(|digest| world.blobs.contains_key(digest))
        .count();
    let (writer, resume) = place.open(&later, "one");
    assert_eq!((resume.carried_blobs, resume.done_blobs), (shared, 0));
    assert_eq!(listing(place.dir.path()), ["b.tar.journal", "b.tar.partial"]);
    drop(writer);
    let new: u64 = later
        .blobs
        .iter()
        .filter(|(digest, _)| !world.blobs.contains_key(digest))
        .map(|(_, (bytes, _))| bytes.len() as u64)
        .sum();
    assert_eq!(place.end(&later, "one"), new);
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
}

#[test]
fn a_change_of_plan_can_be_killed_anywhere() {
    let (template, world, later) = (Place::new(), world(), later_world());
    let (writer, _) = template.open(&world, "one");
    world.fill(&writer);
    writer.sync().unwrap();
    drop(writer);
    let new: u64 = 4000
        + later
            .blobs
            .values()
            .filter(|(_, config)| *config)
            .map(|(bytes, _)| bytes.len() as u64)
            .sum::<u64>();
    // Between the two renames; after both; with the new file still empty; with a new file that has nothing yet.
    for stage in 0..4 {
        let place = Place::new();
        copy(&template.beside(".journal"), &place.beside(".journal.old"));
        let partial = if stage == 0 { ".partial" } else { ".partial.old" };
        copy(&template.beside(".partial"), &place.beside(partial));
        match stage {
            2 => std::fs::write(place.beside(".partial"), b"").unwrap(),
            3 => {
                let other = Place::new();
                drop(other.open(&later, "one"));
                copy(&other.beside(".partial"), &place.beside(".partial"));
                copy(&other.beside(".journal"), &place.beside(".journal"));
            }
            _ => {}
        }
        assert!(place.end(&later, "one") <= new, "stage {stage}");
    }
    // The old pair half removed.
    let place = Place::new();
    copy(&template.beside(".partial"), &place.beside(".partial.old"));
    let all: u64 = later.blobs.values().map(|(bytes, _)| bytes.len() as u64).sum();
    assert_eq!(place.end(&later, "one"), all);
}

#[test]
fn a_plan_that_changes_twice_takes_from_the_richer_file() {
    let (place, world, later) = (Place::new(), world(), later_world());
    let (writer, _) = place.open(&world, "one");
    world.fill(&writer);
    drop(writer);
    std::fs::rename(place.beside(".partial"), place.beside(".partial.old")).unwrap();
    std::fs::rename(place.beside(".journal"), place.beside(".journal.old")).unwrap();
    let other = Place::new();
    drop(other.open(&later, "one"));
    copy(&other.beside(".partial"), &place.beside(".partial"));
    copy(&other.beside(".journal"), &place.beside(".journal"));
    assert_eq!(place.end(&world, "one"), 0);
}

#[test]
fn one_writer_at_a_time_and_targets_are_not_replaced_by_accident() {
    let (place, world) = (Place::new(), world());
    let (writer, _) = place.open(&world, "one");
    let second = Writer::open(&place.target(), world.layout()).err().unwrap();
    assert!(matches!(second, BundleError::Locked { .. }), "{second}");
    let error = writer.finish().err().unwrap();
    assert!(matches!(error, BundleError::Incomplete { .. }), "{error}");
    world.fill(&writer);
    std::fs::write(place.target(), b"appeared meanwhile").unwrap();
    let error = writer.finish().err().unwrap();
    assert!(matches!(error, BundleError::Exists { .. }), "{error}");
    drop(writer);
    let error = Writer::open(&place.target(), world.layout()).err().unwrap();
    assert!(matches!(error, BundleError::Exists { .. }), "{error}");
    let mut overwriting = options("one");
    overwriting.overwrite = true;
    let (writer, _) = Writer::open_with(&place.target(), world.layout(), overwriting).unwrap();
    assert_eq!(world.fill(&writer), 0);
    writer.finish().unwrap();
    assert_eq!(std::fs::read(place.target()).unwrap(), world.expected());
}

#[test]
fn discarding_leaves_nothing() {
    let (place, world) = (Place::new(), world());
    killed_run(&place, &world);
    place.open(&world, "one").0.discard().unwrap();
    assert!(listing(place.dir.path()).is_empty());
}

#[test]
fn a_sink_keeps_to_its_blob() {
    let (place, world) = (Place::new(), world());
    let (writer, _) = place.open(&world, "one");
    let blob = writer.pending().into_iter().max_by_key(|blob| blob.size).unwrap();
    let bytes = &world.blobs[&blob.digest].0;

    let mut early = writer.sink(&blob.digest, 0).unwrap();
    early.write(&bytes[..100]).unwrap();
    assert!(writer.sink(&blob.digest, 101).is_err());
    assert!(writer.complete(&blob.digest).is_err());
    let mut late = writer.sink(&blob.digest, 100).unwrap();
    assert!(
        early
            .write(&bytes[100..200])
            .unwrap_err()
            .to_string()
            .contains("superseded")
    );
    late.write(&bytes[100..]).unwrap();
    assert_eq!(
        late.write(b"x").unwrap_err().kind(),
        std::io::ErrorKind::InvalidData
    );
    writer.complete(&blob.digest).unwrap();
    assert!(late.write(b"").is_err());
    assert!(writer.sink(&blob.digest, 0).is_err());
    assert!(writer.sink(&Digest::Sha256([0; 32]), 0).is_err());

    writer.reset(&blob.digest).unwrap();
    world.fill(&writer);
    writer.finish().unwrap();
    assert_eq!(std::fs::read(place.target()).unwrap(), world.expected());
}

#[test]
fn an_unfinished_bundle_says_so() {
    let (place, world) = (Place::new(), world());
    let (writer, _) = place.open(&world, "one");
    world.fill(&writer);
    let error = landfall_bundle::Bundle::open(writer.partial_path()).unwrap_err();
    assert!(matches!(error, BundleError::Unfinished { .. }), "{error}");
}

#[test]
fn the_real_epoch_is_stable_within_one_boot() {
    let (place, world) = (Place::new(), world());
    let (writer, _) = Writer::open(&place.target(), world.layout()).unwrap();
    world.fill(&writer);
    drop(writer);
    let (writer, resume) = Writer::open(&place.target(), world.layout()).unwrap();
    assert_eq!((resume.done_blobs, resume.recheck.len()), (world.blobs.len(), 0));
    writer.finish().unwrap();
}

//! Seeded defects: a crash replay that does not find them would be worth nothing.

use landfall_store::Change;

use super::workload::{STEPS, Step};
use super::{Kind, Recording, Replay};

/// The same run with a defect in it: the test must find each.
async fn with_defect(kind: Kind, defect: impl Fn(&mut Recording)) -> String {
    let mut replay = Replay::new();
    let mut recording = replay.record().await;
    defect(&mut recording);
    let found = replay.run(&recording, kind).await;
    found.expect_err("the defect was not found")
}

/// The same with a defect of the collector, in one of its steps by their numbers among themselves. The defect is
/// made in the changes of that step, and may not change how many there are.
async fn with_collector(kind: Kind, number: usize, defect: impl Fn(&mut Vec<Change>)) -> String {
    let mut replay = Replay::new();
    let mut recording = replay.record().await;
    let mut upkeep = STEPS
        .iter()
        .enumerate()
        .filter(|(_, step)| matches!(step, Step::Collect(_) | Step::Undo));
    let (step, _) = upkeep.nth(number).unwrap();
    let range = recording.reached[step]..recording.reached[step + 1];
    let mut changes = recording.changes[range.clone()].to_vec();
    defect(&mut changes);
    assert_eq!(changes.len(), range.len());
    recording.changes.splice(range.clone(), changes);
    let found = replay.run_from(range.start, &recording, kind).await;
    found.expect_err("the defect was not found")
}

/// The collection in which an image goes with its bytes, and the one that empties the trash.
const IMAGE: usize = 2;
const FOR_GOOD: usize = 5;

fn points_at_nothing(found: &str) {
    assert!(
        found.contains("has no bytes") || found.contains("lacks blob"),
        "{found}"
    );
}

fn comes_back_in_part(found: &str) {
    assert!(
        found.contains("undone") || found.contains("an undo has lost"),
        "{found}"
    );
}

/// Whether the change is a move of such a record out of its place.
fn moves(change: &Change, part: &str) -> bool {
    matches!(change, Change::Rename { from, .. } if !from.starts_with("tmp") && from.to_str().unwrap().contains(part))
}

/// Whether the change makes the names in such a folder last.
fn syncs(change: &Change, wanted: impl Fn(&str) -> bool) -> bool {
    matches!(change, Change::SyncFolder(path) if wanted(path.to_str().unwrap()))
}

/// Moves all of these changes, in their order, behind all others.
fn last(changes: &mut Vec<Change>, wanted: impl Fn(&Change) -> bool) {
    let (late, early): (Vec<_>, Vec<_>) = changes.drain(..).partition(wanted);
    changes.extend(early.into_iter().chain(late));
}

#[tokio::test]
async fn bytes_that_go_before_the_manifest_are_noticed() {
    for kind in [Kind::Killed, Kind::PowerGone] {
        let found = with_collector(kind, IMAGE, |changes| {
            last(changes, |change| {
                moves(change, "/_manifests/") || syncs(change, |path| path.contains("/_manifests/"))
            });
        });
        points_at_nothing(&found.await);
    }
}

/// The order is right, but what the first step removed may come back.
#[tokio::test]
async fn bytes_that_go_before_the_membership_is_gone_for_good_are_noticed() {
    for part in ["/_blobs/sha256", "/_manifests/sha256"] {
        let found = with_collector(Kind::PowerGone, IMAGE, |changes| {
            last(changes, |change| {
                syncs(change, |path| path.starts_with("repos/") && path.ends_with(part))
            });
        });
        points_at_nothing(&found.await);
    }
}

#[tokio::test]
async fn what_is_gone_before_it_is_in_the_trash_is_noticed() {
    let found = with_collector(Kind::PowerGone, IMAGE, |changes| {
        last(changes, |change| syncs(change, |path| path.starts_with("trash/")));
    });
    comes_back_in_part(&found.await);
}

/// A run that is listed as long as anything of it is there.
#[tokio::test]
async fn a_run_that_is_forgotten_last_is_noticed() {
    let found = with_collector(Kind::Killed, FOR_GOOD, |changes| {
        let is_record =
            |change: &Change| matches!(change, Change::Remove(path) if path.ends_with("run.json"));
        let record = changes.iter().position(is_record).unwrap();
        let Change::Remove(path) = &changes[record] else {
            unreachable!()
        };
        let folder = path.parent().unwrap();
        let is_end = |change: &Change| matches!(change, Change::RemoveFolder(path) if path == folder);
        let end = changes.iter().position(is_end).unwrap();
        // The removal and its sync.
        changes[record..end].rotate_left(2);
    });
    comes_back_in_part(&found.await);
}

/// Takes changes out of a recording, as if they had never been made.
fn without(recording: &mut Recording, drop: impl Fn(&Change) -> bool) {
    let dropped: Vec<bool> = recording.changes.iter().map(drop).collect();
    for reached in &mut recording.reached {
        *reached -= dropped[..*reached].iter().filter(|dropped| **dropped).count();
    }
    let mut dropped = dropped.into_iter();
    recording.changes.retain(|_| dropped.next() == Some(false));
}

#[tokio::test]
async fn files_that_are_not_synced_are_noticed() {
    let found = with_defect(Kind::PowerGone, |recording| {
        without(
            recording,
            |change| matches!(change, Change::SyncFile(path) if path.starts_with("uploads")),
        );
    })
    .await;
    assert!(found.contains("has other bytes"), "{found}");
}

#[tokio::test]
async fn folders_that_are_not_synced_are_noticed() {
    for (part, wanted) in [
        ("_tags", "the tag"),
        ("_manifests/sha256", "manifest"),
        ("_blobs/sha256", "blob"),
    ] {
        let found = with_defect(Kind::PowerGone, |recording| {
            without(
                recording,
                |change| matches!(change, Change::SyncFolder(path) if path.ends_with(part)),
            );
        })
        .await;
        assert!(found.contains(wanted), "{part}: {found}");
    }
}

/// A manifest that is removed before the tags that point at it.
#[tokio::test]
async fn a_wrong_order_is_noticed() {
    let found = with_defect(Kind::Killed, |recording| {
        let of = |change: &Change, part| matches!(change, Change::Remove(path) if path.parent().unwrap().ends_with(part));
        let changes = &mut recording.changes;
        let manifest = changes.iter().rposition(|change| of(change, "_manifests/sha256")).unwrap();
        let tag = changes[..manifest].iter().rposition(|change| of(change, "_tags")).unwrap();
        changes[tag..=manifest].rotate_right(1);
    })
    .await;
    assert!(found.contains("dangles"), "{found}");
}

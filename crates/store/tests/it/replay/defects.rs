//! Seeded defects: a crash replay that does not find them would be worth nothing.

use landfall_store::Change;

use super::{Recording, Replay};

/// The same run with a defect in it: the test must find each.
async fn with_defect(is_killed: bool, defect: impl Fn(&mut Recording)) -> String {
    let mut replay = Replay::new();
    let mut recording = replay.record().await;
    defect(&mut recording);
    let found = replay.run(&recording, None, is_killed).await;
    found.expect_err("the defect was not found")
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
    let found = with_defect(false, |recording| {
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
        let found = with_defect(false, |recording| {
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
    let found = with_defect(true, |recording| {
        let of = |change: &Change, part| matches!(change, Change::Remove(path) if path.parent().unwrap().ends_with(part));
        let changes = &mut recording.changes;
        let manifest = changes.iter().rposition(|change| of(change, "_manifests/sha256")).unwrap();
        let tag = changes[..manifest].iter().rposition(|change| of(change, "_tags")).unwrap();
        changes[tag..=manifest].rotate_right(1);
    })
    .await;
    assert!(found.contains("dangles"), "{found}");
}

//! The store through its public face: the suite for each implementation, crashes, and many hands at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod collect;
mod crash;
mod disk_full;
mod evict;
mod foreign;
mod growing;
mod hands;
mod interleave;
mod listing;
mod overlay;
mod replay;
mod scrub;
mod tags;
mod upkeep;
mod uploads;

use std::num::NonZeroUsize;
use std::path::Path;

use landfall_hash::HashService;
use landfall_store::{DirectoryOptions, DirectoryStore, Durability, StoreError, suite};

fn hash() -> HashService {
    HashService::new(NonZeroUsize::MIN)
}

fn options() -> DirectoryOptions {
    DirectoryOptions {
        durability: Durability::None,
        reserve_bytes: 0,
        ..DirectoryOptions::default()
    }
}

/// More for a soak, fewer for a quick look.
fn seeds(usual: u64) -> u64 {
    let wanted = std::env::var("LANDFALL_SEEDS").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

async fn open(root: &Path) -> DirectoryStore {
    DirectoryStore::open(root, hash(), options()).await.unwrap()
}

#[tokio::test]
async fn a_directory_passes_the_suite_with_every_fsync() {
    let root = tempfile::tempdir().unwrap();
    let options = DirectoryOptions {
        durability: Durability::Full,
        ..options()
    };
    let store = DirectoryStore::open(root.path(), hash(), options).await.unwrap();
    suite::writable(&store).await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let held = suite::fill(&open(root.path()).await).await;
    suite::reading(&open(root.path()).await, &held).await;
}

#[tokio::test]
async fn a_copied_root_without_its_hard_links_still_deletes_tags() {
    let root = tempfile::tempdir().unwrap();
    let held = suite::fill(&open(root.path()).await).await.remove(0);
    let tag = root
        .path()
        .join(format!("repos/{}/_tags/{}", held.repository, held.tag));
    let bytes = std::fs::read(&tag).unwrap();
    std::fs::remove_file(&tag).unwrap();
    std::fs::write(&tag, bytes).unwrap();
    let store = open(root.path()).await;
    landfall_store::Store::delete_manifest(&store, &held.repository, &held.manifest.digest)
        .await
        .unwrap();
    assert!(!tag.exists());
}

#[tokio::test]
async fn one_process_per_root_and_never_a_strange_directory() {
    let root = tempfile::tempdir().unwrap();
    let first = open(root.path()).await;
    let second = DirectoryStore::open(root.path(), hash(), options()).await;
    match second.err() {
        Some(StoreError::InUse { process, .. }) => {
            assert_eq!(process, Some(std::process::id().to_string()));
        }
        other => panic!("{other:?}"),
    }
    drop(first);
    drop(open(root.path()).await);
    let strange = tempfile::tempdir().unwrap();
    std::fs::write(strange.path().join("photo.jpg"), "x").unwrap();
    let refused = DirectoryStore::open(strange.path(), hash(), options()).await;
    assert!(matches!(refused.err(), Some(StoreError::Conflict { .. })));
    assert_eq!(std::fs::read_dir(strange.path()).unwrap().count(), 1);
    let newer = tempfile::tempdir().unwrap();
    std::fs::write(
        newer.path().join("landfall-store"),
        "landfall directory store, layout 9\n",
    )
    .unwrap();
    let refused = DirectoryStore::open(newer.path(), hash(), options()).await;
    assert!(matches!(refused.err(), Some(StoreError::Conflict { .. })));
}

#[tokio::test]
async fn a_disk_that_is_too_small_says_so_before_the_first_byte() {
    use landfall_store::{Chunk, Store as _};
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("big");
    let upload = store.start_upload(&here, None).await.unwrap();
    let chunk = Chunk {
        len: Some(u64::MAX / 2),
        ..Chunk::of("a")
    };
    let refused = store.append(&here, &upload.id, chunk).await;
    match refused {
        Err(StoreError::NoSpace { needed, free }) => assert!(needed > free && free > 0),
        other => panic!("{other:?}"),
    }
    // The session lives on: somebody may make room.
    assert_eq!(store.upload(&here, &upload.id).await.unwrap().offset, 0);
}

//! Uploads that are read while they grow, and go on after a restart.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use landfall_store::{Chunk, DirectoryOptions, DirectoryStore, Store as _, suite};

use crate::hash;

async fn open(root: &std::path::Path) -> DirectoryStore {
    DirectoryStore::open(root, hash(), DirectoryOptions::default())
        .await
        .unwrap()
}

#[tokio::test]
async fn what_is_written_can_be_read_and_proven_before_it_is_published() {
    let root = tempfile::tempdir().unwrap();
    let store = Arc::new(open(root.path()).await);
    let here = suite::repository("quay.io/a");
    let (digest, bytes) = suite::blob(vec![7; 300_000]);
    let upload = store.fetch(&here, &digest).await.unwrap();
    assert_eq!(upload.offset, 0);
    let growing = store.growing(&here, &upload.id).await.unwrap();
    let readable = growing.extent(300_000);
    let append = async |part: Bytes| store.append(&here, &upload.id, Chunk::of(part)).await.unwrap();
    append(bytes.slice(..100_000)).await;
    assert_eq!(growing.beyond(0).await, 100_000);
    assert_eq!(readable.read_at(0, 100_000).unwrap(), bytes.slice(..100_000));
    let waiting = tokio::spawn({
        let growing = growing.clone();
        async move { growing.beyond(100_000).await }
    });
    assert_ne!(store.digest_so_far(&here, &upload.id).await.unwrap(), digest);
    append(bytes.slice(100_000..)).await;
    assert!(waiting.await.unwrap() > 100_000);
    assert_eq!(store.digest_so_far(&here, &upload.id).await.unwrap(), digest);
    assert_eq!(store.digest_so_far(&here, &upload.id).await.unwrap(), digest);
    assert!(store.stat_blob(&here, &digest).await.unwrap_err().is_not_found());
    assert_eq!(store.commit(&here, &upload.id, &digest).await.unwrap(), 300_000);
    // The file is the blob now; who has it open goes on.
    assert_eq!(readable.read_at(0, 300_000).unwrap(), bytes);
    let never = tokio::time::timeout(Duration::from_millis(10), growing.beyond(300_000)).await;
    assert!(never.is_err());
}

#[tokio::test]
async fn a_fetch_goes_on_after_a_restart_and_only_for_its_repository() {
    let root = tempfile::tempdir().unwrap();
    let [here, there] = ["quay.io/a", "quay.io/b"].map(suite::repository);
    let (digest, bytes) = suite::blob(vec![9; 200_000]);
    {
        let store = open(root.path()).await;
        let upload = store.fetch(&here, &digest).await.unwrap();
        store
            .append(&here, &upload.id, Chunk::of(bytes.slice(..150_000)))
            .await
            .unwrap();
    }
    let store = open(root.path()).await;
    assert_eq!(store.fetch(&there, &digest).await.unwrap().offset, 0);
    let upload = store.fetch(&here, &digest).await.unwrap();
    assert_eq!(upload.offset, 150_000);
    let growing = store.growing(&here, &upload.id).await.unwrap();
    assert_eq!(growing.beyond(0).await, 150_000);
    store
        .append(&here, &upload.id, Chunk::of(bytes.slice(150_000..)))
        .await
        .unwrap();
    store.commit(&here, &upload.id, &digest).await.unwrap();
    // Ended: the next fetch would be a new one.
    assert_eq!(store.fetch(&here, &digest).await.unwrap().offset, 0);
}

/// A crash can leave the bytes without their record: they are in nobody's way.
#[tokio::test]
async fn what_a_crash_left_of_a_fetch_is_no_obstacle() {
    let root = tempfile::tempdir().unwrap();
    let here = suite::repository("quay.io/a");
    let (digest, _) = suite::blob("x");
    let id = {
        let store = open(root.path()).await;
        store.fetch(&here, &digest).await.unwrap().id
    };
    std::fs::remove_file(root.path().join(format!("uploads/{id}.json"))).unwrap();
    let store = open(root.path()).await;
    assert_eq!(store.fetch(&here, &digest).await.unwrap().offset, 0);
}

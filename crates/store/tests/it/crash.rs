//! What a crash leaves behind is ignored, cleaned, or taken up again.

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use landfall_hash::digest;
use landfall_oci::{Algorithm, Target};
use landfall_store::{Chunk, DirectoryOptions, DirectoryStore, Page, Store, StoreError, suite};

use crate::{hash, open, options};

#[tokio::test]
async fn leftover_temporary_files_are_removed() {
    let root = tempfile::tempdir().unwrap();
    let held = suite::fill(&open(root.path()).await).await;
    for name in ["0", "17"] {
        fs::write(root.path().join("tmp").join(name), "half of something").unwrap();
    }
    let store = open(root.path()).await;
    assert_eq!(fs::read_dir(root.path().join("tmp")).unwrap().count(), 0);
    suite::reading(&store, &held).await;
}

#[tokio::test]
async fn an_upload_goes_on_after_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let here = suite::repository("resumed");
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let bytes = Bytes::from(vec![3; 600_000]);
        let id = {
            let store = open(root.path()).await;
            let id = store.start_upload(&here, None).await.unwrap().id;
            store
                .append(&here, &id, Chunk::of(bytes.slice(..400_000)))
                .await
                .unwrap();
            id
        };
        let store = open(root.path()).await;
        assert_eq!(store.upload(&here, &id).await.unwrap().offset, 400_000);
        let rest = Chunk {
            at: Some(400_000),
            ..Chunk::of(bytes.slice(400_000..))
        };
        store.append(&here, &id, rest).await.unwrap();
        let wanted = digest(algorithm, &bytes);
        store.commit(&here, &id, &wanted).await.unwrap();
        assert_eq!(suite::read_blob(&store, &here, &wanted).await, bytes);
        assert_eq!(fs::read_dir(root.path().join("uploads")).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn an_upload_ends_after_a_restart_without_another_byte() {
    let root = tempfile::tempdir().unwrap();
    let here = suite::repository("resumed");
    let (wanted, bytes) = suite::blob("all of it");
    let store = open(root.path()).await;
    let id = store.start_upload(&here, None).await.unwrap().id;
    store.append(&here, &id, Chunk::of(bytes)).await.unwrap();
    drop(store);
    let store = open(root.path()).await;
    store.commit(&here, &id, &wanted).await.unwrap();
    assert!(store.stat_blob(&here, &wanted).await.is_ok());
}

#[tokio::test]
async fn half_an_upload_record_is_no_upload() {
    let root = tempfile::tempdir().unwrap();
    let here = suite::repository("half");
    let store = open(root.path()).await;
    let id = store.start_upload(&here, None).await.unwrap().id;
    drop(store);
    fs::write(root.path().join(format!("uploads/{id}.json")), "{\"repos").unwrap();
    let store = open(root.path()).await;
    let unknown = store.upload(&here, &id).await;
    assert!(matches!(unknown, Err(StoreError::UploadUnknown { .. })));
}

#[tokio::test]
async fn stale_uploads_are_removed_at_start() {
    let root = tempfile::tempdir().unwrap();
    let here = suite::repository("stale");
    open(root.path()).await.start_upload(&here, None).await.unwrap();
    let count = || fs::read_dir(root.path().join("uploads")).unwrap().count();
    assert_eq!(count(), 2);
    drop(open(root.path()).await);
    assert_eq!(count(), 2);
    let options = DirectoryOptions {
        upload_expiry: Duration::ZERO,
        ..options()
    };
    tokio::time::sleep(Duration::from_millis(20)).await;
    DirectoryStore::open(root.path(), hash(), options).await.unwrap();
    assert_eq!(count(), 0);
}

/// Every state that a crash can leave between two steps of a push: nothing dangles, and pushing again completes it.
#[tokio::test]
async fn each_step_of_a_push_may_be_the_last() {
    let held = suite::samples().remove(1);
    let name = held.repository.to_string();
    let hex = held.manifest.digest.hex();
    // In the order of publication; removing a suffix of them is a crash before it.
    let steps = [
        format!("blobs/sha256/{}/{hex}", &hex[..2]),
        format!("repos/{name}/_manifests/sha256/{hex}"),
        format!("repos/{name}/_history/{}", held.tag),
        format!("repos/{name}/_tags/{}", held.tag),
    ];
    for survived in 0..steps.len() {
        let root = tempfile::tempdir().unwrap();
        suite::push(&open(root.path()).await, &held).await;
        for step in &steps[survived..] {
            let path = root.path().join(step);
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
        let store = open(root.path()).await;
        let by_tag = store
            .manifest(&held.repository, &Target::Tag(held.tag.clone()))
            .await;
        assert!(by_tag.unwrap_err().is_not_found());
        let tags = store.tags(&held.repository, Page::first(9)).await.unwrap();
        assert!(tags.items.is_empty());
        let by_digest = store
            .manifest(&held.repository, &Target::Digest(held.manifest.digest))
            .await;
        assert_eq!(by_digest.is_ok(), survived >= 2);
        let repositories = store.repositories(Page::first(9)).await.unwrap();
        assert_eq!(repositories.items.len(), usize::from(survived >= 2));
        suite::push(&store, &held).await;
        suite::reading(&store, &[held.clone(), held.clone()]).await;
    }
}

#[tokio::test]
async fn a_damaged_blob_is_healed_by_the_next_push() {
    let root = tempfile::tempdir().unwrap();
    let here = suite::repository("heal");
    let content = suite::blob("whole");
    let store = open(root.path()).await;
    suite::push_blob(&store, &here, &content).await;
    let hex = content.0.hex();
    let path = root.path().join(format!("blobs/sha256/{}/{hex}", &hex[..2]));
    fs::write(&path, "cut").unwrap();
    suite::push_blob(&store, &here, &content).await;
    assert_eq!(suite::read_blob(&store, &here, &content.0).await, content.1);
    // Bytes that are gone altogether: not held, until somebody pushes them.
    fs::remove_file(&path).unwrap();
    assert!(
        store
            .stat_blob(&here, &content.0)
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(
        store
            .open_blob(&here, &content.0)
            .await
            .unwrap_err()
            .is_not_found()
    );
    suite::push_blob(&store, &here, &content).await;
    assert_eq!(suite::read_blob(&store, &here, &content.0).await, content.1);
}

/// A crash between publishing an upload and forgetting it: the file is a blob already, and more bytes sent to the
/// upload would change it under its digest.
#[tokio::test]
async fn a_published_upload_takes_no_more_bytes() {
    let root = tempfile::tempdir().unwrap();
    let here = suite::repository("published");
    let content = suite::blob("published");
    let store = open(root.path()).await;
    let id = store.start_upload(&here, None).await.unwrap().id;
    store
        .append(&here, &id, Chunk::of(content.1.clone()))
        .await
        .unwrap();
    drop(store);
    let hex = content.0.hex();
    let blob = root.path().join(format!("blobs/sha256/{}/{hex}", &hex[..2]));
    fs::create_dir_all(blob.parent().unwrap()).unwrap();
    fs::hard_link(root.path().join(format!("uploads/{id}")), &blob).unwrap();
    let store = open(root.path()).await;
    let refused = store.append(&here, &id, Chunk::of("more")).await;
    assert!(
        matches!(refused, Err(StoreError::UploadUnknown { .. })),
        "{refused:?}"
    );
    assert_eq!(fs::read(&blob).unwrap(), content.1);
    assert_eq!(fs::read_dir(root.path().join("uploads")).unwrap().count(), 0);
    // Pushed again, it is taken as it is.
    suite::push_blob(&store, &here, &content).await;
    assert_eq!(suite::read_blob(&store, &here, &content.0).await, content.1);
}

/// distribution#1960: one empty file stopped everything.
#[tokio::test]
async fn a_damaged_record_is_no_record_until_the_next_push() {
    let held = suite::samples();
    let hurt = &held[1];
    let hex = hurt.manifest.digest.hex();
    let name = hurt.repository.as_str();
    let tag = format!("repos/{name}/_tags/{}", hurt.tag);
    let revision = format!("repos/{name}/_manifests/sha256/{hex}");
    let bytes = format!("blobs/sha256/{}/{hex}", &hex[..2]);
    for damaged in [&tag, &revision, &bytes] {
        let root = tempfile::tempdir().unwrap();
        suite::fill(&open(root.path()).await).await;
        fs::write(root.path().join(damaged), "").unwrap();
        let store = open(root.path()).await;
        let by_tag = Target::Tag(hurt.tag.clone());
        for missing in [
            store.stat_manifest(&hurt.repository, &by_tag).await.map(|_| ()),
            store.manifest(&hurt.repository, &by_tag).await.map(|_| ()),
        ] {
            assert!(missing.unwrap_err().is_not_found(), "{damaged}");
        }
        assert_eq!(
            store.repositories(Page::first(9)).await.unwrap().items.len(),
            held.len()
        );
        suite::push(&store, hurt).await;
        suite::reading(&store, &held).await;
    }
}

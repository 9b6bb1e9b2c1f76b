//! Many hands at once on one store.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use landfall_oci::Target;
use landfall_store::{Chunk, Expected, Page, Store, StoreError, suite};

use crate::open;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_pushes_of_one_blob_all_succeed() {
    let root = tempfile::tempdir().unwrap();
    let store = Arc::new(open(root.path()).await);
    let content = suite::blob(vec![5; 300_000]);
    let pushes = (0..8).map(|number| {
        let (store, content) = (Arc::clone(&store), content.clone());
        tokio::spawn(async move {
            let here = suite::repository(&format!("same/{}", number % 3));
            suite::push_blob(&*store, &here, &content).await;
        })
    });
    for push in pushes.collect::<Vec<_>>() {
        push.await.unwrap();
    }
    for number in 0..3 {
        let here = suite::repository(&format!("same/{number}"));
        assert_eq!(suite::read_blob(&*store, &here, &content.0).await, content.1);
    }
    assert_eq!(std::fs::read_dir(root.path().join("uploads")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_compare_and_set_a_tag_one_wins() {
    let root = tempfile::tempdir().unwrap();
    let store = Arc::new(open(root.path()).await);
    let here = suite::repository("race");
    let config = suite::blob("config");
    suite::push_blob(&*store, &here, &config).await;
    let manifests: Vec<_> = (0..8)
        .map(|n| suite::image(std::slice::from_ref(&config), None, Some(&format!("t/{n}"))))
        .collect();
    let attempts: Vec<_> = manifests
        .iter()
        .map(|manifest| {
            let (store, here, manifest) = (Arc::clone(&store), here.clone(), manifest.clone());
            tokio::spawn(async move {
                suite::put(&*store, &here, &manifest, &[]).await.unwrap();
                store
                    .set_tag(&here, &suite::tag("won"), &manifest.digest, Expected::Absent)
                    .await
            })
        })
        .collect();
    let mut winners = 0;
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(()) => winners += 1,
            Err(StoreError::Conflict { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(winners, 1);
    assert_eq!(
        store.tag_history(&here, &suite::tag("won")).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn an_append_that_was_abandoned_keeps_what_it_had_taken() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("abandoned");
    let id = store.start_upload(&here, None).await.unwrap().id;
    // Three pieces, then a sender that never says anything again and is given up.
    let pieces = futures_util::stream::iter(["ab", "cd", "ef"]).map(|piece| Ok(Bytes::from(piece)));
    let chunk = Chunk {
        at: None,
        len: None,
        is_last: false,
        body: Box::pin(pieces.chain(futures_util::stream::pending())),
    };
    let append = store.append(&here, &id, chunk);
    assert!(
        tokio::time::timeout(Duration::from_millis(300), append)
            .await
            .is_err()
    );
    assert_eq!(store.upload(&here, &id).await.unwrap().offset, 6);
    store.append(&here, &id, Chunk::of("gh")).await.unwrap();
    let (wanted, bytes) = suite::blob("abcdefgh");
    store.commit(&here, &id, &wanted).await.unwrap();
    assert_eq!(suite::read_blob(&store, &here, &wanted).await, bytes);
}

#[tokio::test]
async fn more_uploads_than_are_kept_in_memory_all_finish() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("many");
    let mut ids = Vec::new();
    for _ in 0..300 {
        let id = store.start_upload(&here, None).await.unwrap().id;
        store.append(&here, &id, Chunk::of("first,")).await.unwrap();
        ids.push(id);
    }
    let (wanted, _) = suite::blob("first,second");
    for id in ids {
        store.append(&here, &id, Chunk::of("second")).await.unwrap();
        store.commit(&here, &id, &wanted).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_move_while_they_are_read() {
    let root = tempfile::tempdir().unwrap();
    let store = Arc::new(open(root.path()).await);
    let here = suite::repository("moving");
    let config = suite::blob("config");
    suite::push_blob(&*store, &here, &config).await;
    let versions = ["t/a", "t/b"].map(|kind| suite::image(std::slice::from_ref(&config), None, Some(kind)));
    let tag = suite::tag("latest");
    suite::put(&*store, &here, &versions[0], std::slice::from_ref(&tag))
        .await
        .unwrap();
    let writer = {
        let (store, here, tag, versions) = (Arc::clone(&store), here.clone(), tag.clone(), versions.clone());
        tokio::spawn(async move {
            for turn in 0..100 {
                let tags = std::slice::from_ref(&tag);
                suite::put(&*store, &here, &versions[turn % 2], tags)
                    .await
                    .unwrap();
            }
        })
    };
    while !writer.is_finished() {
        let found = store.manifest(&here, &Target::Tag(tag.clone())).await.unwrap();
        assert!(versions.contains(&found));
        assert_eq!(store.tags(&here, Page::first(9)).await.unwrap().items.len(), 1);
    }
    writer.await.unwrap();
}

//! Tags: their history and the way back, immutable ones, and those that have served their time.

use std::fs;
use std::sync::Arc;

use landfall_oci::{Repository, Target};
use landfall_store::{
    CollectOptions, DirectoryOptions, DirectoryStore, Expected, Moment, Page, RetentionRule, Store,
    StoreError, suite, tag_at,
};

use crate::upkeep::{Told, image, untagged};
use crate::{hash, open, options};

async fn points_at(store: &dyn Store, here: &Repository, tag: &str) -> Option<landfall_oci::Digest> {
    let target = Target::Tag(suite::tag(tag));
    store
        .stat_manifest(here, &target)
        .await
        .ok()
        .map(|found| found.digest)
}

#[tokio::test]
async fn a_tag_goes_back_to_what_it_was() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let (here, tag) = (suite::repository("back"), suite::tag("latest"));
    let first = image(&store, &here, "first", &["latest"]).await.manifest.digest;
    let second = image(&store, &here, "second", &["latest"]).await.manifest.digest;
    store.delete_tag(&here, &tag).await.unwrap();
    let history = store.tag_history(&here, &tag).await.unwrap();
    let at = tag_at(&history, u64::MAX).unwrap();
    assert_eq!((at.generation, at.digest), (3, None));
    let back = store
        .restore_tag(&here, &tag, Moment::Generation(1))
        .await
        .unwrap();
    assert_eq!(
        (back, points_at(&store, &here, "latest").await),
        (Some(first), Some(first))
    );
    let back = store
        .restore_tag(&here, &tag, Moment::UnixMs(u64::MAX))
        .await
        .unwrap();
    assert_eq!(back, Some(first));
    store
        .restore_tag(&here, &tag, Moment::Generation(2))
        .await
        .unwrap();
    assert_eq!(points_at(&store, &here, "latest").await, Some(second));
    // To when it was deleted: twice, the second time it is gone already.
    for _ in 0..2 {
        assert_eq!(
            store
                .restore_tag(&here, &tag, Moment::Generation(3))
                .await
                .unwrap(),
            None
        );
        assert_eq!(points_at(&store, &here, "latest").await, None);
    }
    assert_eq!(store.tag_history(&here, &tag).await.unwrap().len(), 6);
    let never = store.restore_tag(&here, &tag, Moment::UnixMs(1)).await;
    assert!(never.unwrap_err().is_not_found());
    store.delete_manifest(&here, &first).await.unwrap();
    let gone = store.restore_tag(&here, &tag, Moment::Generation(1)).await;
    assert!(matches!(gone, Err(StoreError::Conflict { reason }) if reason.contains("no longer")));
}

#[tokio::test]
async fn a_history_does_not_grow_for_ever() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let (here, tag) = (suite::repository("long"), suite::tag("latest"));
    let digests = [
        image(&store, &here, "a", &["latest"]).await.manifest.digest,
        image(&store, &here, "b", &[]).await.manifest.digest,
    ];
    // As if it had moved a thousand times before.
    let folder = root.path().join("repos/long/_history/latest");
    let first = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(first).unwrap();
    for generation in 1..=1000 {
        let name = format!("{generation:010}-{:013}-sha256-{}", generation, digests[0].hex());
        fs::write(folder.join(name), "").unwrap();
    }
    for turn in 1..=20 {
        store
            .set_tag(&here, &tag, &digests[turn % 2], Expected::Any)
            .await
            .unwrap();
    }
    let history = store.tag_history(&here, &tag).await.unwrap();
    assert_eq!((history.len(), history[0].generation), (1000, 1020));
    assert_eq!(history[999].generation, 21);
}

async fn immutable(root: &std::path::Path, pattern: &str) -> DirectoryStore {
    let options = DirectoryOptions {
        immutable: vec![pattern.parse().unwrap()],
        ..options()
    };
    DirectoryStore::open(root, hash(), options).await.unwrap()
}

/// CVE-2026-31801: making a tag and moving it are different rights, told apart by what is there at that moment.
#[tokio::test]
async fn an_immutable_tag_is_made_and_then_stays() {
    let root = tempfile::tempdir().unwrap();
    let store = immutable(root.path(), "prod/*:v*").await;
    let here = suite::repository("prod/app");
    let first = image(&store, &here, "first", &["v1", "latest"]).await.manifest;
    let second = image(&store, &here, "second", &["latest"]).await.manifest;
    let tag = suite::tag("v1");
    // The same again is no change.
    suite::put(&store, &here, &first, std::slice::from_ref(&tag))
        .await
        .unwrap();
    store
        .set_tag(&here, &tag, &first.digest, Expected::Any)
        .await
        .unwrap();
    let third = suite::image(&[suite::blob("config of first")], None, Some("t/third"));
    let refused = [
        suite::put(&store, &here, &second, std::slice::from_ref(&tag)).await,
        suite::put(&store, &here, &third, &[suite::tag("fresh"), tag.clone()]).await,
        store.set_tag(&here, &tag, &second.digest, Expected::Any).await,
        store.delete_tag(&here, &tag).await,
        store.delete_manifest(&here, &first.digest).await,
    ];
    for answer in refused {
        assert!(matches!(answer, Err(StoreError::Immutable { .. })), "{answer:?}");
    }
    assert_eq!(points_at(&store, &here, "v1").await, Some(first.digest));
    assert_eq!(points_at(&store, &here, "fresh").await, None);
    assert!(
        store
            .manifest(&here, &Target::Digest(third.digest))
            .await
            .is_err()
    );
    // Retention passes over it, and tags that are not meant move as ever.
    let rules: Vec<RetentionRule> = serde_json::from_str(r#"[{"keep_last": 0}]"#).unwrap();
    let retained = store.retain(rules, false, Arc::new(())).await.unwrap();
    assert_eq!((retained.removed, retained.seen), (1, 2));
    let other = suite::repository("dev/app");
    image(&store, &other, "first", &["v1"]).await;
    image(&store, &other, "second", &["v1"]).await;
    // Going back in time is a move as well.
    store.set_immutable(Vec::new());
    store
        .set_tag(&here, &tag, &second.digest, Expected::Any)
        .await
        .unwrap();
    store.set_immutable(vec!["*:*".parse().unwrap()]);
    let refused = store.restore_tag(&here, &tag, Moment::Generation(1)).await;
    assert!(
        matches!(refused, Err(StoreError::Immutable { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_damaged_record_does_not_make_a_tag_movable() {
    let root = tempfile::tempdir().unwrap();
    let store = immutable(root.path(), "*:v*").await;
    let here = suite::repository("hurt");
    let first = image(&store, &here, "first", &["v1"]).await.manifest;
    let second = image(&store, &here, "second", &[]).await.manifest;
    let path = root.path().join("repos/hurt/_tags/v1");
    fs::remove_file(&path).unwrap();
    fs::write(&path, "").unwrap();
    let refused = store
        .set_tag(&here, &suite::tag("v1"), &second.digest, Expected::Any)
        .await;
    assert!(
        matches!(refused, Err(StoreError::Immutable { .. })),
        "{refused:?}"
    );
    suite::put(&store, &here, &first, &[suite::tag("v1")])
        .await
        .unwrap();
    assert_eq!(points_at(&store, &here, "v1").await, Some(first.digest));
}

/// Of many who make an immutable tag at once, one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_make_an_immutable_tag_one_wins() {
    let root = tempfile::tempdir().unwrap();
    let store = Arc::new(immutable(root.path(), "*:won").await);
    let here = suite::repository("race");
    let mut digests = Vec::new();
    for number in 0..8 {
        digests.push(
            image(&*store, &here, &number.to_string(), &[])
                .await
                .manifest
                .digest,
        );
    }
    let attempts: Vec<_> = digests
        .into_iter()
        .map(|digest| {
            let (store, here) = (Arc::clone(&store), here.clone());
            tokio::spawn(async move {
                store
                    .set_tag(&here, &suite::tag("won"), &digest, Expected::Any)
                    .await
            })
        })
        .collect();
    let mut winners = 0;
    for attempt in attempts {
        winners += u32::from(attempt.await.unwrap().is_ok());
    }
    assert_eq!(winners, 1);
}

#[tokio::test]
async fn retention_deletes_what_its_rules_say_and_can_be_taken_back() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("ci/app");
    let mut digests = Vec::new();
    for tag in ["v1", "v2", "v3", "stable"] {
        digests.push(image(&store, &here, tag, &[tag]).await.manifest.digest);
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }
    image(&store, &suite::repository("prod/app"), "v1", &["v1"]).await;
    let rules: Vec<RetentionRule> =
        serde_json::from_str(r#"[{"repositories": "ci/*", "keep_last": 1, "protect": ["stable"]}]"#).unwrap();
    for dry_run in [true, true, false] {
        let told = Arc::new(Told::default());
        let retained = store
            .retain(rules.clone(), dry_run, Arc::clone(&told) as _)
            .await
            .unwrap();
        assert_eq!((retained.removed, retained.spared, retained.seen), (2, 0, 4));
        let tags = told.tags.lock().unwrap();
        let gone: Vec<_> = tags.iter().map(|gone| gone.expired.change.tag.as_str()).collect();
        assert_eq!(gone, ["v1", "v2"]);
        assert_eq!(
            tags[0].expired.reason.to_string(),
            "rule 1: 2 tags are newer and 1 are kept"
        );
    }
    let tags = store.tags(&here, Page::first(9)).await.unwrap();
    assert_eq!(tags.items, [suite::tag("stable"), suite::tag("v3")]);
    assert_eq!(store.retain(rules, false, Arc::new(())).await.unwrap().removed, 0);
    store
        .restore_tag(&here, &suite::tag("v1"), Moment::Generation(1))
        .await
        .unwrap();
    assert_eq!(points_at(&store, &here, "v1").await, Some(digests[0]));
    // What the tags kept goes with the next collection, where that is asked for.
    let collected = store
        .collect(
            CollectOptions {
                dry_run: true,
                ..untagged()
            },
            Arc::new(()),
        )
        .await
        .unwrap();
    assert_eq!(collected.manifests, 1);
}

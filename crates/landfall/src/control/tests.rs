//! Upkeep as a server is asked for it.

use std::path::Path;
use std::sync::Arc;

use landfall_oci::Tag;
use landfall_store::{DirectoryOptions, DirectoryStore, suite};
use serde_json::Value;

use super::work::perform;
use super::{Claimed, Collect, Moment, Request, Scrub, Workshop, claim};
use crate::failure::Failure;

async fn open(root: &Path) -> DirectoryStore {
    match claim(root, DirectoryOptions::default()).await.unwrap() {
        Claimed::Ours(store) => *store,
        Claimed::Served(_) => panic!("nobody serves it"),
    }
}

async fn workshop(folder: &Path) -> Workshop {
    let root = folder.join("root");
    Workshop::open(&root, open(&root).await).await.unwrap()
}

async fn ask(workshop: &Workshop, request: Request) -> Result<Value, Failure> {
    let (items, _found) = tokio::sync::mpsc::channel(64);
    perform(workshop, request, items).await.map(|done| done.summary)
}

fn collect_at_once(dry_run: bool) -> Request {
    Request::Collect(Collect {
        dry_run,
        grace: Some(0),
        untagged_after: Some(0),
        keep_trash: None,
    })
}

#[tokio::test]
async fn the_signature_of_an_image_in_a_bundle_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let below = open(&folder.path().join("below")).await;
    let image = suite::fill(&below).await.remove(0);
    let mut workshop = workshop(folder.path()).await;
    let blobs = [suite::blob("signature")];
    suite::push_blob(&*workshop.store, &image.repository, &blobs[0]).await;
    let signature = suite::image(&blobs, Some(&image.manifest), None);
    suite::put(&*workshop.store, &image.repository, &signature, &[])
        .await
        .unwrap();
    let collected = ask(&workshop, collect_at_once(true)).await.unwrap();
    assert_eq!(
        collected["manifests"], 1,
        "alone it is about nothing: {collected}"
    );
    workshop.below = vec![Arc::new(below)];
    let collected = ask(&workshop, collect_at_once(false)).await.unwrap();
    assert_eq!(collected["manifests"], 0, "{collected}");
}

#[tokio::test]
async fn a_read_only_server_changes_nothing_for_its_owner_either() {
    let folder = tempfile::tempdir().unwrap();
    let mut workshop = workshop(folder.path()).await;
    workshop.read_only = true;
    let tag = || ("a".parse().unwrap(), Tag::latest());
    let ((repository, tag_to), (of, tag_of)) = (tag(), tag());
    let scrub = |quarantine| {
        Request::Scrub(Scrub {
            quarantine,
            ..Scrub::default()
        })
    };
    for request in [
        collect_at_once(false),
        Request::Retain {
            rules: None,
            dry_run: false,
        },
        Request::Undo { run: "x".into() },
        Request::Restore {
            repository,
            tag: tag_to,
            to: Moment::Before,
        },
        scrub(true),
    ] {
        let failure = ask(&workshop, request.clone()).await.unwrap_err().to_string();
        assert!(failure.contains("--read-only"), "{request:?}: {failure}");
    }
    for request in [
        collect_at_once(true),
        Request::Trash,
        Request::Wanted,
        scrub(false),
    ] {
        ask(&workshop, request).await.unwrap();
    }
    let history = ask(
        &workshop,
        Request::History {
            repository: of,
            tag: tag_of,
        },
    )
    .await;
    assert!(!history.unwrap_err().to_string().contains("--read-only"));
}

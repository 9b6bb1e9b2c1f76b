//! Listings that are answered from an index say what a look at the folders says, whatever happens meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use landfall_oci::{Algorithm, RawManifest, Repository};
use landfall_store::{DirectoryStore, Expected, Overlay, Page, PutManifest, Store, Unchecked, suite};

use crate::open;

async fn all_tags(store: &dyn Store, here: &Repository, limit: usize) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    loop {
        let after = found.last().cloned();
        let page = Page {
            after: after.as_deref(),
            limit,
        };
        let listing = store.tags(here, page).await.unwrap();
        found.extend(listing.items.iter().map(ToString::to_string));
        if !listing.more {
            return found;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_are_listed_while_they_change() {
    let root = tempfile::tempdir().unwrap();
    let store = Arc::new(open(root.path()).await);
    let here = suite::repository("many");
    let manifest = suite::image(&[suite::blob("config")], None, None);
    suite::push_blob(&*store, &here, &suite::blob("config")).await;
    let tags: Vec<_> = (0..600)
        .map(|number| suite::tag(&format!("v1.{number}")))
        .collect();
    suite::put(&*store, &here, &manifest, &tags).await.unwrap();
    let steady: BTreeSet<String> = (0..600)
        .filter(|number| number % 3 != 0)
        .map(|number| format!("v1.{number}"))
        .collect();
    let writer = tokio::spawn({
        let (store, here) = (Arc::clone(&store), here.clone());
        async move {
            for number in (0..600).step_by(3) {
                store
                    .delete_tag(&here, &suite::tag(&format!("v1.{number}")))
                    .await
                    .unwrap();
                let tag = suite::tag(&format!("v2.{number}"));
                store
                    .set_tag(&here, &tag, &manifest.digest, Expected::Absent)
                    .await
                    .unwrap();
            }
        }
    });
    while !writer.is_finished() {
        let found = all_tags(&*store, &here, 97).await;
        assert!(found.is_sorted_by(|a, b| a < b));
        let found: BTreeSet<String> = found.into_iter().collect();
        assert!(steady.is_subset(&found));
    }
    writer.await.unwrap();
    let found = all_tags(&*store, &here, 97).await;
    assert_eq!(found.len(), 600);
    drop(store);
    // Another process reads the folder.
    assert_eq!(all_tags(&open(root.path()).await, &here, 1000).await, found);
}

async fn catalog(store: &DirectoryStore, after: Option<&str>, limit: usize) -> (Vec<String>, bool) {
    let listing = store.repositories(Page { after, limit }).await.unwrap();
    (
        listing.items.iter().map(ToString::to_string).collect(),
        listing.more,
    )
}

#[tokio::test]
async fn repositories_appear_and_vanish() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let config = suite::blob("config");
    let images = [None, Some("t/2")].map(|kind| suite::image(std::slice::from_ref(&config), None, kind));
    let names = ["a", "a/b", "a-b", "c/d/e", "z"].map(suite::repository);
    let put = async |name: &Repository, at: usize| {
        suite::push_blob(&store, name, &config).await;
        suite::put(&store, name, &images[at], &[]).await.unwrap();
    };
    put(&names[0], 0).await;
    put(&names[3], 0).await;
    put(&names[3], 1).await;
    // A page that is not all: from here on there is an index.
    assert_eq!(catalog(&store, None, 1).await, (vec!["a".into()], true));
    assert_eq!(catalog(&store, Some("a"), 9).await, (vec!["c/d/e".into()], false));
    put(&names[1], 0).await;
    put(&names[2], 1).await;
    put(&names[4], 0).await;
    assert_eq!(
        catalog(&store, None, 9).await.0,
        ["a", "a-b", "a/b", "c/d/e", "z"]
    );
    store.delete_manifest(&names[0], &images[0].digest).await.unwrap();
    store.delete_manifest(&names[3], &images[0].digest).await.unwrap();
    assert_eq!(catalog(&store, None, 9).await.0, ["a-b", "a/b", "c/d/e", "z"]);
    store.delete_manifest(&names[3], &images[1].digest).await.unwrap();
    assert_eq!(catalog(&store, Some("a-b"), 1).await, (vec!["a/b".into()], true));
    assert_eq!(catalog(&store, Some("a/b"), 1).await, (vec!["z".into()], false));
    put(&names[3], 1).await;
    let before = catalog(&store, None, 9).await;
    drop(store);
    assert_eq!(catalog(&open(root.path()).await, None, 9).await, before);
}

/// Annotations may be as large as a manifest: a page of a thousand must not be read into memory whole.
#[tokio::test]
async fn a_page_of_heavy_referrers_ends_early_and_nothing_is_lost() {
    let (upper_root, lower_root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let repository: Repository = "a".parse().unwrap();
    let (subject, mut expected) = (suite::blob("subject").0, Vec::new());
    let mut layers: Vec<Arc<dyn Store>> = Vec::new();
    for (layer, root) in [&upper_root, &lower_root].into_iter().enumerate() {
        let store = open(root.path()).await;
        for number in 0..5 {
            let text = serde_json::json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": [],
                "subject": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": subject, "size": 1},
                "annotations": {"number": format!("{layer}/{number}"), "text": "x".repeat(1_500_000)},
            });
            let bytes = Bytes::from(serde_json::to_vec(&text).unwrap());
            let digest = landfall_hash::digest(Algorithm::Sha256, &bytes);
            let manifest = RawManifest::new(None, digest, bytes).unwrap();
            let put = PutManifest {
                manifest: &manifest,
                tags: &[],
                unchecked: Unchecked::None,
            };
            store.put_manifest(&repository, put).await.unwrap();
            expected.push(digest.to_string());
        }
        layers.push(match layer {
            0 => Arc::new(store),
            _ => Arc::new(suite::Frozen(Arc::new(store))),
        });
    }
    expected.sort();
    let overlay = Overlay::new(layers).unwrap();
    let (mut found, mut after): (Vec<String>, Option<String>) = (Vec::new(), None);
    loop {
        let page = Page {
            after: after.as_deref(),
            limit: 1000,
        };
        let listing = overlay
            .referrers(&repository, &subject, None, page)
            .await
            .unwrap();
        assert!((1..=4).contains(&listing.items.len()), "{}", listing.items.len());
        found.extend(listing.items.iter().map(|found| found.digest.to_string()));
        if !listing.more {
            break;
        }
        after = found.last().cloned();
    }
    assert_eq!(found, expected);
}

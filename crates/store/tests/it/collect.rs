//! Collection: what goes, what stays, and how it comes back.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use landfall_oci::{MediaType, Target};
use landfall_store::{Chunk, CollectOptions, Item, Link, Page, Store, StoreError, suite};
use serde_json::json;

use crate::open;
use crate::upkeep::{
    blob_path, collect, files, gone, image, image_over, index, is_whole, later, put, untagged,
};

#[tokio::test]
async fn what_nobody_needs_goes_and_the_rest_stays() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let held = suite::fill(&store).await;
    let here = suite::repository("alpine");
    let stray = suite::blob("nobody names it");
    suite::push_blob(&store, &here, &stray).await;
    let deleted = image(&store, &here, "deleted", &[]).await;
    store
        .delete_manifest(&here, &deleted.manifest.digest)
        .await
        .unwrap();
    // Young: nothing goes.
    let (collected, removals) = collect(&store, CollectOptions::default()).await;
    // The bytes of a deleted manifest are young as well.
    assert!(removals.is_empty() && collected.run.is_none(), "{removals:?}");
    let (collected, removals) = collect(&store, later()).await;
    let mut strays: Vec<_> = [stray.0].into_iter().chain(deleted.blobs.clone()).collect();
    strays.sort();
    assert!(gone(&removals, Item::Membership).into_iter().eq(strays.clone()));
    strays.push(deleted.manifest.digest);
    strays.sort();
    assert!(gone(&removals, Item::Bytes).into_iter().eq(strays.clone()));
    assert!(gone(&removals, Item::Manifest).is_empty());
    assert!(collected.run.is_some() && collected.blobs == 4 && collected.spared == 0);
    assert_eq!(
        collected.bytes,
        removals.iter().map(|removal| removal.bytes).sum::<u64>()
    );
    for digest in &strays {
        assert!(store.stat_blob(&here, digest).await.unwrap_err().is_not_found());
        assert!(!blob_path(root.path(), digest).exists());
    }
    suite::reading(&store, &held).await;
    let (again, removals) = collect(&store, later()).await;
    assert!(removals.is_empty() && again.run.is_none());
}

/// distribution#4461, #2914: members of an index have no tags of their own.
#[tokio::test]
async fn members_of_an_index_live_as_long_as_it_does() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("multi");
    let members = [
        image(&store, &here, "amd64", &[]).await,
        image(&store, &here, "arm64", &[]).await,
    ];
    let inner = index(&[&members[0].manifest]);
    put(&store, &here, &inner, &[]).await;
    let outer = index(&[&inner, &members[1].manifest]);
    put(&store, &here, &outer, &["latest"]).await;
    let (_, removals) = collect(&store, untagged()).await;
    assert!(removals.is_empty(), "{removals:?}");
    store.delete_tag(&here, &suite::tag("latest")).await.unwrap();
    // Kept by default.
    assert!(collect(&store, later()).await.1.is_empty());
    let (_, removals) = collect(&store, untagged()).await;
    let order: Vec<_> = removals
        .iter()
        .filter(|removal| removal.item == Item::Manifest)
        .map(|removal| removal.digest)
        .collect();
    assert_eq!(order.len(), 4);
    // What lists goes before what it lists.
    let at = |digest| order.iter().position(|found| *found == digest).unwrap();
    assert!(at(outer.digest) < at(inner.digest) && at(inner.digest) < at(members[0].manifest.digest));
    assert!(at(outer.digest) < at(members[1].manifest.digest));
    assert_eq!(gone(&removals, Item::Bytes).len(), 8);
    assert!(collect(&store, untagged()).await.1.is_empty());
}

/// An index of a build cache lists layers as if they were manifests.
#[tokio::test]
async fn blobs_that_an_index_lists_are_kept() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("cache");
    let layer = suite::blob("a cached layer");
    suite::push_blob(&store, &here, &layer).await;
    let cache = suite::raw(&json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_INDEX,
        "manifests": [{"mediaType": MediaType::OCI_LAYER, "digest": layer.0, "size": layer.1.len()}],
    }));
    put(&store, &here, &cache, &["cache"]).await;
    assert!(collect(&store, untagged()).await.1.is_empty());
    assert!(store.stat_blob(&here, &layer.0).await.is_ok());
}

/// distribution#4939: deleting in one repository took a blob from another.
#[tokio::test]
async fn a_blob_that_another_repository_holds_keeps_its_bytes() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let (one, other) = (suite::repository("team/one"), suite::repository("team/one-more"));
    let image_one = image(&store, &one, "shared", &["v1"]).await;
    for blob in &image_one.blobs {
        store.mount(&one, &other, blob).await.unwrap();
    }
    put(&store, &other, &image_one.manifest, &["v1"]).await;
    store
        .delete_manifest(&one, &image_one.manifest.digest)
        .await
        .unwrap();
    let (_, removals) = collect(&store, untagged()).await;
    assert_eq!(gone(&removals, Item::Membership).len(), 2);
    assert!(gone(&removals, Item::Bytes).is_empty(), "{removals:?}");
    assert!(is_whole(&store, &other, &image_one).await);
    assert!(!is_whole(&store, &one, &image_one).await);
}

#[tokio::test]
async fn referrers_live_as_long_as_their_subject() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("signed");
    let subject = image(&store, &here, "subject", &["v1"]).await;
    let signature = image_over(&store, &here, "signature", &[], Some(&subject.manifest)).await;
    let countersigned = image_over(&store, &here, "countersigned", &[], Some(&signature.manifest)).await;
    let dangling = suite::image(&[suite::blob("never pushed")], None, None);
    let orphan = image_over(&store, &here, "orphan", &[], Some(&dangling)).await;
    let (_, removals) = collect(&store, untagged()).await;
    assert_eq!(gone(&removals, Item::Manifest), [orphan.manifest.digest].into());
    assert!(is_whole(&store, &here, &signature).await && is_whole(&store, &here, &countersigned).await);
    store.delete_tag(&here, &suite::tag("v1")).await.unwrap();
    let (collected, removals) = collect(&store, untagged()).await;
    assert_eq!(gone(&removals, Item::Manifest).len(), 3);
    let listed = store
        .referrers(&here, &subject.manifest.digest, None, Page::first(9))
        .await
        .unwrap();
    assert!(listed.items.is_empty());
    // All of it comes back, the listing too.
    let undone = store.undo(collected.run.unwrap()).await.unwrap();
    assert!(undone.lost.is_empty() && undone.already_there == 0, "{undone:?}");
    for image in [&subject, &signature, &countersigned] {
        assert!(is_whole(&store, &here, image).await);
    }
    let listed = store
        .referrers(&here, &subject.manifest.digest, None, Page::first(9))
        .await
        .unwrap();
    assert_eq!(listed.items[0].digest, signature.manifest.digest);
    assert!(!is_whole(&store, &here, &orphan).await);
}

#[tokio::test]
async fn a_manifest_without_a_tag_has_its_time_from_the_tag_that_left_it() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("moved");
    let first = image(&store, &here, "first", &["latest"]).await;
    // Its record is a day old; the tag leaves it now.
    let hex = first.manifest.digest.hex();
    let record = root.path().join(format!("repos/moved/_manifests/sha256/{hex}"));
    let old = std::time::SystemTime::now() - Duration::from_secs(86_400);
    fs::File::options()
        .write(true)
        .open(&record)
        .unwrap()
        .set_modified(old)
        .unwrap();
    image(&store, &here, "second", &["latest"]).await;
    let after = |hours: u64| CollectOptions {
        untagged_after: Some(Duration::from_secs(hours * 3600)),
        ..later()
    };
    assert!(collect(&store, after(3)).await.1.is_empty());
    let (_, removals) = collect(&store, after(1)).await;
    assert_eq!(gone(&removals, Item::Manifest), [first.manifest.digest].into());
}

#[tokio::test]
async fn a_dry_run_says_what_the_real_one_does() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    for name in ["b", "a", "a/c"] {
        let here = suite::repository(name);
        image(&store, &here, name, &["kept"]).await;
        let old = image(&store, &here, &format!("{name} old"), &[]).await;
        put(&store, &here, &index(&[&old.manifest]), &[]).await;
        suite::push_blob(&store, &here, &suite::blob(format!("stray {name}"))).await;
    }
    let options = untagged();
    let dry = CollectOptions {
        dry_run: true,
        ..options.clone()
    };
    let before = files(root.path());
    let (said, first) = collect(&store, dry.clone()).await;
    let (_, second) = collect(&store, dry).await;
    assert_eq!(files(root.path()), before);
    assert_eq!(first, second);
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
    let (done, real) = collect(&store, options.clone()).await;
    assert_eq!(first, real);
    assert!(said.run.is_none() && done.run.is_some());
    assert_eq!(
        (said.manifests, said.memberships, said.blobs, said.bytes),
        (6, 9, 15, done.bytes)
    );
    assert!(collect(&store, options).await.1.is_empty());
}

#[tokio::test]
async fn a_run_comes_back_exactly_and_only_once() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("back");
    let old = image(&store, &here, "old", &["v1"]).await;
    store.delete_tag(&here, &suite::tag("v1")).await.unwrap();
    let before = files(root.path());
    let (collected, removals) = collect(&store, untagged()).await;
    assert!(!is_whole(&store, &here, &old).await);
    let run = collected.run.unwrap();
    let trash = store.trash().await.unwrap();
    assert_eq!(trash.len(), 1);
    assert_eq!(
        (trash[0].run, trash[0].manifests, trash[0].memberships),
        (run, 1, 2)
    );
    assert_eq!((trash[0].blobs, trash[0].bytes), (3, collected.bytes));
    let undone = store.undo(run).await.unwrap();
    assert_eq!(undone.restored, removals.len() as u64);
    assert_eq!(files(root.path()), before);
    assert!(is_whole(&store, &here, &old).await);
    // The tag comes back by its history.
    let restored = store
        .restore_tag(&here, &suite::tag("v1"), landfall_store::Moment::Generation(1))
        .await;
    assert_eq!(restored.unwrap(), Some(old.manifest.digest));
    assert!(matches!(store.undo(run).await, Err(StoreError::Conflict { .. })));
    assert!(store.trash().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_undo_leaves_what_was_pushed_meanwhile() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("again");
    let old = image(&store, &here, "old", &[]).await;
    let (collected, _) = collect(&store, untagged()).await;
    image(&store, &here, "old", &["pushed"]).await;
    let undone = store.undo(collected.run.unwrap()).await.unwrap();
    assert_eq!((undone.restored, undone.already_there), (0, 6));
    assert!(is_whole(&store, &here, &old).await);
}

/// The manifest went in one run, its blobs in a later one.
#[tokio::test]
async fn an_undo_finds_in_later_runs_what_it_needs_or_says_what_is_lost() {
    for lost in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let store = open(root.path()).await;
        let here = suite::repository("two-runs");
        let old = image(&store, &here, "old", &[]).await;
        // Pushed again just before the first run, by another name: the blobs are young, the manifest is not.
        let record = format!("repos/two-runs/_manifests/sha256/{}", old.manifest.digest.hex());
        let before = std::time::SystemTime::now() - Duration::from_secs(7200);
        let record = fs::File::options()
            .write(true)
            .open(root.path().join(record))
            .unwrap();
        record.set_modified(before).unwrap();
        let now = CollectOptions {
            now: None,
            ..untagged()
        };
        let (first, removals) = collect(&store, now).await;
        assert_eq!(removals.len(), 1, "{removals:?}");
        let (second, removals) = collect(&store, later()).await;
        assert_eq!(gone(&removals, Item::Membership).len(), 2);
        if lost {
            let run = second.run.unwrap().to_string();
            fs::remove_dir_all(root.path().join("trash").join(run)).unwrap();
        }
        let undone = store.undo(first.run.unwrap()).await.unwrap();
        assert_eq!(undone.lost.is_empty(), !lost, "{undone:?}");
        assert_eq!(is_whole(&store, &here, &old).await, !lost);
        let answers = store.manifest(&here, &Target::Digest(old.manifest.digest)).await;
        assert_eq!(answers.is_ok(), !lost);
    }
}

#[tokio::test]
async fn old_runs_are_really_deleted_and_nothing_is_kept_on_demand() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("emptied");
    image(&store, &here, "one", &[]).await;
    let (first, _) = collect(&store, untagged()).await;
    image(&store, &here, "two", &[]).await;
    let at_once = CollectOptions {
        keep_trash: Duration::ZERO,
        ..untagged()
    };
    let (second, removals) = collect(&store, at_once).await;
    assert_eq!(second.emptied, first.bytes);
    assert!(second.run.is_none() && removals.len() == 6);
    assert!(store.trash().await.unwrap().is_empty());
    let left = files(root.path());
    assert!(
        left.iter()
            .all(|(path, _)| path == std::path::Path::new("landfall-store")),
        "{left:?}"
    );
    assert!(matches!(
        store.undo(first.run.unwrap()).await,
        Err(StoreError::Conflict { .. })
    ));
}

#[tokio::test]
async fn half_a_deleted_run_is_rubbish() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("half");
    image(&store, &here, "one", &[]).await;
    let (collected, _) = collect(&store, untagged()).await;
    let folder = root.path().join("trash").join(collected.run.unwrap().to_string());
    fs::remove_file(folder.join("run.json")).unwrap();
    assert!(store.trash().await.unwrap().is_empty());
    assert!(store.undo(collected.run.unwrap()).await.is_err());
    let (again, _) = collect(&store, later()).await;
    assert_eq!(again.emptied, collected.bytes);
    assert!(!folder.exists());
}

/// Any read error ends the collection before anything was removed; distribution's class of bugs is to go on.
#[tokio::test]
async fn what_cannot_be_read_stops_everything() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let (first, last) = (suite::repository("aaa"), suite::repository("zzz"));
    image(&store, &first, "rubbish", &[]).await;
    let kept = image(&store, &last, "kept", &["v1"]).await;
    let hex = kept.manifest.digest.hex();
    let revision = root.path().join(format!("repos/zzz/_manifests/sha256/{hex}"));
    let good = fs::read(&revision).unwrap();
    let before = files(root.path());
    // A record cut by a crash, garbage, the record of something else, a name that is none.
    let other = String::from_utf8(good.clone())
        .unwrap()
        .replace(&hex, &kept.blobs[0].hex());
    for bad in ["", "{\"digest\":", &other] {
        fs::write(&revision, bad).unwrap();
        let refused = store.collect(untagged(), Arc::new(())).await;
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
        fs::write(&revision, &good).unwrap();
        assert_eq!(files(root.path()), before);
    }
    let strange = root.path().join("repos/zzz/_blobs/sha256/0000");
    fs::write(&strange, "").unwrap();
    assert!(store.collect(untagged(), Arc::new(())).await.is_err());
    fs::remove_file(strange).unwrap();
    // A folder that is none: an error of the system.
    let folder = root.path().join("repos/zzz/_tags");
    fs::rename(&folder, root.path().join("repos/zzz/_aside")).unwrap();
    fs::write(&folder, "").unwrap();
    let refused = store.collect(untagged(), Arc::new(())).await;
    assert!(matches!(refused, Err(StoreError::Io { .. })), "{refused:?}");
    fs::remove_file(&folder).unwrap();
    fs::rename(root.path().join("repos/zzz/_aside"), &folder).unwrap();
    // The repositories are on a disk that is not there.
    fs::rename(root.path().join("repos"), root.path().join("elsewhere")).unwrap();
    assert!(store.collect(untagged(), Arc::new(())).await.is_err());
    fs::rename(root.path().join("elsewhere"), root.path().join("repos")).unwrap();
    assert_eq!(files(root.path()), before);
    assert!(is_whole(&store, &last, &kept).await);
    assert_eq!(collect(&store, untagged()).await.0.blobs, 3);
}

#[tokio::test]
async fn a_manifest_that_cannot_be_understood_keeps_its_repository_from_being_swept() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let (hurt, well) = (suite::repository("hurt"), suite::repository("well"));
    let old = image(&store, &hurt, "old", &[]).await;
    let damaged = image(&store, &hurt, "damaged", &["v1"]).await;
    image(&store, &well, "other", &[]).await;
    let path = blob_path(root.path(), &damaged.manifest.digest);
    let good = fs::read(&path).unwrap();
    // Still JSON, still a manifest, another layer: only the hash tells.
    let text = String::from_utf8(good.clone()).unwrap();
    fs::write(&path, text.replace(&damaged.blobs[1].hex(), &"0".repeat(64))).unwrap();
    let (collected, removals) = collect(&store, untagged()).await;
    assert_eq!(collected.untouched.len(), 1);
    assert_eq!(collected.untouched[0].0, hurt);
    assert!(
        removals
            .iter()
            .all(|removal| removal.repository.as_ref() != Some(&hurt))
    );
    assert_eq!(removals.len(), 6);
    fs::write(&path, good).unwrap();
    assert!(is_whole(&store, &hurt, &old).await && is_whole(&store, &hurt, &damaged).await);
}

#[tokio::test]
async fn an_upload_under_way_keeps_what_was_pushed_since_it_began() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("slow");
    let upload = store.start_upload(&here, None).await.unwrap();
    let layer = suite::blob("pushed while the big one is on its way");
    suite::push_blob(&store, &here, &layer).await;
    assert!(collect(&store, later()).await.1.is_empty());
    store.append(&here, &upload.id, Chunk::of("more")).await.unwrap();
    store.cancel(&here, &upload.id).await.unwrap();
    assert_eq!(collect(&store, later()).await.1.len(), 2);
}

/// A client that was told that a blob is there leaves it out of its push.
#[tokio::test]
async fn what_was_asked_for_is_young_again() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let (here, there) = (suite::repository("asked"), suite::repository("mounted"));
    let blobs = ["asked", "mounted", "pushed again", "forgotten"].map(suite::blob);
    let old = std::time::SystemTime::now() - Duration::from_secs(7200);
    for blob in &blobs {
        suite::push_blob(&store, &here, blob).await;
        let record = root
            .path()
            .join(format!("repos/asked/_blobs/sha256/{}", blob.0.hex()));
        for path in [record, blob_path(root.path(), &blob.0)] {
            fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_modified(old)
                .unwrap();
        }
    }
    store.stat_blob(&here, &blobs[0].0).await.unwrap();
    store.mount(&here, &there, &blobs[1].0).await.unwrap();
    suite::push_blob(&store, &here, &blobs[2]).await;
    let (_, removals) = collect(&store, CollectOptions::default()).await;
    assert_eq!(gone(&removals, Item::Membership), [blobs[1].0, blobs[3].0].into());
    assert_eq!(gone(&removals, Item::Bytes), [blobs[3].0].into());
    assert!(store.open_blob(&there, &blobs[1].0).await.is_ok());
}

#[tokio::test]
async fn a_read_under_way_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("reading");
    let content = suite::blob(vec![9; 600_000]);
    suite::push_blob(&store, &here, &content).await;
    let opened = store.open_blob(&here, &content.0).await.unwrap();
    let at_once = CollectOptions {
        keep_trash: Duration::ZERO,
        ..later()
    };
    assert_eq!(collect(&store, at_once).await.0.blobs, 1);
    let parts: Vec<bytes::Bytes> = futures_util::TryStreamExt::try_collect(opened.into_stream())
        .await
        .unwrap();
    assert_eq!(parts.concat(), content.1);
}

#[tokio::test]
async fn why_a_blob_is_kept_is_told_from_its_root() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("why");
    let member = image(&store, &here, "member", &[]).await;
    let list = index(&[&member.manifest]);
    put(&store, &here, &list, &["latest"]).await;
    let signature = image_over(&store, &here, "signature", &[], Some(&member.manifest)).await;
    let loose = image(&store, &here, "loose", &[]).await;
    let stray = suite::blob("stray");
    suite::push_blob(&store, &here, &stray).await;
    let why = |digest| {
        let store = &store;
        async move { store.why_kept(&digest, None).await.unwrap().remove(0).path }
    };
    let to_member = [
        Link::Tag(suite::tag("latest")),
        Link::Manifest(list.digest),
        Link::Manifest(member.manifest.digest),
    ];
    let with = |more: &[Link]| [&to_member[..], more].concat();
    assert_eq!(why(member.blobs[1]).await, with(&[Link::Blob(member.blobs[1])]));
    let by_signature = [
        Link::Referrer(signature.manifest.digest),
        Link::Blob(signature.blobs[0]),
    ];
    assert_eq!(why(signature.blobs[0]).await, with(&by_signature));
    assert_eq!(
        why(loose.blobs[0]).await,
        [Link::Untagged(loose.manifest.digest), Link::Blob(loose.blobs[0])]
    );
    assert_eq!(why(stray.0).await, [Link::Held(stray.0)]);
    assert!(
        store
            .why_kept(&suite::blob("unknown").0, None)
            .await
            .unwrap()
            .is_empty()
    );
}

/// An overlay of a bundle and this store: the image lies in the bundle, its signature was pushed here.
#[tokio::test]
async fn a_subject_that_lies_below_keeps_its_referrers() {
    let (root, below_root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(root.path()).await;
    let below = open(below_root.path()).await;
    let here = suite::repository("signed");
    let subject = image(&below, &here, "subject", &["v1"]).await;
    let signature = image_over(&store, &here, "signature", &[], Some(&subject.manifest)).await;
    let with = CollectOptions {
        below: vec![Arc::new(below)],
        ..untagged()
    };
    assert!(collect(&store, with).await.1.is_empty());
    assert!(is_whole(&store, &here, &signature).await);
    assert_eq!(collect(&store, untagged()).await.0.manifests, 1);
}

/// Copies the store at each step of a collection: what a crash there would leave.
struct Snapshots {
    root: std::path::PathBuf,
    taken: std::sync::Mutex<Vec<tempfile::TempDir>>,
}

impl landfall_store::Observer for Snapshots {
    fn removal(&self, _: &landfall_store::Removal) {
        let copy = tempfile::tempdir().unwrap();
        for (path, bytes) in files(&self.root) {
            let target = copy.path().join(path);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::write(target, bytes).unwrap();
        }
        self.taken.lock().unwrap().push(copy);
    }
}

#[tokio::test]
async fn a_crash_in_a_collection_leaves_nothing_but_rubbish() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("crashed");
    let held = suite::fill(&store).await;
    let (one, two) = (
        image(&store, &here, "one", &[]).await,
        image(&store, &here, "two", &[]).await,
    );
    put(&store, &here, &index(&[&one.manifest, &two.manifest]), &[]).await;
    let signature = image_over(&store, &here, "signature", &[], Some(&one.manifest)).await;
    let doomed = [&one, &two, &signature];
    let snapshots = Arc::new(Snapshots {
        root: root.path().to_owned(),
        taken: std::sync::Mutex::default(),
    });
    let collected = store
        .collect(untagged(), Arc::clone(&snapshots) as _)
        .await
        .unwrap();
    let taken = std::mem::take(&mut *snapshots.taken.lock().unwrap());
    assert_eq!(taken.len(), 4 + 6 + 10);
    for copy in taken {
        let store = open(copy.path()).await;
        suite::reading(&store, &held).await;
        for image in doomed {
            let answers = store
                .manifest(&here, &Target::Digest(image.manifest.digest))
                .await
                .is_ok();
            assert!(!answers || is_whole(&store, &here, image).await);
            let signed = store
                .referrers(&here, &image.manifest.digest, None, Page::first(9))
                .await
                .unwrap();
            for found in signed.items {
                assert!(store.manifest(&here, &Target::Digest(found.digest)).await.is_ok());
            }
        }
        collect(&store, untagged()).await;
        assert!(collect(&store, untagged()).await.1.is_empty());
        suite::reading(&store, &held).await;
        // The run that was cut off and the one that ended it, together, are all that there was.
        let runs: Vec<_> = store
            .trash()
            .await
            .unwrap()
            .iter()
            .map(|trashed| trashed.run)
            .collect();
        assert!(runs.contains(&collected.run.unwrap()));
        for run in runs {
            assert!(store.undo(run).await.unwrap().lost.is_empty());
        }
        for image in doomed {
            assert!(is_whole(&store, &here, image).await);
        }
    }
}

#[tokio::test]
async fn a_collection_that_is_told_to_stop_leaves_what_it_did_whole() {
    struct AfterTwo(std::sync::atomic::AtomicUsize);
    impl landfall_store::Observer for AfterTwo {
        fn removal(&self, _: &landfall_store::Removal) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        fn stop(&self) -> bool {
            self.0.load(std::sync::atomic::Ordering::Relaxed) >= 2
        }
    }
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("stopped");
    let one = image(&store, &here, "one", &[]).await;
    let stopped = store.collect(untagged(), Arc::new(AfterTwo(0.into()))).await;
    assert!(matches!(stopped, Err(StoreError::Stopped)), "{stopped:?}");
    let runs = store.trash().await.unwrap();
    assert_eq!(runs.len(), 1);
    assert!(store.undo(runs[0].run).await.unwrap().lost.is_empty());
    assert!(is_whole(&store, &here, &one).await);
}

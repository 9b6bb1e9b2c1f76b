//! Scrub: everything that is wrong is found, named, and healed where somebody has it right.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use landfall_oci::{Digest, Target};
use landfall_store::{
    Damage, DirectoryStore, Finding, Outcome, PutManifest, ScrubOptions, Scrubbed, Store, StoreError,
    Unchecked, suite,
};

use crate::open;
use crate::upkeep::{Told, blob_path, files, image, index, is_whole, put};

async fn scrub(store: &DirectoryStore, options: ScrubOptions) -> (Scrubbed, Vec<Finding>) {
    let told = Arc::new(Told::default());
    let scrubbed = store.scrub(options, Arc::clone(&told) as _).await.unwrap();
    let findings = told.findings.lock().unwrap().clone();
    (scrubbed, findings)
}

/// Other bytes of the same length: only the hash tells.
fn spoil(root: &Path, digest: &Digest) {
    let path = blob_path(root, digest);
    let mut bytes = fs::read(&path).unwrap();
    bytes[0] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_store_that_is_whole_is_clean() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    suite::writable(&store).await;
    let before = files(root.path());
    let (scrubbed, findings) = scrub(&store, ScrubOptions::default()).await;
    assert!(scrubbed.is_clean() && scrubbed.damaged == 0, "{findings:?}");
    assert!(
        findings.iter().all(|finding| !finding.damage.is_damage()),
        "{findings:?}"
    );
    assert!(scrubbed.blobs > 10 && scrubbed.bytes > 700_000 && scrubbed.repositories > 4);
    assert_eq!(files(root.path()), before);
}

#[tokio::test]
async fn wrong_and_missing_bytes_are_named_with_the_tags_and_healed() {
    let (root, good_root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(root.path()).await;
    let good = open(good_root.path()).await;
    let here = suite::repository("hurt");
    let elsewhere = suite::repository("somewhere/else");
    let wrong = image(&store, &here, "wrong", &[]).await;
    let missing = image(&store, &here, "missing", &[]).await;
    put(
        &store,
        &here,
        &index(&[&wrong.manifest, &missing.manifest]),
        &["multi"],
    )
    .await;
    image(&store, &here, "well", &["well"]).await;
    image(&good, &elsewhere, "wrong", &[]).await;
    image(&good, &elsewhere, "missing", &[]).await;
    spoil(root.path(), &wrong.blobs[1]);
    fs::remove_file(blob_path(root.path(), &missing.blobs[0])).unwrap();
    // A manifest's bytes: the source holds them as a manifest, not as a blob.
    fs::remove_file(blob_path(root.path(), &missing.manifest.digest)).unwrap();
    let (scrubbed, findings) = scrub(&store, ScrubOptions::default()).await;
    assert_eq!(
        (scrubbed.damaged, scrubbed.healed, scrubbed.is_clean()),
        (3, 0, false),
        "{findings:#?}"
    );
    let of = |findings: &[Finding], digest| {
        let mut found = findings.iter().filter(|finding| finding.digest == Some(digest));
        found.next().cloned().unwrap()
    };
    let found = of(&findings, wrong.blobs[1]);
    assert_eq!((found.damage, found.outcome), (Damage::WrongBytes, Outcome::Left));
    assert_eq!(found.tags, [(here.clone(), suite::tag("multi"))]);
    assert_eq!(
        of(&findings, missing.manifest.digest).damage,
        Damage::MissingBytes
    );
    assert_eq!(of(&findings, missing.manifest.digest).tags_touched, 1);
    let options = ScrubOptions {
        heal_from: vec![Arc::new(good)],
        quarantine: true,
        ..ScrubOptions::default()
    };
    let (scrubbed, findings) = scrub(&store, options).await;
    assert_eq!(
        (scrubbed.damaged, scrubbed.healed, scrubbed.is_clean()),
        (3, 3, true),
        "{findings:#?}"
    );
    assert!(is_whole(&store, &here, &wrong).await && is_whole(&store, &here, &missing).await);
    assert_eq!(scrub(&store, ScrubOptions::default()).await.0.damaged, 0);
    assert!(store.trash().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_be_healed_is_never_served() {
    let (root, bad_root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(root.path()).await;
    let bad = open(bad_root.path()).await;
    let here = suite::repository("aside");
    let hurt = image(&store, &here, "hurt", &["v1"]).await;
    image(&bad, &here, "hurt", &[]).await;
    spoil(root.path(), &hurt.blobs[1]);
    spoil(bad_root.path(), &hurt.blobs[1]);
    let options = ScrubOptions {
        heal_from: vec![Arc::new(bad)],
        quarantine: true,
        ..ScrubOptions::default()
    };
    let (scrubbed, _) = scrub(&store, options).await;
    assert_eq!(
        (scrubbed.damaged, scrubbed.healed, scrubbed.quarantined),
        (1, 0, 1)
    );
    assert!(
        store
            .open_blob(&here, &hurt.blobs[1])
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert_eq!(fs::read_dir(root.path().join("tmp")).unwrap().count(), 0);
    // Wrong bytes do not come back by an undo; by a push the right ones do.
    let trash = store.trash().await.unwrap();
    assert_eq!(trash[0].blobs, 1);
    assert!(matches!(
        store.undo(trash[0].run).await,
        Err(StoreError::Conflict { .. })
    ));
    let (scrubbed, findings) = scrub(&store, ScrubOptions::default()).await;
    assert_eq!(
        (scrubbed.damaged, &findings[0].damage),
        (1, &Damage::MissingBytes)
    );
    suite::push_blob(&store, &here, &suite::blob("layer of hurt")).await;
    assert!(scrub(&store, ScrubOptions::default()).await.0.is_clean());
    assert!(is_whole(&store, &here, &hurt).await);
}

#[tokio::test]
async fn records_are_checked_against_each_other() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("records");
    let subject = image(&store, &here, "subject", &["v1", "v2"]).await;
    let blobs = [suite::blob("config of signature")];
    suite::push_blob(&store, &here, &blobs[0]).await;
    let signature = suite::image(&blobs, Some(&subject.manifest), Some("t/s"));
    put(&store, &here, &signature, &["signed"]).await;
    let sparse = suite::image(&[suite::blob("not here")], None, Some("t/sparse"));
    let unchecked = PutManifest {
        manifest: &sparse,
        tags: &[],
        unchecked: Unchecked::All,
    };
    store.put_manifest(&here, unchecked).await.unwrap();
    let repository = root.path().join("repos/records");
    fs::remove_file(repository.join(format!("_manifests/sha256/{}", signature.digest.hex()))).unwrap();
    // A tag is a hard link: the manifest's own record shall stay as it is.
    fs::remove_file(repository.join("_tags/v2")).unwrap();
    fs::write(repository.join("_tags/v2"), "").unwrap();
    fs::write(repository.join("_blobs/sha256/zz"), "").unwrap();
    fs::write(root.path().join("blobs/readme"), "x").unwrap();
    fs::create_dir_all(root.path().join("blobs/sha512/00")).unwrap();
    fs::write(root.path().join("blobs/sha512/00/readme"), "x").unwrap();
    let (scrubbed, findings) = scrub(&store, ScrubOptions::default()).await;
    let has = |damage: &Damage, place: &str| {
        findings
            .iter()
            .any(|finding| finding.damage == *damage && finding.place.contains(place))
    };
    assert!(has(&Damage::TagWithoutManifest, "_tags/signed"), "{findings:#?}");
    assert!(has(&Damage::ReferrerWithoutManifest, "_referrers"));
    assert!(has(&Damage::StrangeFile, "_blobs/sha256/zz"));
    assert!(has(&Damage::StrangeFile, "blobs/sha512/00/readme") && has(&Damage::StrangeFile, "blobs/readme"));
    let bad = findings
        .iter()
        .find(|finding| matches!(finding.damage, Damage::BadRecord(_)))
        .unwrap();
    assert_eq!(
        (bad.place.as_str(), bad.tags[0].1.as_str()),
        ("repos/records/_tags/v2", "v2")
    );
    assert_eq!(scrubbed.damaged, 3);
    // What is sparse is a note.
    fs::remove_file(repository.join("_tags/v2")).unwrap();
    let (scrubbed, findings) = scrub(&store, ScrubOptions::default()).await;
    assert!(
        findings
            .iter()
            .any(|finding| finding.damage == Damage::AbsentBlob)
    );
    assert_eq!((scrubbed.damaged, scrubbed.notes), (2, 4), "{findings:#?}");
    let target = Target::Digest(sparse.digest);
    assert!(store.manifest(&here, &target).await.is_ok());
}

#[tokio::test]
async fn the_rate_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let here = suite::repository("slow");
    suite::push_blob(&store, &here, &suite::blob(vec![1; 100_000])).await;
    let options = ScrubOptions {
        bytes_per_second: Some(500_000),
        ..ScrubOptions::default()
    };
    // It can be slower than asked for, never faster.
    let began = std::time::Instant::now();
    scrub(&store, options).await;
    assert!(began.elapsed() >= std::time::Duration::from_millis(200));
}

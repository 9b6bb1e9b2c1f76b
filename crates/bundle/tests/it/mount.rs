//! Whatever holds images, behind one door; and a layout that is written to while it is served.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

use landfall_bundle::{BundleError, Image, LayoutDir, LayoutStore, mount};
use landfall_hash::Sink as _;
use landfall_oci::{Descriptor, RawManifest, Reference, Target, annotation};
use landfall_store::suite::{self, Held};
use landfall_store::{Page, Store};
use serde_json::json;

use crate::support::{scratch, world};

fn write_blob(dir: &LayoutDir, (digest, bytes): &(landfall_oci::Digest, bytes::Bytes)) {
    let (blob, mut sink) = dir.blob(digest, bytes.len() as u64).unwrap();
    sink.write(bytes).unwrap();
    blob.commit().unwrap();
}

/// Writes an image of `r.example` as `pull -o dir` does.
fn write(dir: &LayoutDir, held: &Held) {
    for blob in &held.blobs {
        write_blob(dir, blob);
    }
    dir.manifest(&held.manifest).unwrap();
    let path = held.repository.as_str().trim_start_matches("r.example/");
    let target = Target::Tag(held.tag.clone());
    let reference = Reference::new("r.example".parse().unwrap(), path.parse().unwrap(), target);
    let image = Image {
        asked: reference.familiar(),
        source: reference.to_string(),
        reference,
        root: held.manifest.descriptor(),
        platforms: Vec::new(),
    };
    dir.publish(&[image]).unwrap();
}

fn samples() -> Vec<Held> {
    let below = |held: Held| Held {
        repository: suite::repository(&format!("r.example/{}", held.repository)),
        ..held
    };
    suite::samples().into_iter().map(below).collect()
}

/// An index as other tools write it: names that are only a tag, or none.
fn write_index(root: &Path, images: &[(&RawManifest, Option<&str>)]) {
    let entry = |(manifest, name): &(&RawManifest, Option<&str>)| {
        let mut descriptor: Descriptor = manifest.descriptor();
        if let Some(name) = name {
            descriptor
                .annotations
                .insert(annotation::REF_NAME.to_owned(), (*name).to_owned());
        }
        descriptor
    };
    let entries: Vec<_> = images.iter().map(entry).collect();
    let index = json!({"schemaVersion": 2, "manifests": entries});
    fs::write(root.join("index.json"), index.to_string()).unwrap();
}

fn age(path: &Path) {
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(60))
        .unwrap();
}

async fn repositories(store: &dyn Store) -> Vec<String> {
    let page = store.repositories(Page::first(1000)).await.unwrap();
    page.items.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_layout_directory_passes_the_suite() {
    let folder = scratch();
    let dir = LayoutDir::open(folder.path()).unwrap();
    let held = samples();
    for image in &held {
        write(&dir, image);
    }
    let store = LayoutStore::open(folder.path()).unwrap();
    suite::reading(&store, &held).await;
    for image in &held {
        suite::read_only(&store, image).await;
    }
}

#[tokio::test]
async fn images_that_are_added_while_it_is_served_are_there_at_once() {
    let folder = scratch();
    let dir = LayoutDir::open(folder.path()).unwrap();
    let held = samples();
    write(&dir, &held[0]);
    age(&folder.path().join("index.json"));
    let store = LayoutStore::open(folder.path()).unwrap();
    for (at, image) in held.iter().enumerate().skip(1) {
        write(&dir, image);
        suite::reading(&store, &held[..=at]).await;
    }
    // One that is cut leaves what was there in force; so does one that is gone.
    let index = folder.path().join("index.json");
    let whole = fs::read(&index).unwrap();
    for bytes in [&whole[..whole.len() / 2], b"", b"[]"] {
        fs::write(&index, bytes).unwrap();
        age(&index);
        suite::reading(&store, &held).await;
    }
    fs::remove_file(&index).unwrap();
    suite::reading(&store, &held).await;
    write_index(folder.path(), &[]);
    assert!(repositories(&store).await.is_empty());
}

#[tokio::test]
async fn names_of_other_tools_are_completed_by_the_folder() {
    let folder = scratch();
    let root = folder.path().join("busybox");
    let dir = LayoutDir::open(&root).unwrap();
    let held = samples();
    for image in &held {
        write(&dir, image);
    }
    let manifests: Vec<_> = held.iter().map(|held| &held.manifest).collect();
    let names = [
        Some("1.36"),
        None,
        Some("quay.io/team/app:v1"),
        Some("not a name"),
    ];
    write_index(&root, &manifests.into_iter().zip(names).collect::<Vec<_>>());
    for path in [root.clone(), root.join("."), root.join("../busybox")] {
        let store = mount(&path).unwrap();
        assert_eq!(
            repositories(&*store).await,
            ["library/busybox", "quay.io/team/app"]
        );
        for name in ["busybox", "library/busybox"] {
            let name = suite::repository(name);
            let tags = store.tags(&name, Page::first(9)).await.unwrap().items;
            assert_eq!(tags, [suite::tag("1.36")]);
            let by_tag = store
                .manifest(&name, &Target::Tag(suite::tag("1.36")))
                .await
                .unwrap();
            assert_eq!(by_tag, held[0].manifest);
            // The one without a name has its digest.
            let digest = held[1].manifest.digest;
            let nameless = store.manifest(&name, &Target::Digest(digest)).await.unwrap();
            assert_eq!(nameless, held[1].manifest);
        }
    }
    let odd = folder.path().join("Not A Name");
    fs::rename(&root, &odd).unwrap();
    assert_eq!(repositories(&*mount(&odd).unwrap()).await, ["quay.io/team/app"]);
}

#[tokio::test]
async fn each_kind_of_place_is_known_by_its_look() {
    let folder = scratch();
    let at = |name: &str| folder.path().join(name);
    // A bundle.
    let bundle = world().write(&at("bundle.tar"));
    assert_eq!(repositories(&*mount(&bundle).unwrap()).await.len(), 3);
    // A zot root: layouts in the folders of repositories.
    let dir = LayoutDir::open(&at("zot/team/app")).unwrap();
    let held = suite::samples().remove(0);
    for blob in &held.blobs {
        write_blob(&dir, blob);
    }
    dir.manifest(&held.manifest).unwrap();
    write_index(&at("zot/team/app"), &[(&held.manifest, Some("v1"))]);
    assert_eq!(repositories(&*mount(&at("zot")).unwrap()).await, ["team/app"]);
    // Docker's registry.
    for name in ["blobs", "repositories"] {
        fs::create_dir_all(at("docker-registry/docker/registry/v2").join(name)).unwrap();
    }
    assert!(
        repositories(&*mount(&at("docker-registry")).unwrap())
            .await
            .is_empty()
    );
    symlink(at("zot"), at("link-to-zot")).unwrap();
    assert!(mount(&at("link-to-zot")).is_ok());
}

#[test]
fn what_is_nothing_of_that_is_named() {
    let folder = scratch();
    let at = |name: &str| folder.path().join(name);
    assert!(matches!(mount(&at("nope")), Err(BundleError::NotFound { .. })));
    fs::create_dir_all(at("empty")).unwrap();
    fs::create_dir_all(at("own")).unwrap();
    fs::write(at("own/landfall-store"), "landfall directory store, layout 1\n").unwrap();
    fs::create_dir_all(at("half")).unwrap();
    fs::write(at("half/oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    fs::write(at("text"), "hello").unwrap();
    for (name, words) in [
        ("empty", &["docker/registry/v2", "index.json", "zot"][..]),
        ("own", &["--root"]),
        ("half", &["index.json"]),
        ("text", &["neither a tar archive"]),
    ] {
        let message = mount(&at(name)).err().unwrap().to_string();
        for word in words {
            assert!(message.contains(word), "{name}: {message}");
        }
    }
}

//! Docker's registry.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use landfall_hash::digest;
use landfall_oci::{Algorithm, Digest, ManifestError, RawManifest};
use landfall_store::suite::{self, Held};
use landfall_store::{ForeignStore, Page, Store as _, StoreError};
use tempfile::TempDir;

use super::{about, age, by_tag, repositories, tags, write};

/// A tree as Docker's registry writes it.
struct Tree {
    folder: TempDir,
}

impl Tree {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tree = Self { folder };
        for name in ["blobs", "repositories"] {
            fs::create_dir_all(tree.base().join(name)).unwrap();
        }
        tree
    }

    fn with(held: &[Held]) -> Self {
        let tree = Self::new();
        for held in held {
            tree.put(held);
        }
        tree
    }

    fn base(&self) -> PathBuf {
        self.folder.path().join("docker/registry/v2")
    }

    fn repository(&self, name: &str) -> PathBuf {
        self.base().join("repositories").join(name)
    }

    fn data(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.base()
            .join(format!("blobs/{}/{}/{hex}/data", digest.algorithm(), &hex[..2]))
    }

    fn layer(&self, name: &str, digest: &Digest) -> PathBuf {
        let at = format!("_layers/{}/{}/link", digest.algorithm(), digest.hex());
        self.repository(name).join(at)
    }

    fn revision(&self, name: &str, digest: &Digest) -> PathBuf {
        let at = format!(
            "_manifests/revisions/{}/{}/link",
            digest.algorithm(),
            digest.hex()
        );
        self.repository(name).join(at)
    }

    fn tag(&self, name: &str, tag: &str) -> PathBuf {
        self.repository(name)
            .join(format!("_manifests/tags/{tag}/current/link"))
    }

    fn put_manifest(&self, name: &str, digest: &Digest, bytes: &[u8], tag: Option<&str>) {
        write(&self.data(digest), bytes);
        write(&self.revision(name, digest), digest.to_string());
        if let Some(tag) = tag {
            write(&self.tag(name, tag), digest.to_string());
            let index = format!(
                "_manifests/tags/{tag}/index/{}/{}/link",
                digest.algorithm(),
                digest.hex()
            );
            write(&self.repository(name).join(index), digest.to_string());
        }
    }

    fn put(&self, held: &Held) {
        let name = held.repository.as_str();
        for (digest, bytes) in &held.blobs {
            write(&self.data(digest), bytes);
            write(&self.layer(name, digest), digest.to_string());
        }
        let manifest = &held.manifest;
        self.put_manifest(name, &manifest.digest, &manifest.bytes, Some(held.tag.as_str()));
        fs::create_dir_all(self.repository(name).join("_uploads")).unwrap();
    }

    fn open(&self) -> ForeignStore {
        ForeignStore::distribution(self.folder.path()).unwrap().unwrap()
    }
}

#[tokio::test]
async fn it_passes_the_reading_part_of_the_suite() {
    let held = suite::samples();
    let tree = Tree::with(&held);
    for beginning in ["", "docker", "docker/registry", "docker/registry/v2"] {
        let path = tree.folder.path().join(beginning);
        let store = ForeignStore::distribution(&path).unwrap().unwrap();
        suite::reading(&store, &held).await;
        for image in &held {
            suite::read_only(&store, image).await;
        }
    }
}

#[test]
fn any_other_folder_is_not_taken_for_one() {
    let folder = tempfile::tempdir().unwrap();
    assert!(ForeignStore::distribution(folder.path()).unwrap().is_none());
    fs::create_dir_all(folder.path().join("docker/registry/v2/blobs")).unwrap();
    assert!(ForeignStore::distribution(folder.path()).unwrap().is_none());
    symlink("/", folder.path().join("docker/registry/v2/repositories")).unwrap();
    assert!(ForeignStore::distribution(folder.path()).unwrap().is_none());
    assert!(ForeignStore::distribution(&folder.path().join("nope")).is_err());
}

#[tokio::test]
async fn a_blob_pushed_by_another_algorithm_is_found_by_it() {
    let held = suite::samples();
    let tree = Tree::with(&held);
    let (sha256, bytes) = &held[0].blobs[0];
    let sha512 = digest(Algorithm::Sha512, bytes);
    let name = &held[0].repository;
    write(&tree.layer(name.as_str(), &sha512), sha256.to_string());
    let store = tree.open();
    assert_eq!(suite::read_blob(&store, name, &sha512).await, bytes);
    let holder = store.find_holder(&sha512, &|_| true).await.unwrap();
    assert_eq!(holder.as_ref(), Some(name));
}

#[tokio::test]
async fn kinds_of_manifests_are_told_by_their_own_words_or_shape() {
    let tree = Tree::new();
    let cases = [
        (
            "oci-index-by-shape",
            r#"{"schemaVersion":2,"manifests":[]}"#,
            "application/vnd.oci.image.index.v1+json",
        ),
        (
            "docker-list",
            r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[]}"#,
            "application/vnd.docker.distribution.manifest.list.v2+json",
        ),
    ];
    for (tag, json, _) in cases {
        let digest = digest(Algorithm::Sha256, json.as_bytes());
        tree.put_manifest("kinds", &digest, json.as_bytes(), Some(tag));
    }
    let schema1 = r#"{"schemaVersion":1,"name":"kinds","tag":"old","fsLayers":[],"signatures":[]}"#;
    let old = digest(Algorithm::Sha256, schema1.as_bytes());
    tree.put_manifest("kinds", &old, schema1.as_bytes(), Some("old"));
    let store = tree.open();
    let here = suite::repository("kinds");
    for (tag, json, media_type) in cases {
        let found = store.manifest(&here, &by_tag(tag)).await.unwrap();
        assert_eq!(
            (found.media_type.as_str(), &found.bytes[..]),
            (media_type, json.as_bytes())
        );
    }
    // What Docker's registry would sign anew, so that its digest no longer fits, is refused in words.
    match store.manifest(&here, &by_tag("old")).await {
        Err(StoreError::Manifest(ManifestError::Schema1)) => {}
        other => panic!("{other:?}"),
    }
    let referrers = store.referrers(&here, &old, None, Page::first(9)).await.unwrap();
    assert!(referrers.items.is_empty());
}

#[tokio::test]
async fn referrers_are_those_that_the_repository_has_now() {
    let held = suite::samples().remove(0);
    let tree = Tree::with(std::slice::from_ref(&held));
    let name = held.repository.as_str();
    let make = |kind: &str| suite::image(&held.blobs, Some(&held.manifest), Some(kind));
    let (one, two, three) = (make("type/one"), make("type/two"), make("type/three"));
    let put = |manifest: &RawManifest| tree.put_manifest(name, &manifest.digest, &manifest.bytes, None);
    put(&one);
    put(&two);
    // Of another repository: no business of this one.
    tree.put_manifest("elsewhere", &three.digest, &three.bytes, None);
    let store = tree.open();
    let ask = async |kind: Option<&str>, after: Option<&str>, limit: usize| {
        let page = Page { after, limit };
        store
            .referrers(&held.repository, &held.manifest.digest, kind, page)
            .await
            .unwrap()
    };
    let all = ask(None, None, 9).await;
    let mut wanted = [
        (one.digest.to_string(), Some("type/one")),
        (two.digest.to_string(), Some("type/two")),
    ];
    wanted.sort();
    assert_eq!(about(&all), wanted);
    assert_eq!(all.items[0].annotations["made.by"], "suite");
    let first = ask(None, None, 1).await;
    assert!(first.more && about(&first) == wanted[..1]);
    let second = ask(None, Some(&wanted[0].0), 1).await;
    assert!(!second.more && about(&second) == wanted[1..]);
    assert_eq!(about(&ask(Some("type/two"), None, 9).await).len(), 1);
    // Deleting removes the link and leaves its folder; pushing again puts it back.
    fs::remove_file(tree.revision(name, &one.digest)).unwrap();
    assert_eq!(
        about(&ask(None, None, 9).await),
        [(two.digest.to_string(), Some("type/two"))]
    );
    put(&one);
    put(&three);
    assert_eq!(ask(None, None, 9).await.items.len(), 3);
}

#[tokio::test]
async fn a_manifest_that_was_deleted_or_a_blob_collected_is_gone_at_once() {
    let held = suite::samples();
    let tree = Tree::with(&held);
    let store = tree.open();
    suite::reading(&store, &held).await;
    let (here, name) = (&held[0].repository, held[0].repository.as_str());
    let (blob, _) = &held[0].blobs[0];
    fs::remove_file(tree.layer(name, blob)).unwrap();
    assert!(store.stat_blob(here, blob).await.unwrap_err().is_not_found());
    fs::remove_file(tree.revision(name, &held[0].manifest.digest)).unwrap();
    // The tag is left behind by some versions.
    assert!(
        store
            .manifest(here, &by_tag("v1"))
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(!repositories(&store).await.contains(&name.to_owned()));
    fs::remove_file(tree.data(&held[1].blobs[0].0)).unwrap();
    assert!(
        store
            .open_blob(&held[1].repository, &held[1].blobs[0].0)
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(
        store
            .find_holder(&held[1].blobs[0].0, &|_| true)
            .await
            .unwrap()
            .is_none()
    );
}

/// distribution#1960: one link that a crash left empty stopped everything.
#[tokio::test]
async fn distribution_1960_an_empty_link_spoils_nothing_but_itself() {
    let held = suite::samples();
    let tree = Tree::with(&held);
    let name = held[1].repository.as_str();
    let crashed = [
        tree.tag(name, "empty"),
        tree.tag(name, "garbage"),
        tree.tag(name, "cut"),
        tree.revision(name, &Digest::Sha256([0; 32])),
        tree.layer(name, &Digest::Sha256([0; 32])),
        tree.revision("only-an-empty-one", &Digest::Sha256([0; 32])),
    ];
    let cut = &held[1].manifest.digest.to_string()[..40];
    for (path, content) in crashed.iter().zip(["", "\0\0\0", cut, "", "", ""]) {
        write(path, content);
        age(path);
    }
    fs::create_dir_all(tree.repository(name).join("_manifests/tags/no-link")).unwrap();
    let store = tree.open();
    suite::reading(&store, &held).await;
    assert_eq!(tags(&store, name).await, ["v1"]);
    assert!(
        !repositories(&store)
            .await
            .contains(&"only-an-empty-one".to_owned())
    );
    for tag in ["empty", "garbage", "cut", "no-link"] {
        assert!(
            store
                .manifest(&held[1].repository, &by_tag(tag))
                .await
                .unwrap_err()
                .is_not_found()
        );
    }
}

#[tokio::test]
async fn a_link_that_is_being_rewritten_is_waited_for() {
    let held = suite::samples();
    let tree = Tree::with(&held);
    let (here, link) = (&held[1].repository, tree.tag("alpine", "v1"));
    let store = tree.open();
    fs::write(&link, "").unwrap();
    assert_eq!(tags(&store, "alpine").await, ["v1"]);
    let digest = held[1].manifest.digest.to_string();
    let writer = tokio::task::spawn_blocking({
        let link = link.clone();
        move || {
            std::thread::sleep(std::time::Duration::from_millis(5));
            fs::write(link, digest).unwrap();
        }
    });
    // Found after the writer is done; before, it may be found or not, as the machine has time.
    let early = store.manifest(here, &by_tag("v1")).await;
    assert!(early.is_ok() || early.unwrap_err().is_not_found());
    writer.await.unwrap();
    assert_eq!(
        store.manifest(here, &by_tag("v1")).await.unwrap(),
        held[1].manifest
    );
}

#[tokio::test]
async fn what_is_damaged_is_not_there() {
    let held = suite::samples();
    let tree = Tree::with(&held);
    let store = tree.open();
    let (here, manifest) = (&held[0].repository, &held[0].manifest);
    let mut flipped = manifest.bytes.to_vec();
    flipped[40] ^= 1;
    for bytes in [&flipped[..], &manifest.bytes[..50], b""] {
        fs::write(tree.data(&manifest.digest), bytes).unwrap();
        assert!(
            store
                .manifest(here, &by_tag("v1"))
                .await
                .unwrap_err()
                .is_not_found()
        );
        assert!(
            store
                .stat_manifest(here, &by_tag("v1"))
                .await
                .unwrap_err()
                .is_not_found()
        );
    }
    // zot#4427 and others: a file without bytes was served as if it were the blob.
    fs::write(tree.data(&held[0].blobs[1].0), "").unwrap();
    assert!(
        store
            .open_blob(here, &held[0].blobs[1].0)
            .await
            .unwrap_err()
            .is_not_found()
    );
    let huge = vec![b' '; landfall_oci::MAX_MANIFEST_BYTES + 1];
    fs::write(tree.data(&manifest.digest), huge).unwrap();
    let refused = store.manifest(here, &by_tag("v1")).await;
    assert!(matches!(
        refused,
        Err(StoreError::Manifest(ManifestError::TooLarge))
    ));
}

#[tokio::test]
async fn cve_2024_3727_nothing_leads_out_of_a_hostile_tree() {
    let outside = tempfile::tempdir().unwrap();
    let (secret, secret_bytes) = suite::blob("secret");
    fs::write(outside.path().join("data"), &secret_bytes).unwrap();
    let held = suite::samples();
    let tree = Tree::with(&held);
    let name = held[1].repository.as_str();
    // A link to bytes elsewhere, with a membership that looks right.
    write(&tree.layer(name, &secret), secret.to_string());
    fs::create_dir_all(tree.data(&secret).parent().unwrap()).unwrap();
    symlink(outside.path().join("data"), tree.data(&secret)).unwrap();
    // Repositories, tags and links that are links, and names that are none.
    symlink(tree.repository(name), tree.repository("linked")).unwrap();
    symlink(
        tree.repository(name).join("_manifests/tags/v1"),
        tree.repository(name).join("_manifests/tags/linked"),
    )
    .unwrap();
    for illegal in ["UPPER", "with space", "-dash", "a/b..c"] {
        fs::create_dir_all(tree.repository(illegal).join("_manifests/revisions/sha256")).unwrap();
    }
    for illegal in ["with space", "-dash", "a:b"] {
        write(&tree.tag(name, illegal), held[1].manifest.digest.to_string());
    }
    // A membership that points at another repository's blob; a huge link; a link that is a folder.
    let (other, _) = &held[0].blobs[0];
    write(&tree.layer(name, &Digest::Sha256([1; 32])), other.to_string());
    write(&tree.tag(name, "huge"), vec![b'a'; 1 << 20]);
    fs::create_dir_all(tree.tag(name, "folder")).unwrap();
    let store = tree.open();
    suite::reading(&store, &held).await;
    let here = &held[1].repository;
    assert!(store.open_blob(here, &secret).await.unwrap_err().is_not_found());
    assert!(
        store
            .open_blob(here, &Digest::Sha256([1; 32]))
            .await
            .unwrap_err()
            .is_not_found()
    );
    let linked = suite::repository("linked");
    assert!(
        store
            .manifest(&linked, &by_tag("v1"))
            .await
            .unwrap_err()
            .is_not_found()
    );
    let mut names: Vec<_> = held.iter().map(|held| held.repository.to_string()).collect();
    names.sort();
    assert_eq!(repositories(&store).await, names);
    age(&tree.tag(name, "huge"));
    assert_eq!(tags(&store, name).await, ["v1"]);
}

#[tokio::test]
async fn tags_come_a_page_at_a_time() {
    let held = suite::samples();
    let tree = Tree::with(&held);
    let digest = held[1].manifest.digest.to_string();
    for n in 0..25 {
        write(&tree.tag("alpine", &format!("t{n:02}")), &digest);
        let broken = tree.tag("alpine", &format!("t{n:02}-broken"));
        write(&broken, "");
        age(&broken);
    }
    let store = tree.open();
    let here = suite::repository("alpine");
    let mut all: Vec<String> = Vec::new();
    loop {
        let after = all.last().cloned();
        let page = Page {
            after: after.as_deref(),
            limit: 7,
        };
        let found = store.tags(&here, page).await.unwrap();
        assert!(found.items.len() == 7 || !found.more);
        all.extend(found.items.iter().map(ToString::to_string));
        if !found.more {
            break;
        }
    }
    assert_eq!(all.len(), 26);
    assert!(all.is_sorted());
    assert!(
        store
            .tags(
                &here,
                Page {
                    after: Some("z"),
                    limit: 5
                }
            )
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

//! zot.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use landfall_oci::{Digest, RawManifest};
use landfall_store::suite::{self, Held};
use landfall_store::{ForeignStore, Page, Store as _};
use serde_json::json;
use tempfile::TempDir;

use super::{about, age, by_tag, repositories, tags, write};

/// A root as zot writes it.
struct Root {
    folder: TempDir,
    /// What stands in each index.
    entries: BTreeMap<String, Vec<serde_json::Value>>,
}

impl Root {
    fn with(held: &[Held]) -> Self {
        let mut root = Self {
            folder: tempfile::tempdir().unwrap(),
            entries: BTreeMap::new(),
        };
        write(&root.at("cache.db"), "bolt");
        for held in held {
            let name = held.repository.as_str();
            for (digest, bytes) in &held.blobs {
                root.put_blob(name, digest, bytes);
            }
            root.put_manifest(name, &held.manifest, Some(held.tag.as_str()));
            write(
                &root.at(&format!("{name}/.uploads/2ae63147-77fc-4af0-9580-2621edf726aa")),
                "left over",
            );
        }
        root
    }

    fn at(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    fn blob(&self, name: &str, digest: &Digest) -> PathBuf {
        self.at(&format!("{name}/blobs/{}/{}", digest.algorithm(), digest.hex()))
    }

    /// As zot saves space: one file, a name in each repository.
    fn put_blob(&self, name: &str, digest: &Digest, bytes: &[u8]) {
        let path = self.blob(name, digest);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        for other in self.entries.keys() {
            if other != name && self.blob(other, digest).exists() {
                let _ = fs::remove_file(&path);
                fs::hard_link(self.blob(other, digest), &path).unwrap();
                return;
            }
        }
        fs::write(path, bytes).unwrap();
    }

    fn put_manifest(&mut self, name: &str, manifest: &RawManifest, tag: Option<&str>) {
        self.put_blob(name, &manifest.digest, &manifest.bytes);
        let mut entry = json!({
            "mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.bytes.len(),
        });
        if let Some(tag) = tag {
            entry["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
        }
        self.entries.entry(name.to_owned()).or_default().push(entry);
        self.write_index(name);
    }

    fn write_index(&self, name: &str) {
        write(
            &self.at(&format!("{name}/oci-layout")),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        );
        let index = json!({"schemaVersion": 2, "manifests": self.entries[name]});
        write(&self.at(&format!("{name}/index.json")), index.to_string());
    }

    fn open(&self) -> ForeignStore {
        ForeignStore::zot(self.folder.path()).unwrap().unwrap()
    }
}

#[tokio::test]
async fn it_passes_the_reading_part_of_the_suite() {
    let held = suite::samples();
    let root = Root::with(&held);
    // Once with indexes that are read each time, once with remembered ones.
    for _ in 0..2 {
        let store = root.open();
        suite::reading(&store, &held).await;
        suite::reading(&store, &held).await;
        for image in &held {
            suite::read_only(&store, image).await;
            age(&root.at(&format!("{}/index.json", image.repository)));
        }
    }
}

#[test]
fn any_other_folder_is_not_taken_for_one() {
    let folder = tempfile::tempdir().unwrap();
    assert!(ForeignStore::zot(folder.path()).unwrap().is_none());
    fs::create_dir_all(folder.path().join("a/blobs/sha256")).unwrap();
    assert!(ForeignStore::zot(folder.path()).unwrap().is_none());
    write(&folder.path().join("a/b/oci-layout"), "{}");
    assert!(ForeignStore::zot(folder.path()).unwrap().is_some());
}

#[tokio::test]
async fn a_change_of_the_index_is_seen_however_small() {
    let held = suite::samples();
    let mut root = Root::with(&held);
    let store = root.open();
    let here = suite::repository("alpine");
    let index = root.at("alpine/index.json");
    age(&index);
    assert_eq!(
        store.manifest(&here, &by_tag("v1")).await.unwrap(),
        held[1].manifest
    );
    // Another manifest under the same tag: not one byte more, and again and again within one tick of the clock.
    let other = suite::image(&held[1].blobs, None, Some("type/one"));
    root.put_blob("alpine", &other.digest, &other.bytes);
    let entry = |manifest: &RawManifest| {
        json!({
            "mediaType": manifest.media_type, "digest": manifest.digest, "size": 100,
            "annotations": {"org.opencontainers.image.ref.name": "v1"},
        })
    };
    for turn in 0..20 {
        let now = if turn % 2 == 0 { &other } else { &held[1].manifest };
        root.entries.insert("alpine".to_owned(), vec![entry(now)]);
        root.write_index("alpine");
        assert_eq!(store.manifest(&here, &by_tag("v1")).await.unwrap(), *now);
    }
    root.put_manifest("alpine", &held[1].manifest, Some("v2"));
    assert_eq!(tags(&store, "alpine").await, ["v1", "v2"]);
    root.entries.insert("alpine".to_owned(), Vec::new());
    root.write_index("alpine");
    assert!(!repositories(&store).await.contains(&"alpine".to_owned()));
    assert!(
        store
            .tags(&here, Page::first(9))
            .await
            .unwrap_err()
            .is_not_found()
    );
}

#[tokio::test]
async fn an_index_that_is_cut_hides_its_repository_only() {
    let held = suite::samples();
    let root = Root::with(&held);
    let store = root.open();
    let index = root.at("alpine/index.json");
    let whole = fs::read(&index).unwrap();
    fs::write(&index, &whole[..whole.len() / 2]).unwrap();
    age(&index);
    assert_eq!(
        repositories(&store).await,
        ["a/deep/er/name", "alpine-extra", "alpine/child"]
    );
    assert!(
        store
            .manifest(&held[1].repository, &by_tag("v1"))
            .await
            .unwrap_err()
            .is_not_found()
    );
    fs::write(&index, &whole).unwrap();
    suite::reading(&store, &held).await;
}

#[tokio::test]
async fn members_that_only_their_index_names_are_manifests_and_layers_are_not() {
    let held = suite::samples();
    let mut root = Root::with(&held);
    let member = suite::image(&held[1].blobs, None, Some("type/member"));
    root.put_blob("alpine", &member.digest, &member.bytes);
    let index = suite::raw(&json!({
        "schemaVersion": 2, "mediaType": landfall_oci::MediaType::OCI_INDEX, "manifests": [member.descriptor()],
    }));
    root.put_manifest("alpine", &index, Some("multi"));
    let store = root.open();
    let here = suite::repository("alpine");
    let found = store
        .manifest(&here, &landfall_oci::Target::Digest(member.digest))
        .await
        .unwrap();
    assert_eq!(found, member);
    for (blob, _) in &held[1].blobs {
        let answer = store.manifest(&here, &landfall_oci::Target::Digest(*blob)).await;
        assert!(answer.unwrap_err().is_not_found());
    }
}

#[tokio::test]
async fn referrers_stand_in_the_index_without_a_name() {
    let held = suite::samples();
    let mut root = Root::with(&held);
    let signature = suite::image(&held[1].blobs, Some(&held[1].manifest), Some("type/signature"));
    root.put_manifest("alpine", &signature, None);
    // zot names one with two tags twice.
    root.put_manifest("alpine", &signature, Some("sig"));
    let store = root.open();
    let ask = async |name: &str| {
        let name = suite::repository(name);
        let page = Page::first(9);
        store
            .referrers(&name, &held[1].manifest.digest, None, page)
            .await
            .unwrap()
    };
    assert_eq!(
        about(&ask("alpine").await),
        [(signature.digest.to_string(), Some("type/signature"))]
    );
    assert!(ask("alpine-extra").await.items.is_empty());
    assert_eq!(tags(&store, "alpine").await, ["sig", "v1"]);
}

#[tokio::test]
async fn cve_2024_3727_nothing_leads_out_of_a_hostile_root() {
    let outside = tempfile::tempdir().unwrap();
    let (secret, bytes) = suite::blob("secret");
    fs::write(outside.path().join("secret"), &bytes).unwrap();
    let held = suite::samples();
    let root = Root::with(&held);
    symlink(outside.path().join("secret"), root.blob("alpine", &secret)).unwrap();
    symlink(root.at("alpine"), root.at("linked")).unwrap();
    fs::create_dir_all(root.at("evil/blobs")).unwrap();
    symlink(root.at("alpine/index.json"), root.at("evil/index.json")).unwrap();
    symlink(root.at("alpine/blobs/sha256"), root.at("evil/blobs/sha256")).unwrap();
    for (name, index) in [
        ("list", "[]".to_owned()),
        ("null", "null".to_owned()),
        ("deep", "[".repeat(100_000)),
        (
            "digests",
            r#"{"manifests":[{"mediaType":"a","digest":"sha256:../../etc","size":1}]}"#.to_owned(),
        ),
        ("UPPER", r#"{"manifests":[]}"#.to_owned()),
        ("_trivy", r#"{"manifests":[]}"#.to_owned()),
    ] {
        write(&root.at(&format!("{name}/oci-layout")), "{}");
        let path = root.at(&format!("{name}/index.json"));
        write(&path, index);
        age(&path);
    }
    let store = root.open();
    suite::reading(&store, &held).await;
    assert!(
        store
            .open_blob(&held[1].repository, &secret)
            .await
            .unwrap_err()
            .is_not_found()
    );
    let (config, _) = &held[1].blobs[0];
    for name in ["linked", "evil"] {
        let name = suite::repository(name);
        assert!(store.open_blob(&name, config).await.unwrap_err().is_not_found());
        assert!(
            store
                .manifest(&name, &by_tag("v1"))
                .await
                .unwrap_err()
                .is_not_found()
        );
    }
    let mut names: Vec<_> = held.iter().map(|held| held.repository.to_string()).collect();
    names.sort();
    assert_eq!(repositories(&store).await, names);
}

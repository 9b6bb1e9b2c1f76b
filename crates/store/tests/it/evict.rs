//! A store that is a cache, and full.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use landfall_oci::{Digest, RawManifest, Repository, Target};
use landfall_store::{DirectoryOptions, DirectoryStore, Store, suite};

use crate::hash;

const KIB: usize = 1024;

struct Cache {
    store: DirectoryStore,
    root: tempfile::TempDir,
}

impl Cache {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let options = DirectoryOptions {
            grace: Duration::ZERO,
            reserve_bytes: 0,
            ..DirectoryOptions::default()
        };
        let store = DirectoryStore::open(root.path(), hash(), options).await.unwrap();
        Self { store, root }
    }

    /// An image with layers of these fillings, 100 KiB each.
    async fn image(&self, name: &str, tag: &str, layers: &[u8]) -> Image {
        let repository = suite::repository(name);
        let blobs: Vec<(Digest, Bytes)> = layers
            .iter()
            .map(|fill| suite::blob(vec![*fill; 100 * KIB]))
            .collect();
        for blob in &blobs {
            suite::push_blob(&self.store, &repository, blob).await;
        }
        let manifest = suite::image(&blobs, None, Some(&format!("{name}/{tag}").replace('/', ".")));
        suite::put(&self.store, &repository, &manifest, &[suite::tag(tag)])
            .await
            .unwrap();
        let blobs = blobs.into_iter().map(|(digest, _)| digest).collect();
        Image {
            repository,
            manifest,
            blobs,
        }
    }

    /// As if the records were this old.
    fn age(&self, image: &Image, seconds: u64) {
        let old = SystemTime::now() - Duration::from_secs(seconds);
        let folder = self.root.path().join("repos").join(image.repository.as_str());
        touch_all(&folder, old);
    }

    async fn has(&self, image: &Image) -> bool {
        let target = Target::Digest(image.manifest.digest);
        let manifest = self.store.manifest(&image.repository, &target).await.is_ok();
        let mut all = manifest;
        for digest in &image.blobs {
            all &= self.store.open_blob(&image.repository, digest).await.is_ok();
        }
        all
    }
}

struct Image {
    repository: Repository,
    manifest: RawManifest,
    blobs: Vec<Digest>,
}

fn touch_all(folder: &Path, time: SystemTime) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            touch_all(&path, time);
        } else if path.metadata().unwrap().len() > 0 || path.is_file() {
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(time).unwrap();
        }
    }
}

#[tokio::test]
async fn the_least_recently_used_goes_and_what_others_need_stays() {
    let cache = Cache::new().await;
    let [old, older, new] = [
        cache.image("quay.io/a", "1", &[1, 2]).await,
        cache.image("quay.io/b", "1", &[2, 3, 4]).await,
        cache.image("quay.io/c", "1", &[5]).await,
    ];
    let before = cache.store.used_bytes().await.unwrap();
    assert!(before > 500 * KIB as u64 && before < 510 * KIB as u64, "{before}");
    let nothing = cache.store.evict(before, Duration::ZERO).await.unwrap();
    assert_eq!((nothing.manifests, nothing.freed), (0, 0));
    cache.age(&older, 3000);
    cache.age(&old, 2000);
    cache.age(&new, 1000);
    // Layers 3 and 4 go with it; 2 is needed by the other.
    let evicted = cache.store.evict(310 * KIB as u64, Duration::ZERO).await.unwrap();
    assert_eq!(evicted.manifests, 1);
    assert!(evicted.left <= 310 * KIB as u64, "{evicted:?}");
    assert!(cache.has(&old).await && cache.has(&new).await && !cache.has(&older).await);
    assert_eq!(cache.store.used_bytes().await.unwrap(), evicted.left);
    // A question makes it young.
    let target = Target::Digest(old.manifest.digest);
    cache.store.stat_manifest(&old.repository, &target).await.unwrap();
    cache.store.evict(250 * KIB as u64, Duration::ZERO).await.unwrap();
    assert!(cache.has(&old).await && !cache.has(&new).await);
}

#[tokio::test]
async fn what_was_used_a_moment_ago_stays_though_there_is_no_room() {
    let cache = Cache::new().await;
    let [one, other] = [
        cache.image("quay.io/a", "1", &[1]).await,
        cache.image("quay.io/a", "2", &[2]).await,
    ];
    let evicted = cache.store.evict(0, Duration::from_secs(600)).await.unwrap();
    assert_eq!(evicted.manifests, 0);
    assert!(cache.has(&one).await && cache.has(&other).await);
    let evicted = cache.store.evict(0, Duration::ZERO).await.unwrap();
    assert_eq!((evicted.manifests, evicted.left), (2, 0));
}

/// An index is one image with all of its members that are here.
#[tokio::test]
async fn an_index_goes_with_its_members() {
    let cache = Cache::new().await;
    let member = cache.image("quay.io/a", "member", &[1]).await;
    cache
        .store
        .delete_tag(&member.repository, &suite::tag("member"))
        .await
        .unwrap();
    let index = suite::raw(&serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [member.manifest.descriptor()],
    }));
    suite::put(&cache.store, &member.repository, &index, &[suite::tag("1")])
        .await
        .unwrap();
    let evicted = cache.store.evict(0, Duration::ZERO).await.unwrap();
    assert_eq!((evicted.manifests, evicted.left), (1, 0));
    assert!(!cache.has(&member).await);
    let target = Target::Digest(index.digest);
    assert!(cache.store.manifest(&member.repository, &target).await.is_err());
}

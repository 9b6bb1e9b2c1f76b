//! The distribution specification, row by row, against every way of keeping content: what the official suite asks
//! (its tables of endpoints and of data sets, stable and dev), and what it only implies.
//!
//! Everything runs on a directory and on a directory below a bundle that holds images of the very same repository;
//! what only reads runs on a bundle alone too.

mod blobs;
mod bundled;
mod chunks;
mod data;
mod data_sets;
mod deletes;
mod errors;
mod listing;
mod manifests;
mod mounts;
mod ranges;
mod referrers;
mod steps;
mod uploads;

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use landfall_oci::{Algorithm, Digest};
use landfall_server::{Registry, RegistryOptions};
use landfall_store::{Overlay, Store};
use serde_json::json;

use self::data::Data;
use crate::client::{Answer, Scene, directory};

pub(super) const REPO: &str = "conformance/repo1";
pub(super) const REPO2: &str = "conformance/repo2";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

/// A registry to ask, and what it has held since before the first request.
pub(super) struct Stand {
    scene: Scene,
    /// What the bundle below holds, all of it in [`REPO`].
    below: Data,
    /// The folder of the directory store.
    store: PathBuf,
}

impl Deref for Stand {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.scene
    }
}

impl Stand {
    /// A directory.
    async fn directory(options: RegistryOptions) -> Self {
        let scene = Scene::with(options).await;
        Self {
            below: Data::default(),
            store: scene.root.path().to_owned(),
            scene,
        }
    }

    /// A bundle over a directory.
    async fn overlay(options: RegistryOptions) -> Self {
        let mut below = Data::default();
        let image = below.image(1_000_000, 1, json!({}));
        below.tag("below-1", &image);
        let other = below.image(1_000_001, 1, json!({}));
        below.tag("zz-below-2", &other);
        Self::over(options, below).await
    }

    async fn over(options: RegistryOptions, below: Data) -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("store");
        std::fs::create_dir(&folder).unwrap();
        let bundle = bundled::write(&below, REPO, &root.path().join("bundle.tar"));
        let layers: Vec<Arc<dyn Store>> = vec![Arc::new(bundle), Arc::new(directory(&folder).await)];
        let store: Arc<dyn Store> = Arc::new(Overlay::new(layers).unwrap());
        Self {
            scene: scene_of(store, options, root),
            below,
            store: folder,
        }
    }

    /// A bundle alone.
    fn bundle(held: Data) -> Self {
        let root = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(bundled::write(&held, REPO, &root.path().join("bundle.tar")));
        Self {
            scene: scene_of(store, RegistryOptions::default(), root),
            below: held,
            store: PathBuf::new(),
        }
    }

    fn uploads_under_way(&self) -> usize {
        std::fs::read_dir(self.store.join("uploads")).unwrap().count()
    }
}

fn scene_of(store: Arc<dyn Store>, options: RegistryOptions, root: tempfile::TempDir) -> Scene {
    Scene {
        registry: Arc::new(Registry::new(Arc::clone(&store), options)),
        store,
        root,
    }
}

/// Each way that takes pushes, empty but for what is below.
pub(super) async fn stands() -> Vec<Stand> {
    let options = RegistryOptions::default;
    vec![Stand::directory(options()).await, Stand::overlay(options()).await]
}

/// The same where images need not be whole.
pub(super) async fn sparse_stands() -> Vec<Stand> {
    let options = || RegistryOptions {
        sparse: true,
        ..RegistryOptions::default()
    };
    vec![Stand::directory(options()).await, Stand::overlay(options()).await]
}

pub(super) fn blob_path(digest: &Digest) -> String {
    format!("/v2/{REPO}/blobs/{digest}")
}

pub(super) fn manifest_path(reference: impl std::fmt::Display) -> String {
    format!("/v2/{REPO}/manifests/{reference}")
}

/// A fresh upload; gives its location.
pub(super) async fn begin(scene: &Scene) -> String {
    let begun = scene.post(&format!("/v2/{REPO}/blobs/uploads/")).await;
    begun.expect(202);
    assert_eq!(begun.header("range"), "0-0");
    assert!(
        begun
            .header("location")
            .ends_with(begun.header("docker-upload-uuid"))
    );
    begun.header("location").to_owned()
}

pub(super) async fn expect_blob(scene: &Scene, location: &str, digest: &Digest, content: &Bytes) {
    let found = scene.get(location).await;
    found.expect(200);
    assert_eq!(found.body, content);
    assert_eq!(found.header("docker-content-digest"), digest.to_string());
}

/// Follows `Link` to the end; gives every page.
pub(super) async fn pages(scene: &Scene, first: String) -> Vec<Answer> {
    let mut pages = Vec::new();
    let mut path = first;
    loop {
        let page = scene.get(&path).await;
        page.expect(200);
        let link = page.header("link").to_owned();
        pages.push(page);
        assert!(pages.len() < 1000, "pages without end: {link}");
        if link.is_empty() {
            return pages;
        }
        let next = link
            .strip_prefix('<')
            .and_then(|link| link.strip_suffix(">; rel=\"next\""));
        path = next.unwrap_or_else(|| panic!("{link}")).to_owned();
    }
}

#[tokio::test]
async fn both_spellings_of_the_root_answer() {
    for stand in stands().await.into_iter().chain([Stand::bundle(Data::default())]) {
        for path in ["/v2/", "/v2"] {
            let found = stand.get(path).await;
            found.expect(200);
            let head = stand.head(path).await;
            head.expect(200);
            assert_eq!(head.header("content-length"), found.body.len().to_string());
        }
        stand.get("/healthz").await.expect(200);
    }
}

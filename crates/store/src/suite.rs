//! The promise of [`Store`](crate::Store) as tests: one suite that every implementation passes.
//!
//! [`writable`] takes an empty store and tries everything. [`fill`] puts sample content into a writable store and
//! says what it put; [`reading`] checks that a store answers it (a bundle made from the same content, an overlay);
//! [`read_only`] checks that nothing can be changed. They panic where the promise is broken.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use landfall_hash::digest;
use landfall_oci::{Algorithm, Descriptor, Digest, MediaType, RawManifest, Repository, Tag, Target};
use serde_json::json;

use crate::{
    Allowed, Chunk, Content, Expected, Listing, Page, PutManifest, Store, StoreError, Unchecked, UploadId,
    What,
};

/// An image that a store should hold.
#[derive(Clone, Debug)]
pub struct Held {
    /// Where.
    pub repository: Repository,
    /// Under which tag.
    pub tag: Tag,
    /// The manifest.
    pub manifest: RawManifest,
    /// Config and layers.
    pub blobs: Vec<(Digest, Bytes)>,
}

/// Parses a name that the test wrote.
#[must_use]
pub fn repository(name: &str) -> Repository {
    name.parse().unwrap()
}

/// Parses a tag that the test wrote.
#[must_use]
pub fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

/// A blob and its SHA-256 digest.
#[must_use]
pub fn blob(content: impl Into<Bytes>) -> (Digest, Bytes) {
    let bytes = content.into();
    (digest(Algorithm::Sha256, &bytes), bytes)
}

/// An image manifest over these blobs, the first of which is the config.
#[must_use]
pub fn image(
    blobs: &[(Digest, Bytes)],
    subject: Option<&RawManifest>,
    artifact_type: Option<&str>,
) -> RawManifest {
    let of = |media_type: MediaType, at: usize| {
        let (digest, bytes) = &blobs[at];
        json!(Descriptor::new(media_type, *digest, bytes.len() as u64))
    };
    let layers: Vec<_> = (1..blobs.len()).map(|at| of(MediaType::OCI_LAYER, at)).collect();
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": of(MediaType::OCI_CONFIG, 0),
        "layers": layers,
        "annotations": {"made.by": "suite"},
    });
    if let Some(subject) = subject {
        manifest["subject"] = json!(subject.descriptor());
    }
    if let Some(artifact_type) = artifact_type {
        manifest["artifactType"] = json!(artifact_type);
    }
    raw(&manifest)
}

/// The bytes of a manifest with their digest.
#[must_use]
pub fn raw(manifest: &serde_json::Value) -> RawManifest {
    let bytes = Bytes::from(serde_json::to_vec(manifest).unwrap());
    RawManifest::new(None, digest(Algorithm::Sha256, &bytes), bytes).unwrap()
}

/// Pushes a blob in one piece.
pub async fn push_blob(store: &dyn Store, repository: &Repository, (digest, bytes): &(Digest, Bytes)) {
    let upload = store.start_upload(repository, None).await.unwrap();
    let chunk = Chunk::of(bytes.clone());
    store.append(repository, &upload.id, chunk).await.unwrap();
    let size = store.commit(repository, &upload.id, digest).await.unwrap();
    assert_eq!(size, bytes.len() as u64);
}

/// Pushes a manifest.
///
/// # Errors
/// What the store said.
pub async fn put(
    store: &dyn Store,
    repository: &Repository,
    manifest: &RawManifest,
    tags: &[Tag],
) -> Result<(), StoreError> {
    let put = PutManifest {
        manifest,
        tags,
        unchecked: Unchecked::None,
    };
    store.put_manifest(repository, put).await
}

/// Pushes an image with its blobs.
pub async fn push(store: &dyn Store, held: &Held) {
    for blob in &held.blobs {
        push_blob(store, &held.repository, blob).await;
    }
    put(
        store,
        &held.repository,
        &held.manifest,
        std::slice::from_ref(&held.tag),
    )
    .await
    .unwrap();
}

/// All bytes of a blob.
pub async fn read_blob(store: &dyn Store, repository: &Repository, digest: &Digest) -> Bytes {
    let content = store.open_blob(repository, digest).await.unwrap();
    let len = content.len();
    let parts: Vec<Bytes> = content.into_stream().try_collect().await.unwrap();
    let bytes = Bytes::from(parts.concat());
    assert_eq!(bytes.len() as u64, len);
    bytes
}

/// Images to be held: shared blobs, an empty blob, nested names, one larger than a read piece.
#[must_use]
pub fn samples() -> Vec<Held> {
    let base = blob(vec![7; 700_000]);
    ["a/deep/er/name", "alpine", "alpine-extra", "alpine/child"]
        .iter()
        .map(|name| {
            let blobs = vec![blob(format!("{{\"of\":\"{name}\"}}")), base.clone(), blob("")];
            Held {
                repository: repository(name),
                tag: tag("v1"),
                manifest: image(&blobs, None, None),
                blobs,
            }
        })
        .collect()
}

/// Puts the samples into a writable store.
pub async fn fill(store: &dyn Store) -> Vec<Held> {
    let samples = samples();
    for held in &samples {
        push(store, held).await;
    }
    samples
}

/// Checks that a store answers what it should hold, and nothing across repositories.
pub async fn reading(store: &dyn Store, held: &[Held]) {
    for image in held {
        let repository = &image.repository;
        for target in [
            Target::Tag(image.tag.clone()),
            Target::Digest(image.manifest.digest),
        ] {
            let found = store.manifest(repository, &target).await.unwrap();
            assert_eq!(found, image.manifest);
            let descriptor = store.stat_manifest(repository, &target).await.unwrap();
            assert_eq!(descriptor.digest, image.manifest.digest);
            assert_eq!(descriptor.media_type, image.manifest.media_type);
            assert_eq!(descriptor.size, image.manifest.bytes.len() as u64);
        }
        for (digest, bytes) in &image.blobs {
            assert_eq!(
                store.stat_blob(repository, digest).await.unwrap(),
                bytes.len() as u64
            );
            assert_eq!(read_blob(store, repository, digest).await, bytes);
        }
        let tags = store.tags(repository, Page::first(1000)).await.unwrap();
        assert!(tags.items.contains(&image.tag) && !tags.more);
        // Membership decides: the config of every other image is not here.
        for other in held.iter().filter(|other| other.repository != *repository) {
            let (digest, _) = &other.blobs[0];
            let missing = store.stat_blob(repository, digest).await;
            assert!(matches!(missing, Err(StoreError::NotFound(What::Blob(_)))));
            assert!(store.open_blob(repository, digest).await.is_err());
        }
    }
    reading_misses(store, held).await;
    reading_lists(store, held).await;
}

async fn reading_misses(store: &dyn Store, held: &[Held]) {
    let (nothing, _) = blob("nobody has this");
    let unknown = repository("no/such/repository");
    for name in held.iter().map(|held| &held.repository).chain([&unknown]) {
        assert!(store.stat_blob(name, &nothing).await.unwrap_err().is_not_found());
        for target in [Target::Tag(tag("nope")), Target::Digest(nothing)] {
            assert!(store.manifest(name, &target).await.unwrap_err().is_not_found());
            assert!(
                store
                    .stat_manifest(name, &target)
                    .await
                    .unwrap_err()
                    .is_not_found()
            );
        }
        let referrers = store
            .referrers(name, &nothing, None, Page::first(10))
            .await
            .unwrap();
        assert!(referrers.items.is_empty() && !referrers.more);
    }
    let tags = store.tags(&unknown, Page::first(10)).await;
    assert!(matches!(tags, Err(StoreError::NotFound(What::Repository(_)))));
    assert_eq!(store.find_holder(&nothing, &|_| true).await.unwrap(), None);
}

async fn reading_lists(store: &dyn Store, held: &[Held]) {
    let mut names: Vec<String> = held.iter().map(|held| held.repository.to_string()).collect();
    names.sort();
    names.dedup();
    let all = store.repositories(Page::first(1000)).await.unwrap();
    let found: Vec<String> = all.items.iter().map(Repository::to_string).collect();
    assert!(
        names.iter().all(|name| found.contains(name)),
        "{names:?} in {found:?}"
    );
    assert!(found.is_sorted() && !all.more);
    // Page by page gives the same.
    let mut paged: Vec<String> = Vec::new();
    loop {
        let after = paged.last().cloned();
        let page = Page {
            after: after.as_deref(),
            limit: 1,
        };
        let listing = store.repositories(page).await.unwrap();
        paged.extend(listing.items.iter().map(Repository::to_string));
        if !listing.more {
            break;
        }
    }
    assert_eq!(paged, found);
    let (shared, _) = &held[0].blobs[1];
    let second = &held[1].repository;
    let holder = store.find_holder(shared, &|name| name == second).await.unwrap();
    assert_eq!(holder.as_ref(), Some(second));
    assert_eq!(store.find_holder(shared, &|_| false).await.unwrap(), None);
}

/// Checks that nothing can be changed.
pub async fn read_only(store: &dyn Store, held: &Held) {
    assert!(!store.writable());
    let (repository, digest) = (&held.repository, &held.blobs[0].0);
    let upload = UploadId::random().unwrap();
    let refused = [
        store.start_upload(repository, None).await.map(|_| ()),
        store.mount(repository, repository, digest).await,
        put(store, repository, &held.manifest, &[]).await,
        store
            .set_tag(repository, &held.tag, &held.manifest.digest, Expected::Any)
            .await,
        store.delete_tag(repository, &held.tag).await,
        store.delete_manifest(repository, &held.manifest.digest).await,
        store.delete_blob(repository, digest).await,
    ];
    for answer in refused {
        assert!(matches!(answer, Err(StoreError::ReadOnly { .. })), "{answer:?}");
    }
    let unknown = [
        store.upload(repository, &upload).await.map(|_| ()),
        store
            .append(repository, &upload, Chunk::of("x"))
            .await
            .map(|_| ()),
        store.commit(repository, &upload, digest).await.map(|_| ()),
        store.cancel(repository, &upload).await,
    ];
    for answer in unknown {
        assert!(
            matches!(answer, Err(StoreError::UploadUnknown { .. })),
            "{answer:?}"
        );
    }
}

/// Tries everything on an empty writable store.
pub async fn writable(store: &dyn Store) {
    assert!(store.writable());
    let held = fill(store).await;
    reading(store, &held).await;
    uploads(store).await;
    digests(store).await;
    mounts(store).await;
    missing_blobs(store).await;
    tags(store).await;
    referrers(store).await;
    deletes(store).await;
    // Nothing of all that has touched what was there.
    reading(store, &held).await;
}

async fn uploads(store: &dyn Store) {
    let here = repository("suite/uploads");
    let (wanted, bytes) = blob("0123456789");
    let upload = store.start_upload(&here, None).await.unwrap();
    assert_eq!(upload.offset, 0);
    let id = upload.id;
    let at = |at: u64, part: &'static str| Chunk {
        at: Some(at),
        ..Chunk::of(part)
    };
    assert_eq!(store.append(&here, &id, at(0, "0123")).await.unwrap().offset, 4);
    for wrong in [0, 3, 5] {
        let refused = store.append(&here, &id, at(wrong, "xxxx")).await;
        assert!(
            matches!(refused, Err(StoreError::RangeMismatch { have: 4 })),
            "{refused:?}"
        );
    }
    assert_eq!(store.upload(&here, &id).await.unwrap().offset, 4);
    // A sender that breaks off keeps what came.
    let broken = [Ok(Bytes::from("45")), Err(std::io::Error::other("gone"))];
    let chunk = Chunk {
        at: Some(4),
        len: Some(6),
        is_last: true,
        body: Box::pin(futures_util::stream::iter(broken)),
    };
    let cut = store.append(&here, &id, chunk).await;
    assert!(matches!(cut, Err(StoreError::Interrupted { .. })), "{cut:?}");
    assert_eq!(store.upload(&here, &id).await.unwrap().offset, 6);
    // Its name means nothing in another repository.
    let elsewhere = store
        .append(&repository("suite/other"), &id, Chunk::of("x"))
        .await;
    assert!(matches!(elsewhere, Err(StoreError::UploadUnknown { .. })));
    assert_eq!(
        store.append(&here, &id, Chunk::of("6789")).await.unwrap().offset,
        10
    );
    assert!(store.stat_blob(&here, &wanted).await.unwrap_err().is_not_found());
    assert_eq!(store.commit(&here, &id, &wanted).await.unwrap(), 10);
    assert_eq!(read_blob(store, &here, &wanted).await, bytes);
    let again = store.commit(&here, &id, &wanted).await;
    assert!(matches!(again, Err(StoreError::UploadUnknown { .. })));
    let cancelled = store.start_upload(&here, None).await.unwrap().id;
    store.append(&here, &cancelled, Chunk::of("x")).await.unwrap();
    store.cancel(&here, &cancelled).await.unwrap();
    let gone = store.upload(&here, &cancelled).await;
    assert!(matches!(gone, Err(StoreError::UploadUnknown { .. })));
}

async fn digests(store: &dyn Store) {
    let here = repository("suite/digests");
    for hint in [None, Some(Algorithm::Sha512), Some(Algorithm::Sha256)] {
        for algorithm in Algorithm::ALL {
            let bytes = Bytes::from(format!("{hint:?} {algorithm}"));
            let wanted = digest(algorithm, &bytes);
            let id = store.start_upload(&here, hint).await.unwrap().id;
            store.append(&here, &id, Chunk::of(bytes.clone())).await.unwrap();
            store.commit(&here, &id, &wanted).await.unwrap();
            assert_eq!(read_blob(store, &here, &wanted).await, bytes);
        }
    }
    for algorithm in Algorithm::ALL {
        let wrong = digest(algorithm, b"something else");
        let id = store.start_upload(&here, None).await.unwrap().id;
        store.append(&here, &id, Chunk::of("this")).await.unwrap();
        let refused = store.commit(&here, &id, &wrong).await;
        assert!(
            matches!(refused, Err(StoreError::DigestMismatch { .. })),
            "{refused:?}"
        );
        assert!(store.stat_blob(&here, &wrong).await.unwrap_err().is_not_found());
        let gone = store.upload(&here, &id).await;
        assert!(matches!(gone, Err(StoreError::UploadUnknown { .. })));
    }
}

async fn mounts(store: &dyn Store) {
    let (from, to) = (repository("suite/from"), repository("suite/to"));
    let content = blob("mounted");
    push_blob(store, &from, &content).await;
    store.mount(&from, &to, &content.0).await.unwrap();
    assert_eq!(read_blob(store, &to, &content.0).await, content.1);
    let (nothing, _) = blob("never pushed");
    assert!(
        store
            .mount(&from, &to, &nothing)
            .await
            .unwrap_err()
            .is_not_found()
    );
    // Only from where it is held, even when the bytes are there.
    let empty = repository("suite/holds-nothing");
    assert!(
        store
            .mount(&empty, &to, &content.0)
            .await
            .unwrap_err()
            .is_not_found()
    );
}

async fn missing_blobs(store: &dyn Store) {
    let here = repository("suite/missing");
    let blobs = [blob("config"), blob("here"), blob("not here")];
    let manifest = image(&blobs, None, None);
    push_blob(store, &here, &blobs[0]).await;
    push_blob(store, &here, &blobs[1]).await;
    // That another repository holds it does not help.
    push_blob(store, &repository("suite/elsewhere"), &blobs[2]).await;
    match put(store, &here, &manifest, &[tag("v1")]).await {
        Err(StoreError::MissingBlobs { digests }) => assert_eq!(digests, [blobs[2].0]),
        other => panic!("{other:?}"),
    }
    let by_tag = Target::Tag(tag("v1"));
    assert!(store.manifest(&here, &by_tag).await.unwrap_err().is_not_found());
    let known = BTreeSet::from([blobs[2].0]);
    for unchecked in [Unchecked::These(&known), Unchecked::All] {
        let tags = [tag("v1")];
        let put = PutManifest {
            manifest: &manifest,
            tags: &tags,
            unchecked,
        };
        store.put_manifest(&here, put).await.unwrap();
    }
    assert_eq!(store.manifest(&here, &by_tag).await.unwrap(), manifest);
    // Members of an index and foreign layers need not be there.
    let foreign = Descriptor::new(MediaType::DOCKER_FOREIGN_LAYER, blob("windows").0, 9);
    let index = json!({"schemaVersion": 2, "manifests": [image(&blobs[..2], None, None).descriptor()]});
    put(store, &here, &raw(&index), &[]).await.unwrap();
    let windows = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::DOCKER_MANIFEST,
        "config": Descriptor::new(MediaType::DOCKER_CONFIG, blobs[0].0, 6),
        "layers": [foreign],
    });
    put(store, &here, &raw(&windows), &[]).await.unwrap();
}

async fn tags(store: &dyn Store) {
    let here = repository("suite/tags");
    let config = blob("config of tags");
    push_blob(store, &here, &config).await;
    let one = image(std::slice::from_ref(&config), None, Some("type/one"));
    let two = image(std::slice::from_ref(&config), None, Some("type/two"));
    let names: Vec<Tag> = ["b", "A", "_x", "a", "1.0", "a-b", "a.b"].map(tag).into();
    put(store, &here, &one, &names).await.unwrap();
    let listing = store.tags(&here, Page::first(100)).await.unwrap();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!((listing.items, listing.more), (sorted.clone(), false));
    for limit in [0, 1, 3, 6] {
        let page = Page {
            after: Some(sorted[0].as_str()),
            limit,
        };
        let listing = store.tags(&here, page).await.unwrap();
        assert_eq!(listing.items, sorted[1..=limit]);
        assert_eq!(listing.more, limit < 6);
    }
    put(store, &here, &two, &[]).await.unwrap();
    let moved = tag("a");
    let at = |wanted: &RawManifest| Expected::Digest(wanted.digest);
    let set = |to: &RawManifest, expected| {
        let (store, here, moved, digest) = (store, here.clone(), moved.clone(), to.digest);
        async move { store.set_tag(&here, &moved, &digest, expected).await }
    };
    assert!(matches!(
        set(&two, at(&two)).await,
        Err(StoreError::Conflict { .. })
    ));
    assert!(matches!(
        set(&two, Expected::Absent).await,
        Err(StoreError::Conflict { .. })
    ));
    set(&two, at(&one)).await.unwrap();
    set(&two, Expected::Any).await.unwrap();
    let by_tag = Target::Tag(moved.clone());
    assert_eq!(store.manifest(&here, &by_tag).await.unwrap(), two);
    store.delete_tag(&here, &moved).await.unwrap();
    assert!(store.delete_tag(&here, &moved).await.unwrap_err().is_not_found());
    set(&one, Expected::Absent).await.unwrap();
    assert_eq!(store.manifest(&here, &by_tag).await.unwrap(), one);
    let history = store.tag_history(&here, &moved).await.unwrap();
    let seen: Vec<_> = history.iter().rev().map(|entry| entry.digest).collect();
    assert_eq!(seen, [Some(one.digest), Some(two.digest), None, Some(one.digest)]);
    assert!(history.iter().rev().map(|entry| entry.generation).eq(1..=4));
    let nothing = blob("no manifest").0;
    let dangling = store.set_tag(&here, &tag("d"), &nothing, Expected::Any).await;
    assert!(dangling.unwrap_err().is_not_found());
}

async fn referrers(store: &dyn Store) {
    let here = repository("suite/referrers");
    let config = blob("config of referrers");
    push_blob(store, &here, &config).await;
    // The subject need not exist.
    let subject = image(std::slice::from_ref(&config), None, None);
    let mut kinds: Vec<RawManifest> = ["sig", "sbom", "sig2"]
        .iter()
        .map(|kind| image(std::slice::from_ref(&config), Some(&subject), Some(kind)))
        .collect();
    for manifest in &kinds {
        put(store, &here, manifest, &[]).await.unwrap();
    }
    kinds.sort_by_key(|manifest| manifest.digest.to_string());
    let ask = |artifact_type: Option<&'static str>, after: Option<Digest>, limit| {
        let (here, subject) = (here.clone(), subject.digest);
        async move {
            let after = after.map(|digest| digest.to_string());
            let page = Page {
                after: after.as_deref(),
                limit,
            };
            store
                .referrers(&here, &subject, artifact_type, page)
                .await
                .unwrap()
        }
    };
    let all = ask(None, None, 10).await;
    let found: Vec<Digest> = all.items.iter().map(|found| found.digest).collect();
    let wanted: Vec<Digest> = kinds.iter().map(|manifest| manifest.digest).collect();
    assert_eq!((found, all.more), (wanted.clone(), false));
    assert!(
        all.items
            .iter()
            .all(|found| found.annotations.contains_key("made.by"))
    );
    let some = ask(Some("sbom"), None, 10).await;
    assert_eq!(some.items.len(), 1);
    assert_eq!(some.items[0].artifact_type.as_deref(), Some("sbom"));
    let first = ask(None, None, 2).await;
    assert!(first.more && first.items.len() == 2);
    let rest = ask(None, Some(wanted[1]), 2).await;
    assert_eq!((rest.items[0].digest, rest.more), (wanted[2], false));
    store.delete_manifest(&here, &wanted[0]).await.unwrap();
    assert_eq!(ask(None, None, 10).await.items.len(), 2);
}

async fn deletes(store: &dyn Store) {
    let (here, other) = (repository("suite/deletes"), repository("suite/deletes/below"));
    let config = blob("config of deletes");
    let manifest = image(std::slice::from_ref(&config), None, None);
    for name in [&here, &other] {
        push_blob(store, name, &config).await;
        put(store, name, &manifest, &[tag("one"), tag("two")])
            .await
            .unwrap();
    }
    store.delete_tag(&here, &tag("one")).await.unwrap();
    let by = |name: &str| Target::Tag(tag(name));
    assert!(
        store
            .manifest(&here, &by("one"))
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(store.manifest(&here, &by("two")).await.is_ok());
    store.delete_manifest(&here, &manifest.digest).await.unwrap();
    for target in [by("two"), Target::Digest(manifest.digest)] {
        assert!(store.manifest(&here, &target).await.unwrap_err().is_not_found());
    }
    let history = store.tag_history(&here, &tag("two")).await.unwrap();
    let seen: Vec<_> = history.iter().map(|entry| entry.digest).collect();
    assert_eq!(seen, [None, Some(manifest.digest)]);
    let again = store.delete_manifest(&here, &manifest.digest).await;
    assert!(again.unwrap_err().is_not_found());
    assert!(store.tags(&here, Page::first(9)).await.unwrap().items.is_empty());
    store.delete_blob(&here, &config.0).await.unwrap();
    assert!(
        store
            .stat_blob(&here, &config.0)
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(
        store
            .delete_blob(&here, &config.0)
            .await
            .unwrap_err()
            .is_not_found()
    );
    // The neighbour whose name begins the same is untouched (distribution#4898).
    assert_eq!(store.manifest(&other, &by("two")).await.unwrap(), manifest);
    assert_eq!(read_blob(store, &other, &config.0).await, config.1);
    // What was deleted can be pushed again.
    push_blob(store, &here, &config).await;
    put(store, &here, &manifest, &[tag("two")]).await.unwrap();
    assert_eq!(store.manifest(&here, &by("two")).await.unwrap(), manifest);
}

/// Another store, made so that it can only be read: what a bundle is.
pub struct Frozen(pub Arc<dyn Store>);

#[async_trait]
impl Store for Frozen {
    async fn stat_blob(&self, repository: &Repository, digest: &Digest) -> Result<u64, StoreError> {
        self.0.stat_blob(repository, digest).await
    }
    async fn open_blob(&self, repository: &Repository, digest: &Digest) -> Result<Content, StoreError> {
        self.0.open_blob(repository, digest).await
    }
    async fn find_holder(
        &self,
        digest: &Digest,
        allowed: &Allowed<'_>,
    ) -> Result<Option<Repository>, StoreError> {
        self.0.find_holder(digest, allowed).await
    }
    async fn stat_manifest(
        &self,
        repository: &Repository,
        target: &Target,
    ) -> Result<Descriptor, StoreError> {
        self.0.stat_manifest(repository, target).await
    }
    async fn manifest(&self, repository: &Repository, target: &Target) -> Result<RawManifest, StoreError> {
        self.0.manifest(repository, target).await
    }
    async fn tags(&self, repository: &Repository, page: Page<'_>) -> Result<Listing<Tag>, StoreError> {
        self.0.tags(repository, page).await
    }
    async fn repositories(&self, page: Page<'_>) -> Result<Listing<Repository>, StoreError> {
        self.0.repositories(page).await
    }
    async fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        artifact_type: Option<&str>,
        page: Page<'_>,
    ) -> Result<Listing<Descriptor>, StoreError> {
        self.0.referrers(repository, subject, artifact_type, page).await
    }
}

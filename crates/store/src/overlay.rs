//! Several stores laid over each other: bundles and a directory answer as one registry.
//!
//! Reads ask the layers from the top; the first that has the thing wins. Writes go to the one layer that can be
//! written, wherever it stands. What only a read-only layer holds cannot be deleted, and a tag that a layer
//! above the writable one holds cannot be pushed: it would be acknowledged and never seen.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use landfall_oci::{Algorithm, Descriptor, Digest, RawManifest, Repository, Tag, Target};

use crate::{
    Allowed, Chunk, Content, Expected, HistoryEntry, Listing, Page, PutManifest, Store, StoreError,
    Unchecked, UploadId, UploadState, What,
};

/// Stores over stores.
#[derive(Clone)]
pub struct Overlay {
    layers: Vec<Arc<dyn Store>>,
    /// Which of them is written to.
    writable: Option<usize>,
}

/// Asks each layer in turn until one does not say "not found".
macro_rules! first_found {
    ($layers:expr, $layer:ident => $ask:expr, $otherwise:expr) => {{
        for $layer in $layers {
            match $ask {
                Err(error) if error.is_not_found() => {}
                answer => return answer,
            }
        }
        Err($otherwise)
    }};
}

impl Overlay {
    /// Lays stores over each other, the topmost first.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when more than one of them can be written.
    pub fn new(layers: Vec<Arc<dyn Store>>) -> Result<Self, StoreError> {
        let writable: Vec<usize> = (0..layers.len()).filter(|at| layers[*at].writable()).collect();
        match writable[..] {
            [] | [_] => Ok(Self {
                writable: writable.first().copied(),
                layers,
            }),
            _ => Err(StoreError::Conflict {
                reason: "an overlay can have one writable store, not several".to_owned(),
            }),
        }
    }

    /// The writable layer; `what` could not be changed when there is none.
    fn upper(&self, what: impl FnOnce() -> String) -> Result<&Arc<dyn Store>, StoreError> {
        self.writable
            .and_then(|at| self.layers.get(at))
            .ok_or_else(|| StoreError::read_only(what()))
    }

    fn upper_for(&self, repository: &Repository) -> Result<&Arc<dyn Store>, StoreError> {
        self.upper(|| format!("the repository `{repository}`"))
    }

    fn uploads(&self, id: &UploadId) -> Result<&Arc<dyn Store>, StoreError> {
        self.writable
            .and_then(|at| self.layers.get(at))
            .ok_or(StoreError::UploadUnknown { id: *id })
    }

    fn read_only_layers(&self) -> impl Iterator<Item = &Arc<dyn Store>> {
        let writable = self.writable;
        let layers = self.layers.iter().enumerate();
        layers
            .filter(move |(at, _)| Some(*at) != writable)
            .map(|(_, layer)| layer)
    }

    async fn below_has_manifest(&self, repository: &Repository, target: &Target) -> Result<bool, StoreError> {
        for layer in self.read_only_layers() {
            match layer.stat_manifest(repository, target).await {
                Ok(_) => return Ok(true),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Those digests that no read-only layer holds in the repository.
    async fn held_nowhere(
        &self,
        repository: &Repository,
        digests: Vec<Digest>,
    ) -> Result<Vec<Digest>, StoreError> {
        let mut missing = Vec::new();
        'digests: for digest in digests {
            for layer in self.read_only_layers() {
                match layer.stat_blob(repository, &digest).await {
                    Ok(_) => continue 'digests,
                    Err(error) if error.is_not_found() => {}
                    Err(error) => return Err(error),
                }
            }
            missing.push(digest);
        }
        Ok(missing)
    }

    /// A tag must not be shadowed by a layer that stands over the writable one.
    async fn check_not_shadowed(&self, repository: &Repository, tags: &[Tag]) -> Result<(), StoreError> {
        let above = self.writable.unwrap_or_default();
        for layer in &self.layers[..above] {
            for tag in tags {
                match layer.stat_manifest(repository, &Target::Tag(tag.clone())).await {
                    Ok(_) => {
                        return Err(StoreError::read_only(format!(
                            "the tag `{tag}` of `{repository}`"
                        )));
                    }
                    Err(error) if error.is_not_found() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Brings a blob of a read-only layer into the writable one.
    async fn copy_up(
        &self,
        content: Content,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        let upper = self.upper_for(repository)?;
        let upload = upper.start_upload(repository, Some(digest.algorithm())).await?;
        let chunk = Chunk {
            at: Some(0),
            len: Some(content.len()),
            is_last: true,
            body: content.into_stream(),
        };
        let copied = match upper.append(repository, &upload.id, chunk).await {
            Ok(_) => upper.commit(repository, &upload.id, digest).await.map(|_| ()),
            Err(error) => Err(error),
        };
        if copied.is_err() {
            // Gone already when the digest was wrong; the first error is the one to tell.
            let _ = upper.cancel(repository, &upload.id).await;
        }
        copied
    }
}

/// Puts sorted pages together into one: each thing once, cut at the limit, and where the first page ends that has more
/// behind it: a store may end a page before the limit.
fn merge<T>(pages: Vec<Listing<T>>, limit: usize, key: impl Fn(&T) -> String) -> Listing<T> {
    let mut more = false;
    let mut end: Option<String> = None;
    let mut items: Vec<(String, T)> = Vec::new();
    for page in pages {
        more |= page.more;
        let last = page.items.last().filter(|_| page.more).map(&key);
        end = match (end, last) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        items.extend(page.items.into_iter().map(|item| (key(&item), item)));
    }
    // Stable: of two with one key, that of the upper layer stays.
    items.sort_by(|a, b| a.0.cmp(&b.0));
    items.dedup_by(|later, earlier| later.0 == earlier.0);
    let all = items.len();
    items.retain(|(key, _)| end.as_ref().is_none_or(|end| key <= end));
    items.truncate(limit);
    more |= items.len() < all;
    Listing {
        items: items.into_iter().map(|(_, item)| item).collect(),
        more,
    }
}

#[async_trait]
impl Store for Overlay {
    fn writable(&self) -> bool {
        self.writable.is_some()
    }

    async fn check(&self) -> Result<(), StoreError> {
        for layer in &self.layers {
            layer.check().await?;
        }
        Ok(())
    }

    async fn stat_blob(&self, repository: &Repository, digest: &Digest) -> Result<u64, StoreError> {
        first_found!(&self.layers, layer => layer.stat_blob(repository, digest).await, StoreError::blob(digest))
    }

    async fn open_blob(&self, repository: &Repository, digest: &Digest) -> Result<Content, StoreError> {
        first_found!(&self.layers, layer => layer.open_blob(repository, digest).await, StoreError::blob(digest))
    }

    async fn find_holder(
        &self,
        digest: &Digest,
        allowed: &Allowed<'_>,
    ) -> Result<Option<Repository>, StoreError> {
        for layer in &self.layers {
            if let Some(repository) = layer.find_holder(digest, allowed).await? {
                return Ok(Some(repository));
            }
        }
        Ok(None)
    }

    async fn stat_manifest(
        &self,
        repository: &Repository,
        target: &Target,
    ) -> Result<Descriptor, StoreError> {
        first_found!(
            &self.layers,
            layer => layer.stat_manifest(repository, target).await,
            StoreError::manifest(target)
        )
    }

    async fn manifest(&self, repository: &Repository, target: &Target) -> Result<RawManifest, StoreError> {
        first_found!(
            &self.layers,
            layer => layer.manifest(repository, target).await,
            StoreError::manifest(target)
        )
    }

    async fn tags(&self, repository: &Repository, page: Page<'_>) -> Result<Listing<Tag>, StoreError> {
        let mut pages = Vec::new();
        for layer in &self.layers {
            match layer.tags(repository, page).await {
                Ok(tags) => pages.push(tags),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        match pages.is_empty() {
            true => Err(StoreError::NotFound(What::Repository(repository.clone()))),
            false => Ok(merge(pages, page.limit, Tag::to_string)),
        }
    }

    async fn repositories(&self, page: Page<'_>) -> Result<Listing<Repository>, StoreError> {
        let mut pages = Vec::new();
        for layer in &self.layers {
            pages.push(layer.repositories(page).await?);
        }
        Ok(merge(pages, page.limit, Repository::to_string))
    }

    async fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        artifact_type: Option<&str>,
        page: Page<'_>,
    ) -> Result<Listing<Descriptor>, StoreError> {
        let mut pages = Vec::new();
        for layer in &self.layers {
            pages.push(layer.referrers(repository, subject, artifact_type, page).await?);
        }
        Ok(merge(pages, page.limit, |descriptor| {
            descriptor.digest.to_string()
        }))
    }

    async fn tag_history(&self, repository: &Repository, tag: &Tag) -> Result<Vec<HistoryEntry>, StoreError> {
        match self.upper_for(repository) {
            Ok(upper) => upper.tag_history(repository, tag).await,
            Err(_) => Ok(Vec::new()),
        }
    }

    async fn start_upload(
        &self,
        repository: &Repository,
        hint: Option<Algorithm>,
    ) -> Result<UploadState, StoreError> {
        self.upper_for(repository)?.start_upload(repository, hint).await
    }

    async fn upload(&self, repository: &Repository, id: &UploadId) -> Result<UploadState, StoreError> {
        self.uploads(id)?.upload(repository, id).await
    }

    async fn append(
        &self,
        repository: &Repository,
        id: &UploadId,
        chunk: Chunk<'_>,
    ) -> Result<UploadState, StoreError> {
        self.uploads(id)?.append(repository, id, chunk).await
    }

    async fn commit(
        &self,
        repository: &Repository,
        id: &UploadId,
        digest: &Digest,
    ) -> Result<u64, StoreError> {
        self.uploads(id)?.commit(repository, id, digest).await
    }

    async fn cancel(&self, repository: &Repository, id: &UploadId) -> Result<(), StoreError> {
        self.uploads(id)?.cancel(repository, id).await
    }

    async fn mount(
        &self,
        from: &Repository,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        let upper = self.upper_for(repository)?;
        match upper.mount(from, repository, digest).await {
            Err(error) if error.is_not_found() => {}
            done => return done,
        }
        for layer in self.read_only_layers() {
            match layer.open_blob(from, digest).await {
                Ok(content) => return self.copy_up(content, repository, digest).await,
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::blob(digest))
    }

    async fn put_manifest(&self, repository: &Repository, put: PutManifest<'_>) -> Result<(), StoreError> {
        let upper = self.upper_for(repository)?;
        self.check_not_shadowed(repository, put.tags).await?;
        let digests = match upper.put_manifest(repository, put).await {
            Err(StoreError::MissingBlobs { digests }) => digests,
            done => return done,
        };
        let mut elsewhere: BTreeSet<Digest> = digests.iter().copied().collect();
        let digests = self.held_nowhere(repository, digests).await?;
        if !digests.is_empty() {
            return Err(StoreError::MissingBlobs { digests });
        }
        if let Unchecked::These(known) = put.unchecked {
            elsewhere.extend(known);
        }
        let put = PutManifest {
            unchecked: Unchecked::These(&elsewhere),
            ..put
        };
        upper.put_manifest(repository, put).await
    }

    async fn set_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        digest: &Digest,
        expected: Expected,
    ) -> Result<(), StoreError> {
        let upper = self.upper_for(repository)?;
        self.check_not_shadowed(repository, std::slice::from_ref(tag))
            .await?;
        match upper.set_tag(repository, tag, digest, expected).await {
            Err(error) if error.is_not_found() => {}
            done => return done,
        }
        // The manifest lies in a layer below: the writable one needs its own to point a tag at.
        let manifest = self.manifest(repository, &Target::Digest(*digest)).await?;
        let put = PutManifest {
            manifest: &manifest,
            tags: &[],
            unchecked: Unchecked::All,
        };
        upper.put_manifest(repository, put).await?;
        upper.set_tag(repository, tag, digest, expected).await
    }

    async fn delete_tag(&self, repository: &Repository, tag: &Tag) -> Result<(), StoreError> {
        let upper = self.upper(|| format!("the tag `{tag}`"))?;
        match upper.delete_tag(repository, tag).await {
            Err(error) if error.is_not_found() => {
                match self
                    .below_has_manifest(repository, &Target::Tag(tag.clone()))
                    .await?
                {
                    true => Err(StoreError::read_only(format!(
                        "the tag `{tag}` of `{repository}`"
                    ))),
                    false => Err(error),
                }
            }
            done => done,
        }
    }

    async fn delete_manifest(&self, repository: &Repository, digest: &Digest) -> Result<(), StoreError> {
        let upper = self.upper(|| format!("the manifest {digest}"))?;
        match upper.delete_manifest(repository, digest).await {
            Err(error) if error.is_not_found() => {
                match self
                    .below_has_manifest(repository, &Target::Digest(*digest))
                    .await?
                {
                    true => Err(StoreError::read_only(format!("the manifest {digest}"))),
                    false => Err(error),
                }
            }
            done => done,
        }
    }

    async fn delete_blob(&self, repository: &Repository, digest: &Digest) -> Result<(), StoreError> {
        let upper = self.upper(|| format!("the blob {digest}"))?;
        match upper.delete_blob(repository, digest).await {
            Err(error) if error.is_not_found() => {
                match self.held_nowhere(repository, vec![*digest]).await?.is_empty() {
                    true => Err(StoreError::read_only(format!("the blob {digest}"))),
                    false => Err(error),
                }
            }
            done => done,
        }
    }
}

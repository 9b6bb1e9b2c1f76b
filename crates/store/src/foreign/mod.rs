//! Content that other programs keep, read where it lies: Docker's registry (`distribution`) and zot.
//!
//! Nothing is ever written, and the other program may go on writing. So nothing is remembered that could become
//! untrue: what is kept in memory is either named by its digest or compared with the file before each use. What is
//! damaged, hostile or half written is not there, with a warning; it never spoils what lies beside it.

mod distribution;
mod referrers;
mod walk;
mod zot;

use std::io;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use landfall_oci::{
    Descriptor, Digest, MAX_MANIFEST_BYTES, ManifestError, MediaType, RawManifest, Repository, Tag, Target,
};

use self::referrers::Subjects;
use crate::blocking::{OwnedPage, blocking};
use crate::{Allowed, Beneath, Content, Extent, Listing, Page, Store, StoreError, What};

/// Repositories looked at in one go when a holder is sought.
const HOLDERS: usize = 256;

/// A manifest's bytes in a tree, not yet looked at.
struct Found {
    digest: Digest,
    /// What the tree says that it is; not every tree keeps that.
    media_type: Option<MediaType>,
    /// Whether the tree says at all that this is a manifest. If not, what cannot be one is none.
    is_declared: bool,
    extent: Extent,
}

/// What differs from one program's tree to the other's. Everything blocks.
trait Tree: Send + Sync {
    /// A blob that the repository holds.
    fn blob(&self, repository: &Repository, digest: &Digest) -> Result<Option<Extent>, StoreError>;

    /// Whether a blob's bytes may be here at all, in whichever repository.
    fn may_hold(&self, digest: &Digest) -> Result<bool, StoreError>;

    /// A manifest of the repository.
    fn manifest(&self, repository: &Repository, target: &Target) -> Result<Option<Found>, StoreError>;

    /// Gives the digests of the repository's manifests, in no order; some may be gone already.
    fn manifests(
        &self,
        repository: &Repository,
        visit: &mut dyn FnMut(Digest) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// As [`Store::tags`]; `None` when there is no such repository.
    fn tags(&self, repository: &Repository, page: Page<'_>) -> Result<Option<Listing<Tag>>, StoreError>;

    /// As [`Store::repositories`].
    fn repositories(&self, page: Page<'_>) -> Result<Listing<Repository>, StoreError>;
}

/// A tree that another program writes, as a store.
#[derive(Clone)]
pub struct ForeignStore {
    tree: Arc<dyn Tree>,
    subjects: Arc<Subjects>,
}

impl ForeignStore {
    /// Opens the storage folder of Docker's registry: the folder that holds `docker`, or `docker/registry/v2` itself.
    /// `None` when the folder is not one. Blocking.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn distribution(path: &Path) -> Result<Option<Self>, StoreError> {
        Ok(distribution::Distribution::open(path)?.map(Self::over))
    }

    /// Opens the storage folder of zot: a folder in which each repository is an OCI layout. `None` when no layout is
    /// in it. Blocking.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn zot(path: &Path) -> Result<Option<Self>, StoreError> {
        Ok(zot::Zot::open(path)?.map(Self::over))
    }

    fn over(tree: impl Tree + 'static) -> Self {
        Self {
            tree: Arc::new(tree),
            subjects: Arc::default(),
        }
    }

    /// Runs work over the tree where it may block.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Tree) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let tree = Arc::clone(&self.tree);
        blocking(move || work(&*tree)).await
    }
}

impl std::fmt::Debug for ForeignStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForeignStore").finish_non_exhaustive()
    }
}

/// The folders in a folder of a tree.
fn folders<'a>(
    root: &'a Beneath,
    relative: &'a str,
) -> Result<impl Iterator<Item = Result<String, StoreError>> + 'a, StoreError> {
    let failed = |error| StoreError::io("list", &root.join(relative))(error);
    let names = root.folders(relative).map_err(failed)?;
    Ok(names.map(move |name| name.map_err(failed)))
}

/// The file of a blob or manifest.
fn blob_file(root: &Beneath, relative: &str, digest: &Digest) -> Result<Option<Extent>, StoreError> {
    let path = root.join(relative);
    let opened = root.file(relative).map_err(StoreError::io("open", &path))?;
    let Some(file) = opened else { return Ok(None) };
    let extent = Extent::whole(file, &path).map_err(StoreError::io("look at", &path))?;
    // A crash may take a file's bytes, and zot leaves empty files where its content lies in a bucket. An answer
    // without bytes would be a lie (zot#4427).
    if extent.len == 0 && landfall_hash::digest(digest.algorithm(), b"") != *digest {
        tracing::warn!(path = %path.display(), "a blob has no bytes: left out");
        return Ok(None);
    }
    Ok(Some(extent))
}

/// Reads a manifest and checks its digest: `None` when the tree has none, or one that is damaged.
fn read_manifest(
    tree: &dyn Tree,
    repository: &Repository,
    target: &Target,
) -> Result<Option<RawManifest>, StoreError> {
    let Some(found) = tree.manifest(repository, target)? else {
        return Ok(None);
    };
    let Some(bytes) = read_checked(&found)? else {
        return Ok(None);
    };
    match RawManifest::new(found.media_type.as_ref(), found.digest, bytes) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(_) if !found.is_declared => Ok(None),
        Err(error) => {
            tracing::warn!(%repository, %target, %error, "a manifest cannot be served");
            Err(error.into())
        }
    }
}

/// The bytes of a manifest, if they are what its digest says.
fn read_checked(found: &Found) -> Result<Option<Bytes>, StoreError> {
    let extent = &found.extent;
    let len = match usize::try_from(extent.len) {
        Ok(len) if len <= MAX_MANIFEST_BYTES => len,
        _ if found.is_declared => return Err(ManifestError::TooLarge.into()),
        _ => return Ok(None),
    };
    let bytes = match extent.read_at(0, len) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
        read => Some(read.map_err(StoreError::io("read", &extent.path))?),
    };
    let intact = bytes.filter(|bytes| landfall_hash::digest(found.digest.algorithm(), bytes) == found.digest);
    if intact.is_none() {
        tracing::warn!(path = %extent.path.display(), "a manifest is not what its digest says: left out");
    }
    Ok(intact)
}

#[async_trait]
impl Store for ForeignStore {
    async fn stat_blob(&self, repository: &Repository, digest: &Digest) -> Result<u64, StoreError> {
        self.open_blob(repository, digest)
            .await
            .map(|content| content.len())
    }

    async fn open_blob(&self, repository: &Repository, digest: &Digest) -> Result<Content, StoreError> {
        let (repository, digest) = (repository.clone(), *digest);
        self.with(move |tree| {
            let found = tree.blob(&repository, &digest)?;
            found.map(Content::Extent).ok_or(StoreError::blob(&digest))
        })
        .await
    }

    async fn find_holder(
        &self,
        digest: &Digest,
        allowed: &Allowed<'_>,
    ) -> Result<Option<Repository>, StoreError> {
        let digest = *digest;
        if !self.with(move |tree| tree.may_hold(&digest)).await? {
            return Ok(None);
        }
        let mut after: Option<Repository> = None;
        loop {
            let from = after.take();
            let page = self.with(move |tree| {
                let after = from.as_ref().map(Repository::as_str);
                tree.repositories(Page {
                    after,
                    limit: HOLDERS,
                })
            });
            let page = page.await?;
            let last = page.items.last().cloned();
            let mut names: Vec<_> = page.items.into_iter().filter(|name| allowed(name)).collect();
            let found = self.with(move |tree| {
                for name in names.drain(..) {
                    if tree.blob(&name, &digest)?.is_some() {
                        return Ok(Some(name));
                    }
                }
                Ok(None)
            });
            match found.await? {
                None if page.more => after = last,
                done => return Ok(done),
            }
        }
    }

    async fn stat_manifest(
        &self,
        repository: &Repository,
        target: &Target,
    ) -> Result<Descriptor, StoreError> {
        // The tree may not say what it is: the bytes do, and they are small.
        let manifest = self.manifest(repository, target).await?;
        Ok(manifest.descriptor())
    }

    async fn manifest(&self, repository: &Repository, target: &Target) -> Result<RawManifest, StoreError> {
        let (repository, target) = (repository.clone(), target.clone());
        self.with(move |tree| {
            read_manifest(tree, &repository, &target)?.ok_or_else(|| StoreError::manifest(&target))
        })
        .await
    }

    async fn tags(&self, repository: &Repository, page: Page<'_>) -> Result<Listing<Tag>, StoreError> {
        let (repository, page) = (repository.clone(), OwnedPage::from(page));
        self.with(move |tree| {
            let tags = tree.tags(&repository, page.borrow())?;
            tags.ok_or(StoreError::NotFound(What::Repository(repository)))
        })
        .await
    }

    async fn repositories(&self, page: Page<'_>) -> Result<Listing<Repository>, StoreError> {
        let page = OwnedPage::from(page);
        self.with(move |tree| tree.repositories(page.borrow())).await
    }

    async fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        artifact_type: Option<&str>,
        page: Page<'_>,
    ) -> Result<Listing<Descriptor>, StoreError> {
        let (repository, subject) = (repository.clone(), *subject);
        let (artifact_type, page) = (artifact_type.map(str::to_owned), OwnedPage::from(page));
        let subjects = Arc::clone(&self.subjects);
        self.with(move |tree| {
            let wanted = referrers::Wanted {
                repository: &repository,
                subject: &subject,
                artifact_type: artifact_type.as_deref(),
            };
            subjects.page(tree, &wanted, page.borrow())
        })
        .await
    }
}

//! An OCI layout directory as a read-only store that follows its `index.json`: another program may add images to it
//! while it is served.
//!
//! Images go by the names in their annotations, as in a bundle. Other tools often write no more than a tag, or
//! nothing: such an image belongs to the repository that has the folder's name, as if a list had said `FOLDER:TAG`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use landfall_oci::{Algorithm, Descriptor, Digest, RawManifest, Reference, Repository, Tag, Target};
use landfall_store::{Allowed, Beneath, Content, Listing, Page, Stamp, Store, StoreError};

use crate::{Bundle, BundleError, BundleStore};

/// The file that names the images.
const INDEX: &str = "index.json";
/// How long an index that cannot be read is waited for, in steps: it may be half written.
const SETTLE: Duration = Duration::from_millis(5);
const SETTLE_STEPS: u32 = 20;

/// An OCI layout directory that is served.
#[derive(Clone, Debug)]
pub struct LayoutStore {
    path: Arc<Path>,
    read: Arc<Mutex<Read>>,
}

/// The layout as it was when its index was last read.
#[derive(Debug)]
struct Read {
    stamp: Stamp,
    /// Of the index.
    digest: Digest,
    store: BundleStore,
}

impl LayoutStore {
    /// Opens a layout directory. Blocking.
    ///
    /// # Errors
    /// As [`Bundle::open`].
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        Ok(Self {
            read: Arc::new(Mutex::new(Read::now(path)?)),
            path: path.into(),
        })
    }

    /// The layout as it is now. A new index that cannot be read leaves the old one in force.
    async fn now(&self) -> Result<BundleStore, StoreError> {
        let this = self.clone();
        let now = tokio::task::spawn_blocking(move || {
            let mut read = this.read.lock().unwrap_or_else(PoisonError::into_inner);
            if !read.is_current(&this.path) {
                match Read::now(&this.path) {
                    Ok(new) => *read = new,
                    Err(error) => {
                        tracing::warn!(%error, "the layout cannot be read anew: what was read before stays")
                    }
                }
            }
            read.store.clone()
        });
        now.await.map_err(|_| StoreError::Stopped)
    }
}

impl Read {
    fn now(path: &Path) -> Result<Self, BundleError> {
        for _ in 1..SETTLE_STEPS {
            match Self::once(path) {
                Err(BundleError::Json { .. }) if index(path).is_ok_and(|(stamp, _)| stamp.is_young()) => {
                    std::thread::sleep(SETTLE);
                }
                done => return done,
            }
        }
        Self::once(path)
    }

    fn once(path: &Path) -> Result<Self, BundleError> {
        // Before the bundle: an index that changes meanwhile is read again.
        let (stamp, digest) = index(path)?;
        let bundle = named_by_folder(Bundle::open(path)?, path);
        let store = BundleStore::new(bundle);
        Ok(Self { stamp, digest, store })
    }

    /// Whether the index is the one that was read. Its times tell, unless it was changed a moment ago.
    fn is_current(&self, path: &Path) -> bool {
        let file = Beneath::new(path).and_then(|root| root.file(INDEX));
        let stamp = file.and_then(|file| file.map(|file| Stamp::of(&file)).transpose());
        match stamp {
            Ok(Some(stamp)) if stamp == self.stamp && !self.stamp.is_young() => true,
            Ok(Some(_)) => index(path).is_ok_and(|(_, digest)| digest == self.digest),
            _ => false,
        }
    }
}

/// When the index was changed, and the digest of its bytes.
fn index(path: &Path) -> Result<(Stamp, Digest), BundleError> {
    let name = path.join(INDEX);
    let opened = Beneath::new(path).and_then(|root| root.file(INDEX));
    let Some(file) = opened.map_err(BundleError::io("open", &name))? else {
        return Err(BundleError::NotABundle {
            path: path.to_owned(),
            found: "there is no index.json in it".to_owned(),
        });
    };
    let stamp = Stamp::of(&file).map_err(BundleError::io("examine", &name))?;
    let bytes = crate::folder::read(&file, path, INDEX)?;
    Ok((stamp, landfall_hash::digest(Algorithm::Sha256, &bytes)))
}

/// Completes the names that are only a tag, or none.
fn named_by_folder(bundle: Bundle, path: &Path) -> Bundle {
    let named = |path: PathBuf| Reference::parse(path.file_name()?.to_str()?).ok();
    // `.` has a name, too.
    let folder = path.canonicalize().ok().and_then(named);
    match folder.filter(|folder| folder.digest().is_none() && folder.tag().is_none()) {
        Some(folder) => bundle.with_names_below(folder.registry(), folder.repository()),
        None => {
            let reason =
                "the folder's name is not that of a repository: images without a full name are not shown";
            tracing::warn!(path = %path.display(), "{reason}");
            bundle
        }
    }
}

#[async_trait]
impl Store for LayoutStore {
    async fn stat_blob(&self, repository: &Repository, digest: &Digest) -> Result<u64, StoreError> {
        self.now().await?.stat_blob(repository, digest).await
    }

    async fn open_blob(&self, repository: &Repository, digest: &Digest) -> Result<Content, StoreError> {
        self.now().await?.open_blob(repository, digest).await
    }

    async fn find_holder(
        &self,
        digest: &Digest,
        allowed: &Allowed<'_>,
    ) -> Result<Option<Repository>, StoreError> {
        self.now().await?.find_holder(digest, allowed).await
    }

    async fn stat_manifest(
        &self,
        repository: &Repository,
        target: &Target,
    ) -> Result<Descriptor, StoreError> {
        self.now().await?.stat_manifest(repository, target).await
    }

    async fn manifest(&self, repository: &Repository, target: &Target) -> Result<RawManifest, StoreError> {
        self.now().await?.manifest(repository, target).await
    }

    async fn tags(&self, repository: &Repository, page: Page<'_>) -> Result<Listing<Tag>, StoreError> {
        self.now().await?.tags(repository, page).await
    }

    async fn repositories(&self, page: Page<'_>) -> Result<Listing<Repository>, StoreError> {
        self.now().await?.repositories(page).await
    }

    async fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        artifact_type: Option<&str>,
        page: Page<'_>,
    ) -> Result<Listing<Descriptor>, StoreError> {
        self.now()
            .await?
            .referrers(repository, subject, artifact_type, page)
            .await
    }
}

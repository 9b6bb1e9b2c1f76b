//! The directory store: a registry's content on a local disk, safe against crashes and power cuts.
//!
//! [`layout`] says where things lie, [`publish`] how they get there. One process writes to a root ([`lock`]);
//! within it, tags and manifests of one repository change one at a time, blobs freely. Opening costs the same
//! whether the root holds ten images or a million.

mod blobs;
mod cached;
mod collect;
mod disk;
mod evict;
mod growing;
mod history;
mod immutable;
mod index;
mod layout;
mod listing;
mod lock;
mod manifests;
mod names;
mod publish;
mod retain;
mod scrub;
mod sink;
mod space;
mod tags;
mod upload_files;
mod uploads;

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use landfall_hash::HashService;
use landfall_oci::{Algorithm, Descriptor, Digest, RawManifest, Repository, Tag, Target};

use self::collect::leases::Leases;
use self::disk::Disk;
use self::index::Indexes;
use self::layout::Layout;
use self::lock::Lock;
use self::manifests::{Put, Waived};
use self::publish::Publisher;
use self::space::Space;
use self::upload_files::Sessions;
use self::uploads::Uploads;
use crate::blocking::{OwnedPage, blocking};
use crate::{
    Allowed, Chunk, Content, Expected, HistoryEntry, Listing, Page, PutManifest, Store, StoreError,
    TagPattern, Unchecked, UploadId, UploadState,
};

#[cfg(feature = "suite")]
pub use self::collect::Guard;
pub use self::disk::{Change, Recorder};
pub use self::growing::Growing;
pub use self::publish::Durability;

/// What the marker file says. The number is the layout's version.
const MARKER: &str = "landfall directory store, layout 1\n";
/// Locks that the repositories share.
const STRIPES: usize = 64;

/// How a directory store behaves.
#[derive(Clone, Debug)]
pub struct DirectoryOptions {
    /// Whether writes are forced to the disk before they are acknowledged.
    pub durability: Durability,
    /// Bytes of the disk that uploads never get, so that deleting still works when it is full.
    pub reserve_bytes: u64,
    /// Uploads untouched for so long are removed when the store is opened.
    pub upload_expiry: Duration,
    /// What a client has just pushed, or was told is there, is not collected for so long.
    pub grace: Duration,
    /// Tags that can be made but not moved or deleted.
    pub immutable: Vec<TagPattern>,
    /// Uploads that may be open at the same time, those of senders that never came back included.
    pub max_uploads: usize,
}

impl Default for DirectoryOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            reserve_bytes: 64 * 1024 * 1024,
            upload_expiry: Duration::from_secs(7 * 24 * 3600),
            grace: Duration::from_secs(3600),
            immutable: Vec::new(),
            max_uploads: 4096,
        }
    }
}

/// A registry's content below one directory.
pub struct DirectoryStore {
    inner: Arc<Inner>,
    uploads: Uploads,
    hash: HashService,
}

/// What the blocking side works with.
struct Inner {
    layout: Layout,
    publisher: Publisher,
    space: Space,
    locks: Locks,
    leases: Leases,
    /// Held by a collection, an undo, a repair.
    upkeep: Mutex<()>,
    grace: Duration,
    immutable: RwLock<Vec<TagPattern>>,
    sessions: Sessions,
    /// Held as long as the store is open.
    _lock: Lock,
}

/// One mutex per stripe of repositories: held over fsyncs, by threads of the blocking pool only.
struct Locks([Mutex<()>; STRIPES]);

impl Locks {
    fn of(&self, repository: &Repository) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        repository.hash(&mut hasher);
        let stripe = usize::try_from(hasher.finish() % STRIPES as u64).unwrap_or_default();
        self.0[stripe].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the end of every change that is under way now: what a deletion has removed is durable then.
    fn wait_for_all(&self) {
        for stripe in &self.0 {
            drop(stripe.lock());
        }
    }
}

impl DirectoryStore {
    /// Opens the store below `root`, making it if there is nothing there.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process has it open; [`StoreError::Conflict`] when it is something else;
    /// [`StoreError::Io`] when it cannot be written.
    pub async fn open(root: &Path, hash: HashService, options: DirectoryOptions) -> Result<Self, StoreError> {
        Self::open_with(root, hash, options, None).await
    }

    /// The same, with a recorder that is told of every change of the file system.
    ///
    /// # Errors
    /// Like [`Self::open`].
    #[cfg(feature = "suite")]
    pub async fn open_recorded(
        root: &Path,
        hash: HashService,
        options: DirectoryOptions,
        recorder: Arc<dyn Recorder>,
    ) -> Result<Self, StoreError> {
        Self::open_with(root, hash, options, Some(recorder)).await
    }

    async fn open_with(
        root: &Path,
        hash: HashService,
        options: DirectoryOptions,
        recorder: Option<Arc<dyn Recorder>>,
    ) -> Result<Self, StoreError> {
        let root = root.to_owned();
        let inner = Arc::new(blocking(move || Inner::open(&root, &options, recorder)).await?);
        let uploads = Uploads::new(Arc::clone(&inner), hash.clone());
        Ok(Self { inner, uploads, hash })
    }

    /// Removes uploads that nobody has touched for so long, and says how many. Never one that a request has in its
    /// hands. Done at every opening for [`DirectoryOptions::upload_expiry`]; for a server that runs for months, also in between.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub async fn remove_stale_uploads(&self, older_than: Duration) -> Result<usize, StoreError> {
        self.uploads.remove_stale(older_than).await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || work(&inner)).await
    }
}

impl Inner {
    fn open(
        root: &Path,
        options: &DirectoryOptions,
        recorder: Option<Arc<dyn Recorder>>,
    ) -> Result<Self, StoreError> {
        make_root(root, options.durability).map_err(StoreError::io("make the folder", root))?;
        let root = root.canonicalize().map_err(StoreError::io("find", root))?;
        let layout = Layout::new(root.clone());
        check_ours(&layout)?;
        let lock = lock::acquire(&layout.lock(), &root)?;
        let indexes = Arc::new(Indexes::new(layout.repositories(), index::BUDGET));
        let disk = Disk::new(&root, options.durability, indexes, recorder);
        let publisher = Publisher::new(disk, layout.temporary());
        for folder in [layout.temporary(), layout.uploads(), layout.repositories()] {
            publisher.folder(&folder)?;
        }
        empty(&layout.temporary(), publisher.disk())?;
        if !layout.marker().exists() {
            let staged = publisher.stage(MARKER.as_bytes())?;
            publisher.link_new(staged.path(), &layout.marker())?;
        }
        publisher.sync_folder(&root)?;
        // A process that was killed left changes that it had not synced. What we find, and tell clients of, must
        // not be taken back by a power cut.
        if lock.was_killed {
            let synced = publisher.disk().sync_all();
            synced.map_err(StoreError::io("sync", &root))?;
        }
        let inner = Self {
            space: Space::new(root, options.reserve_bytes),
            layout,
            publisher,
            sessions: Sessions::new(options.max_uploads),
            locks: Locks([const { Mutex::new(()) }; STRIPES]),
            leases: Leases::default(),
            upkeep: Mutex::new(()),
            grace: options.grace,
            immutable: RwLock::new(options.immutable.clone()),
            _lock: lock,
        };
        upload_files::count(&inner)?;
        for id in upload_files::stale(&inner, options.upload_expiry)? {
            upload_files::remove(&inner, &id)?;
        }
        Ok(inner)
    }
}

/// Refuses a directory that holds something else, before anything is written into it.
fn check_ours(layout: &Layout) -> Result<(), StoreError> {
    let root = layout.root();
    let refuse = |reason: String| Err(StoreError::Conflict { reason });
    match fs::read_to_string(layout.marker()) {
        Ok(text) if text == MARKER => return Ok(()),
        Ok(text) => {
            return refuse(format!(
                "{} was made by another version of landfall (`{}`); use that version",
                root.display(),
                text.trim()
            ));
        }
        Err(error) if publish::is_absent(&error) => {}
        Err(error) => return Err(StoreError::io("read", &layout.marker())(error)),
    }
    // What a first start that was interrupted may have left, and what a fresh file system has.
    const EXPECTED: [&str; 5] = ["lock", "tmp", "uploads", "repos", "lost+found"];
    for entry in fs::read_dir(root).map_err(StoreError::io("list", root))? {
        let name = entry.map_err(StoreError::io("list", root))?.file_name();
        if !EXPECTED.iter().any(|expected| name == *expected) {
            return refuse(format!(
                "{} holds `{}` and is not a landfall store; choose an empty directory",
                root.display(),
                name.display()
            ));
        }
    }
    Ok(())
}

/// Makes the root and the folders above it; what was made must be as durable as what will be put there.
fn make_root(root: &Path, durability: Durability) -> io::Result<()> {
    let missing: Vec<&Path> = root.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(root)?;
    for folder in missing {
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        if durability == Durability::Full {
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        }
    }
    Ok(())
}

/// Removes what a crash left under temporary names.
fn empty(folder: &Path, disk: &Disk) -> Result<(), StoreError> {
    for entry in fs::read_dir(folder).map_err(StoreError::io("list", folder))? {
        let path = entry.map_err(StoreError::io("list", folder))?.path();
        disk.remove(&path).map_err(StoreError::io("remove", &path))?;
    }
    Ok(())
}

#[async_trait]
impl Store for DirectoryStore {
    fn writable(&self) -> bool {
        true
    }

    async fn stat_blob(&self, repository: &Repository, digest: &Digest) -> Result<u64, StoreError> {
        if let Some(len) = self.inner.cached_blob_len(repository, digest) {
            return Ok(len);
        }
        let (repository, digest) = (repository.clone(), *digest);
        self.with(move |inner| inner.stat_blob(&repository, &digest))
            .await
    }

    async fn open_blob(&self, repository: &Repository, digest: &Digest) -> Result<Content, StoreError> {
        if let Some(content) = self.inner.cached_blob(repository, digest) {
            return Ok(content);
        }
        let (repository, digest) = (repository.clone(), *digest);
        self.with(move |inner| inner.open_blob(&repository, &digest))
            .await
    }

    async fn find_holder(
        &self,
        digest: &Digest,
        allowed: &Allowed<'_>,
    ) -> Result<Option<Repository>, StoreError> {
        let digest = *digest;
        let mut after = None;
        loop {
            let found = self
                .with(move |inner| inner.find_holder(&digest, after.as_ref()))
                .await?;
            match found {
                Some(repository) if !allowed(&repository) => after = Some(repository),
                done => return Ok(done),
            }
        }
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.with(|inner| inner.check_in_place()).await
    }

    async fn stat_manifest(
        &self,
        repository: &Repository,
        target: &Target,
    ) -> Result<Descriptor, StoreError> {
        if let Some(found) = self.inner.cached_descriptor(repository, target) {
            return Ok(found);
        }
        let (repository, target) = (repository.clone(), target.clone());
        self.with(move |inner| inner.stat_manifest(&repository, &target))
            .await
    }

    async fn manifest(&self, repository: &Repository, target: &Target) -> Result<RawManifest, StoreError> {
        if let Some(manifest) = self.inner.cached_manifest(repository, target) {
            return Ok(manifest);
        }
        let (repository, target) = (repository.clone(), target.clone());
        self.with(move |inner| inner.manifest(&repository, &target)).await
    }

    async fn tags(&self, repository: &Repository, page: Page<'_>) -> Result<Listing<Tag>, StoreError> {
        let (repository, page) = (repository.clone(), OwnedPage::from(page));
        self.with(move |inner| inner.tags(&repository, page.borrow()))
            .await
    }

    async fn repositories(&self, page: Page<'_>) -> Result<Listing<Repository>, StoreError> {
        let page = OwnedPage::from(page);
        self.with(move |inner| inner.list_repositories(page.borrow()))
            .await
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
        self.with(move |inner| {
            inner.referrers(&repository, &subject, artifact_type.as_deref(), page.borrow())
        })
        .await
    }

    async fn tag_history(&self, repository: &Repository, tag: &Tag) -> Result<Vec<HistoryEntry>, StoreError> {
        let (repository, tag) = (repository.clone(), tag.clone());
        self.with(move |inner| inner.tag_history(&repository, &tag)).await
    }

    async fn start_upload(
        &self,
        repository: &Repository,
        hint: Option<Algorithm>,
    ) -> Result<UploadState, StoreError> {
        self.uploads.start(repository, hint).await
    }

    async fn upload(&self, repository: &Repository, id: &UploadId) -> Result<UploadState, StoreError> {
        self.uploads.state(repository, id).await
    }

    async fn append(
        &self,
        repository: &Repository,
        id: &UploadId,
        chunk: Chunk<'_>,
    ) -> Result<UploadState, StoreError> {
        self.uploads.append(repository, id, chunk).await
    }

    async fn commit(
        &self,
        repository: &Repository,
        id: &UploadId,
        digest: &Digest,
    ) -> Result<u64, StoreError> {
        self.uploads.commit(repository, id, digest).await
    }

    async fn cancel(&self, repository: &Repository, id: &UploadId) -> Result<(), StoreError> {
        self.uploads.cancel(repository, id).await
    }

    async fn mount(
        &self,
        from: &Repository,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        let (from, repository, digest) = (from.clone(), repository.clone(), *digest);
        self.with(move |inner| inner.mount(&from, &repository, &digest))
            .await
    }

    async fn put_manifest(&self, repository: &Repository, put: PutManifest<'_>) -> Result<(), StoreError> {
        let repository = repository.clone();
        let put = Put {
            manifest: put.manifest.clone(),
            tags: put.tags.to_vec(),
            waived: match put.unchecked {
                Unchecked::None => Waived::Some(Default::default()),
                Unchecked::These(digests) => Waived::Some(digests.clone()),
                Unchecked::All => Waived::All,
            },
        };
        self.with(move |inner| inner.put_manifest(&repository, &put))
            .await
    }

    async fn set_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        digest: &Digest,
        expected: Expected,
    ) -> Result<(), StoreError> {
        let (repository, tag, digest) = (repository.clone(), tag.clone(), *digest);
        self.with(move |inner| inner.set_tag(&repository, &tag, &digest, expected))
            .await
    }

    async fn delete_tag(&self, repository: &Repository, tag: &Tag) -> Result<(), StoreError> {
        let (repository, tag) = (repository.clone(), tag.clone());
        self.with(move |inner| inner.delete_tag(&repository, &tag)).await
    }

    async fn delete_manifest(&self, repository: &Repository, digest: &Digest) -> Result<(), StoreError> {
        let (repository, digest) = (repository.clone(), *digest);
        self.with(move |inner| inner.delete_manifest(&repository, &digest))
            .await
    }

    async fn delete_blob(&self, repository: &Repository, digest: &Digest) -> Result<(), StoreError> {
        let (repository, digest) = (repository.clone(), *digest);
        self.with(move |inner| inner.delete_blob(&repository, &digest))
            .await
    }
}

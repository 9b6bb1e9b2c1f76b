//! Putting right bytes in the place of wrong ones, or moving the wrong ones aside.

use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use futures_util::StreamExt as _;
use landfall_oci::{Digest, Repository, Target};

use super::super::collect::leases::{Guard, Key};
use super::super::collect::trash::Bin;
use super::super::publish::Staged;
use super::super::sink::{FileSink, Progress};
use super::super::{DirectoryStore, Inner, blocking};
use super::Wound;
use super::bytes::Identity;
use crate::{Content, Page, Store, StoreError, TrashKind};

/// Repositories of a source that are asked for at once.
const PAGE: usize = 1000;

/// Takes the bytes from the first source that has them right. What goes wrong on the way leaves the wound as it is:
/// it must be reported in any case.
pub(super) async fn heal(
    store: &DirectoryStore,
    sources: &[Arc<dyn Store>],
    digest: &Digest,
    wound: &Wound,
) -> bool {
    for source in sources {
        let content = match find(&**source, digest, wound).await {
            Ok(Some(content)) => content,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(%digest, %error, "a source of right bytes cannot be asked");
                continue;
            }
        };
        match take_over(store, content, digest).await {
            Ok(true) => return true,
            Ok(false) => tracing::warn!(%digest, "a source of right bytes has wrong ones as well"),
            Err(error) => tracing::warn!(%digest, %error, "the right bytes cannot be written"),
        }
    }
    false
}

async fn find(source: &dyn Store, digest: &Digest, wound: &Wound) -> Result<Option<Content>, StoreError> {
    if let Some(holder) = source.find_holder(digest, &|_| true).await? {
        return source.open_blob(&holder, digest).await.map(Some);
    }
    if wound.manifest_of.is_empty() {
        return Ok(None);
    }
    for repository in &wound.manifest_of {
        if let Some(content) = manifest(source, repository, digest).await? {
            return Ok(Some(content));
        }
    }
    let mut after: Option<String> = None;
    loop {
        let page = Page {
            after: after.as_deref(),
            limit: PAGE,
        };
        let listing = source.repositories(page).await?;
        for repository in &listing.items {
            if let Some(content) = manifest(source, repository, digest).await? {
                return Ok(Some(content));
            }
        }
        after = listing.items.last().map(Repository::to_string);
        if !listing.more {
            return Ok(None);
        }
    }
}

async fn manifest(
    source: &dyn Store,
    repository: &Repository,
    digest: &Digest,
) -> Result<Option<Content>, StoreError> {
    match source.manifest(repository, &Target::Digest(*digest)).await {
        Ok(manifest) => Ok(Some(Content::Bytes(manifest.bytes))),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes under a temporary name, hashes, and only then replaces.
async fn take_over(store: &DirectoryStore, content: Content, digest: &Digest) -> Result<bool, StoreError> {
    let inner = Arc::clone(&store.inner);
    let _claim = inner.space.claim(content.len())?;
    let (staged, file) = store
        .with(|inner| {
            let staged = inner.publisher.temporary_name();
            let file = inner.publisher.disk().create(staged.path());
            let file = file.map_err(StoreError::io("create", staged.path()))?;
            Ok((staged, file))
        })
        .await?;
    let progress = Arc::new(Progress::default());
    let sink = FileSink::new(file.clone(), 0..0, progress.begin(0));
    let mut hash = store.hash.stream_into(digest.algorithm(), Box::new(sink));
    let mut bytes = content.into_stream();
    while let Some(piece) = bytes.next().await {
        let Ok(piece) = piece else {
            return Ok(false);
        };
        hash.update(piece).await.map_err(|_| StoreError::Stopped)?;
    }
    let len = hash.len();
    progress
        .reached(len)
        .await
        .map_err(StoreError::io("write", staged.path()))?;
    if hash.finish().await.map_err(|_| StoreError::Stopped)? != *digest {
        return Ok(false);
    }
    let digest = *digest;
    let synced = move |inner: &Inner| {
        file.sync().map_err(StoreError::io("write", staged.path()))?;
        publish(inner, &staged, &digest)
    };
    store.with(synced).await?;
    Ok(true)
}

fn publish(inner: &Inner, staged: &Staged, digest: &Digest) -> Result<(), StoreError> {
    let _lease = inner.leases.take(Guard::Repair, Key::bytes(digest));
    let target = inner.layout.blob(digest);
    inner.publisher.replace(staged, &target)?;
    inner.sync_parent(&target)
}

/// Moves wrong bytes aside; says whether they were still the ones that were read. Who pushes them meanwhile waits
/// and then publishes its own.
pub(super) async fn quarantine(
    store: &DirectoryStore,
    digest: Digest,
    identity: Identity,
    bin: &mut Option<Bin>,
) -> Result<bool, StoreError> {
    let inner = Arc::clone(&store.inner);
    let taken = bin.take();
    let (moved, used) = blocking(move || {
        // A collection that is under way is waited for: its end is near, and the finding must be reported.
        let _upkeep = inner.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bin = match taken {
            Some(bin) => bin,
            None => Bin::create(&inner, TrashKind::Quarantine, SystemTime::now())?,
        };
        let _condemned = inner.leases.seize(Key::bytes(&digest));
        let path = inner.layout.blob(&digest);
        let moved = Identity::of(&path)? == Some(identity) && bin.take(&inner, &path)?;
        bin.sync(&inner)?;
        Ok((moved, bin))
    })
    .await?;
    *bin = Some(used);
    Ok(moved)
}

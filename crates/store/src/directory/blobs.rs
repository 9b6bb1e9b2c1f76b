//! Bytes, and which repository holds them. All of this blocks: it runs on the blocking pool.

use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use landfall_oci::{Digest, Repository};

use super::Inner;
use super::collect::leases::{Guard, Key};
use super::listing::walk;
use super::publish::if_present;
use crate::{Content, Extent, StoreError};

impl Inner {
    /// Whether the repository holds the blob, and its length. A membership whose bytes are gone (a damaged disk)
    /// counts as not held: then the next push heals it.
    pub(super) fn blob_len(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<u64>, StoreError> {
        if !self.is_member(repository, digest)? {
            return Ok(None);
        }
        let path = self.layout.blob(digest);
        let length = if_present(fs::metadata(&path), "look at", &path)?.map(|data| data.len());
        if length.is_none() {
            tracing::warn!(%repository, %digest, "a blob that the repository holds has no bytes");
        }
        Ok(length)
    }

    /// [`Self::blob_len`] as an answer to somebody who may rely on it: a push leaves out what it was told is there.
    pub(super) fn stat_blob(&self, repository: &Repository, digest: &Digest) -> Result<u64, StoreError> {
        let lease = self.leases.take(Guard::Stat, Key::member(repository, digest));
        match self.blob_len(repository, digest)? {
            Some(len) => {
                self.renew(&self.layout.member(repository, digest));
                Ok(len)
            }
            None => {
                lease.unused();
                Err(StoreError::blob(digest))
            }
        }
    }

    pub(super) fn is_member(&self, repository: &Repository, digest: &Digest) -> Result<bool, StoreError> {
        let path = self.layout.member(repository, digest);
        if_present(fs::symlink_metadata(&path), "look at", &path).map(|found| found.is_some())
    }

    pub(super) fn open_blob(&self, repository: &Repository, digest: &Digest) -> Result<Content, StoreError> {
        if !self.is_member(repository, digest)? {
            return Err(StoreError::blob(digest));
        }
        let path = self.layout.blob(digest);
        let Some(file) = if_present(File::open(&path), "open", &path)? else {
            tracing::warn!(%repository, %digest, "a blob that the repository holds has no bytes");
            return Err(StoreError::blob(digest));
        };
        content(file, &path).map_err(StoreError::io("look at", &path))
    }

    pub(super) fn find_holder(
        &self,
        digest: &Digest,
        after: Option<&Repository>,
    ) -> Result<Option<Repository>, StoreError> {
        let path = self.layout.blob(digest);
        if if_present(fs::metadata(&path), "look at", &path)?.is_none() {
            return Ok(None);
        }
        let mut found = None;
        let _ = walk(
            &self.layout.repositories(),
            after.map(Repository::as_str),
            &mut |repository| {
                if self.is_member(&repository, digest)? {
                    found = Some(repository);
                    return Ok(ControlFlow::Break(()));
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        Ok(found)
    }

    /// Makes a file of checked, synced bytes the blob of this digest. Durable. Bytes that are there already stay,
    /// unless their length shows that they are damaged: then the checked ones take their place.
    pub(super) fn publish_bytes(&self, source: &Path, digest: &Digest, size: u64) -> Result<(), StoreError> {
        let target = self.layout.blob(digest);
        if !self.publisher.link_new(source, &target)? {
            let there = fs::metadata(&target).map_err(StoreError::io("look at", &target))?;
            if there.len() != size {
                tracing::warn!(%digest, path = %target.display(), "replacing a damaged blob");
                let staged = self.publisher.stage_link(source)?;
                self.publisher.replace(&staged, &target)?;
            }
        }
        self.sync_parent(&target)
    }

    /// Records that the repository holds the blob. Durable. The caller holds a lease on the bytes.
    pub(super) fn add_member(&self, repository: &Repository, digest: &Digest) -> Result<(), StoreError> {
        let _lease = self
            .leases
            .take(Guard::Membership, Key::member(repository, digest));
        let path = self.layout.member(repository, digest);
        if !self.publisher.mark(&path)? {
            self.renew(&path);
        }
        self.sync_parent(&path)
    }

    pub(super) fn mount(
        &self,
        from: &Repository,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        // First the lease, then the look: bytes that are just being removed are waited for, and then not there.
        let _lease = self.leases.take(Guard::Mount, Key::bytes(digest));
        match self.blob_len(from, digest)? {
            Some(_) => self.add_member(repository, digest),
            None => Err(StoreError::blob(digest)),
        }
    }

    pub(super) fn delete_blob(&self, repository: &Repository, digest: &Digest) -> Result<(), StoreError> {
        // Not while a manifest that names the blob is being put.
        let _guard = self.locks.of(repository);
        match self.publisher.remove(&self.layout.member(repository, digest))? {
            true => Ok(()),
            false => Err(StoreError::blob(digest)),
        }
    }

    /// Whether bytes of this digest and length are there already, for any repository.
    pub(super) fn has_bytes(&self, digest: &Digest, size: u64) -> bool {
        fs::metadata(self.layout.blob(digest)).is_ok_and(|data| data.len() == size)
    }

    pub(super) fn sync_parent(&self, path: &Path) -> Result<(), StoreError> {
        match path.parent() {
            Some(folder) => self.publisher.sync_folder(folder),
            None => Ok(()),
        }
    }
}

/// All of an open blob.
pub(super) fn content(file: File, path: &Path) -> io::Result<Content> {
    let len = file.metadata()?.len();
    Ok(Content::Extent(Extent {
        file: Arc::new(file),
        path: path.into(),
        offset: 0,
        len,
    }))
}

/// Reads a small file whole; `None` where there is none.
pub(super) fn read_if_present(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    if_present(fs::read(path) as io::Result<_>, "read", path)
}

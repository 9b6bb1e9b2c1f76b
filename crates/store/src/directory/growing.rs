//! Uploads that others read while they grow: a blob that is fetched from elsewhere on somebody's behalf.
//!
//! Such an upload is found by what it is to become, so that a fetch goes on where an earlier run was stopped. What is
//! written of it is never changed again, and who has the file open can read it whatever becomes of its name.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use landfall_oci::{Digest, Repository};

use super::DirectoryStore;
use super::sink::Progress;
use crate::{Extent, StoreError, UploadId, UploadState};

/// An upload's file, as far as it is written.
#[derive(Clone)]
pub struct Growing {
    file: Arc<File>,
    path: Arc<Path>,
    progress: Arc<Progress>,
}

impl Growing {
    pub(super) fn new(file: Arc<File>, path: Arc<Path>, progress: Arc<Progress>) -> Self {
        Self { file, path, progress }
    }

    /// The file as if it had `len` bytes already. What lies behind [`Self::beyond`] must not be read.
    #[must_use]
    pub fn extent(&self, len: u64) -> Extent {
        Extent {
            file: Arc::clone(&self.file),
            path: Arc::clone(&self.path),
            offset: 0,
            len,
        }
    }

    /// Waits until more than so many bytes are written, and says how many. For ever, if the upload ends before.
    pub async fn beyond(&self, bytes: u64) -> u64 {
        self.progress.beyond(bytes).await
    }
}

impl std::fmt::Debug for Growing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Growing")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl DirectoryStore {
    /// The upload under which a repository fetches a blob from elsewhere: one for each, begun where there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn fetch(&self, repository: &Repository, digest: &Digest) -> Result<UploadState, StoreError> {
        let id = UploadId::of(repository, digest);
        self.uploads.go_on(repository, id, digest.algorithm()).await
    }

    /// Lets others read an upload while it grows.
    ///
    /// # Errors
    /// [`StoreError::UploadUnknown`].
    pub async fn growing(&self, repository: &Repository, id: &UploadId) -> Result<Growing, StoreError> {
        self.uploads.growing(repository, id).await
    }

    /// The digest of what an upload holds, by the algorithm that it was begun with; it goes on as before. Costs next
    /// to nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn digest_so_far(&self, repository: &Repository, id: &UploadId) -> Result<Digest, StoreError> {
        self.uploads.digest_so_far(repository, id).await
    }
}

//! An upload on the disk: its bytes, and beside them a record of whose they are and how far they were hashed.
//!
//! Neither is synced before the upload ends. Within one epoch (boot, mount, inode) what was written is there all the
//! same, and the record is believed. In another one the bytes count only as far as they have the hash that was
//! kept. All of this blocks: it runs on the blocking pool.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use landfall_hash::HashState;
use landfall_oci::{Algorithm, Digest, Repository};
use serde::{Deserialize, Serialize};

use super::Inner;
use super::collect::leases::{Guard, Key};
use super::disk::DiskFile;
use super::manifests::read_record;
use super::publish::if_present;
use crate::epoch::{boot_id, epoch_within};
use crate::{StoreError, UploadId};

/// What must outlive a restart, beside the bytes. Algorithm and hash state by their text.
#[derive(Serialize, Deserialize)]
struct Record {
    repository: Repository,
    algorithm: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epoch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
}

/// An upload that was found on the disk.
pub(super) struct Found {
    pub(super) repository: Repository,
    pub(super) algorithm: Algorithm,
    pub(super) file: DiskFile,
    /// Bytes in the file.
    pub(super) len: u64,
    /// The hash of the first of them, where it was kept.
    pub(super) state: Option<HashState>,
    /// Whether all of that is surely as it was written.
    pub(super) is_sure: bool,
}

/// How many uploads there are on the disk, and may be.
pub(super) struct Sessions {
    open: AtomicUsize,
    max: usize,
    /// Which boot of the system this is: no process sees another.
    boot: Option<String>,
}

impl Sessions {
    pub(super) fn new(max: usize) -> Self {
        Self {
            open: AtomicUsize::new(0),
            max,
            boot: boot_id(),
        }
    }

    fn epoch(&self, file: &DiskFile) -> Option<String> {
        epoch_within(self.boot.as_deref()?, file.file())
    }

    fn begin(&self) -> Result<(), StoreError> {
        let more = |open: usize| (open < self.max).then_some(open + 1);
        match self.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(()),
            Err(_) => Err(StoreError::TooManyUploads { limit: self.max }),
        }
    }

    fn end(&self) {
        // Somebody may have put files there, or taken them, behind our back.
        let less = |open: usize| Some(open.saturating_sub(1));
        let _ = self.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }
}

/// Counts the uploads that an earlier run has left.
pub(super) fn count(inner: &Inner) -> Result<(), StoreError> {
    let folder = inner.layout.uploads();
    let entries = fs::read_dir(&folder).map_err(StoreError::io("list", &folder))?;
    let names = entries.flatten().map(|entry| entry.file_name());
    let uploads = names.filter(|name| name.to_str().is_some_and(|name| name.parse::<UploadId>().is_ok()));
    inner.sessions.open.store(uploads.count(), Ordering::Release);
    Ok(())
}

pub(super) fn create(
    inner: &Inner,
    repository: &Repository,
    algorithm: Algorithm,
    id: Option<UploadId>,
) -> Result<(UploadId, DiskFile), StoreError> {
    let folder = inner.layout.uploads();
    let id = match id {
        Some(id) => id,
        None => UploadId::random().map_err(StoreError::io("name an upload in", &folder))?,
    };
    let path = inner.layout.upload_data(&id);
    inner.sessions.begin()?;
    let file = inner.publisher.disk().create(&path).map_err(|error| {
        inner.sessions.end();
        StoreError::io("create", &path)(error)
    })?;
    let record = encode(inner, &id, &file, repository, &HashState::new(algorithm));
    let written = record.and_then(|record| {
        // At its place at once: cut off by a crash it is no record, and nobody has heard of the upload.
        let path = inner.layout.upload_record(&id);
        let made = inner.publisher.disk().create(&path);
        made.and_then(|made| made.write_at(&record, 0))
            .map_err(StoreError::io("write", &path))
    });
    written.inspect_err(|_| drop(remove(inner, &id)))?;
    Ok((id, file))
}

/// Writes down how far the bytes are hashed: they must be in the file.
pub(super) fn write_record(
    inner: &Inner,
    id: &UploadId,
    file: &DiskFile,
    repository: &Repository,
    state: &HashState,
) -> Result<(), StoreError> {
    let draft = inner
        .publisher
        .draft(&encode(inner, id, file, repository, state)?)?;
    inner.publisher.replace(&draft, &inner.layout.upload_record(id))
}

fn encode(
    inner: &Inner,
    id: &UploadId,
    file: &DiskFile,
    repository: &Repository,
    state: &HashState,
) -> Result<Vec<u8>, StoreError> {
    let record = Record {
        repository: repository.clone(),
        algorithm: state.algorithm().to_string(),
        epoch: inner.sessions.epoch(file),
        state: Some(state.to_string()),
    };
    let path = || inner.layout.upload_record(id);
    serde_json::to_vec(&record).map_err(|error| StoreError::io("write", &path())(error.into()))
}

pub(super) fn open(inner: &Inner, id: &UploadId) -> Result<Option<Found>, StoreError> {
    // A record that was cut off by a crash is as good as none: the sender begins again.
    let Ok(Some(record)) = read_record::<Record>(&inner.layout.upload_record(id)) else {
        return Ok(None);
    };
    let Ok(algorithm) = record.algorithm.parse() else {
        return Ok(None);
    };
    let path = inner.layout.upload_data(id);
    let Some(file) = if_present(inner.publisher.disk().open(&path), "open", &path)? else {
        return Ok(None);
    };
    let data = file.file().metadata().map_err(StoreError::io("look at", &path))?;
    if data.nlink() > 1 {
        // A crash came between publishing and cleaning up: this is a blob now, which nobody may write to.
        remove(inner, id)?;
        return Ok(None);
    }
    let state = record.state.and_then(|text| text.parse::<HashState>().ok());
    Ok(Some(Found {
        repository: record.repository,
        algorithm,
        len: data.len(),
        state: state.filter(|state| state.algorithm() == algorithm && state.len() <= data.len()),
        is_sure: record.epoch.is_some() && record.epoch == inner.sessions.epoch(&file),
        file,
    }))
}

/// Bytes to the disk, then their name, then the membership.
pub(super) fn publish(
    inner: &Inner,
    repository: &Repository,
    id: &UploadId,
    file: &DiskFile,
    digest: &Digest,
    size: u64,
) -> Result<(), StoreError> {
    let path = inner.layout.upload_data(id);
    // Until the repository holds them, nobody else may: the collector must not take the bytes for rubbish.
    let _lease = inner.leases.take(Guard::Upload, Key::bytes(digest));
    if inner.has_bytes(digest, size) {
        inner.sync_parent(&inner.layout.blob(digest))?;
        return inner.add_member(repository, digest);
    }
    let written = || {
        file.set_len(size)?;
        file.sync()
    };
    written().map_err(StoreError::io("write", &path))?;
    inner.publish_bytes(&path, digest, size)?;
    inner.add_member(repository, digest)
}

/// Removes an upload; says whether there was one.
pub(super) fn remove(inner: &Inner, id: &UploadId) -> Result<bool, StoreError> {
    let disk = inner.publisher.disk();
    let gone = |path: &Path| if_present(disk.remove(path), "remove", path).map(|gone| gone.is_some());
    let record = gone(&inner.layout.upload_record(id))?;
    let data = gone(&inner.layout.upload_data(id))?;
    if data {
        inner.sessions.end();
    }
    Ok(record || data)
}

/// Uploads that nobody has touched for so long.
pub(super) fn stale(inner: &Inner, older_than: Duration) -> Result<Vec<UploadId>, StoreError> {
    let folder = inner.layout.uploads();
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(StoreError::io("list", &folder))? {
        let name = entry.map_err(StoreError::io("list", &folder))?.file_name();
        let id = name.to_str().map(|name| name.trim_end_matches(".json").parse());
        if let Some(Ok(id)) = id
            && !found.contains(&id)
            && is_stale(inner, &id, older_than)
        {
            found.push(id);
        }
    }
    Ok(found)
}

/// The record and the bytes must both be old. What cannot be looked at is not removed.
pub(super) fn is_stale(inner: &Inner, id: &UploadId, older_than: Duration) -> bool {
    let age = |path: &Path| match fs::metadata(path).and_then(|data| data.modified()) {
        Ok(time) => Some(SystemTime::now().duration_since(time).unwrap_or_default()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Duration::MAX),
        Err(_) => None,
    };
    [inner.layout.upload_data(id), inner.layout.upload_record(id)]
        .iter()
        .all(|path| age(path).is_some_and(|age| age > older_than))
}

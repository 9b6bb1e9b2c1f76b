//! Upload sessions: bytes go through the hash threads straight into the file that will become the blob.
//!
//! The hash state lives in memory between requests. After a restart, or when it was pushed out by newer
//! sessions, the offset is the length of the file and the state is made again from its bytes.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::StreamExt as _;
use landfall_hash::{HashError, HashService, HashStream};
use landfall_oci::{Algorithm, Digest, Repository};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedMutexGuard;

use super::disk::DiskFile;
use super::manifests::read_record;
use super::publish::if_present;
use super::sink::{FileSink, Progress};
use super::space::Claim;
use super::{Inner, blocking};
use crate::{ByteStream, Chunk, Extent, StoreError, UploadId, UploadState};

/// Sessions whose hash state is kept; each costs a file descriptor and a few hundred bytes.
const MAX_LIVE: usize = 256;
/// How long a request waits for another one on the same upload (a connection that broke and was not noticed yet).
const PATIENCE: Duration = Duration::from_secs(10);

/// What must outlive a restart, beside the bytes.
#[derive(Serialize, Deserialize)]
struct Record {
    repository: Repository,
    algorithm: Algorithm2,
}

/// The algorithm by its name.
#[derive(Clone, Copy)]
struct Algorithm2(Algorithm);

impl Serialize for Algorithm2 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for Algorithm2 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// All sessions of a store.
pub(super) struct Uploads {
    inner: Arc<Inner>,
    hash: HashService,
    live: Mutex<HashMap<UploadId, Arc<Slot>>>,
}

struct Slot {
    repository: Repository,
    algorithm: Algorithm,
    session: Arc<tokio::sync::Mutex<Session>>,
}

struct Session {
    id: UploadId,
    file: DiskFile,
    /// Bytes known to be in the file, when there is no stream.
    offset: u64,
    stream: Option<(HashStream, Arc<Progress>)>,
    ended: bool,
}

impl Uploads {
    pub(super) fn new(inner: Arc<Inner>, hash: HashService) -> Self {
        Self {
            inner,
            hash,
            live: Mutex::default(),
        }
    }

    pub(super) async fn start(
        &self,
        repository: &Repository,
        hint: Option<Algorithm>,
    ) -> Result<UploadState, StoreError> {
        self.make_room().await;
        let algorithm = hint.unwrap_or(Algorithm::Sha256);
        let record = Record {
            repository: repository.clone(),
            algorithm: Algorithm2(algorithm),
        };
        let inner = Arc::clone(&self.inner);
        let (id, file) = blocking(move || create(&inner, &record)).await?;
        self.adopt(id, repository, algorithm, file, 0);
        Ok(UploadState { id, offset: 0 })
    }

    pub(super) async fn state(
        &self,
        repository: &Repository,
        id: &UploadId,
    ) -> Result<UploadState, StoreError> {
        let (_, session) = self.session(repository, id).await?;
        Ok(session.state())
    }

    pub(super) async fn append(
        &self,
        repository: &Repository,
        id: &UploadId,
        chunk: Chunk<'_>,
    ) -> Result<UploadState, StoreError> {
        let (slot, mut session) = self.session(repository, id).await?;
        if chunk.at.is_some_and(|at| at != session.offset) {
            return Err(StoreError::RangeMismatch { have: session.offset });
        }
        let mut claim = self.inner.space.claim(chunk.len.unwrap_or_default())?;
        let stream = match session.stream.take() {
            Some(stream) => stream,
            None => self.rebuild(&session, slot.algorithm).await?,
        };
        session.stream = Some(stream);
        let received = session.receive(chunk.body, &mut claim).await;
        let settled = session.settle().await;
        received
            .and(settled)
            .map_err(|error| self.inner.space.explain(error, chunk.len.unwrap_or_default()))?;
        Ok(session.state())
    }

    pub(super) async fn commit(
        &self,
        repository: &Repository,
        id: &UploadId,
        digest: &Digest,
    ) -> Result<u64, StoreError> {
        let (slot, mut session) = self.session(repository, id).await?;
        let actual = self
            .hash_of(&mut session, slot.algorithm, digest.algorithm())
            .await?;
        if actual != *digest {
            self.end(&mut session).await?;
            return Err(StoreError::DigestMismatch {
                expected: *digest,
                actual: Box::new(actual),
            });
        }
        let (inner, file, size) = (Arc::clone(&self.inner), session.file.clone(), session.offset);
        let (repository, id, digest) = (repository.clone(), *id, *digest);
        let published = blocking(move || publish(&inner, &repository, &id, &file, &digest, size)).await;
        // Also after a failure: the file may be a blob already, which nobody may write to any more, and after a
        // failed fsync nobody knows what it holds.
        let ended = self.end(&mut session).await;
        published.and(ended)?;
        Ok(size)
    }

    pub(super) async fn cancel(&self, repository: &Repository, id: &UploadId) -> Result<(), StoreError> {
        let (_, mut session) = self.session(repository, id).await?;
        self.end(&mut session).await
    }

    /// The session, ours alone, with every byte that was accepted in the file.
    async fn session(
        &self,
        repository: &Repository,
        id: &UploadId,
    ) -> Result<(Arc<Slot>, OwnedMutexGuard<Session>), StoreError> {
        let unknown = StoreError::UploadUnknown { id: *id };
        let known = self.live().get(id).cloned();
        let slot = match known {
            Some(slot) => slot,
            None => self.reopen(id).await?,
        };
        // An upload belongs to its repository: its name is no key to another one.
        if slot.repository != *repository {
            return Err(unknown);
        }
        let waiting = Arc::clone(&slot.session).lock_owned();
        let Ok(mut session) = tokio::time::timeout(PATIENCE, waiting).await else {
            return Err(StoreError::Conflict {
                reason: format!("the upload {id} is in use by another request"),
            });
        };
        if session.ended {
            return Err(unknown);
        }
        session.settle().await?;
        Ok((slot, session))
    }

    async fn reopen(&self, id: &UploadId) -> Result<Arc<Slot>, StoreError> {
        self.make_room().await;
        let (inner, id) = (Arc::clone(&self.inner), *id);
        let found = blocking(move || open(&inner, &id)).await?;
        let (record, file, offset) = found.ok_or(StoreError::UploadUnknown { id })?;
        Ok(self.adopt(id, &record.repository, record.algorithm.0, file, offset))
    }

    /// Keeps a session in memory; the one that is there already wins.
    fn adopt(
        &self,
        id: UploadId,
        repository: &Repository,
        algorithm: Algorithm,
        file: DiskFile,
        offset: u64,
    ) -> Arc<Slot> {
        let slot = || {
            Arc::new(Slot {
                repository: repository.clone(),
                algorithm,
                session: Arc::new(tokio::sync::Mutex::new(Session {
                    id,
                    file: file.clone(),
                    offset,
                    stream: None,
                    ended: false,
                })),
            })
        };
        Arc::clone(self.live().entry(id).or_insert_with(slot))
    }

    fn live(&self) -> MutexGuard<'_, HashMap<UploadId, Arc<Slot>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts idle sessions back on the disk when too many are held.
    async fn make_room(&self) {
        let idle: Vec<(UploadId, Arc<Slot>)> = {
            let live = self.live();
            let excess = (live.len() + 1).saturating_sub(MAX_LIVE);
            live.iter()
                .filter(|(_, slot)| Arc::strong_count(slot) == 1)
                .take(excess)
                .map(|(id, slot)| (*id, Arc::clone(slot)))
                .collect()
        };
        for (id, slot) in idle {
            let Ok(mut session) = Arc::clone(&slot.session).try_lock_owned() else {
                continue;
            };
            // What was accepted must be in the file before the state is forgotten.
            let _ = session.settle().await;
            let mut live = self.live();
            // Ours and the map's: whoever holds another one is about to use it.
            if Arc::strong_count(&slot) == 2 {
                live.remove(&id);
            }
        }
    }

    /// A hash stream that has seen what is in the file, and writes what comes behind it.
    async fn rebuild(
        &self,
        session: &Session,
        algorithm: Algorithm,
    ) -> Result<(HashStream, Arc<Progress>), StoreError> {
        let progress = Arc::new(Progress::default());
        let sink = FileSink::new(session.file.clone(), session.offset, Arc::clone(&progress));
        let mut stream = self.hash.stream_into(algorithm, Box::new(sink));
        self.feed_prefix(session, &mut stream).await?;
        Ok((stream, progress))
    }

    async fn feed_prefix(&self, session: &Session, stream: &mut HashStream) -> Result<(), StoreError> {
        let path = self.inner.layout.upload_data(&session.id);
        let extent = Extent {
            file: Arc::clone(session.file.file()),
            path: path.clone().into(),
            offset: 0,
            len: session.offset,
        };
        let mut prefix = Box::pin(extent.stream(0..session.offset));
        while let Some(piece) = prefix.next().await {
            let piece = piece.map_err(StoreError::io("read", &path))?;
            stream.update(piece).await.map_err(hash_error)?;
        }
        Ok(())
    }

    /// The digest of all bytes, by the algorithm that the sender uses: known already, or read again from the disk.
    async fn hash_of(
        &self,
        session: &mut Session,
        running: Algorithm,
        wanted: Algorithm,
    ) -> Result<Digest, StoreError> {
        let mut again = match session.stream.take() {
            Some((stream, _)) if running == wanted => return stream.finish().await.map_err(hash_error),
            _ => self.hash.stream(wanted),
        };
        self.feed_prefix(session, &mut again).await?;
        again.finish().await.map_err(hash_error)
    }

    /// Removes the session; its name is unknown from now on.
    async fn end(&self, session: &mut Session) -> Result<(), StoreError> {
        session.ended = true;
        session.stream = None;
        self.live().remove(&session.id);
        let (inner, id) = (Arc::clone(&self.inner), session.id);
        blocking(move || remove(&inner, &id)).await
    }
}

impl Session {
    fn state(&self) -> UploadState {
        UploadState {
            id: self.id,
            offset: self.offset,
        }
    }

    /// Hands the bytes to the hash threads, which write them.
    async fn receive(&mut self, mut body: ByteStream<'_>, claim: &mut Claim) -> Result<(), StoreError> {
        let Some((stream, _)) = &mut self.stream else {
            return Err(StoreError::Stopped);
        };
        while let Some(piece) = body.next().await {
            let piece: Bytes = piece.map_err(|source| StoreError::Interrupted { source })?;
            if piece.is_empty() {
                continue;
            }
            claim.spend(piece.len() as u64)?;
            stream.update(piece).await.map_err(hash_error)?;
        }
        Ok(())
    }

    /// Waits until every accepted byte is in the file. A write that failed ends the stream: what was written
    /// before it is kept, and the sender may go on from there.
    async fn settle(&mut self) -> Result<(), StoreError> {
        let Some((stream, progress)) = &self.stream else {
            return Ok(());
        };
        match progress.reached(stream.len()).await {
            Ok(()) => {
                self.offset = stream.len();
                Ok(())
            }
            Err(error) => {
                let good = progress.written();
                self.stream = None;
                self.offset = good;
                let file = self.file.clone();
                // Best effort: the offset is what counts, and whatever lies behind it is written over.
                let _ = blocking(move || Ok(file.set_len(good))).await;
                Err(hash_error(HashError::Sink(error)))
            }
        }
    }
}

fn hash_error(error: HashError) -> StoreError {
    match error {
        HashError::Sink(source) => StoreError::io("write", std::path::Path::new("an upload"))(source),
        _ => StoreError::Stopped,
    }
}

fn create(inner: &Inner, record: &Record) -> Result<(UploadId, DiskFile), StoreError> {
    let folder = inner.layout.uploads();
    let id = UploadId::random().map_err(StoreError::io("name an upload in", &folder))?;
    let path = inner.layout.upload_data(&id);
    let disk = inner.publisher.disk();
    let file = disk.create(&path).map_err(StoreError::io("create", &path))?;
    let path = inner.layout.upload_record(&id);
    let bytes = serde_json::to_vec(record).unwrap_or_default();
    let written = disk.create(&path).and_then(|file| file.write_at(&bytes, 0));
    written.map_err(StoreError::io("write", &path))?;
    Ok((id, file))
}

fn open(inner: &Inner, id: &UploadId) -> Result<Option<(Record, DiskFile, u64)>, StoreError> {
    // A record that was cut off by a crash is as good as none: the session was never acknowledged for long.
    let Ok(Some(record)) = read_record(&inner.layout.upload_record(id)) else {
        return Ok(None);
    };
    let path = inner.layout.upload_data(id);
    let file = inner.publisher.disk().open(&path);
    let Some(file) = if_present(file, "open", &path)? else {
        return Ok(None);
    };
    let data = file.file().metadata().map_err(StoreError::io("look at", &path))?;
    if data.nlink() > 1 {
        // A crash came between publishing and cleaning up: this is a blob now, which nobody may write to.
        remove(inner, id)?;
        return Ok(None);
    }
    Ok(Some((record, file, data.len())))
}

/// Bytes to the disk, then their name, then the membership.
fn publish(
    inner: &Inner,
    repository: &Repository,
    id: &UploadId,
    file: &DiskFile,
    digest: &Digest,
    size: u64,
) -> Result<(), StoreError> {
    let path = inner.layout.upload_data(id);
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

fn remove(inner: &Inner, id: &UploadId) -> Result<(), StoreError> {
    for path in [inner.layout.upload_record(id), inner.layout.upload_data(id)] {
        if_present(inner.publisher.disk().remove(&path), "remove", &path)?;
    }
    Ok(())
}

/// Removes sessions that nobody has touched for so long. Looks at uploads only, never at images.
pub(super) fn remove_stale(inner: &Inner, older_than: Duration) -> Result<usize, StoreError> {
    let folder = inner.layout.uploads();
    let mut removed = 0;
    for entry in fs::read_dir(&folder).map_err(StoreError::io("list", &folder))? {
        let entry = entry.map_err(StoreError::io("list", &folder))?;
        let touched = entry.metadata().and_then(|data| data.modified());
        let age = touched.map(|time| SystemTime::now().duration_since(time).unwrap_or_default());
        let name = entry.file_name();
        let id = name.to_str().map(|name| name.trim_end_matches(".json").parse());
        if let (Ok(age), Some(Ok(id))) = (age, id)
            && age > older_than
            && !is_younger(inner, &id, older_than)
        {
            remove(inner, &id)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The record is written once, the bytes are touched with every chunk: both must be old.
fn is_younger(inner: &Inner, id: &UploadId, age: Duration) -> bool {
    fs::metadata(inner.layout.upload_data(id))
        .and_then(|data| data.modified())
        .is_ok_and(|time| SystemTime::now().duration_since(time).unwrap_or_default() <= age)
}

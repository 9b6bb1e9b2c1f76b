//! Upload sessions: bytes go through the hash threads straight into the file that will become the blob.
//!
//! The hash state lives in memory between requests, and is written down beside the bytes after each of them: after a
//! restart, or when a session was pushed out by newer ones, only what came behind it is hashed again. One request
//! at a time has a session; it is taken from the disk, and ended, by whoever has it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use landfall_hash::{HashError, HashService, HashState, HashStream};
use landfall_oci::{Algorithm, Digest, Repository};
use tokio::sync::{OwnedMappedMutexGuard, OwnedMutexGuard};

use super::Inner;
use super::disk::DiskFile;
use super::growing::Growing;
use super::sink::{FileSink, Nowhere, Progress, hash_error};
use super::space::Claim;
use super::upload_files::{self, Found};
use crate::blocking::blocking;
use crate::{ByteStream, Chunk, Extent, StoreError, UploadId, UploadState};

/// Sessions whose hash state is kept in memory; each costs a file descriptor and a few hundred bytes.
const MAX_LIVE: usize = 256;
/// How long a request waits for another one on the same upload (a connection that broke and was not noticed yet).
const PATIENCE: Duration = Duration::from_secs(10);
/// When there are too many uploads, those go that nobody has touched for so long.
const IDLE: Duration = Duration::from_secs(3600);

/// All sessions of a store.
pub(super) struct Uploads {
    inner: Arc<Inner>,
    hash: HashService,
    live: Mutex<HashMap<UploadId, Slot>>,
}

/// A session, where it is in memory. Who has the lock may take it from the disk.
type Slot = Arc<tokio::sync::Mutex<Option<Session>>>;

/// A session in the hands of one request.
type Held = OwnedMappedMutexGuard<Option<Session>, Session>;

struct Session {
    id: UploadId,
    repository: Repository,
    algorithm: Algorithm,
    file: DiskFile,
    /// Bytes known to be in the file, when there is no stream.
    offset: u64,
    /// The hash of the first of them.
    kept: HashState,
    stream: Option<HashStream>,
    /// How far the stream's writing has come.
    progress: Arc<Progress>,
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
        self.create(repository, hint.unwrap_or(Algorithm::Sha256), None)
            .await
    }

    /// The upload of this name, begun where there is none.
    pub(super) async fn go_on(
        &self,
        repository: &Repository,
        id: UploadId,
        algorithm: Algorithm,
    ) -> Result<UploadState, StoreError> {
        match self.state(repository, &id).await {
            Err(StoreError::UploadUnknown { .. }) => {}
            found => return found,
        }
        // What a crash has left of it is no upload, and in the way.
        let inner = Arc::clone(&self.inner);
        blocking(move || upload_files::remove(&inner, &id)).await?;
        self.create(repository, algorithm, Some(id)).await
    }

    async fn create(
        &self,
        repository: &Repository,
        algorithm: Algorithm,
        id: Option<UploadId>,
    ) -> Result<UploadState, StoreError> {
        self.make_room().await;
        let create = || {
            let (inner, repository) = (Arc::clone(&self.inner), repository.clone());
            blocking(move || upload_files::create(&inner, &repository, algorithm, id))
        };
        let created = match create().await {
            Err(StoreError::TooManyUploads { .. }) if self.remove_stale(IDLE).await? > 0 => create().await,
            other => other,
        };
        let (id, file) = created?;
        let session = Session::new(id, repository.clone(), HashState::new(algorithm), file, 0);
        let slot = Arc::new(tokio::sync::Mutex::new(Some(session)));
        self.live().insert(id, slot);
        Ok(UploadState { id, offset: 0 })
    }

    pub(super) async fn state(
        &self,
        repository: &Repository,
        id: &UploadId,
    ) -> Result<UploadState, StoreError> {
        Ok(self.session(repository, id).await?.state())
    }

    pub(super) async fn append(
        &self,
        repository: &Repository,
        id: &UploadId,
        chunk: Chunk<'_>,
    ) -> Result<UploadState, StoreError> {
        let mut session = self.session(repository, id).await?;
        if chunk.at.is_some_and(|at| at != session.offset) {
            return Err(StoreError::RangeMismatch { have: session.offset });
        }
        let mut claim = self.inner.space.claim(chunk.len.unwrap_or_default())?;
        let stream = match session.stream.take() {
            Some(stream) => stream,
            None => self.rebuild(&session).await?,
        };
        session.stream = Some(stream);
        let received = session.receive(chunk.body, &mut claim).await;
        let settled = session.settle().await;
        if !chunk.is_last || received.is_err() || settled.is_err() {
            self.keep(&mut session).await;
        }
        // Of unknown length: at least one more.
        received
            .and(settled)
            .map_err(|error| self.inner.space.explain(error, chunk.len.unwrap_or(1)))?;
        Ok(session.state())
    }

    pub(super) async fn commit(
        &self,
        repository: &Repository,
        id: &UploadId,
        digest: &Digest,
    ) -> Result<u64, StoreError> {
        let mut session = self.session(repository, id).await?;
        let actual = self.hash_of(&mut session, digest.algorithm()).await?;
        if actual != *digest {
            self.end(&mut session, |_| Ok(())).await?;
            return Err(StoreError::DigestMismatch {
                expected: *digest,
                actual: Box::new(actual),
            });
        }
        let (repository, id, digest) = (repository.clone(), *id, *digest);
        let (file, size) = (session.file.clone(), session.offset);
        let publish =
            move |inner: &Inner| upload_files::publish(inner, &repository, &id, &file, &digest, size);
        self.end(&mut session, publish).await?;
        Ok(size)
    }

    /// The file of an upload, and how far it is written.
    pub(super) async fn growing(
        &self,
        repository: &Repository,
        id: &UploadId,
    ) -> Result<Growing, StoreError> {
        let session = self.session(repository, id).await?;
        Ok(Growing::new(
            Arc::clone(session.file.file()),
            self.inner.layout.upload_data(id).into(),
            Arc::clone(&session.progress),
        ))
    }

    /// The digest of all bytes so far. The upload goes on as before.
    pub(super) async fn digest_so_far(
        &self,
        repository: &Repository,
        id: &UploadId,
    ) -> Result<Digest, StoreError> {
        let mut session = self.session(repository, id).await?;
        let mut stream = match session.stream.take() {
            Some(stream) => stream,
            None => self.rebuild(&session).await?,
        };
        let state = stream.state().await.map_err(hash_error)?;
        session.stream = Some(stream);
        session.kept = state.clone();
        let again = self.hash.resume_into(state, Box::new(Nowhere));
        again.finish().await.map_err(hash_error)
    }

    pub(super) async fn cancel(&self, repository: &Repository, id: &UploadId) -> Result<(), StoreError> {
        let mut session = self.session(repository, id).await?;
        self.end(&mut session, |_| Ok(())).await
    }

    /// Removes the uploads that nobody has touched for so long and nobody has in use, and says how many those were.
    pub(super) async fn remove_stale(&self, older_than: Duration) -> Result<usize, StoreError> {
        let inner = Arc::clone(&self.inner);
        let ids = blocking(move || upload_files::stale(&inner, older_than)).await?;
        let mut removed = 0;
        for id in ids {
            let slot = self.slot(&id);
            if let Ok(mut session) = Arc::clone(&slot).try_lock_owned() {
                let inner = Arc::clone(&self.inner);
                // Looked at again: it may have been used since.
                let remove = move || match upload_files::is_stale(&inner, &id, older_than) {
                    true => upload_files::remove(&inner, &id),
                    false => Ok(false),
                };
                if blocking(remove).await? {
                    *session = None;
                    removed += 1;
                }
            }
            self.forget(&id, &slot);
        }
        Ok(removed)
    }

    /// The session, ours alone, with every byte that was accepted in the file.
    async fn session(&self, repository: &Repository, id: &UploadId) -> Result<Held, StoreError> {
        let unknown = || StoreError::UploadUnknown { id: *id };
        if !self.live().contains_key(id) {
            self.make_room().await;
        }
        let slot = self.slot(id);
        let waiting = Arc::clone(&slot).lock_owned();
        let Ok(mut guard) = tokio::time::timeout(PATIENCE, waiting).await else {
            return Err(StoreError::Conflict {
                reason: format!("the upload {id} is in use by another request"),
            });
        };
        if guard.is_none() {
            match self.take_up(id).await {
                Ok(session) => *guard = Some(session),
                Err(error) => {
                    drop(guard);
                    self.forget(id, &slot);
                    return Err(error);
                }
            }
        }
        let guard = OwnedMutexGuard::try_map(guard, Option::as_mut);
        let mut session = guard.map_err(|_| unknown())?;
        // An upload belongs to its repository: its name is no key to another one.
        if session.ended || session.repository != *repository {
            return Err(unknown());
        }
        session.settle().await?;
        Ok(session)
    }

    /// Takes a session from the disk. What is not surely there is hashed, and counts as far as that is what was kept.
    async fn take_up(&self, id: &UploadId) -> Result<Session, StoreError> {
        let (inner, id) = (Arc::clone(&self.inner), *id);
        let found = blocking(move || upload_files::open(&inner, &id)).await?;
        let Found {
            repository,
            algorithm,
            file,
            len,
            state,
            is_sure,
        } = found.ok_or(StoreError::UploadUnknown { id })?;
        let kept = state.unwrap_or(HashState::new(algorithm));
        let mut session = Session::new(id, repository, kept, file, len);
        if !is_sure {
            self.make_sure(&mut session).await?;
        }
        Ok(session)
    }

    async fn make_sure(&self, session: &mut Session) -> Result<(), StoreError> {
        let mut again = self.hash.stream(session.algorithm);
        self.feed(session, &mut again, 0..session.kept.len()).await?;
        if again.state().await.map_err(hash_error)? != session.kept {
            tracing::warn!(upload = %session.id, "the bytes of an upload were lost in a crash; it begins again");
            session.kept = HashState::new(session.algorithm);
        }
        session.offset = session.kept.len();
        session.progress = Arc::new(Progress::from(session.offset));
        let (inner, id, file) = (Arc::clone(&self.inner), session.id, session.file.clone());
        let (repository, kept) = (session.repository.clone(), session.kept.clone());
        blocking(move || {
            let path = inner.layout.upload_data(&id);
            file.set_len(kept.len()).map_err(StoreError::io("cut", &path))?;
            upload_files::write_record(&inner, &id, &file, &repository, &kept)
        })
        .await
    }

    fn slot(&self, id: &UploadId) -> Slot {
        Arc::clone(self.live().entry(*id).or_default())
    }

    /// Drops a session from memory, unless somebody else is about to use it.
    fn forget(&self, id: &UploadId, slot: &Slot) {
        let mut live = self.live();
        // Ours and the map's: others are made only under this lock.
        if Arc::strong_count(slot) == 2 && live.get(id).is_some_and(|other| Arc::ptr_eq(other, slot)) {
            live.remove(id);
        }
    }

    fn live(&self) -> MutexGuard<'_, HashMap<UploadId, Slot>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts idle sessions back on the disk when too many are held.
    async fn make_room(&self) {
        let idle: Vec<(UploadId, Slot)> = {
            let live = self.live();
            let excess = (live.len() + 1).saturating_sub(MAX_LIVE);
            live.iter()
                .filter(|(_, slot)| Arc::strong_count(slot) == 1)
                .take(excess)
                .map(|(id, slot)| (*id, Arc::clone(slot)))
                .collect()
        };
        for (id, slot) in idle {
            let Ok(mut session) = slot.try_lock() else {
                continue;
            };
            // What was accepted must be in the file before the state is forgotten.
            if let Some(session) = &mut *session {
                let _ = session.settle().await;
            }
            drop(session);
            self.forget(&id, &slot);
        }
    }

    /// A hash stream that has seen what is in the file, and writes what comes behind it.
    async fn rebuild(&self, session: &Session) -> Result<HashStream, StoreError> {
        let (from, to) = (session.kept.len(), session.offset);
        let turn = session.progress.begin(from);
        let sink = FileSink::new(session.file.clone(), from..to, turn);
        let mut stream = self.hash.resume_into(session.kept.clone(), Box::new(sink));
        self.feed(session, &mut stream, from..to).await?;
        Ok(stream)
    }

    /// Hashes what is in the file.
    async fn feed(
        &self,
        session: &Session,
        stream: &mut HashStream,
        range: Range<u64>,
    ) -> Result<(), StoreError> {
        let path = self.inner.layout.upload_data(&session.id);
        let extent = Extent {
            file: Arc::clone(session.file.file()),
            path: path.clone().into(),
            offset: 0,
            len: range.end,
        };
        let mut pieces = Box::pin(extent.stream(range));
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(StoreError::io("read", &path))?;
            stream.update(piece).await.map_err(hash_error)?;
        }
        Ok(())
    }

    /// The digest of all bytes, by the algorithm that the sender uses: known already, or read again from the disk.
    async fn hash_of(&self, session: &mut Session, wanted: Algorithm) -> Result<Digest, StoreError> {
        let stream = match session.stream.take() {
            _ if session.algorithm != wanted => {
                let mut again = self.hash.stream(wanted);
                self.feed(session, &mut again, 0..session.offset).await?;
                again
            }
            Some(stream) => stream,
            None => self.rebuild(session).await?,
        };
        stream.finish().await.map_err(hash_error)
    }

    /// Writes down how far the session has come. When that fails, more is hashed again after a restart.
    async fn keep(&self, session: &mut Session) {
        let Some(stream) = &mut session.stream else {
            return;
        };
        let Ok(state) = stream.state().await else {
            return;
        };
        session.kept = state.clone();
        let (inner, id, file) = (Arc::clone(&self.inner), session.id, session.file.clone());
        let repository = session.repository.clone();
        let write = move || upload_files::write_record(&inner, &id, &file, &repository, &state);
        if let Err(error) = blocking(write).await {
            tracing::debug!(upload = %session.id, %error, "the state of an upload was not kept");
        }
    }

    /// Does the last thing with a session, then removes it; its name is unknown from now on. Also after a failure:
    /// the file may be a blob already, which nobody may write to any more, and after a failed fsync nobody knows
    /// what it holds. And also when the sender does not wait for the end.
    async fn end(
        &self,
        session: &mut Session,
        last: impl FnOnce(&Inner) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        session.ended = true;
        session.stream = None;
        let (inner, id) = (Arc::clone(&self.inner), session.id);
        let ended = blocking(move || {
            let done = last(&inner);
            let removed = upload_files::remove(&inner, &id);
            done.and(removed.map(|_| ()))
        })
        .await;
        self.live().remove(&session.id);
        ended
    }
}

impl Session {
    fn new(id: UploadId, repository: Repository, kept: HashState, file: DiskFile, offset: u64) -> Self {
        Self {
            id,
            repository,
            algorithm: kept.algorithm(),
            file,
            offset,
            kept,
            stream: None,
            progress: Arc::new(Progress::from(offset)),
            ended: false,
        }
    }

    fn state(&self) -> UploadState {
        UploadState {
            id: self.id,
            offset: self.offset,
        }
    }

    /// Hands the bytes to the hash threads, which write them.
    async fn receive(&mut self, mut body: ByteStream<'_>, claim: &mut Claim) -> Result<(), StoreError> {
        let Some(stream) = &mut self.stream else {
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
        let Some(stream) = &self.stream else {
            return Ok(());
        };
        match self.progress.reached(stream.len()).await {
            Ok(()) => {
                self.offset = stream.len();
                Ok(())
            }
            Err(error) => {
                let good = self.progress.written();
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

//! The end of the hash threads' line: chunks are written where they belong, and the session can wait for them.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use landfall_hash::{HashError, Sink};
use tokio::sync::Notify;

use super::disk::DiskFile;
use crate::StoreError;

/// How far the writing has come. A writer that has failed can be followed by another: only the word of the one whose
/// turn it is counts.
#[derive(Default)]
pub(super) struct Progress {
    state: Mutex<Written>,
    changed: Notify,
}

#[derive(Default)]
struct Written {
    bytes: u64,
    turn: u64,
    /// The kind and number of the error that ended it; an `io::Error` itself cannot be told twice.
    failed: Option<(io::ErrorKind, Option<i32>)>,
}

impl Progress {
    /// So many bytes are in the file already.
    pub(super) fn from(bytes: u64) -> Self {
        let written = Written {
            bytes,
            ..Written::default()
        };
        Self {
            state: Mutex::new(written),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, Written> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that are in the file.
    pub(super) fn written(&self) -> u64 {
        self.state().bytes
    }

    /// Waits until so many bytes are in the file.
    pub(super) async fn reached(&self, bytes: u64) -> io::Result<()> {
        loop {
            // Registered before looking, so that a change in between is not missed.
            let changed = self.changed.notified();
            {
                let state = self.state();
                if state.bytes >= bytes {
                    return Ok(());
                }
                if let Some((kind, number)) = state.failed {
                    return Err(number.map_or_else(|| kind.into(), io::Error::from_raw_os_error));
                }
            }
            changed.await;
        }
    }

    /// Waits until there are more.
    pub(super) async fn beyond(&self, bytes: u64) -> u64 {
        loop {
            let changed = self.changed.notified();
            let written = self.written();
            if written > bytes {
                return written;
            }
            changed.await;
        }
    }

    /// A writer begins behind so many bytes.
    pub(super) fn begin(self: &Arc<Self>, bytes: u64) -> Turn {
        let mut state = self.state();
        state.turn += 1;
        state.bytes = bytes;
        state.failed = None;
        Turn {
            progress: Arc::clone(self),
            number: state.turn,
        }
    }
}

/// One writer's word on the progress.
pub(super) struct Turn {
    progress: Arc<Progress>,
    number: u64,
}

impl Turn {
    fn tell(&self, change: impl FnOnce(&mut Written)) {
        let mut state = self.progress.state();
        if state.turn == self.number {
            change(&mut state);
            drop(state);
            self.progress.changed.notify_waiters();
        }
    }

    fn advance(&self, bytes: u64) {
        self.tell(|state| state.bytes += bytes);
    }

    fn fail(&self, kind: io::ErrorKind, number: Option<i32>) {
        self.tell(|state| {
            state.failed.get_or_insert((kind, number));
        });
    }
}

/// Writes chunks one behind the other; those of a range are in the file already and are only counted.
pub(super) struct FileSink {
    file: DiskFile,
    position: u64,
    skip: u64,
    turn: Turn,
}

impl FileSink {
    pub(super) fn new(file: DiskFile, known: Range<u64>, turn: Turn) -> Self {
        Self {
            file,
            position: known.start,
            skip: known.end - known.start,
            turn,
        }
    }
}

impl Sink for FileSink {
    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        let known = usize::try_from(self.skip).map_or(chunk.len(), |skip| skip.min(chunk.len()));
        self.skip -= known as u64;
        let new = &chunk[known..];
        if let Err(error) = self.file.write_at(new, self.position + known as u64) {
            self.turn.fail(error.kind(), error.raw_os_error());
            return Err(error);
        }
        self.position += chunk.len() as u64;
        self.turn.advance(chunk.len() as u64);
        Ok(())
    }
}

impl Drop for FileSink {
    fn drop(&mut self) {
        self.turn.fail(io::ErrorKind::BrokenPipe, None);
    }
}

/// Where bytes go that are only hashed.
pub(super) struct Nowhere;

impl Sink for Nowhere {
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// What a failed stream means to the store.
pub(super) fn hash_error(error: HashError) -> StoreError {
    match error {
        HashError::Sink(source) => StoreError::io("write", Path::new("an upload"))(source),
        _ => StoreError::Stopped,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::super::disk::Disk;
    use super::super::index::Indexes;
    use super::super::publish::Durability;
    use super::*;

    fn disk(root: &Path) -> Disk {
        Disk::new(
            root,
            Durability::None,
            Indexes::new(root.join("repos"), 0).into(),
            None,
        )
    }

    #[tokio::test]
    async fn waiting_ends_with_the_bytes_or_with_the_error() {
        let root = tempfile::tempdir().unwrap();
        let file = disk(root.path()).create(&root.path().join("file")).unwrap();
        let progress = Arc::<Progress>::default();
        let mut sink = FileSink::new(file.clone(), 0..3, progress.begin(0));
        let waiting = tokio::spawn({
            let progress = Arc::clone(&progress);
            async move { progress.reached(6).await }
        });
        sink.write(b"ab").unwrap();
        sink.write(b"cdef").unwrap();
        waiting.await.unwrap().unwrap();
        // The first three bytes were only counted, not written.
        let mut bytes = [9; 6];
        file.file().read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"\0\0\0def");
        drop(sink);
        assert!(progress.reached(6).await.is_ok());
        assert!(progress.reached(7).await.is_err());
    }

    /// Who reads a file while it grows hears of every writer, and of none that was replaced.
    #[tokio::test]
    async fn one_writer_follows_another() {
        let root = tempfile::tempdir().unwrap();
        let file = disk(root.path()).create(&root.path().join("file")).unwrap();
        let progress = Arc::new(Progress::from(0));
        let mut first = FileSink::new(file.clone(), 0..0, progress.begin(0));
        first.write(b"ab").unwrap();
        assert_eq!(progress.beyond(1).await, 2);
        let mut second = FileSink::new(file, 0..0, progress.begin(2));
        drop(first);
        let waiting = tokio::spawn({
            let progress = Arc::clone(&progress);
            async move { progress.beyond(2).await }
        });
        second.write(b"c").unwrap();
        assert_eq!(waiting.await.unwrap(), 3);
        assert!(progress.reached(3).await.is_ok());
    }

    #[tokio::test]
    async fn a_failed_write_is_told_with_its_number() {
        // A device that takes nothing.
        let file = disk(Path::new("/dev")).open(Path::new("/dev/full")).unwrap();
        let progress = Arc::<Progress>::default();
        let mut sink = FileSink::new(file, 0..0, progress.begin(0));
        assert!(sink.write(b"x").is_err());
        let error = progress.reached(1).await.unwrap_err();
        assert!(error.raw_os_error().is_some());
    }
}

//! Reads a file piece by piece without blocking an async thread: from the page cache at once, from the disk on the
//! blocking pool. One piece is in flight, and its buffer is used again.

use std::fs::File;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use rustix::io::ReadWriteFlags;
use tokio::task::JoinHandle;

/// The most that is read at once.
pub(super) const PIECE: usize = 128 << 10;

/// A reader of pieces.
#[derive(Default)]
pub(super) struct Pieces {
    /// A read on the blocking pool.
    pending: Option<JoinHandle<io::Result<Bytes>>>,
    spare: Spare,
}

/// A buffer that comes back when hyper is done with its bytes.
#[derive(Clone, Default)]
struct Spare(Arc<Mutex<Option<Box<[u8]>>>>);

struct Filled {
    /// `Some` until dropped.
    buffer: Option<Box<[u8]>>,
    len: usize,
    home: Spare,
}

impl Pieces {
    /// Reads at most [`PIECE`] of `len` bytes at `offset`. After `Pending` it must be asked for the same again.
    ///
    /// # Errors
    /// What the system says, and `UnexpectedEof` where the file ends.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        file: &Arc<File>,
        offset: u64,
        len: u64,
    ) -> Poll<io::Result<Bytes>> {
        let len = usize::try_from(len).unwrap_or(PIECE).min(PIECE);
        if self.pending.is_none() {
            let mut buffer = self.spare.take(len);
            if let Some(read) = read_cached(file, &mut buffer[..len], offset) {
                return Poll::Ready(self.spare.fill(buffer, read));
            }
            let (file, spare) = (Arc::clone(file), self.spare.clone());
            self.pending = Some(tokio::task::spawn_blocking(move || {
                let read = read_at(&file, &mut buffer[..len], offset)?;
                spare.fill(buffer, read)
            }));
        }
        let Some(pending) = self.pending.as_mut() else {
            return Poll::Pending;
        };
        let done = ready!(Pin::new(pending).poll(cx));
        self.pending = None;
        Poll::Ready(done.unwrap_or_else(|stopped| Err(io::Error::other(stopped))))
    }
}

/// Reads what is in the page cache; `None` when that is not known to be anything, for whatever reason.
fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> Option<usize> {
    let read = rustix::io::preadv2(
        file,
        &mut [IoSliceMut::new(buffer)],
        offset,
        ReadWriteFlags::NOWAIT,
    );
    read.ok().filter(|read| *read > 0)
}

fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

impl Spare {
    /// A buffer of at least this length. Of no more than is asked for: most files that are read are small, and their
    /// first piece is all of them.
    fn take(&self, len: usize) -> Box<[u8]> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.filter(|kept| kept.len() >= len)
            .unwrap_or_else(|| vec![0; len].into_boxed_slice())
    }

    fn fill(&self, buffer: Box<[u8]>, len: usize) -> io::Result<Bytes> {
        if len == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file is shorter than what was promised of it",
            ));
        }
        Ok(Bytes::from_owner(Filled {
            buffer: Some(buffer),
            len,
            home: self.clone(),
        }))
    }
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        self.buffer.as_ref().map_or(&[], |buffer| &buffer[..self.len])
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        *self.home.0.lock().unwrap_or_else(PoisonError::into_inner) = self.buffer.take();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write;

    use super::*;

    async fn read(pieces: &mut Pieces, file: &Arc<File>, offset: u64, len: u64) -> io::Result<Bytes> {
        poll_fn(|cx| pieces.poll_read(cx, file, offset, len)).await
    }

    #[tokio::test]
    async fn every_byte_in_order_through_one_buffer() {
        let expected: Vec<u8> = (0..1_000_000_u32).map(|i| (i * 31 % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&expected).unwrap();
        let (file, mut pieces) = (Arc::new(file), Pieces::default());
        let (mut found, mut buffers) = (Vec::new(), std::collections::BTreeSet::new());
        while found.len() < expected.len() {
            let left = (expected.len() - found.len()) as u64;
            let piece = read(&mut pieces, &file, found.len() as u64, left).await.unwrap();
            assert!(piece.len() <= PIECE);
            buffers.insert(piece.as_ptr() as usize);
            found.extend_from_slice(&piece);
        }
        assert!(found == expected);
        assert_eq!(buffers.len(), 1, "a buffer that is free is used again");
    }

    #[tokio::test]
    async fn a_piece_that_is_still_held_is_not_overwritten() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[[1; PIECE], [2; PIECE]].concat()).unwrap();
        let (file, mut pieces) = (Arc::new(file), Pieces::default());
        let first = read(&mut pieces, &file, 0, PIECE as u64).await.unwrap();
        let second = read(&mut pieces, &file, PIECE as u64, PIECE as u64)
            .await
            .unwrap();
        assert!(first.iter().all(|byte| *byte == 1) && second.iter().all(|byte| *byte == 2));
    }

    #[tokio::test]
    async fn the_end_of_the_file_is_an_error() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let error = read(&mut Pieces::default(), &file, 0, 10).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}

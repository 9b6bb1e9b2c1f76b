//! A piece of a file that is sent while it is still being written.
//!
//! Who writes it says how far it may be read; up to there the file is as good as any other, so over plain TCP the kernel
//! sends it from the page cache, and a hundred readers of one file cost no memory.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::body::{FRAME, LEAST_MAPPED};
use super::pieces::Pieces;
use super::region::Regions;

/// Given an offset, waits until the file may be read beyond it, and says up to where.
pub type Grown = Box<dyn FnMut(u64) -> BoxFuture<'static, io::Result<u64>> + Send>;

pub(super) struct GrowingSlice {
    file: Arc<File>,
    /// What is left to send.
    range: Range<u64>,
    secure: bool,
    /// Of the connection that it is sent over, when that can send files.
    regions: Option<Arc<Regions>>,
    /// Up to here it may be read.
    until: u64,
    grown: Grown,
    waiting: Option<BoxFuture<'static, io::Result<u64>>>,
    pieces: Pieces,
    /// What the pieces have been asked for and not given yet.
    asked: Option<u64>,
}

impl GrowingSlice {
    pub(super) fn new(file: Arc<File>, range: Range<u64>, secure: bool, grown: Grown) -> Self {
        Self {
            file,
            until: range.start,
            range,
            secure,
            regions: None,
            grown,
            waiting: None,
            pieces: Pieces::default(),
            asked: None,
        }
    }

    pub(super) fn attach(&mut self, regions: Option<&Arc<Regions>>) {
        self.regions = regions.filter(|_| !self.secure).cloned();
    }

    pub(super) fn left(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }

    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left() == 0 {
            return Poll::Ready(None);
        }
        if let Err(error) = ready!(self.poll_grown(cx)) {
            return Poll::Ready(Some(Err(error)));
        }
        let open = self.until.min(self.range.end) - self.range.start;
        let piece = match self.mapped(open) {
            Some(mapped) => Ok(mapped),
            None => {
                // A read that is under way is asked for again as it was.
                let len = *self.asked.get_or_insert(open);
                let read = ready!(self.pieces.poll_read(cx, &self.file, self.range.start, len));
                self.asked = None;
                read
            }
        };
        if let Ok(piece) = &piece {
            self.range.start += piece.len() as u64;
        }
        Poll::Ready(Some(piece))
    }

    /// Ready when there is something that may be read.
    fn poll_grown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.until <= self.range.start {
            let offset = self.range.start;
            let waiting = self.waiting.get_or_insert_with(|| (self.grown)(offset));
            let until = ready!(waiting.as_mut().poll(cx));
            self.waiting = None;
            self.until = until?;
        }
        Poll::Ready(Ok(()))
    }

    /// The next bytes as addresses that the socket knows, where that is worth it.
    fn mapped(&mut self, open: u64) -> Option<Bytes> {
        let regions = self.regions.as_ref().filter(|_| self.asked.is_none())?;
        let len = usize::try_from(open).unwrap_or(FRAME).min(FRAME);
        if open < LEAST_MAPPED {
            return None;
        }
        match regions.bytes(&self.file, self.range.start, len) {
            Ok(mapped) => Some(mapped),
            Err(error) => {
                tracing::debug!(%error, "a file cannot be mapped; it is read in pieces");
                self.regions = None;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A file of which a little more may be read each time.
    fn slice(step: u64, range: Range<u64>, fails_at: u64) -> (GrowingSlice, Vec<u8>) {
        let bytes: Vec<u8> = (0..500_000_u32).map(|i| (i * 31 % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let until = Arc::new(AtomicU64::new(0));
        let grown: Grown = Box::new(move |offset| {
            let until = Arc::clone(&until);
            Box::pin(async move {
                tokio::task::yield_now().await;
                let mut now = until.load(Ordering::Relaxed);
                while now <= offset {
                    now += step;
                }
                until.store(now, Ordering::Relaxed);
                match now > fails_at {
                    true => Err(io::Error::other("the digest is wrong")),
                    false => Ok(now),
                }
            })
        });
        (GrowingSlice::new(Arc::new(file), range, false, grown), bytes)
    }

    async fn read(slice: &mut GrowingSlice) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(piece) = poll_fn(|cx| slice.poll_data(cx)).await {
            all.extend_from_slice(&piece?);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn every_byte_that_may_be_read_and_none_before() {
        for mapped in [false, true] {
            for step in [1000, 70_000, 1_000_000] {
                let (mut slice, bytes) = slice(step, 5..499_990, u64::MAX);
                if mapped {
                    slice.attach(Some(&Arc::new(Regions::default())));
                }
                assert_eq!(slice.left(), 499_985);
                assert!(read(&mut slice).await.unwrap() == bytes[5..499_990]);
                assert_eq!(slice.left(), 0);
            }
        }
    }

    #[tokio::test]
    async fn what_is_refused_ends_it() {
        let (mut slice, _) = slice(1000, 0..10_000, 5000);
        assert!(read(&mut slice).await.is_err());
        assert_eq!(slice.left(), 5000);
    }
}

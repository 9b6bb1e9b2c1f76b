//! One meaning for the errors of five decoders.
//!
//! A decoder's error alone does not tell whether the stream is damaged, the stream is cut, or the file under it could
//! not be read. Who watches the source can tell.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{CodecError, Compression};

/// What has happened at the source so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    end: AtomicBool,
    failure: AtomicBool,
}

impl Seen {
    /// Whether more was asked for than there was.
    pub(super) fn end(&self) -> bool {
        self.end.load(Ordering::Relaxed)
    }
}

/// The compressed input, watched.
#[derive(Debug)]
pub(super) struct Source<R> {
    inner: R,
    seen: Arc<Seen>,
}

impl<R: Read> Source<R> {
    pub(super) fn new(inner: R) -> (Self, Arc<Seen>) {
        let seen = Arc::<Seen>::default();
        (
            Self {
                inner,
                seen: Arc::clone(&seen),
            },
            seen,
        )
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf);
        match &read {
            Ok(0) if !buf.is_empty() => self.seen.end.store(true, Ordering::Relaxed),
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.seen.failure.store(true, Ordering::Relaxed);
            }
            _ => {}
        }
        read
    }
}

/// A decoder whose errors say what is wrong with the stream.
pub(super) struct Checked<R> {
    plain: R,
    seen: Arc<Seen>,
    compression: Compression,
}

impl<R: Read> Checked<R> {
    pub(super) fn new(plain: R, seen: Arc<Seen>, compression: Compression) -> Self {
        Self {
            plain,
            seen,
            compression,
        }
    }

    fn explain(&self, error: io::Error) -> io::Error {
        let compression = self.compression;
        let ours = error.get_ref().is_some_and(|inner| inner.is::<CodecError>());
        if ours || error.kind() == io::ErrorKind::Interrupted || self.seen.failure.load(Ordering::Relaxed) {
            return error;
        }
        if error.kind() == io::ErrorKind::UnexpectedEof || self.seen.end() {
            return CodecError::Cut { compression }.into();
        }
        let detail = error.to_string();
        // All errors of this decoder are of one kind, and this is its text for it.
        if compression == Compression::Zstd && detail.contains("too much memory") {
            return CodecError::Window.into();
        }
        CodecError::Damaged { compression, detail }.into()
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.plain.read(buf).map_err(|error| self.explain(error))
    }
}

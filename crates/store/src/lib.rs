//! Where a registry's content rests: one trait, a directory, bundles, overlays.
//!
//! STAND-IN: only [`Extent`]. Replaced at merge.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

/// A piece of an open file.
#[derive(Clone, Debug)]
pub struct Extent {
    /// The file.
    pub file: Arc<File>,
    /// Its path, for messages.
    pub path: Arc<Path>,
    /// Where the piece begins.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
}

impl Extent {
    /// Reads `len` bytes at `offset` of the piece. Blocking.
    ///
    /// # Errors
    /// Whatever the file said; `UnexpectedEof` past the end.
    pub fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let mut buffer = vec![0; len];
        self.file.read_exact_at(&mut buffer, self.offset + offset)?;
        Ok(buffer.into())
    }

    /// A piece of the piece.
    #[must_use]
    pub fn slice(&self, range: Range<u64>) -> Self {
        Self {
            file: Arc::clone(&self.file),
            path: Arc::clone(&self.path),
            offset: self.offset + range.start,
            len: range.end - range.start,
        }
    }
}

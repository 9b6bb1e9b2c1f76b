//! A piece of an open file: what a blob is when it rests on a disk, alone or inside a bundle.
//!
//! The server hands it to `sendfile`, the client uploads from it; neither learns where it came from.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::try_unfold;

/// Bytes read at once by [`Extent::stream`]: large enough that the hop to the blocking pool does not show.
const PIECE: u64 = 256 * 1024;

/// A piece of an open file.
#[derive(Clone, Debug)]
pub struct Extent {
    /// The file, open for reading.
    pub file: Arc<File>,
    /// Its path, for messages.
    pub path: Arc<Path>,
    /// Where the piece begins.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
}

impl Extent {
    /// All of a file, as long as it is now. Blocks.
    ///
    /// # Errors
    /// What the system said.
    pub fn whole(file: File, path: &Path) -> io::Result<Self> {
        Ok(Self {
            len: file.metadata()?.len(),
            file: Arc::new(file),
            path: path.into(),
            offset: 0,
        })
    }

    /// Reads `len` bytes from `offset` within the piece. Blocks: not for async threads.
    ///
    /// # Errors
    /// `UnexpectedEof` when the range leaves the piece or the file ends inside it; else what the system said.
    pub fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let within = offset.checked_add(len as u64).is_some_and(|end| end <= self.len);
        if !within {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{}: read past the end of the piece", self.path.display()),
            ));
        }
        let mut buffer = vec![0; len];
        self.file.read_exact_at(&mut buffer, self.offset + offset)?;
        Ok(buffer.into())
    }

    /// A piece of this piece; the range is cut at its ends.
    #[must_use]
    pub fn slice(&self, range: Range<u64>) -> Self {
        let start = range.start.min(self.len);
        let end = range.end.clamp(start, self.len);
        Self {
            file: Arc::clone(&self.file),
            path: Arc::clone(&self.path),
            offset: self.offset + start,
            len: end - start,
        }
    }

    /// The bytes of a range of the piece, read on the blocking pool. Needs a tokio runtime.
    pub fn stream(&self, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        try_unfold(self.slice(range), |rest| async move {
            if rest.len == 0 {
                return Ok(None);
            }
            let take = rest.len.min(PIECE);
            let next = rest.slice(take..rest.len);
            let read = move || rest.read_at(0, usize::try_from(take).unwrap_or(usize::MAX));
            let bytes = tokio::task::spawn_blocking(read)
                .await
                .map_err(io::Error::other)??;
            Ok(Some((bytes, next)))
        })
    }
}

/// What a blob turned out to be.
#[derive(Clone, Debug)]
pub enum Content {
    /// A piece of a file.
    Extent(Extent),
    /// In memory: small, or from a store that has no files.
    Bytes(Bytes),
}

impl Content {
    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Extent(extent) => extent.len,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// Whether it is zero bytes long.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it, as a stream.
    #[must_use]
    pub fn into_stream(self) -> crate::ByteStream<'static> {
        match self {
            Self::Extent(extent) => Box::pin(extent.stream(0..extent.len)),
            Self::Bytes(bytes) => Box::pin(futures_util::stream::iter([Ok(bytes)])),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use futures_util::TryStreamExt as _;

    use super::*;

    fn extent(bytes: &[u8], offset: u64, len: u64) -> Extent {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Extent {
            file: Arc::new(file),
            path: Path::new("test").into(),
            offset,
            len,
        }
    }

    #[test]
    fn reads_stay_inside_the_piece() {
        let piece = extent(b"0123456789", 2, 5);
        assert_eq!(&piece.read_at(1, 3).unwrap()[..], b"345");
        assert!(piece.read_at(3, 3).is_err());
        assert!(piece.read_at(u64::MAX, 1).is_err());
        assert_eq!(&piece.slice(3..99).read_at(0, 2).unwrap()[..], b"56");
        assert_eq!(piece.slice(9..99).len, 0);
    }

    #[tokio::test]
    async fn a_stream_gives_the_range_in_pieces() {
        let bytes: Vec<u8> = (0..700_000_u32).map(|i| i.to_le_bytes()[0]).collect();
        let piece = extent(&bytes, 10, 690_000);
        let parts: Vec<Bytes> = piece.stream(5..600_000).try_collect().await.unwrap();
        assert!(parts.len() > 1);
        assert_eq!(parts.concat(), bytes[15..600_010]);
    }

    #[tokio::test]
    async fn a_file_that_is_too_short_is_an_error_not_a_short_stream() {
        let piece = extent(b"0123", 0, 10);
        assert!(piece.stream(0..10).try_collect::<Vec<_>>().await.is_err());
    }
}

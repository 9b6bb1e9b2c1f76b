//! What can be wrong with a compressed stream.

use std::io;

use crate::Compression;

/// Travels inside of an [`io::Error`], because decoders are readers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The stream ends in the middle.
    #[error("the {compression} stream is cut off: the file is incomplete; get it again")]
    Cut {
        /// The format.
        compression: Compression,
    },
    /// The stream contradicts itself.
    #[error("the {compression} stream is damaged ({detail}); get the file again")]
    Damaged {
        /// The format.
        compression: Compression,
        /// What the decoder found.
        detail: String,
    },
    /// The stream is followed by bytes that are none of it.
    #[error("after the end of the {compression} stream follows something that is not {compression}")]
    Garbage {
        /// The format.
        compression: Compression,
    },
    /// Unpacking would take more memory than we give.
    #[error(
        "the zstd stream wants a window of more than {} MiB; compress it again with `--long=25` or without `--long`",
        crate::decode::ZSTD_WINDOW >> 20
    )]
    Window,
    /// A format that is recognised only.
    #[error("{compression} is not supported; unpack the file first (`{compression} -d`)")]
    Unsupported {
        /// The format.
        compression: Compression,
    },
}

impl From<CodecError> for io::Error {
    fn from(error: CodecError) -> Self {
        let kind = match error {
            CodecError::Cut { .. } => io::ErrorKind::UnexpectedEof,
            CodecError::Damaged { .. } | CodecError::Garbage { .. } => io::ErrorKind::InvalidData,
            CodecError::Window => io::ErrorKind::OutOfMemory,
            CodecError::Unsupported { .. } => io::ErrorKind::Unsupported,
        };
        io::Error::new(kind, error)
    }
}

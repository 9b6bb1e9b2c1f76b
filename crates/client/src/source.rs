//! What is pushed: a blob that can be opened at any offset, as often as the network makes it necessary.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use landfall_net::client::{BodyStream, OpenBody};

/// A blob's bytes, e.g. an extent of a bundle.
#[async_trait]
pub trait BlobSource: Send + Sync {
    /// Its length in bytes.
    fn size(&self) -> u64;

    /// The bytes from `offset` to the end.
    ///
    /// # Errors
    /// What the medium says.
    async fn open(&self, offset: u64) -> io::Result<BoxStream<'static, io::Result<Bytes>>>;
}

/// A piece of a source, as a request body.
pub(crate) struct Piece<'a> {
    pub(crate) source: &'a dyn BlobSource,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

impl OpenBody for Piece<'_> {
    fn open(&self) -> BoxFuture<'_, io::Result<BodyStream>> {
        Box::pin(async move {
            let stream = self.source.open(self.offset).await?;
            let is_whole = self.offset + self.len == self.source.size();
            Ok(match is_whole {
                // Bytes beyond the end are an error there, not something to cut off.
                true => stream,
                false => Box::pin(First {
                    stream,
                    left: self.len,
                }) as BodyStream,
            })
        })
    }
}

/// The first bytes of a stream.
struct First {
    stream: BodyStream,
    left: u64,
}

impl Stream for First {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.stream.as_mut().poll_next(cx)) {
            Some(Ok(mut bytes)) => {
                bytes.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= bytes.len() as u64;
                Some(Ok(bytes))
            }
            other => other,
        })
    }
}

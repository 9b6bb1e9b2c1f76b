//! Request bodies: as a stream for the store, whole but capped for a manifest, thrown away after a refusal.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyDataStream, BodyExt as _};
use landfall_store::ByteStream;

use crate::budget::Claim;
use crate::reply::Failure;

/// What is read of a body that nobody wants, so that the sender can read our refusal.
const MAX_DRAINED: usize = 1024 * 1024;
/// How long that may take.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// The body of a request, whoever received it.
pub trait RequestBody: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin {}

impl<B> RequestBody for B where B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin
{}

/// A body whose bytes are counted as they come.
pub(crate) struct Counted<B> {
    body: B,
    count: Arc<AtomicU64>,
}

impl<B> Counted<B> {
    pub(crate) fn new(body: B, count: Arc<AtomicU64>) -> Self {
        Self { body, count }
    }
}

impl<B: RequestBody> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            let len = frame.data_ref().map_or(0, Bytes::len);
            self.count.fetch_add(len as u64, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body as bytes on their way. A sender that is silent for too long has broken off: it must not hold an upload
/// for ever.
pub(crate) fn stream<B: RequestBody>(body: &mut B, patience: Duration) -> ByteStream<'_> {
    let pieces = BodyDataStream::new(body);
    Box::pin(futures_util::stream::unfold(
        Some(pieces),
        move |pieces| async move {
            let mut pieces = pieces?;
            match tokio::time::timeout(patience, pieces.next()).await {
                Ok(Some(Ok(piece))) => Some((Ok(piece), Some(pieces))),
                Ok(Some(Err(error))) => Some((Err(io::Error::other(error)), None)),
                Ok(None) => None,
                Err(_) => Some((Err(silent(patience)), None)),
            }
        },
    ))
}

fn silent(patience: Duration) -> io::Error {
    let seconds = patience.as_secs();
    io::Error::new(io::ErrorKind::TimedOut, format!("no byte came for {seconds} s"))
}

/// The same, broken off where more than the announced bytes come.
pub(crate) fn stream_of<B: RequestBody>(body: &mut B, announced: u64, patience: Duration) -> ByteStream<'_> {
    let mut left = announced;
    Box::pin(stream(body, patience).map(move |piece| {
        let piece = piece?;
        left = left.checked_sub(piece.len() as u64).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the chunk is longer than its Content-Range says",
            )
        })?;
        Ok(piece)
    }))
}

/// Why a body was not taken whole.
#[derive(Debug)]
pub(crate) enum Rejected {
    /// It is larger than allowed: seen before it was buffered (CVE-2017-11468).
    TooLarge,
    /// The sender broke off.
    Broken(io::Error),
    /// There is no memory for it now.
    Busy(Failure),
}

/// The whole body, if it is no larger than `limit`, with or without a Content-Length; `claim` covers it as it grows.
pub(crate) async fn whole<B: RequestBody>(
    body: &mut B,
    limit: usize,
    patience: Duration,
    claim: &mut Claim,
) -> Result<Bytes, Rejected> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Rejected::TooLarge);
    }
    let mut whole = BytesMut::new();
    let mut pieces = stream(body, patience);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(Rejected::Broken)?;
        if whole.len() + piece.len() > limit {
            return Err(Rejected::TooLarge);
        }
        // What the buffer grows to, not what was announced: whoever announces and does not send has claimed nothing.
        let grown = (whole.len() + piece.len()).next_power_of_two().min(limit);
        claim.cover(grown).await.map_err(Rejected::Busy)?;
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

/// Reads a little of what is left, and gives up soon.
pub(crate) async fn drain<B: RequestBody>(body: &mut B) {
    let read = async {
        let mut left = MAX_DRAINED;
        while let Some(Ok(frame)) = body.frame().await {
            let len = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(len) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // What was not read in time costs the sender the connection, nothing else.
    let _ = tokio::time::timeout(DRAIN_TIME, read).await;
}

#[cfg(test)]
mod tests {
    use http_body_util::{Full, StreamBody};

    use super::*;

    use crate::budget::Budget;

    const SECOND: Duration = Duration::from_secs(1);

    async fn whole<B: RequestBody>(
        body: &mut B,
        limit: usize,
        patience: Duration,
    ) -> Result<Bytes, Rejected> {
        let budget = Budget::new(1 << 20, SECOND);
        super::whole(body, limit, patience, &mut budget.claim()).await
    }

    #[tokio::test]
    async fn a_limit_holds_with_and_without_a_length() {
        let mut exact = Full::new(Bytes::from_static(b"12345"));
        assert_eq!(&whole(&mut exact, 5, SECOND).await.unwrap()[..], b"12345");
        let mut announced = Full::new(Bytes::from_static(b"123456"));
        assert!(matches!(
            whole(&mut announced, 5, SECOND).await,
            Err(Rejected::TooLarge)
        ));
        // Endless and without a length: stops at the limit.
        let endless = futures_util::stream::repeat_with(|| {
            Ok::<_, io::Error>(http_body::Frame::data(Bytes::from_static(b"xx")))
        });
        let mut endless = StreamBody::new(endless);
        assert!(matches!(
            whole(&mut endless, 5, SECOND).await,
            Err(Rejected::TooLarge)
        ));
        drain(&mut endless).await;
    }

    #[tokio::test]
    async fn a_silent_sender_has_broken_off() {
        let silent = futures_util::stream::pending::<Result<http_body::Frame<Bytes>, io::Error>>();
        let mut silent = StreamBody::new(silent);
        let patience = Duration::from_millis(20);
        match whole(&mut silent, 5, patience).await {
            Err(Rejected::Broken(error)) => assert_eq!(error.kind(), io::ErrorKind::TimedOut),
            other => panic!("{other:?}"),
        }
    }
}

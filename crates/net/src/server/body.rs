//! What a response carries: bytes, a piece of a file, or a stream.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::TryStreamExt;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};

use super::activity::Answering;
use super::ended::{OnEnd, Sent};
use super::growing::{GrowingSlice, Grown};
use super::pieces::Pieces;
use super::region::Regions;

/// Below this a file is read and written: that is cheaper than a mapping and a call of its own.
pub(super) const LEAST_MAPPED: u64 = 32 << 10;

/// What hyper is given of a mapped file at a time. It drops a body when it has queued the last of it; were that all
/// of it, nobody could tell from the body how far the response is.
pub(super) const FRAME: usize = 1 << 20;

/// The body of a response.
pub struct ResponseBody {
    kind: Kind,
    /// Tells the connection that the response has ended.
    answering: Option<Answering>,
    /// Who wants to know how it ended.
    on_end: Option<OnEnd>,
    /// What the connection had written before.
    began_at: u64,
    /// Bytes passed on so far.
    passed: u64,
    /// Whether a stream has said that it is over.
    over: bool,
}

enum Kind {
    Full(Bytes),
    File(FileSlice),
    Growing(Box<GrowingSlice>),
    Stream {
        body: UnsyncBoxBody<Bytes, io::Error>,
        left: Option<u64>,
    },
}

struct FileSlice {
    file: Arc<File>,
    offset: u64,
    left: u64,
    secure: bool,
    /// Of the connection that it is sent over, when that can send files.
    regions: Option<Arc<Regions>>,
    /// What is left, as an address range that the socket knows.
    mapped: Bytes,
    pieces: Pieces,
}

impl ResponseBody {
    /// No bytes.
    #[must_use]
    pub const fn empty() -> Self {
        Self::full(Bytes::new())
    }

    /// Bytes that are in memory.
    #[must_use]
    pub const fn full(bytes: Bytes) -> Self {
        Self::new(Kind::Full(bytes))
    }

    /// `len` bytes of a file, from `offset`. The file must be one that is never written or truncated again; what it
    /// lacks of `len` breaks the connection off, since the client was promised it.
    ///
    /// Over plain TCP the kernel sends it by itself. With `secure` (see [`Peer::tls`](super::Peer::tls)), and always
    /// over TLS, it is read in pieces.
    #[must_use]
    pub fn file(file: Arc<File>, offset: u64, len: u64, secure: bool) -> Self {
        Self::new(Kind::File(FileSlice {
            file,
            offset,
            left: len,
            secure,
            regions: None,
            mapped: Bytes::new(),
            pieces: Pieces::default(),
        }))
    }

    /// The same of a file that is still being written: `grown` is asked how far it may be read, and waits until that is
    /// more than the offset that it is given. What it has told of once must never be written again; its error breaks
    /// the response off.
    #[must_use]
    pub fn growing(file: Arc<File>, offset: u64, len: u64, secure: bool, grown: Grown) -> Self {
        let slice = GrowingSlice::new(file, offset..offset.saturating_add(len), secure, grown);
        Self::new(Kind::Growing(Box::new(slice)))
    }

    /// Bytes as they come. With `len` the response has a Content-Length, and a stream of another length breaks the
    /// connection off; without, it is chunked.
    #[must_use]
    pub fn stream(stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static, len: Option<u64>) -> Self {
        Self::new(Kind::Stream {
            body: StreamBody::new(stream.map_ok(Frame::data)).boxed_unsync(),
            left: len,
        })
    }

    /// Any other body, such as a web framework's.
    #[must_use]
    pub fn from_body<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let left = body.size_hint().exact();
        Self::new(Kind::Stream {
            body: body.map_err(io::Error::other).boxed_unsync(),
            left,
        })
    }

    const fn new(kind: Kind) -> Self {
        Self {
            kind,
            answering: None,
            on_end: None,
            began_at: 0,
            passed: 0,
            over: false,
        }
    }

    /// Calls `tell` when the last byte has been given to the kernel, or when it is certain that it never will be.
    #[must_use]
    pub fn on_end(mut self, tell: impl FnOnce(Sent) + Send + 'static) -> Self {
        self.on_end = Some(Box::new(tell));
        self
    }

    /// Ties the body to the connection that it is sent over.
    pub(super) fn attach(&mut self, regions: Option<&Arc<Regions>>, answering: Answering) {
        self.began_at = answering.activity().endings().written();
        self.answering = Some(answering);
        match &mut self.kind {
            Kind::File(slice) => slice.regions = regions.filter(|_| !slice.secure).cloned(),
            Kind::Growing(slice) => slice.attach(regions),
            _ => {}
        }
    }
}

impl FileSlice {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if let Some(regions) = self.regions.take() {
            self.map(&regions);
        }
        if !self.mapped.is_empty() {
            let frame = self.mapped.split_to(self.mapped.len().min(FRAME));
            self.left -= frame.len() as u64;
            return Poll::Ready(Some(Ok(frame)));
        }
        let piece = ready!(self.pieces.poll_read(cx, &self.file, self.offset, self.left));
        if let Ok(piece) = &piece {
            self.offset += piece.len() as u64;
            self.left -= piece.len() as u64;
        }
        Poll::Ready(Some(piece))
    }

    /// Takes the way of addresses, if it is worth it and there is one.
    fn map(&mut self, regions: &Regions) {
        let Some(len) = usize::try_from(self.left)
            .ok()
            .filter(|_| self.left >= LEAST_MAPPED)
        else {
            return;
        };
        match regions.bytes(&self.file, self.offset, len) {
            Ok(mapped) => self.mapped = mapped,
            Err(error) => tracing::debug!(%error, "a file cannot be mapped; it is read in pieces"),
        }
    }
}

impl Kind {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self {
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::File(slice) => slice.poll_data(cx).map_ok(Frame::data),
            Self::Growing(slice) => slice.poll_data(cx).map_ok(Frame::data),
            Self::Stream { body, left } => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                if let (Some(left), Some(Ok(frame))) = (left, &frame) {
                    *left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
                }
                Poll::Ready(frame)
            }
        }
    }

    /// Whether every byte that was promised has been passed on.
    fn is_spent(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_empty(),
            Self::File(slice) => slice.left == 0,
            Self::Growing(slice) => slice.left() == 0,
            Self::Stream { body, left } => left.map_or_else(|| body.is_end_stream(), |left| left == 0),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        let Some(tell) = self.on_end.take() else { return };
        let complete = self.kind.is_spent() || self.over && self.size_hint().exact().is_none();
        let sent = Sent {
            bytes: self.passed,
            complete,
        };
        match &self.answering {
            Some(answering) if complete => answering.activity().endings().add(tell, sent, self.began_at),
            // Broken off: nothing will be flushed that would tell how far it came.
            Some(answering) => {
                let written = answering.activity().endings().written();
                let bytes = sent.bytes.min(written.saturating_sub(self.began_at));
                tell(Sent { bytes, complete });
            }
            None => tell(sent),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        let frame = ready!(this.kind.poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => this.passed += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) => {}
            None => this.over = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(bytes) => bytes.is_empty(),
            Kind::File(slice) => slice.left == 0,
            Kind::Growing(slice) => slice.left() == 0,
            Kind::Stream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::File(slice) => SizeHint::with_exact(slice.left),
            Kind::Growing(slice) => SizeHint::with_exact(slice.left()),
            Kind::Stream { body, left } => left.map_or_else(|| body.size_hint(), SizeHint::with_exact),
        }
    }
}

impl From<Bytes> for ResponseBody {
    fn from(bytes: Bytes) -> Self {
        Self::full(bytes)
    }
}

impl From<String> for ResponseBody {
    fn from(text: String) -> Self {
        Self::full(text.into())
    }
}

impl Default for ResponseBody {
    fn default() -> Self {
        Self::empty()
    }
}

impl std::fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &self.kind {
            Kind::Full(_) => "Full",
            Kind::File(_) => "File",
            Kind::Growing(_) => "Growing",
            Kind::Stream { .. } => "Stream",
        };
        f.debug_struct("ResponseBody")
            .field("kind", &kind)
            .field("left", &self.size_hint().exact())
            .finish_non_exhaustive()
    }
}

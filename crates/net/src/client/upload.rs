//! A request body under way: exactly as long as announced, observable, and stoppable.
//!
//! The sender wants to know three things of it. When it last moved, because the time for an answer counts from there.
//! Why it failed, because a source that cannot be read is no failure of the network. And it must be able to stop it:
//! a server that answers with an error may go on reading, and nobody wants to send the rest.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::task::AtomicWaker;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::request::{BodyStream, RequestBody};

/// The body that the pool sends.
pub(crate) struct Outgoing {
    kind: Kind,
    control: Arc<Control>,
}

enum Kind {
    Empty,
    Once(Option<Bytes>),
    Stream { stream: BodyStream, left: u64 },
}

/// What the sender sees of the body.
#[derive(Debug)]
pub(crate) struct Control {
    moved: Mutex<Instant>,
    waits_for_source: AtomicBool,
    aborted: AtomicBool,
    task: AtomicWaker,
    failure: Mutex<Option<Arc<io::Error>>>,
}

/// Stops the body when dropped: nobody reads the answer any more.
#[derive(Debug)]
pub(crate) struct StopOnDrop(pub(crate) Arc<Control>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.aborted.store(true, Ordering::Release);
        self.0.task.wake();
    }
}

impl Control {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            moved: Mutex::new(Instant::now()),
            waits_for_source: AtomicBool::new(false),
            aborted: AtomicBool::new(false),
            task: AtomicWaker::new(),
            failure: Mutex::new(None),
        })
    }

    /// When the body last moved; now, while it is its source that lets us wait.
    pub(crate) fn moved(&self) -> Instant {
        if self.waits_for_source.load(Ordering::Acquire) {
            return Instant::now();
        }
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the source could not be read, when that is what went wrong.
    pub(crate) fn failure(&self) -> Option<Arc<io::Error>> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note_move(&self) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn fail(&self, error: io::Error) -> io::Error {
        let shown = io::Error::new(error.kind(), error.to_string());
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(error));
        shown
    }
}

impl Outgoing {
    /// Opens a body.
    pub(crate) async fn open(body: RequestBody<'_>) -> io::Result<(Self, Arc<Control>)> {
        let kind = match body {
            RequestBody::Empty => Kind::Empty,
            RequestBody::Bytes(bytes) => Kind::Once(Some(bytes.clone())),
            RequestBody::Stream { len, source } => Kind::Stream {
                stream: source.open().await?,
                left: len,
            },
        };
        let control = Control::new();
        let outgoing = Self {
            kind,
            control: Arc::clone(&control),
        };
        Ok((outgoing, control))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Self { kind, control } = &mut *self;
        control.task.register(cx.waker());
        if control.aborted.load(Ordering::Acquire) {
            return Poll::Ready(Some(Err(io::Error::other(
                "the answer came before the whole body was sent",
            ))));
        }
        let (stream, left) = match kind {
            Kind::Empty => return Poll::Ready(None),
            Kind::Once(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Stream { stream, left } => (stream, left),
        };
        control.waits_for_source.store(true, Ordering::Release);
        let next = ready!(Pin::new(stream).poll_next(cx));
        control.note_move();
        control.waits_for_source.store(false, Ordering::Release);
        Poll::Ready(match next {
            None if *left == 0 => None,
            None => Some(Err(control.fail(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("the source ended {left} bytes early"),
            )))),
            Some(Err(error)) => Some(Err(control.fail(error))),
            Some(Ok(bytes)) => match left.checked_sub(bytes.len() as u64) {
                Some(rest) => {
                    *left = rest;
                    Some(Ok(Frame::data(bytes)))
                }
                None => Some(Err(control.fail(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the source holds more bytes than announced",
                )))),
            },
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty | Kind::Once(None) => true,
            Kind::Once(Some(bytes)) => bytes.is_empty(),
            Kind::Stream { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.kind {
            Kind::Empty | Kind::Once(None) => 0,
            Kind::Once(Some(bytes)) => bytes.len() as u64,
            Kind::Stream { left, .. } => *left,
        })
    }
}

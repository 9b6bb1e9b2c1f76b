//! A TCP socket that lets us read why we were cut off.
//!
//! A server may answer an upload with an error and close before it has read everything. Our next write then fails
//! with a broken pipe, while its answer still waits in our receive buffer. Here a failed write does not end the
//! connection at once: writing waits, reading goes on, until the answer has been read, the stream has ended, or a
//! few seconds have passed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// How long the answer of a server that cut us off is waited for.
const GRACE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Socket {
    tcp: TcpStream,
    broken: Option<Broken>,
}

#[derive(Debug)]
struct Broken {
    error: io::Error,
    read_ended: bool,
    deadline: Pin<Box<Sleep>>,
    writer: Option<Waker>,
}

impl Socket {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self { tcp, broken: None }
    }

    /// Runs a write; a failure is held back as the module says.
    fn write_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.broken.is_none() {
            match ready!(write(Pin::new(&mut self.tcp), cx)) {
                Ok(done) => return Poll::Ready(Ok(done)),
                Err(error) => {
                    self.broken = Some(Broken {
                        error,
                        read_ended: false,
                        deadline: Box::pin(sleep(GRACE)),
                        writer: None,
                    });
                }
            }
        }
        match &mut self.broken {
            Some(broken) => broken.poll_over(cx).map(Err),
            None => Poll::Pending,
        }
    }
}

impl Broken {
    /// Ready with the write's failure once there is nothing left to wait for.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.read_ended || self.deadline.as_mut().poll(cx).is_ready() {
            let kind = self.error.kind();
            let original = std::mem::replace(&mut self.error, kind.into());
            return Poll::Ready(original);
        }
        self.writer = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = ready!(Pin::new(&mut self.tcp).poll_read(cx, buf));
        let ended = outcome.is_err() || (buf.filled().len() == before && buf.remaining() > 0);
        if ended && let Some(broken) = &mut self.broken {
            broken.read_ended = true;
            if let Some(writer) = broken.writer.take() {
                writer.wake();
            }
        }
        Poll::Ready(outcome)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.write_with(cx, |tcp, cx| tcp.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write_with(cx, |tcp, cx| tcp.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing more is to be read after a shutdown, so nothing is waited for.
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write_with(cx, |tcp, cx| tcp.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }
}

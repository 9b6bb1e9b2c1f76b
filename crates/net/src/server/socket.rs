//! The TCP socket of one connection: knows files by address, and clients that are too slow.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendFlags};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::activity::Activity;
use super::limits::Limits;
use super::region::{Place, Regions};
use super::send::FileSender;
use super::stats::Stats;

/// A socket. Under TLS it has no regions, and every byte that it writes is one that it was given.
pub(super) struct Socket {
    tcp: TcpStream,
    stats: Arc<Stats>,
    files: Option<(Arc<Regions>, FileSender)>,
    activity: Activity,
    head: Deadline,
    /// The request whose head `head` is about: how many had begun before it.
    head_of: u64,
    stall: Deadline,
}

/// A timeout that is set at most once between two events.
struct Deadline {
    after: Duration,
    what: &'static str,
    sleep: Option<Pin<Box<Sleep>>>,
    set: bool,
}

// === impl Socket ===

impl Socket {
    /// The time for the first head starts now.
    pub(super) fn new(tcp: TcpStream, activity: Activity, stats: Arc<Stats>, limits: &Limits) -> Self {
        let mut head = Deadline::new(limits.header_timeout, "the head of a request took too long");
        head.set();
        Self {
            tcp,
            stats,
            files: None,
            activity,
            head,
            head_of: 0,
            stall: Deadline::new(limits.stall_timeout, "the client takes no bytes"),
        }
    }

    /// Sends slices in `regions` as files.
    pub(super) fn with_files(mut self, regions: Arc<Regions>, sender: FileSender) -> Self {
        self.files = Some((regions, sender));
        self
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let Some((regions, sender)) = self.files.as_mut() else {
            return Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        };
        let Some((first, place)) = first_file(regions, bufs) else {
            return Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        };
        if first == 0 {
            return sender.poll_send(cx, &mut self.tcp, place, bufs[0].len());
        }
        poll_send_more(cx, &self.tcp, &bufs[..first])
    }
}

/// The first slice that stands for a file, after slices that are memory. Empty slices are neither.
fn first_file(regions: &Regions, bufs: &[IoSlice<'_>]) -> Option<(usize, Place)> {
    bufs.iter()
        .enumerate()
        .find_map(|(index, slice)| Some((index, regions.find(slice)?)))
}

/// Writes the head of a response and tells the kernel that a file follows, so that they share a packet.
fn poll_send_more(cx: &mut Context<'_>, tcp: &TcpStream, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
    loop {
        ready!(tcp.poll_write_ready(cx))?;
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        let sent = tcp.try_io(Interest::WRITABLE, || {
            Ok(rustix::net::sendmsg(
                tcp,
                bufs,
                &mut SendAncillaryBuffer::default(),
                flags,
            )?)
        });
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return Poll::Ready(done),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.tcp).poll_read(cx, buf);
        Stats::add(&this.stats.received_bytes, buf.filled().len() - before);
        if this.activity.begun() != this.head_of {
            this.head_of = this.activity.begun();
            this.head.clear();
        }
        // While a request is answered its handler decides how long it waits for a body, and while a response is on
        // its way hyper does not look at the next head.
        if this.activity.is_answering() || this.stall.set {
            this.head.clear();
            return read;
        }
        if read.is_ready() {
            if buf.filled().len() > before {
                this.head.set();
            }
            return read;
        }
        this.head.poll(cx)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = this.poll_send(cx, bufs);
        if let Poll::Ready(written) = written {
            this.stall.clear();
            let bytes = *written.as_ref().unwrap_or(&0);
            this.activity.endings().wrote(bytes);
            Stats::add(&this.stats.sent_bytes, bytes);
            return Poll::Ready(written);
        }
        this.stall.set();
        this.stall.poll(cx)
    }

    // What makes hyper pass a body's bytes on instead of copying them.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Asked for when everything that was passed on has been written.
        let flushed = Pin::new(&mut self.tcp).poll_flush(cx);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.activity.endings().flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

// === impl Deadline ===

impl Deadline {
    const fn new(after: Duration, what: &'static str) -> Self {
        Self {
            after,
            what,
            sleep: None,
            set: false,
        }
    }

    /// Starts the time, unless it runs already.
    fn set(&mut self) {
        if self.set {
            return;
        }
        self.set = true;
        let at = Instant::now() + self.after;
        match self.sleep.as_mut() {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(at))),
        }
    }

    const fn clear(&mut self) {
        self.set = false;
    }

    /// An error when the time is over; pending before, and for ever when it does not run.
    fn poll<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Some(sleep) = self.sleep.as_mut().filter(|_| self.set) else {
            return Poll::Pending;
        };
        ready!(sleep.as_mut().poll(cx));
        self.set = false;
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, self.what)))
    }
}

//! Sends places of files to a TCP socket: by `sendfile(2)`, and where that does not work by reading and writing.

use std::fs::File;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};
use tokio::io::{AsyncWrite, Interest};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::pieces::Pieces;
use super::region::{Place, Region};
use super::stats::Stats;

/// The most that one call sends, so that one fast client does not keep a thread from the others.
const WINDOW: usize = 512 << 10;
/// What is asked of the disk ahead of a window that is not in the page cache.
const AHEAD: u64 = 4 << 20;

/// The sending side of one connection.
pub(super) struct FileSender {
    stats: Arc<Stats>,
    /// `sendfile` was refused once on this connection (a file system that cannot, a sandbox that forbids it).
    refused: bool,
    /// A window being brought into the page cache.
    warming: Option<JoinHandle<()>>,
    /// What is there.
    warm: Option<Window>,
    pieces: Pieces,
    /// Bytes read but not written.
    read: Option<(Window, Bytes)>,
}

/// A range of a region. It does not keep the region: a file must not stay open because its connection does.
struct Window {
    region: Weak<Region>,
    /// In the file.
    range: Range<u64>,
}

impl FileSender {
    pub(super) fn new(stats: Arc<Stats>) -> Self {
        Self {
            stats,
            refused: false,
            warming: None,
            warm: None,
            pieces: Pieces::default(),
            read: None,
        }
    }

    /// Sends some of the `len` bytes at `place`. After `Pending` it must be asked for the same place again.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        tcp: &mut TcpStream,
        place: Place,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        if !self.refused {
            let len = ready!(self.poll_warm(cx, &place, len.min(WINDOW)));
            match ready!(poll_sendfile(cx, tcp, &place, len)) {
                Ok(0) => return Poll::Ready(Err(shorter())),
                Ok(sent) => {
                    Stats::add(&self.stats.sendfile_bytes, sent);
                    return Poll::Ready(Ok(sent));
                }
                Err(error) if means_unsupported(&error) => {
                    tracing::debug!(%error, "sendfile is refused; files are copied on this connection");
                    self.refused = true;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.poll_copy(cx, tcp, &place, len)
    }

    /// Sees to it that `sendfile` will not wait for the disk, which would hold an async thread, and says how much
    /// can be sent. Only the ends of a window are looked at: the kernel reads ahead in larger steps than that.
    fn poll_warm(&mut self, cx: &mut Context<'_>, place: &Place, len: usize) -> Poll<usize> {
        if let Some(warm) = self.warm.as_ref().filter(|warm| warm.contains(place)) {
            let left = warm.range.end - place.offset;
            return Poll::Ready(usize::try_from(left).unwrap_or(len).min(len));
        }
        let window = Window::new(place, len);
        let range = window.range.clone();
        if self.warming.is_none()
            && (is_cold(place.file(), range.start) || is_cold(place.file(), range.end - 1))
        {
            Stats::add(&self.stats.cold_reads, 1);
            let file = Arc::clone(place.file());
            self.warming = Some(tokio::task::spawn_blocking(move || warm(&file, range)));
        }
        if let Some(warming) = self.warming.as_mut() {
            // Whether it worked shows when the bytes are sent.
            let _ = ready!(Pin::new(warming).poll(cx));
            self.warming = None;
        }
        self.warm = Some(window);
        Poll::Ready(len)
    }

    fn poll_copy(
        &mut self,
        cx: &mut Context<'_>,
        tcp: &mut TcpStream,
        place: &Place,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        let held = self.read.take().filter(|(window, _)| window.starts_at(place));
        let (mut window, mut bytes) = match held {
            Some(held) => held,
            None => {
                let bytes = ready!(self.pieces.poll_read(cx, place.file(), place.offset, len as u64))?;
                (Window::new(place, bytes.len()), bytes)
            }
        };
        let written = Pin::new(tcp).poll_write(cx, &bytes);
        if let Poll::Ready(Ok(written)) = &written {
            Stats::add(&self.stats.copied_bytes, *written);
            window.range.start += *written as u64;
            bytes.advance(*written);
        }
        self.read = Some((window, bytes)).filter(|(_, bytes)| !bytes.is_empty());
        written
    }
}

impl Window {
    fn new(place: &Place, len: usize) -> Self {
        Self {
            region: place.region(),
            range: place.offset..place.offset + len as u64,
        }
    }

    fn contains(&self, place: &Place) -> bool {
        self.range.contains(&place.offset) && self.region.ptr_eq(&place.region())
    }

    fn starts_at(&self, place: &Place) -> bool {
        self.range.start == place.offset && self.contains(place)
    }
}

fn poll_sendfile(
    cx: &mut Context<'_>,
    tcp: &TcpStream,
    place: &Place,
    len: usize,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(tcp.poll_write_ready(cx))?;
        let sent = tcp.try_io(Interest::WRITABLE, || {
            let mut offset = place.offset;
            Ok(rustix::fs::sendfile(tcp, place.file(), Some(&mut offset), len)?)
        });
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return Poll::Ready(done),
        }
    }
}

fn means_unsupported(error: &io::Error) -> bool {
    [
        Errno::INVAL,
        Errno::NOSYS,
        Errno::OPNOTSUPP,
        Errno::PERM,
        Errno::ACCESS,
    ]
    .iter()
    .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Whether a byte of the file is known not to be in the page cache. File systems that cannot say count as warm.
fn is_cold(file: &File, offset: u64) -> bool {
    let mut byte = [0];
    let read = rustix::io::preadv2(
        file,
        &mut [IoSliceMut::new(&mut byte)],
        offset,
        ReadWriteFlags::NOWAIT,
    );
    read == Err(Errno::AGAIN)
}

/// Brings a window into the page cache and has the disk begin with what comes next.
fn warm(file: &File, range: Range<u64>) {
    let _ = rustix::fs::fadvise(
        file,
        range.start,
        std::num::NonZeroU64::new(AHEAD),
        Advice::WillNeed,
    );
    let mut scratch = vec![0; 64 << 10];
    let mut at = range.start;
    while at < range.end {
        match file.read_at(&mut scratch, at) {
            Ok(0) => return,
            Ok(read) => at += read as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Sending will meet the same error, and report it.
            Err(_) => return,
        }
    }
}

fn shorter() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the file is shorter than what was promised of it",
    )
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::super::region::Regions;
    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (listener.accept().await.unwrap().0, client)
    }

    fn file(len: usize) -> (Arc<File>, Vec<u8>) {
        let bytes: Vec<u8> = (0..len).map(|i| (i * 31 % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        (Arc::new(file), bytes)
    }

    async fn send(
        sender: &mut FileSender,
        tcp: &mut TcpStream,
        regions: &Regions,
        mut bytes: &[u8],
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = poll_fn(|cx| {
                let place = regions.find(bytes).unwrap();
                sender.poll_send(cx, tcp, place, bytes.len())
            });
            bytes = &bytes[sent.await?..];
        }
        Ok(())
    }

    #[tokio::test]
    async fn where_sendfile_is_refused_the_file_is_copied() {
        let (file, expected) = file(3_000_000);
        let (mut tcp, mut client) = pair().await;
        let regions = Regions::default();
        let bytes = regions.bytes(&file, 1001, 2_900_000).unwrap();
        let stats = Arc::new(Stats::default());
        let mut sender = FileSender::new(Arc::clone(&stats));
        sender.refused = true;
        let receiving = tokio::spawn(async move {
            let mut received = vec![0; 2_900_000];
            client.read_exact(&mut received).await.unwrap();
            received
        });
        send(&mut sender, &mut tcp, &regions, &bytes).await.unwrap();
        assert!(receiving.await.unwrap() == expected[1001..2_901_001]);
        assert_eq!((stats.copied_bytes(), stats.sendfile_bytes()), (2_900_000, 0));
    }

    #[tokio::test]
    async fn a_file_that_has_become_shorter_is_an_error_both_ways() {
        for refused in [false, true] {
            let (file, _) = file(100_000);
            let (mut tcp, _client) = pair().await;
            let regions = Regions::default();
            let bytes = regions.bytes(&file, 0, 100_000).unwrap();
            file.set_len(40_000).unwrap();
            let mut sender = FileSender::new(Arc::default());
            sender.refused = refused;
            let error = send(&mut sender, &mut tcp, &regions, &bytes).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn only_refusals_change_the_way() {
        assert!(means_unsupported(&Errno::INVAL.into()));
        assert!(!means_unsupported(&Errno::PIPE.into()));
        assert!(!means_unsupported(&Errno::IO.into()));
    }
}

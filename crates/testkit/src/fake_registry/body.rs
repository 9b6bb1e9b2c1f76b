//! Bodies: content read in pieces at the pace that the registry allows, ending as a fault wants it to.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};

use super::record::Request;
use super::rules::Fault;
use crate::reset::reset;
use crate::workload::Content;

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

const PIECE: usize = 64 * 1024;
/// Lets what was written reach the other side before the connection breaks.
const SETTLE: Duration = Duration::from_millis(40);

/// A body in memory.
pub(super) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A connection, as far as a fault needs it: it can be made to end with RST.
#[derive(Debug)]
pub(super) struct Connection {
    socket: OwnedFd,
}

impl Connection {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self { socket }
    }

    /// Ends the connection with RST.
    pub(super) fn reset(&self) {
        reset(&self.socket);
    }
}

/// A speed that all connections share.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: Mutex<Option<u64>>,
    next: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            bytes_per_second: Mutex::new(bytes_per_second),
            next: Mutex::new(Instant::now()),
        }
    }

    pub(super) fn set(&self, bytes_per_second: Option<u64>) {
        *self.bytes_per_second.lock().unwrap() = bytes_per_second;
    }

    /// How large a piece may be so that the pace is felt.
    fn piece(&self) -> usize {
        let speed = self.bytes_per_second.lock().unwrap().unwrap_or(u64::MAX);
        usize::try_from(speed / 50).unwrap_or(PIECE).clamp(256, PIECE)
    }

    /// Waits until so many bytes may pass.
    pub(super) async fn take(&self, bytes: usize) {
        let Some(speed) = *self.bytes_per_second.lock().unwrap() else {
            return;
        };
        let turn = {
            let mut next = self.next.lock().unwrap();
            let turn = (*next).max(Instant::now());
            *next = turn + Duration::from_secs_f64(bytes as f64 / speed.max(1) as f64);
            turn
        };
        tokio::time::sleep_until(turn.into()).await;
    }
}

/// What a body consists of and how it ends.
pub(super) struct Sending {
    pub(super) content: Content,
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) fault: Option<Fault>,
    pub(super) request: Request,
    pub(super) pace: Arc<Pace>,
    pub(super) connection: Arc<Connection>,
}

struct Progress {
    sending: Sending,
    reader: Box<dyn Read + Send>,
    sent: u64,
}

impl Sending {
    /// The body; fails when the content cannot be opened.
    pub(super) fn into_body(self) -> io::Result<Body> {
        let reader = self.content.reader(self.offset)?;
        let progress = Progress {
            sending: self,
            reader,
            sent: 0,
        };
        let pieces = stream::try_unfold(progress, |mut progress| async move {
            let piece = progress.next().await?;
            Ok(piece.map(|piece| (Frame::data(piece), progress)))
        });
        Ok(StreamBody::new(pieces).boxed_unsync())
    }

    /// Where the body breaks off, if a fault says so.
    fn breaks_at(&self) -> Option<u64> {
        match self.fault {
            Some(Fault::Reset { after } | Fault::Cut { after } | Fault::Stall { after, .. }) => Some(after),
            _ => None,
        }
    }
}

impl Progress {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let end = self.sending.breaks_at().unwrap_or(u64::MAX).min(self.sending.len);
        if self.sent >= end {
            return match self.sending.breaks_at() {
                Some(at) if at < self.sending.len => Err(self.break_off().await),
                _ => Ok(None),
            };
        }
        let wanted = usize::try_from(end - self.sent)
            .unwrap_or(PIECE)
            .min(self.sending.pace.piece());
        let mut piece = vec![0; wanted];
        self.reader.read_exact(&mut piece)?;
        if let Some(Fault::Flip { at }) = self.sending.fault {
            let inside = at.checked_sub(self.sent).and_then(|at| usize::try_from(at).ok());
            if let Some(byte) = inside.and_then(|at| piece.get_mut(at)) {
                *byte ^= 0x20;
            }
        }
        self.sending.pace.take(wanted).await;
        self.sent += wanted as u64;
        self.sending.request.add_sent(wanted as u64);
        Ok(Some(piece.into()))
    }

    async fn break_off(&mut self) -> io::Error {
        tokio::time::sleep(SETTLE).await;
        match self.sending.fault {
            Some(Fault::Reset { .. }) => self.sending.connection.reset(),
            Some(Fault::Stall { pause, .. }) => tokio::time::sleep(pause).await,
            _ => {}
        }
        io::Error::other("a fault of the test registry")
    }
}

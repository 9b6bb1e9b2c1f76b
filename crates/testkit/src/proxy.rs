//! A proxy for bytes in front of any real server: it cuts connections, throttles them, delays them, and counts.
//!
//! It knows nothing of HTTP, so it can stand before programs that cannot be made to fail by themselves.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::reset::reset;

const PIECE: usize = 16 * 1024;

/// How a connection ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// RST after so many bytes from the server.
    Reset(u64),
    /// An orderly end after so many bytes from the server.
    Close(u64),
    /// RST after so many bytes from the client.
    ResetUpload(u64),
}

#[derive(Debug, Default)]
struct Shared {
    cuts: Mutex<VecDeque<Cut>>,
    speed: AtomicU64,
    delay_ms: AtomicU64,
    next: Mutex<Option<Instant>>,
    open: Mutex<Vec<TcpStream>>,
    connections: AtomicUsize,
    cut: AtomicUsize,
    down: AtomicU64,
    up: AtomicU64,
    stopped: AtomicBool,
}

/// A running proxy. It ends, and so do its connections, with this handle.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl FaultProxy {
    /// A proxy to a port on 127.0.0.1.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let thread = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || accept(&listener, target, &shared))
        };
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The next connection that has no cut yet gets this one; several cuts go to several connections.
    pub fn cut_next(&self, cut: Cut) {
        self.shared.cuts.lock().unwrap().push_back(cut);
    }

    /// Resets every connection that is open now.
    pub fn cut_all(&self) {
        for stream in self.shared.open.lock().unwrap().drain(..) {
            reset(&stream);
        }
    }

    /// Bytes per second of all connections together, both ways; 0 for no limit.
    pub fn set_speed(&self, bytes_per_second: u64) {
        self.shared.speed.store(bytes_per_second, Ordering::Relaxed);
    }

    /// How long each new connection waits before it is passed on.
    pub fn set_delay(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.shared.delay_ms.store(delay, Ordering::Relaxed);
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Connections that were cut by [`Self::cut_next`].
    pub fn cuts(&self) -> usize {
        self.shared.cut.load(Ordering::Relaxed)
    }

    /// Bytes from the server.
    pub fn bytes_down(&self) -> u64 {
        self.shared.down.load(Ordering::Relaxed)
    }

    /// Bytes from the clients.
    pub fn bytes_up(&self) -> u64 {
        self.shared.up.load(Ordering::Relaxed)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.cut_all();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, target: SocketAddr, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.stopped.load(Ordering::Relaxed) {
            return;
        }
        let Ok(client) = client else { continue };
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            let _ = connect(&client, target, &shared);
        });
    }
}

fn connect(client: &TcpStream, target: SocketAddr, shared: &Arc<Shared>) -> io::Result<()> {
    shared.connections.fetch_add(1, Ordering::Relaxed);
    let cut = shared.cuts.lock().unwrap().pop_front();
    thread::sleep(Duration::from_millis(shared.delay_ms.load(Ordering::Relaxed)));
    let server = TcpStream::connect(target)?;
    for stream in [client, &server] {
        stream.set_nodelay(true)?;
        shared.open.lock().unwrap().push(stream.try_clone()?);
    }
    let (up_limit, down_limit) = match cut {
        None => (u64::MAX, u64::MAX),
        Some(Cut::Reset(after) | Cut::Close(after)) => (u64::MAX, after),
        Some(Cut::ResetUpload(after)) => (after, u64::MAX),
    };
    let end = |was_cut: bool| {
        if was_cut {
            shared.cut.fetch_add(1, Ordering::Relaxed);
            break_off(cut, client, &server);
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| end(pump(client, &server, shared, &shared.up, up_limit)));
        end(pump(&server, client, shared, &shared.down, down_limit));
    });
    forget(shared, client);
    forget(shared, &server);
    Ok(())
}

fn break_off(cut: Option<Cut>, client: &TcpStream, server: &TcpStream) {
    // What was sent shall arrive before the line breaks.
    thread::sleep(Duration::from_millis(20));
    for stream in [client, server] {
        if matches!(cut, Some(Cut::Close(_))) {
            let _ = stream.shutdown(Shutdown::Both);
        } else {
            reset(stream);
        }
    }
}

/// Copies until the end or the limit; whether it was the limit.
fn pump(mut from: &TcpStream, mut to: &TcpStream, shared: &Shared, count: &AtomicU64, limit: u64) -> bool {
    let mut buffer = vec![0; PIECE];
    let mut left = limit;
    while left > 0 {
        let room = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let read = from.read(&mut buffer[..room]).unwrap_or(0);
        if read == 0 {
            let _ = to.shutdown(Shutdown::Write);
            return false;
        }
        wait_for_turn(shared, read);
        if to.write_all(&buffer[..read]).is_err() {
            // Tells the sender, who would else write into the void for ever.
            reset(from);
            return false;
        }
        count.fetch_add(read as u64, Ordering::Relaxed);
        left -= read as u64;
    }
    true
}

fn wait_for_turn(shared: &Shared, bytes: usize) {
    let speed = shared.speed.load(Ordering::Relaxed);
    if speed == 0 {
        return;
    }
    let now = Instant::now();
    let turn = {
        let mut next = shared.next.lock().unwrap();
        let turn = next.unwrap_or(now).max(now);
        *next = Some(turn + Duration::from_secs_f64(bytes as f64 / speed as f64));
        turn
    };
    thread::sleep(turn - now);
}

fn forget(shared: &Shared, stream: &TcpStream) {
    let address = stream.peer_addr().ok();
    let mut open = shared.open.lock().unwrap();
    open.retain(|known| known.peer_addr().ok() != address);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers every connection with a megabyte.
    fn server() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming().take(4) {
                let _ = stream.unwrap().write_all(&vec![7; 1 << 20]);
            }
        });
        port
    }

    fn fetch(proxy: &FaultProxy) -> (usize, Option<io::ErrorKind>) {
        let mut bytes = Vec::new();
        let mut stream = TcpStream::connect(proxy.address()).unwrap();
        let error = stream.read_to_end(&mut bytes).err();
        (bytes.len(), error.map(|error| error.kind()))
    }

    #[test]
    fn cuts_one_connection_and_passes_the_next() {
        let proxy = FaultProxy::to(server());
        proxy.cut_next(Cut::Reset(100_000));
        proxy.cut_next(Cut::Close(5));
        let (len, error) = fetch(&proxy);
        assert!(len <= 100_000, "{len}");
        assert_eq!(error, Some(io::ErrorKind::ConnectionReset));
        assert_eq!(fetch(&proxy), (5, None));
        assert_eq!(fetch(&proxy), (1 << 20, None));
        assert_eq!((proxy.connections(), proxy.cuts()), (3, 2));
    }

    #[test]
    fn throttles() {
        let proxy = FaultProxy::to(server());
        proxy.set_speed(4 << 20);
        let started = Instant::now();
        assert_eq!(fetch(&proxy).0, 1 << 20);
        let took = started.elapsed();
        assert!((200..2000).contains(&took.as_millis()), "{took:?}");
    }
}

//! A proxy that leads every name to loopback, so that the real names of clouds can be used in tests, certificates and all.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Where names lead: the first whose end fits.
type Ways = Arc<Vec<(String, u16)>>;

/// A running proxy. It accepts no more connections once this handle is gone.
#[derive(Debug)]
pub struct Detour {
    address: SocketAddr,
    targets: Arc<Mutex<Vec<String>>>,
    stopped: Arc<std::sync::atomic::AtomicBool>,
}

impl Detour {
    /// A proxy that connects `host:port` to a port on 127.0.0.1, the first in the list whose text the host ends in.
    #[track_caller]
    pub fn new(ways: &[(&str, u16)]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let address = listener.local_addr().expect("a bound socket has an address");
        let ways: Ways = Arc::new(
            ways.iter()
                .map(|(end, port)| ((*end).to_owned(), *port))
                .collect(),
        );
        let targets: Arc<Mutex<Vec<String>>> = Arc::default();
        let stopped = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (seen, end) = (Arc::clone(&targets), Arc::clone(&stopped));
        thread::spawn(move || {
            for client in listener.incoming() {
                if end.load(std::sync::atomic::Ordering::SeqCst) {
                    return;
                }
                let Ok(client) = client else { continue };
                let (ways, seen) = (Arc::clone(&ways), Arc::clone(&seen));
                thread::spawn(move || connect(client, &ways, &seen));
            }
        });
        Self {
            address,
            targets,
            stopped,
        }
    }

    /// `http://127.0.0.1:PORT`, for `HTTPS_PROXY`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every `host:port` that was asked for.
    pub fn targets(&self) -> Vec<String> {
        self.targets.lock().unwrap().clone()
    }
}

impl Drop for Detour {
    fn drop(&mut self) {
        self.stopped.store(true, std::sync::atomic::Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn connect(client: TcpStream, ways: &Ways, seen: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let target = line.split_whitespace().nth(1).unwrap_or_default().to_owned();
    seen.lock().unwrap().push(target.clone());
    while line.trim() != "" {
        line.clear();
        reader.read_line(&mut line)?;
    }
    let host = target.rsplit_once(':').map_or(target.as_str(), |(host, _)| host);
    let mut to_client = client.try_clone()?;
    let Some((_, port)) = ways.iter().find(|(end, _)| host.ends_with(end.as_str())) else {
        return to_client.write_all(b"HTTP/1.1 502 No Way\r\ncontent-length: 0\r\n\r\n");
    };
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, *port))?;
    to_client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let to_server = server.try_clone()?;
    // A client says nothing more before it has the answer, so nothing is left in the reader.
    thread::spawn(move || pump(client, to_server));
    pump(server, to_client);
    Ok(())
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}

//! Files over HTTP on loopback, as a project's downloads have them: a path is there or it is not.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A running server; it answers for as long as the test's process lives.
pub struct FileServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl FileServer {
    /// Serves these files, by their paths as they stand in a request (`/v1%2B1/list.txt`).
    pub fn with<'a>(files: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Self {
        let files: BTreeMap<_, _> = files
            .into_iter()
            .map(|(path, bytes)| (path.to_owned(), bytes))
            .collect();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let address = listener.local_addr().expect("the port's number");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&asked);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // A client that goes away is its own affair.
                let _ = answer(&connection, &files, &record);
            }
        });
        Self { address, asked }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The paths that were asked for, in their order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("the record of paths").clone()
    }
}

fn answer(
    mut connection: &TcpStream,
    files: &BTreeMap<String, Vec<u8>>,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(connection).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let (status, body) = match files.get(&path) {
        Some(body) => ("200 OK", body.as_slice()),
        None => ("404 Not Found", b"no such file".as_slice()),
    };
    asked.lock().expect("the record of paths").push(path);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes())?;
    connection.write_all(body)?;
    connection.flush()
}

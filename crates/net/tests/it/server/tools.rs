//! A server to test, and a client that does exactly what it is told.

use std::fs::File;
use std::future::Future;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use landfall_net::server::{Limits, Peer, ResponseBody, Security, ServeError, Server, Stats};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A server under test.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    pub(crate) stats: Arc<Stats>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    /// Serves `file` at `/file`; see [`answer`].
    pub(crate) async fn start(security: Security, limits: Limits, file: File) -> Self {
        let file = Arc::new(file);
        let server = Server::bind(ANY, security, limits).await.unwrap();
        let (addr, stats) = (server.local_addr(), server.stats());
        let (stop, stopped) = oneshot::channel();
        let service = move |request, peer| answer(Arc::clone(&file), request, peer);
        let task = tokio::spawn(server.run(service, async {
            let _ = stopped.await;
        }));
        Self {
            addr,
            stats,
            stop,
            task,
        }
    }

    pub(crate) async fn plain(limits: Limits, file: File) -> Self {
        Self::start(Security::Plain, limits, file).await
    }

    pub(crate) async fn connect(&self) -> Client<TcpStream> {
        Client(TcpStream::connect(self.addr).await.unwrap())
    }

    /// A connection whose client takes little at a time.
    pub(crate) async fn connect_narrow(&self) -> Client<TcpStream> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(8 << 10).unwrap();
        Client(socket.connect(self.addr).await.unwrap())
    }

    /// Tells it to stop; the handle ends when it has.
    pub(crate) fn stop(self) -> JoinHandle<Result<(), ServeError>> {
        let _ = self.stop.send(());
        self.task
    }

    /// Waits until every accepted connection has ended.
    pub(crate) async fn all_ended(&self) {
        until("connections ended", || {
            self.stats.accepted() == self.stats.ended()
        })
        .await;
    }
}

/// `/file` (a `Range` is obeyed), `/secure` (the same, never mapped), `/hello`, `/slow`, `/panic`, `/who`, and POST
/// `/length`, which counts.
async fn answer(file: Arc<File>, request: Request<Incoming>, peer: Peer) -> Response<ResponseBody> {
    let path = request.uri().path().to_owned();
    match path.as_str() {
        "/file" | "/secure" => file_response(file, &request, path == "/secure"),
        "/hello" => Response::new(String::from("hello").into()),
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Response::new(String::from("late").into())
        }
        "/panic" => panic!("on purpose"),
        "/who" => {
            let certificate = peer.client_certificate.is_some();
            let name = peer.certificate_name.map(|name| format!(" name={name}"));
            let name = name.unwrap_or_default();
            Response::new(format!("tls={} certificate={certificate}{name}", peer.tls).into())
        }
        "/length" => {
            let mut body = request.into_body();
            let mut length = 0;
            while let Some(Ok(frame)) = body.frame().await {
                length += frame.data_ref().map_or(0, Bytes::len);
            }
            Response::new(length.to_string().into())
        }
        "/stream" => {
            let pieces = (0..5).map(|i| Ok(Bytes::from(format!("{i},"))));
            Response::new(ResponseBody::stream(futures_util::stream::iter(pieces), None))
        }
        "/broken" => {
            let pieces = [Ok(Bytes::from("some")), Err(io::Error::other("gone"))];
            Response::new(ResponseBody::stream(
                futures_util::stream::iter(pieces),
                Some(100),
            ))
        }
        _ => {
            let mut response = Response::new(ResponseBody::empty());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

fn file_response(file: Arc<File>, request: &Request<Incoming>, secure: bool) -> Response<ResponseBody> {
    let len = file.metadata().unwrap().len();
    let range = request.headers().get(header::RANGE).map_or(0..len, |range| {
        let (from, to) = range
            .to_str()
            .unwrap()
            .strip_prefix("bytes=")
            .unwrap()
            .split_once('-')
            .unwrap();
        from.parse().unwrap()..to.parse::<u64>().unwrap() + 1
    });
    let body = ResponseBody::file(file, range.start, range.end - range.start, secure);
    Response::new(body)
}

/// One connection.
pub(crate) struct Client<S>(pub(crate) S);

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    pub(crate) async fn ask(&mut self, method: &str, path: &str, range: Option<Range<u64>>) {
        let range = range.map_or_else(String::new, |range| {
            format!("Range: bytes={}-{}\r\n", range.start, range.end - 1)
        });
        self.send(&format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{range}\r\n"))
            .await;
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, None).await;
        self.answer().await.unwrap()
    }

    pub(crate) async fn get_range(&mut self, path: &str, range: Range<u64>) -> Answer {
        self.ask("GET", path, Some(range)).await;
        self.answer().await.unwrap()
    }

    /// Reads a head, and the body that it promises.
    pub(crate) async fn answer(&mut self) -> io::Result<Answer> {
        let (status, head, length) = self.head().await?;
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok(Answer { status, head, body })
    }

    /// Reads a head: its status, its text and its Content-Length.
    pub(crate) async fn head(&mut self) -> io::Result<(u16, String, usize)> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await?);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        Ok((status, head, length))
    }

    /// The next line, without its end.
    pub(crate) async fn line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(self.0.read_u8().await.unwrap());
        }
        line.truncate(line.len() - 2);
        line
    }

    /// What still comes until the server closes, which it must.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end too.
        let _ = soon(self.0.read_to_end(&mut rest)).await;
        rest
    }
}

/// Fails a test that hangs.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .expect("must not hang")
}

pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..4000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never happened: {what}");
}

/// Bytes that differ by place.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    let mut x = 0x9e37_79b9_7f4a_7c15_u64;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        out.extend_from_slice(&x.to_le_bytes());
    }
    out.truncate(len);
    out
}

/// A file without a name.
pub(crate) fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

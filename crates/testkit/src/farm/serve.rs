//! From a socket of the farm to an answer.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::script::{Act, Ask, Desk};
use super::{Log, Seen, Stub, What};

/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;
/// What a Go server says to those who come to it the wrong way.
const WANTS_TLS: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
const IS_PLAIN: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n400 Bad Request";

/// A registry with all that its connections share.
struct Counter {
    at: SocketAddr,
    group: usize,
    desk: Mutex<Desk>,
    log: Log,
}

/// Accepts connections for ever.
pub(super) async fn accept(at: SocketAddr, listener: TcpListener, stub: Stub, log: Log) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listening socket");
    let tls = stub.tls.map(TlsAcceptor::from);
    let counter = Arc::new(Counter {
        at,
        group: stub.group,
        desk: Mutex::new(Desk::new(stub.script)),
        log,
    });
    while let Ok((stream, _)) = listener.accept().await {
        let (counter, tls) = (Arc::clone(&counter), tls.clone());
        tokio::spawn(async move {
            // Broken connections are this server's trade.
            let _ = connection(stream, tls, counter).await;
        });
    }
}

async fn connection(
    mut stream: TcpStream,
    tls: Option<TlsAcceptor>,
    counter: Arc<Counter>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Ok(());
    }
    let is_handshake = first[0] == HANDSHAKE;
    match tls {
        Some(tls) if is_handshake => match tls.accept(stream).await {
            Ok(stream) => requests(stream, true, counter).await,
            Err(_) => {
                counter.note(What::BrokenHandshake);
                Ok(())
            }
        },
        None if !is_handshake => requests(stream, false, counter).await,
        wanted => {
            let (what, words) = match wanted {
                Some(_) => (What::PlainToTls, WANTS_TLS),
                None => (What::TlsToPlain, IS_PLAIN),
            };
            counter.note(what);
            say(&mut stream, words).await
        }
    }
}

/// Reads what the client began with before the answer, so that closing does not reset the answer away.
async fn say(stream: &mut TcpStream, words: &[u8]) -> io::Result<()> {
    let mut begun = [0; 4096];
    let _ = stream.read(&mut begun).await?;
    stream.write_all(words).await?;
    stream.shutdown().await
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    tls: bool,
    counter: Arc<Counter>,
) -> io::Result<()> {
    let service = service_fn(|request| answer(request, tls, Arc::clone(&counter)));
    let served = http1::Builder::new()
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    served.map_err(io::Error::other)
}

async fn answer(
    request: Request<Incoming>,
    tls: bool,
    counter: Arc<Counter>,
) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let form = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let form = String::from_utf8_lossy(&form).into_owned();
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let ask = Ask {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        authorization: header(AUTHORIZATION),
        form: &form,
    };
    let act = counter.desk.lock().unwrap().decide(&ask);
    let status = match &act {
        Act::Answer(reply) => reply.status,
        Act::Hangup => 0,
    };
    counter.note(What::Request {
        tls,
        method: ask.method.to_owned(),
        target: parts
            .uri
            .path_and_query()
            .map_or_else(String::new, ToString::to_string),
        host: header(HOST).unwrap_or_default().to_owned(),
        authorization: ask.authorization.map(str::to_owned),
        form: form.clone(),
        status,
    });
    let Act::Answer(reply) = act else {
        return Err(io::Error::other("the script says to hang up"));
    };
    let mut response = Response::builder()
        .status(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header(CONTENT_LENGTH, reply.body.len());
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Full::new(reply.body)).map_err(io::Error::other)
}

impl Counter {
    fn note(&self, what: What) {
        let seen = Seen { to: self.at, what };
        self.log.lock().unwrap().entry(self.group).or_default().push(seen);
    }
}

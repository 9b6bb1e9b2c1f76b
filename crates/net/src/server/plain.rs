//! A plain HTTP request on a TLS port gets an answer that its sender can read, instead of an alert that it cannot.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long the sender has to take the answer and go.
const GOODBYE: Duration = Duration::from_secs(2);
/// What is still read of the request, so that closing does not take the answer away from under its reader.
const MAX_READ: u64 = 64 << 10;

const TEXT: &str =
    "This port speaks HTTPS, and the request came in plain HTTP. Use https:// in the address.\n";

/// How a connection begins.
pub(super) enum Beginning {
    /// Not as a request in plain text.
    Tls,
    /// With the method of a request.
    PlainHttp,
    /// Not at all.
    Closed,
}

/// Looks at the first byte without taking it: a TLS record begins with 22, a request with a capital letter.
pub(super) async fn beginning(tcp: &TcpStream) -> io::Result<Beginning> {
    let mut first = [0];
    Ok(match tcp.peek(&mut first).await? {
        0 => Beginning::Closed,
        _ if first[0].is_ascii_uppercase() => Beginning::PlainHttp,
        _ => Beginning::Tls,
    })
}

/// Answers 400 and closes.
pub(super) async fn refuse(mut tcp: TcpStream) {
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{TEXT}",
        TEXT.len()
    );
    let goodbye = async {
        tcp.write_all(answer.as_bytes()).await?;
        tcp.shutdown().await?;
        tokio::io::copy(&mut tcp.take(MAX_READ), &mut tokio::io::sink()).await
    };
    // Whether it arrives is the other side's affair.
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}

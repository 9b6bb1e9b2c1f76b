//! A plain HTTP request on a TLS port gets an answer that its sender can read, instead of an alert that it cannot.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

/// How long the sender has to take the answer and go.
const GOODBYE: Duration = Duration::from_secs(2);
/// What is still read of the request, so that closing does not take the answer away from under its reader.
const MAX_READ: usize = 64 << 10;

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

/// Answers 400, and waits a little for the sender to go; the caller closes.
pub(super) async fn refuse(tcp: &TcpStream) {
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{TEXT}",
        TEXT.len()
    );
    let goodbye = async {
        write(tcp, answer.as_bytes()).await?;
        rustix::net::shutdown(tcp, rustix::net::Shutdown::Write)?;
        let (mut scratch, mut left) = ([0; 4096], MAX_READ);
        while left > 0 {
            tcp.readable().await?;
            match tcp.try_read(&mut scratch) {
                Ok(0) => break,
                Ok(read) => left = left.saturating_sub(read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok::<_, io::Error>(())
    };
    // Whether it arrives is the other side's affair.
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}

async fn write(tcp: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        tcp.writable().await?;
        match tcp.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

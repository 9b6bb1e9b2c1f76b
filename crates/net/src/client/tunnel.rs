//! CONNECT: asking an HTTP proxy for a tunnel (RFC 9110, 9.3.6).

use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::error::NetError;

/// The longest head that a proxy may answer with.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Has `proxy` connect `stream` to `target` (`host:port`).
pub(crate) async fn open<S>(
    stream: &mut S,
    proxy: &str,
    target: &str,
    authorization: Option<&HeaderValue>,
) -> Result<(), NetError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let failed = |reason: String, transient| NetError::Proxy {
        proxy: proxy.to_owned(),
        target: target.to_owned(),
        reason,
        transient,
    };
    let mut head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(value) = authorization {
        head.extend_from_slice(b"Proxy-Authorization: ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    let broke = |error: std::io::Error| failed(error.to_string(), true);
    stream.write_all(&head).await.map_err(broke)?;
    stream.flush().await.map_err(broke)?;

    let mut answer = Vec::with_capacity(256);
    let end = loop {
        if stream.read_buf(&mut answer).await.map_err(broke)? == 0 {
            return Err(failed("it closed the connection".to_owned(), true));
        }
        if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if answer.len() > MAX_HEAD_BYTES {
            return Err(failed("its answer has no end".to_owned(), false));
        }
    };
    let line = answer[..end]
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    match parse_status(line) {
        Some(200..=299) if answer.len() > end + 4 => Err(failed("it spoke before we did".to_owned(), false)),
        Some(200..=299) => Ok(()),
        Some(407) => Err(failed(
            "it wants a user name and password (407); put them into the proxy's URL".to_owned(),
            false,
        )),
        Some(status) => Err(failed(format!("it answered {status}"), status >= 500)),
        None => Err(failed("it does not answer in HTTP".to_owned(), false)),
    }
}

fn parse_status(line: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(line).ok()?;
    let rest = line.strip_prefix("HTTP/1.")?;
    rest.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn against(answer: &'static [u8]) -> Result<(), NetError> {
        let (mut ours, mut theirs) = tokio::io::duplex(64 * 1024);
        let proxy = tokio::spawn(async move {
            let mut seen = vec![0; 1024];
            let _ = theirs.read(&mut seen).await;
            let _ = theirs.write_all(answer).await;
        });
        let outcome = open(&mut ours, "proxy:3128", "reg:443", None).await;
        proxy.await.unwrap();
        outcome
    }

    #[tokio::test]
    async fn only_a_clean_200_opens_the_tunnel() {
        assert!(
            against(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")
                .await
                .is_ok()
        );
        let refusals: [(&[u8], bool); 6] = [
            (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", false),
            (b"HTTP/1.1 403 Forbidden\r\n\r\n", false),
            (b"HTTP/1.0 503 Busy\r\n\r\n", true),
            (b"HTTP/1.1 200 OK\r\n\r\nhello", false),
            (b"SSH-2.0-x\r\n\r\n", false),
            (b"", true),
        ];
        for (answer, expected) in refusals {
            let error = against(answer).await.unwrap_err();
            assert_eq!(error.is_transient(), expected, "{error}");
        }
    }
}

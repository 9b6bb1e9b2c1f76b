//! A small file from wherever the person keeps it: a path on this machine, or a URL.
//!
//! Tables, release lists and charts come this way. The bytes are bounded, because the other end decides their number.

use std::path::Path;

use http::{Method, StatusCode, Uri};
use landfall_client::ClientError;
use landfall_net::client::{PlainHttp, Request, ShownUrl, Transport, TransportOptions};
use tokio::io::AsyncReadExt;

use crate::exit::Exit;
use crate::failure::Failure;

/// Reads a file or fetches an `http://` or `https://` URL, not more than `limit` bytes.
///
/// A URL says itself whether it is TLS: `--plain-http` changes nothing about one that says `https://`, and one that
/// says `http://` needs no flag.
pub(crate) async fn bytes(
    place: &str,
    limit: usize,
    transport: &TransportOptions,
) -> Result<Vec<u8>, Failure> {
    match is_url(place) {
        true => match from_url(place, limit, transport).await? {
            Fetched::Bytes(bytes) => Ok(bytes),
            Fetched::Status(failure, _) => Err(failure),
        },
        false => from_file(Path::new(place), limit).await,
    }
}

/// The same for a file that may well not be there.
pub(crate) async fn bytes_if_there(
    place: &str,
    limit: usize,
    transport: &TransportOptions,
) -> Result<Option<Vec<u8>>, Failure> {
    if !is_url(place) {
        return match tokio::fs::try_exists(place).await {
            Ok(false) => Ok(None),
            _ => from_file(Path::new(place), limit).await.map(Some),
        };
    }
    match from_url(place, limit, transport).await? {
        Fetched::Bytes(bytes) => Ok(Some(bytes)),
        Fetched::Status(_, StatusCode::NOT_FOUND | StatusCode::GONE) => Ok(None),
        Fetched::Status(failure, _) => Err(failure),
    }
}

/// What a server answered.
enum Fetched {
    Bytes(Vec<u8>),
    /// Something else than success, as an error for whoever needs the bytes.
    Status(Failure, StatusCode),
}

/// Whether this names something on the network.
pub(crate) fn is_url(place: &str) -> bool {
    let begins = |scheme: &str| {
        place
            .get(..scheme.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    };
    begins("http://") || begins("https://")
}

async fn from_file(path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| Failure::local("read", path, &error);
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut bytes = Vec::new();
    let mut bounded = file.take(limit as u64 + 1);
    bounded.read_to_end(&mut bytes).await.map_err(failed)?;
    match bytes.len() > limit {
        true => Err(Failure::usage(format!(
            "{} is larger than {limit} bytes: that is hardly the file that is meant",
            path.display()
        ))),
        false => Ok(bytes),
    }
}

async fn from_url(place: &str, limit: usize, transport: &TransportOptions) -> Result<Fetched, Failure> {
    let url: Uri = place
        .parse()
        .map_err(|error| Failure::usage(format!("`{}` is no URL: {error}", without_user(place))))?;
    let net = |source| {
        Failure::from(ClientError::Net {
            what: format!("cannot fetch {}", ShownUrl::new(&url)),
            source,
        })
    };
    let transport = Transport::new(options(&url, transport)).map_err(net)?;
    let answer = transport
        .send(&Request::new(Method::GET, url.clone()))
        .await
        .map_err(net)?;
    let status = answer.status();
    if !status.is_success() {
        let exit = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::Refused,
            _ => Exit::Unreachable,
        };
        let message = format!("{} answered {status}", ShownUrl::new(&url));
        return Ok(Fetched::Status(Failure::new(exit, message), status));
    }
    let bytes = answer.bytes(limit).await.map_err(net)?;
    Ok(Fetched::Bytes(bytes.into()))
}

/// Plain HTTP where the URL says so, and nowhere else: not after a redirect either.
fn options(url: &Uri, given: &TransportOptions) -> TransportOptions {
    let mut options = given.clone();
    options.default_host.plain_http = PlainHttp::Loopback;
    if let (Some("http"), Some(authority)) = (url.scheme_str(), url.authority()) {
        let mut host = options.default_host;
        host.plain_http = PlainHttp::Always;
        options.hosts.insert(authority.as_str().to_owned(), host);
    }
    options
}

/// A URL that cannot be parsed may still hold a password.
fn without_user(place: &str) -> String {
    match (place.split_once("://"), place.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => place.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// Answers each connection with these bytes, until the test ends.
    async fn answering(answer: &'static str) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = connection.read(&mut request).await;
                let _ = connection.write_all(answer.as_bytes()).await;
            }
        });
        format!("http://{address}/data.json")
    }

    #[tokio::test]
    async fn files_and_urls_are_read_up_to_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data.json");
        std::fs::write(&file, "{}").unwrap();
        let url = answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").await;
        let options = TransportOptions::default();
        for place in [file.to_str().unwrap(), url.as_str()] {
            assert_eq!(bytes(place, 2, &options).await.unwrap(), b"{}", "{place}");
            let error = bytes(place, 1, &options).await.unwrap_err();
            assert!(error.to_string().contains("1 bytes"), "{error}");
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_said_with_its_place() {
        let options = TransportOptions::default();
        let error = bytes("/nowhere/data.json", 9, &options).await.unwrap_err();
        assert_eq!(error.exit, Exit::Local);
        assert!(error.to_string().contains("/nowhere/data.json"), "{error}");
        let url = answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        let error = bytes(&url, 9, &options).await.unwrap_err();
        assert!(error.to_string().contains("/data.json answered 404"), "{error}");
        for place in [url.as_str(), "/nowhere/data.json"] {
            assert!(
                bytes_if_there(place, 9, &options).await.unwrap().is_none(),
                "{place}"
            );
        }
    }

    #[test]
    fn plain_http_is_for_the_host_whose_url_says_so() {
        let given = TransportOptions {
            default_host: landfall_net::client::HostOptions {
                plain_http: PlainHttp::Always,
                ..Default::default()
            },
            ..TransportOptions::default()
        };
        let secure = options(&Uri::from_static("https://a.example/x"), &given);
        assert_eq!(secure.host("a.example").plain_http, PlainHttp::Loopback);
        let plain = options(&Uri::from_static("http://a.example:80/x"), &given);
        assert_eq!(plain.host("a.example:80").plain_http, PlainHttp::Always);
        assert_eq!(plain.host("b.example").plain_http, PlainHttp::Loopback);
    }
}

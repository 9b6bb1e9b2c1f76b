//! A few lines of HTTP, to talk to the fake registry without any of the house's own code.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use landfall_testkit::FakeRegistry;
use tokio::net::TcpStream;

/// An answer, as far as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What broke the body off.
    pub(crate) broken: Option<String>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }
}

/// Sends one request on a connection of its own; `Err` when there is no answer at all.
pub(crate) async fn send(
    registry: &FakeRegistry,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Result<Answer, String> {
    let stream = TcpStream::connect(registry.address()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", registry.address());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).unwrap();
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| error.to_string())?;
    let (parts, mut body) = response.into_parts();
    let (mut bytes, mut broken) = (BytesMut::new(), None);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(error) => {
                broken = Some(format!("{error:?}"));
                break;
            }
        }
    }
    Ok(Answer {
        status: parts.status,
        headers: parts.headers,
        body: bytes.freeze(),
        broken,
    })
}

/// A plain `GET`.
pub(crate) async fn get(registry: &FakeRegistry, path: &str) -> Answer {
    send(registry, "GET", path, &[], "").await.unwrap()
}

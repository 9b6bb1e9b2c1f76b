//! Answers: what every one of them carries, and how an error looks.

use std::io;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use landfall_oci::{Digest, ErrorBody, ErrorCode, ErrorEntry};
use landfall_store::{Content, Extent};

use crate::gateway::{LOCAL, Reader, SERVED_FROM};
use crate::registry::Registry;

/// What an answer carries. The adapter turns it into what the socket layer sends; an extent becomes `sendfile`.
#[derive(Clone, Debug)]
pub enum Body {
    /// Nothing (also the answer to every HEAD).
    Empty,
    /// Bytes in memory.
    Bytes(Bytes),
    /// A piece of a file.
    Extent(Extent),
    /// A piece of a file that is still being written.
    Growing(Growing),
}

/// A piece of a blob that is on its way here.
#[derive(Clone, Debug)]
pub struct Growing {
    /// Where the bytes will be.
    pub(crate) extent: Extent,
    pub(crate) reader: Reader,
}

impl Growing {
    /// How many bytes it will have.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.extent.len
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next bytes behind `offset` within the piece, once they are here: at most so many, none at its end.
    ///
    /// # Errors
    /// When they will not come; what was read before is not to be used then.
    pub async fn read(&self, offset: u64, most: usize) -> io::Result<Bytes> {
        if offset >= self.len() {
            return Ok(Bytes::new());
        }
        let at = self.extent.offset + offset;
        let until = self.reader.clone().beyond(at).await?;
        let len = (until - at).min(self.len() - offset);
        let (extent, len) = (
            self.extent.clone(),
            usize::try_from(len).unwrap_or(most).min(most),
        );
        tokio::task::spawn_blocking(move || extent.read_at(offset, len))
            .await
            .map_err(io::Error::other)?
    }
}

impl From<Content> for Body {
    fn from(content: Content) -> Self {
        match content {
            Content::Extent(extent) => Self::Extent(extent),
            Content::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

/// An answer.
pub type Reply = Response<Body>;

/// The header by which docker knows a registry.
pub(crate) const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
pub(crate) const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
pub(crate) const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
pub(crate) const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");
pub(crate) const OCI_NAMESPACE: HeaderName = HeaderName::from_static("oci-namespace");
pub(crate) const OCI_FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");

/// What there is room for from the start: an answer with content has some ten headers, those of the connection
/// included, and a map that grows is made anew each time.
const HEADERS: usize = 12;

/// Builds an answer; values are ours and therefore always fit into a header.
pub(crate) struct Builder(Reply);

impl Builder {
    pub(crate) fn new(status: StatusCode) -> Self {
        let mut reply = Response::new(Body::Empty);
        *reply.status_mut() = status;
        *reply.headers_mut() = HeaderMap::with_capacity(HEADERS);
        Self(reply)
    }

    /// A `String` becomes the value as it is, a `&str` is copied.
    pub(crate) fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.0.headers_mut().append(name, value);
        }
        self
    }

    pub(crate) fn digest(self, digest: &Digest) -> Self {
        self.header(CONTENT_DIGEST, digest.to_string())
    }

    /// What says which content this is.
    pub(crate) fn content(self, digest: &Digest) -> Self {
        let text = digest.to_string();
        let etag = format!("\"{text}\"");
        self.header(CONTENT_DIGEST, text).header(header::ETAG, etag)
    }

    /// Says that the content was put here on purpose, where it might have come from elsewhere.
    pub(crate) fn local(self, registry: &Registry) -> Self {
        match registry.gateway {
            Some(_) => self.header(SERVED_FROM, LOCAL),
            None => self,
        }
    }

    pub(crate) fn len(self, len: u64) -> Self {
        self.header(header::CONTENT_LENGTH, len)
    }

    pub(crate) fn body(mut self, body: Body) -> Reply {
        *self.0.body_mut() = body;
        self.0
    }

    pub(crate) fn json(self, value: &impl serde::Serialize, content_type: &str) -> Reply {
        let bytes = serde_json::to_vec(value).unwrap_or_default();
        self.header(header::CONTENT_TYPE, content_type)
            .len(bytes.len() as u64)
            .body(Body::Bytes(bytes.into()))
    }

    pub(crate) fn empty(self) -> Reply {
        self.len(0).0
    }

    /// Without a Content-Length: 204 and 304 have none.
    pub(crate) fn bare(self) -> Reply {
        self.0
    }
}

/// The entity tag of content: its digest, quoted.
pub(crate) fn etag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// An error on its way to the client.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) errors: Vec<ErrorEntry>,
    pub(crate) headers: Vec<(HeaderName, String)>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            status,
            errors: ErrorBody::one(code, message).errors,
            headers: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// 405: the endpoint is there, this is not done to it.
    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported, message)
    }

    /// 429 with the time to wait.
    pub(crate) fn too_many(message: impl Into<String>, seconds: u32) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests, message)
            .with(header::RETRY_AFTER, seconds.to_string())
    }

    pub(crate) fn into_reply(self) -> Reply {
        let mut builder = Builder::new(self.status);
        for (name, value) in self.headers {
            builder = builder.header(name, value);
        }
        builder.json(&ErrorBody { errors: self.errors }, "application/json")
    }
}

/// What every answer has, errors too.
pub(crate) fn common_headers(reply: &mut Reply) {
    let headers = reply.headers_mut();
    headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_always_the_envelope() {
        let reply = Failure::too_many("slow down", 3).into_reply();
        assert_eq!(reply.status(), 429);
        assert_eq!(reply.headers()[header::RETRY_AFTER], "3");
        assert_eq!(reply.headers()[header::CONTENT_TYPE], "application/json");
        let Body::Bytes(bytes) = reply.body() else {
            panic!("{:?}", reply.body());
        };
        assert_eq!(reply.headers()[header::CONTENT_LENGTH], bytes.len().to_string());
        let body: ErrorBody = serde_json::from_slice(bytes).unwrap();
        assert!(body.has(&ErrorCode::TooManyRequests));
    }
}
